"""Across Venues: one instrument at several venues, their books as one, and the gaps between them."""

import streamlit as st

from app import address
from app.panels import across, across_controls, capture, faults, replay
from app.tab import current_session

PAGE = "across"

address.resume(PAGE)
session = current_session()
with st.sidebar:
    view = across_controls.show()
    faults.show({member.venue: [member.symbol] for member in view.members})
    replay.show(*[member.venue for member in view.members])
    capture.show(across_controls.take_recording)
address.keep(PAGE)

session.watch(view.keys, None)
if not view.running:
    across_controls.welcome(view)
else:
    across.show(session, view)
    across.ladder(session, view)
