"""A session from another machine, and the files that were exported here."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import streamlit as st

from app.archive import is_bundle
from app.panels.recording_works import attempt, download, show_trouble
from app.wiring import archive
from engine.store.report import size_words

TROUBLE = "session-error"
LARGEST_UPLOAD_MB = 200
"""What the server takes at all (`server.maxUploadSize`); an upload lies in its memory."""


def show() -> None:
    """Open a session bundle."""
    with st.expander("Open a session from another machine", key="open-a-session"):
        file = st.file_uploader(
            "Session bundle", type=["zip"], key="session-file", max_upload_size=LARGEST_UPLOAD_MB,
            help="What Export as Session bundle wrote. A larger one can be laid into the exports folder.",
        )  # fmt: skip
        if file is not None:
            st.button("Open the session", key="session-open", on_click=_open_upload)
    show_trouble(TROUBLE)


def show_exports() -> None:
    """What lies in the exports folder."""
    paths = {path.name: path for path in archive().exports()}
    if not paths:
        return
    with st.expander(f"Exports ({len(paths)})", key="exports"):
        name = str(st.selectbox("File", list(paths), key="export-file", format_func=lambda one: _label(paths, one)))
        with st.container(horizontal=True):
            if name in paths:
                download(paths[name], "export")
                if is_bundle(paths[name]):
                    st.button("Open as a recording", key="export-open", on_click=_open_export)
                st.button("🗑 Delete the file", key="export-delete", on_click=_remove)


def _label(paths: dict[str, Path], name: str) -> str:
    path = paths.get(name)
    return f"{name} ({size_words(path.stat().st_size)})" if path is not None and path.is_file() else name


# What buttons do is done in callbacks: they run before the page does, so a page that is drawn anew loses no click.


def _open_upload() -> None:
    if (file := st.session_state.get("session-file")) is not None:
        _open(file, file.name)


def _open_export() -> None:
    name = str(st.session_state["export-file"])
    if (path := next((one for one in archive().exports() if one.name == name), None)) is not None:
        _open(path, name)


def _open(file: IO[bytes] | Path, name: str) -> None:
    attempt(lambda: archive().open_bundle(file, name), TROUBLE)


def _remove() -> None:
    attempt(lambda: archive().remove_export(str(st.session_state["export-file"])), TROUBLE)
