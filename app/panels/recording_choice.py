"""All recordings as a table, and which of them is looked at; the address holds it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.recorded import label, recordings_table
from app.wiring import archive
from engine.store.base import Recording

MOST_SHOWN = 50
LOOK_EVERY_S = 2.0


def show(recordings: Sequence[Recording]) -> Recording | None:
    """Draw the table, newest first; the recording that is chosen, None while there is none."""
    by_id = {recording.id: recording for recording in reversed(recordings)}
    asked = st.query_params.get("recording", "")
    if asked and asked not in by_id:
        st.warning("The recording of this address is not here (any more).")
        st.query_params.pop("recording", None)
        asked = ""
    chosen = asked or next(iter(by_id), "")
    running = any(recording.ending == "running" for recording in recordings)
    st.fragment(_table, run_every=LOOK_EVERY_S if running else None)(chosen, running)
    if not by_id:
        return None
    st.session_state["recording"] = chosen
    st.selectbox(
        "Recording", list(by_id), key="recording", required=True, on_change=_picked,
        format_func=lambda name: label(by_id[name]) if name in by_id else str(name),
    )  # fmt: skip
    return by_id[chosen]


def choose_recording(recording_id: str) -> None:
    """Look at this one from now on; for buttons."""
    st.query_params["recording"] = recording_id


def _picked() -> None:
    choose_recording(str(st.session_state["recording"]))


def _table(chosen: str, running: bool) -> None:
    """Its numbers grow while something is being recorded."""
    recordings = archive().store().recordings()
    if running and all(recording.ending != "running" for recording in recordings):
        st.rerun()  # it ended, perhaps by somebody else's hand
    newest = recordings[::-1]
    st.html(recordings_table(newest[:MOST_SHOWN], chosen))
    if len(newest) > MOST_SHOWN:
        st.caption(f"… and {len(newest) - MOST_SHOWN:,} older ones; all can be chosen below.")
