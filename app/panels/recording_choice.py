"""All recordings as a table, and which of them is looked at; the address holds it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.recorded import label, recordings_table
from engine.store.base import Recording

MOST_SHOWN = 50


def show(recordings: Sequence[Recording]) -> Recording | None:
    """Draw the table, newest first; the recording that is chosen, None while there is none."""
    newest = list(reversed(recordings))
    by_id = {recording.id: recording for recording in newest}
    asked = str(st.session_state.get("recording") or st.query_params.get("recording") or "")
    if asked and asked not in by_id:
        st.warning("The recording of this address is not here (any more).")
        st.session_state.pop("recording", None)
        st.query_params.pop("recording", None)
        asked = ""
    chosen = asked or next(iter(by_id), "")
    st.html(recordings_table(newest[:MOST_SHOWN], chosen))
    if len(newest) > MOST_SHOWN:
        st.caption(f"… and {len(newest) - MOST_SHOWN:,} older ones; all can be chosen below.")
    if not newest:
        return None
    picked = st.selectbox(
        "Recording", list(by_id), key="recording", bind="query-params", required=True,
        format_func=lambda name: label(by_id[name]) if name in by_id else str(name),
    )  # fmt: skip
    return by_id.get(str(picked))


def choose_recording(recording_id: str) -> None:
    """Look at this one from now on; for buttons."""
    st.session_state["recording"] = recording_id
