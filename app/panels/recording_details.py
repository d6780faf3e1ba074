"""One recording: what its feeds were worth, what is missing, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.panels.recording_choice import LOOK_EVERY_S
from app.panels.recording_works import attempt, show_trouble
from app.recorded import feeds_words, gaps_table, length, quality_table
from app.wiring import archive, engine
from app.words import plain, sentences, without_folders
from engine.errors import StoreError
from engine.store.base import QualityNote, Recording
from engine.store.exports.exporting import ENDINGS, Kind
from engine.store.report import moment, size_words, traded_words

KINDS: dict[Kind, str] = {"bundle": "Session bundle", "csv": "CSV", "parquet": "Parquet", "duckdb": "DuckDB"}
TROUBLE = "recording-error"
REPLAY_ASKED, ACROSS_ASKED, DELETE_ASKED = "replay-asked", "across-asked", "delete-asked"
"""Which recording is to be replayed, or its venues side by side; which one the question of its deletion is about."""
KIND_HELP = (
    "Session bundle: everything in one file that opens on another machine. CSV: tables for spreadsheets. "
    "Parquet: by venue, symbol and date. DuckDB: a store with this recording alone."
)


def show(recording: Recording) -> None:
    """Buttons first, then quality and gaps."""
    running = recording.ending == "running"
    with st.container(horizontal=True, vertical_alignment="bottom", key="recording-actions"):
        useless = running or not recording.events
        st.button(
            "▶️ Replay", key="replay", type="primary", disabled=useless, on_click=_ask, args=(REPLAY_ASKED, recording)
        )
        if len({venue for venue, _, _ in recording.feeds}) > 1:
            st.button(
                "▶️ Across venues", key="replay-across", disabled=useless, on_click=_ask, args=(ACROSS_ASKED, recording)
            )
        kinds = [kind for kind in KINDS if kind in ENDINGS]
        st.selectbox("Export as", kinds, key="export-kind", format_func=KINDS.__getitem__, help=KIND_HELP, width=200)
        st.button("Export", key="export", disabled=running, on_click=_export, args=(recording,))
        st.button("🗑 Delete …", key="delete", disabled=running, on_click=_ask, args=(DELETE_ASKED, recording))
    if running:
        st.caption("It is being recorded: stop it before it is replayed, exported or deleted.")
    show_trouble(TROUBLE)
    st.caption(_words(recording))
    st.fragment(_worth, run_every=LOOK_EVERY_S if running else None)(recording)


def _worth(recording: Recording) -> None:
    """Quality and gaps; they change while it is being recorded."""
    try:
        store = archive().store()
        notes = _now(recording) if recording.ending == "running" else store.quality(recording.id)
        gaps = store.gaps(recording.id)
    except StoreError as error:  # it comes by itself, while nobody else is drawing who would say so
        st.error(plain(without_folders(sentences(str(error), error.hint))))
        return
    st.html(f"<h4>Quality</h4>{quality_table(recording, notes)}<h4>Gaps</h4>{gaps_table(gaps)}")


def _now(recording: Recording) -> list[QualityNote]:
    """What the feeds of a recording that runs say of their quality at this moment."""
    feeds = [(key, engine().hub.feed(key)) for key in recording.feeds]
    at_ns = engine().clock.now_ns()
    return [QualityNote(key, at_ns, feed.quality.report(at_ns)) for key, feed in feeds if feed is not None]


def _words(recording: Recording) -> str:
    versions = ", ".join([f"{name} {version}" for name, version in sorted(recording.versions.items())])
    traded = f", {traded_words(recording)}" if traded_words(recording) else ""
    counts = f"{recording.events:,} events, {recording.level_rows:,} price levels{traded}; "
    return plain(
        f"{recording.id}: {feeds_words(recording.feeds, 20)}; {counts if recording.ended_ns is not None else ''}"
        f"written by {versions or 'nobody knows what'}",
        most=1_000,
    )


# What buttons do is done in callbacks: they run before the page does, so a page that is drawn anew loses no click.


def _ask(what: str, recording: Recording) -> None:
    """Remember what was asked for, and of which recording: the one that was seen, whichever is the newest by now."""
    st.session_state[what] = recording.id


def _forget() -> None:
    st.session_state.pop(DELETE_ASKED, None)


def _export(recording: Recording) -> None:
    kind: Kind = st.session_state["export-kind"]
    attempt(lambda: archive().export(kind, recording), TROUBLE)


def _delete(recording: Recording) -> None:
    _forget()
    attempt(lambda: archive().delete(recording), TROUBLE)


def asked_for(what: str, recordings: Sequence[Recording]) -> Recording | None:
    """The recording that this was asked for of, whichever is looked at by now."""
    wanted = st.session_state.get(what)
    return next((recording for recording in recordings if recording.id == wanted), None)


def confirm(recordings: Sequence[Recording]) -> None:
    """The question before a deletion, while it is open."""
    if (found := asked_for(DELETE_ASKED, recordings)) is not None:
        _confirm(found)


@st.dialog("Delete this recording?", on_dismiss=_forget)
def _confirm(recording: Recording) -> None:
    """Names what goes; nothing goes without the second button."""
    st.markdown(
        f"**{plain(recording.id)}**, recorded from {moment(recording.started_ns)} "
        f"({length(recording.started_ns, recording.ended_ns)}): **{recording.events:,} events** of "
        f"{plain(feeds_words(recording.feeds))}, {size_words(recording.size_bytes)}, with its rows in market\\_depth "
        "and candle\\_bars. Exports stay. This cannot be undone."
    )
    with st.container(horizontal=True):
        done = st.button("Delete for good", key="delete-really", type="primary", on_click=_delete, args=(recording,))
        kept = st.button("Keep it", key="delete-not", on_click=_forget)
    if done or kept:
        st.rerun()
