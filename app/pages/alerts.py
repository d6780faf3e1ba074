"""Alerts: what happened, what to be told of, and the ways by which it leaves the house."""

import streamlit as st

from app import address
from app.panels import alert_channels, alert_list, alert_rules
from app.tab import current_session

address.resume("alerts")
session = current_session()
st.subheader("Alerts")
alert_list.show(session)
st.subheader("Rules")
alert_rules.show(session)
st.subheader("Ways out")
alert_channels.show()
