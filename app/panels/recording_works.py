"""Long work on recordings while it goes on, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.panels.recording_choice import choose_recording
from app.wiring import archive
from app.words import plain, seconds, sentences, without_folders
from engine.errors import EngineError
from engine.store.report import size_words
from engine.store.work import WorkReport

LOOK_EVERY_S = 0.5
LARGEST_DOWNLOAD = 256 << 20
"""A file goes through the server's memory on its way to the browser."""


def show() -> None:
    """Bars of what runs, and the ends of what ended; the page is drawn anew when something ends."""
    if not archive().works.reports():
        return
    # The page is being drawn with what has ended already: drawing it anew is for what ends later.
    st.session_state["works-running"] = _running()
    if _running():
        st.fragment(_draw, run_every=LOOK_EVERY_S)()
    else:
        _draw()


def _running() -> list[int]:
    return [report.number for report in archive().works.reports() if report.state == "running"]


def _draw() -> None:
    before = st.session_state.get("works-running", [])
    now = st.session_state["works-running"] = _running()
    if set(before) - set(now):
        st.rerun()  # something ended: lists and sizes have changed
    for report in archive().works.reports():
        with st.container(key=f"work-{report.number}", border=True):
            if report.state == "running":
                _bar(report)
            else:
                _end(report)


def _bar(report: WorkReport) -> None:
    share = min(1.0, report.done / report.total) if report.total else 0.0
    counted = f" {report.done:,} of {report.total:,}" if report.total else ""
    st.progress(share, plain(f"{report.title}: {report.words}{counted}, {seconds(report.seconds)}"))
    st.button("Call off", key=f"work-cancel-{report.number}", on_click=archive().works.cancel, args=(report.number,))


def _end(report: WorkReport) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if report.state == "failed":
            st.markdown(f"❌ **{plain(report.title)}**: {plain(without_folders(sentences(report.error, report.hint)))}")
        elif report.state == "cancelled":
            st.markdown(f"⏹ **{plain(report.title)}**: called off, nothing of it is left.")
        else:
            words = report.outcome.words if report.outcome is not None else ""
            st.markdown(f"✅ **{plain(report.title)}** in {seconds(report.seconds)}: {plain(words)}")
        if report.outcome is not None and report.outcome.path is not None:
            download(report.outcome.path, f"work-{report.number}")
        if report.outcome is not None and report.outcome.recording:
            st.button(
                "Show", key=f"work-show-{report.number}", on_click=choose_recording, args=(report.outcome.recording,)
            )
        st.button("✕", key=f"work-forget-{report.number}", on_click=archive().works.forget, args=(report.number,))


def attempt(work: Callable[[], object], trouble: str) -> None:
    """What a button asks for; why it could not be done is kept under this key until `show_trouble` tells it."""
    try:
        work()
    except EngineError as error:
        st.session_state[trouble] = plain(sentences(str(error), error.hint))


def show_trouble(trouble: str) -> None:
    """Why what was asked for last could not be done, once."""
    if error := st.session_state.pop(trouble, None):
        st.error(error)


def download(path: Path, key: str) -> None:
    """The button that brings an export to the browser, or why there is none."""
    if not path.is_file():
        st.caption("The file is gone.")
        return
    size_bytes = path.stat().st_size
    if size_bytes > LARGEST_DOWNLOAD:
        st.caption(f"{size_words(size_bytes)} are too much for a download here; the file lies in the exports folder.")
        return
    st.download_button("Download", path.read_bytes, path.name, key=f"download-{key}", on_click="ignore")
