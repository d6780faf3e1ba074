"""Finds the LiveSession of the browser tab whose script is running."""

from __future__ import annotations

import streamlit as st

from app.session import LiveSession
from app.wiring import engine


@st.cache_resource(scope="session", on_release=LiveSession.release, show_spinner=False)
def current_session() -> LiveSession:
    """This tab's session; released when its socket closes, made anew when it comes back."""
    return LiveSession(engine())
