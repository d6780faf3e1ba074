"""The side bar of the pages that watch one venue: what to watch, what to break, what to play."""

from __future__ import annotations

import streamlit as st

from app import address
from app.panels import capture, controls, faults, replay
from app.session import LiveSession
from app.tab import current_session
from app.view import View


def show(page: str) -> tuple[LiveSession, View]:
    """Draw it, first of all on the page; the tab's session, which watches from here on what the person wants."""
    address.resume(page)
    session = current_session()
    with st.sidebar:
        view = controls.show()
        faults.show({view.connector: view.symbols})
        replay.show(view.connector)
        capture.show()
    address.keep(page)
    session.watch(view.keys, view.strategy)
    return session, view
