"""Recordings: record and stop, what was recorded, replay, export, delete, and sessions from other machines."""

import streamlit as st

from app import address
from app.panels import flights, recording_switch, recordings
from app.tab import current_session

PAGE = "recordings"

address.resume(PAGE)
session = current_session()
with st.sidebar:
    recording_switch.show()
session.watch([], None)
recordings.show()
flights.show()
address.keep(PAGE)
