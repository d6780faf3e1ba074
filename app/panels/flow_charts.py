"""The moving panels of order flow, drawn by the browser from the data socket."""

from __future__ import annotations

import streamlit as st

from app.flow_keys import flow_key
from app.live import components
from app.panels.market import focus, pump
from app.session import LiveSession
from app.view import View
from app.wiring import live_plane
from engine.feed.mailbox import FeedKey

UPPER, DELTA, CANDLES, LISTS = 560, 300, 300, 300
GAP = 16
"""Between two panels, in pixels."""


def show(session: LiveSession, view: View) -> FeedKey:
    """All of them for the symbol in focus, whose key is answered."""
    plane = live_plane()
    key = view.key(focus(view))
    ticket = plane.office.mint([*session.keys, flow_key(key)], session.id) if plane is not None else ""
    left, right = st.columns([1.85, 1], gap="small")
    with left:
        components.flow("heatmap", key, ticket=ticket, key="heatmap", height=UPPER)
    with right:
        components.flow("dom", key, ticket=ticket, key="dom", height=UPPER)
    left, right = st.columns([1.85, 1], gap="small")
    with left:
        components.flow("delta", key, ticket=ticket, key="delta", height=DELTA)
        components.flow("footprint", key, ticket=ticket, key="footprint", height=CANDLES)
    with right:
        components.flow("gauges", key, ticket=ticket, key="gauges", height=DELTA + CANDLES + GAP)
    left, right = st.columns([1, 1.3], gap="small")
    with left:
        components.tape(key, ticket=ticket, key="tape", height=LISTS)
    with right:
        components.flow("happenings", key, ticket=ticket, key="happenings", height=LISTS)
    if plane is None:
        pump(session, [flow_key(key)])
    return key
