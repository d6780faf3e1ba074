"""Pick a recording and play it as a venue: a capture of raw frames, or a recording of the tape."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from app.wiring import open_capture, open_tape, recordings, settings
from app.words import plain, sentences
from engine.errors import EngineError, StoreError
from engine.store.base import Recording
from engine.store.captures.reader import captures_in

SPEEDS: dict[str, float | None] = {"1×": 1.0, "10×": 10.0, "100×": 100.0, "max": None}
MOST_RECORDINGS = 100


def show() -> None:
    """Choose a recording and a speed; it then stands among the connectors."""
    with st.expander("Play a recording", key="play-a-capture"):
        choices = _choices(settings().captures_dir)
        if not choices:
            st.caption(
                f"Nothing is recorded yet, and there is no capture in {settings().captures_dir}. Put .jsonl or "
                ".jsonl.gz files there, or set CAPTURES_DIR in .env."
            )
            return
        name = str(st.selectbox("Recording", list(choices), key="capture-file"))
        speed = str(st.segmented_control("Speed", list(SPEEDS), default="1×", key="capture-speed", required=True))
        st.button("Open as a venue", key="capture-open", on_click=_open, args=(choices[name], SPEEDS[speed]))
        if error := st.session_state.pop("capture-error", None):
            st.error(error)


def _choices(folder: Path) -> dict[str, Path | Recording]:
    """What can be played, by what it is called here: the newest recordings first, then captures."""
    try:
        kept = [recording for recording in recordings() if recording.events][-MOST_RECORDINGS:]
    except StoreError as error:
        st.caption(plain(sentences(str(error), error.hint)))
        kept = []
    choices: dict[str, Path | Recording] = {_called(recording): recording for recording in reversed(kept)}
    return choices | {name: folder / name for name in captures_in(folder)}


def _called(recording: Recording) -> str:
    """`20240808-120509-3f2a9c BTCUSDT, ETHUSDT (11 min)`, and its note."""
    symbols = list(dict.fromkeys([key[1] for key in recording.feeds]))
    more = f" and {len(symbols) - 3} more" if len(symbols) > 3 else ""
    ended_ns = recording.ended_ns if recording.ended_ns is not None else round(datetime.now(UTC).timestamp() * 1e9)
    minutes = max(0, ended_ns - recording.started_ns) / 60e9
    note = f": {recording.note}" if recording.note else ""
    return f"{recording.id} {', '.join(symbols[:3])}{more} ({minutes:.0f} min){note}"


def _open(chosen: Path | Recording, speed: float | None) -> None:
    try:
        name = open_capture(chosen, speed) if isinstance(chosen, Path) else open_tape(chosen.id, speed)
    except EngineError as error:
        # The page needs no path of the server, and no advice for the command line.
        said = str(error).replace(str(chosen), chosen.name) if isinstance(chosen, Path) else str(error)
        st.session_state["capture-error"] = plain(sentences(said, "" if "--" in error.hint else error.hint))
        return
    st.session_state["connector"] = name
    st.session_state["symbols"] = []
    st.session_state["own_symbols"] = False
    st.query_params.pop("run", None)
