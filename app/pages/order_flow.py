"""Order Flow: one symbol's book and trades over time, what the detectors found, and what came of earlier signals."""

import streamlit as st

from app import address
from app.panels import capture, controls, faults, flow_charts, flow_correlation, flow_tables, replay
from app.tab import current_session

PAGE = "flow"

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
    key = flow_charts.show(session, view)
    flow_tables.show(session, key)
    flow_correlation.show(view)
    replay.remark(view.connector)
