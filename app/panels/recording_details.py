"""One recording: what its feeds were worth, what is missing, and what can be done with it."""

from __future__ import annotations

import streamlit as st

from app.recorded import feeds_words, gaps_table, length, quality_table
from app.wiring import archive, engine
from app.words import plain, sentences
from engine.errors import EngineError, StoreError
from engine.store.base import QualityNote, Recording
from engine.store.exporting import ENDINGS, Kind
from engine.store.report import moment, size_words

KINDS: dict[Kind, str] = {"bundle": "Session bundle", "csv": "CSV", "parquet": "Parquet", "duckdb": "DuckDB"}
KIND_HELP = (
    "Session bundle: everything in one file that opens on another machine. CSV: tables for spreadsheets. "
    "Parquet: by venue, symbol and date. DuckDB: a store with this recording alone."
)


def show(recording: Recording) -> None:
    """Buttons first, then quality and gaps."""
    running = recording.ending == "running"
    with st.container(horizontal=True, vertical_alignment="bottom", key="recording-actions"):
        # What buttons do is done here and not in callbacks: those would be given what was chosen a moment before.
        if st.button("▶️ Replay", key="replay", type="primary", disabled=running or not recording.events):
            st.session_state["replay-asked"] = recording.id
        kinds = [kind for kind in KINDS if kind in ENDINGS]
        kind = st.selectbox(
            "Export as", kinds, key="export-kind", format_func=KINDS.__getitem__, help=KIND_HELP, width=200
        )
        if st.button("Export", key="export", disabled=running):
            _export(kind, recording)
            st.rerun()
        asked = st.button("🗑 Delete …", key="delete", disabled=running)
    if running:
        st.caption("It is being recorded: stop it before it is replayed, exported or deleted.")
    if error := st.session_state.pop("recording-error", None):
        st.error(error)
    if asked:
        _confirm(recording)
    st.caption(_words(recording))
    store = archive().store()
    quality = quality_table(recording, _now(recording) if running else store.quality(recording.id))
    st.html(f"<h4>Quality</h4>{quality}<h4>Gaps</h4>{gaps_table(store.gaps(recording.id))}")


def _now(recording: Recording) -> list[QualityNote]:
    """What the feeds of a recording that runs say of their quality at this moment."""
    feeds = [(key, engine().hub.feed(key)) for key in recording.feeds]
    at_ns = engine().clock.now_ns()
    return [QualityNote(key, at_ns, feed.quality.report(at_ns)) for key, feed in feeds if feed is not None]


def _words(recording: Recording) -> str:
    versions = ", ".join([f"{name} {version}" for name, version in sorted(recording.versions.items())])
    counts = f"{recording.events:,} events, {recording.level_rows:,} price levels; "
    return plain(
        f"{recording.id}: {feeds_words(recording.feeds, 20)}; {counts if recording.ended_ns is not None else ''}"
        f"written by {versions or 'nobody knows what'}",
        most=1_000,
    )


def _export(kind: Kind, recording: Recording) -> None:
    try:
        archive().export(kind, recording)
    except StoreError as error:
        st.session_state["recording-error"] = plain(sentences(str(error), error.hint))


@st.dialog("Delete this recording?")
def _confirm(recording: Recording) -> None:
    """Names what goes; nothing goes without the second button."""
    st.markdown(
        f"**{plain(recording.id)}**, recorded from {moment(recording.started_ns)} "
        f"({length(recording.started_ns, recording.ended_ns)}): **{recording.events:,} events** of "
        f"{plain(feeds_words(recording.feeds))}, {size_words(recording.size_bytes)}, with its rows in market\\_depth "
        "and candle\\_bars. Exports stay. This cannot be undone."
    )
    with st.container(horizontal=True):
        if st.button("Delete for good", key="delete-really", type="primary"):
            try:
                archive().delete(recording)
            except EngineError as error:
                st.error(plain(sentences(str(error), error.hint)))
                return
            st.rerun()
        if st.button("Keep it", key="delete-not"):
            st.rerun()
