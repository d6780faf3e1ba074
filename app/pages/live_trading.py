"""Live Trading: pick a venue and its symbols, start, and see what is live, how old it is and where it came from."""

import streamlit as st

from app import address
from app.panels import capture, controls, diagnosis, faults, market, metrics, replay, signals, status
from app.tab import current_session

PAGE = "live"

address.resume(PAGE)
session = current_session()
with st.sidebar:
    view = controls.show()
    faults.show({view.connector: view.symbols})
    replay.show(view.connector)
    capture.show()
address.keep(PAGE)

session.watch(view.keys, view.strategy)
if not view.running:
    controls.welcome(view)
else:
    status.show(session, view)
    market.show(session, view)
    metrics.show(session, view)
    signals.show(session, view)
    diagnosis.show(session, view)
