"""Play a recorded capture as a venue."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.wiring import open_capture, settings
from app.words import plain, sentences
from engine.errors import EngineError
from engine.store.capture import captures_in

SPEEDS: dict[str, float | None] = {"1×": 1.0, "10×": 10.0, "max": None}


def show() -> None:
    """Choose a file of the captures folder and a speed; it then stands among the connectors."""
    with st.expander("Play a capture", key="play-a-capture"):
        folder = settings().captures_dir
        files = captures_in(folder)
        if not files:
            st.caption(f"No capture in {folder}. Put .jsonl or .jsonl.gz files there, or set CAPTURES_DIR in .env.")
            return
        name = str(st.selectbox("File", files, key="capture-file"))
        speed = str(st.segmented_control("Speed", list(SPEEDS), default="1×", key="capture-speed", required=True))
        st.button("Open as a venue", key="capture-open", on_click=_open, args=(folder / name, SPEEDS[speed]))
        if error := st.session_state.pop("capture-error", None):
            st.error(error)


def _open(path: Path, speed: float | None) -> None:
    try:
        name = open_capture(path, speed)
    except EngineError as error:
        # The page needs no path of the server, and no advice for the command line.
        words = sentences(str(error).replace(str(path), path.name), "" if "--" in error.hint else error.hint)
        st.session_state["capture-error"] = plain(words)
        return
    st.session_state["connector"] = name
    st.session_state["symbols"] = []
    st.session_state["own_symbols"] = False
    st.query_params.pop("run", None)
