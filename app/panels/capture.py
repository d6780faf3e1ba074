"""Pick a recording and play it as a venue: a capture of raw frames, or a recording of the tape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.recorded import feeds_words, length
from app.wiring import open_capture, open_tape, recordings, settings
from app.words import plain, sentences, without_folders
from engine.errors import EngineError, StoreError
from engine.store.base import Recording
from engine.store.captures.reader import captures_in
from engine.store.report import moment

SPEEDS: dict[str, float | None] = {"1×": 1.0, "10×": 10.0, "100×": 100.0, "max": None}
MOST_RECORDINGS = 100
LONGEST_NOTE = 60


def take(connector: str) -> None:
    """Choose this connector for a page that shows one."""
    st.session_state["connector"] = connector
    st.session_state["symbols"] = []
    st.session_state["own_symbols"] = False
    st.query_params.pop("run", None)


def show(opened: Callable[[str], None] = take) -> None:
    """Choose a recording and a speed; it then stands among the connectors, and `opened` is told its name."""
    with st.expander("Play a recording", key="play-a-capture"):
        choices = _choices(settings().captures_dir)
        if not choices:
            st.caption(
                f"Nothing is recorded yet, and there is no capture in {settings().captures_dir}. Put .jsonl or "
                ".jsonl.gz files there, or set CAPTURES_DIR in .env."
            )
            return
        name = str(st.selectbox("Recording", list(choices), key="capture-file"))
        if name not in choices:  # it was deleted, or began, since it was chosen
            return
        st.caption(plain(name))
        st.segmented_control("Speed", list(SPEEDS), default="1×", key="capture-speed", required=True)
        st.button("Open as a venue", key="capture-open", on_click=_open, args=(choices[name], opened))
        if error := st.session_state.pop("capture-error", None):
            st.error(error)


def _choices(folder: Path) -> dict[str, Path | Recording]:
    """What can be played, by what it is called here: the newest recordings first, then captures."""
    try:
        kept = [recording for recording in recordings() if _is_whole(recording)][-MOST_RECORDINGS:]
    except StoreError as error:
        st.caption(plain(without_folders(sentences(str(error), error.hint))))
        kept = []
    choices: dict[str, Path | Recording] = {_called(recording): recording for recording in reversed(kept)}
    return choices | {name: folder / name for name in captures_in(folder)}


def _called(recording: Recording) -> str:
    """`2024-08-08 12:05 UTC · binance BTCUSDT, ETHUSDT · 11 min`, its note, and its id, which tells all apart."""
    ended_ns = recording.ended_ns if recording.ended_ns is not None else recording.started_ns
    note = f" · {recording.note[:LONGEST_NOTE]}" if recording.note else ""
    return (
        f"{moment(recording.started_ns)[:16]} · {feeds_words(recording.feeds)} · "
        f"{length(recording.started_ns, ended_ns)}{note} · {recording.id}"
    )


def _is_whole(recording: Recording) -> bool:
    """Nothing is played while it is still being written: where it ends would not be known."""
    return recording.events > 0 and recording.ending != "running"


def _open(chosen: Path | Recording, opened: Callable[[str], None]) -> None:
    speed = SPEEDS[str(st.session_state.get("capture-speed") or "1×")]
    try:
        with st.spinner("Reading what it holds …"):  # a large capture takes seconds
            name = open_capture(chosen, speed) if isinstance(chosen, Path) else open_tape(chosen.id, speed)
    except EngineError as error:
        # The page needs no path of the server, and no advice for the command line.
        said = str(error).replace(str(chosen), chosen.name) if isinstance(chosen, Path) else str(error)
        st.session_state["capture-error"] = plain(sentences(said, "" if "--" in error.hint else error.hint))
        return
    opened(name)
