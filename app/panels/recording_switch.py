"""Record and stop: which feeds, as events (the tape), as raw frames (the flight recorder), or both."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.view import POLLING, STREAMING
from app.wiring import directory, engine
from app.words import plain, sentences, without_folders
from engine.errors import EngineError
from engine.feed.mailbox import FeedKey
from engine.store.report import feed_name

RUNNING, CHOSEN = "what runs now", "a venue and symbols"
MOST_SYMBOLS = 20
LONGEST_NOTE = 200
TAPE_HELP = "Books, trades, quotes, statuses and signals, exact to the last bit: what can be replayed and exported."
FRAMES_HELP = (
    "What is on the wire, both ways, without keys: what belongs to a report of a fault. All symbols of a venue."
)


def show() -> None:
    """The controls; Stop while something is being recorded."""
    st.subheader("Record")
    recording, frames = engine().recording.state().recording, _frames_running()
    if recording is not None or frames:
        if st.button("⏹ Stop recording", key="record-stop", type="primary", width="stretch"):
            _stop()
            st.rerun()
        if recording is not None:
            st.caption(plain(f"Tape of {', '.join(map(feed_name, recording.feeds[:MOST_SYMBOLS]))}"))
        for venue in frames:
            st.caption(plain(f"Raw frames of {venue}"))
    else:
        keys = _keys()
        tape = st.toggle("Tape (events)", True, key="record-tape", help=TAPE_HELP)
        venues = list(dict.fromkeys([key[0] for key in keys]))
        frames_of = _frames(venues)
        note = st.text_input("Note", key="record-note", max_chars=LONGEST_NOTE, placeholder="what this is about")
        empty = not keys or not (tape or frames_of)
        if st.button("● Record", key="record", type="primary", width="stretch", disabled=empty):
            _start(keys if tape else [], frames_of, note)
            st.rerun()
    if error := st.session_state.pop("record-error", None):
        st.error(error)


def _frames_running() -> list[str]:
    return [venue for venue, state in engine().flight.states().items() if state.running]


def _frames(venues: Sequence[str]) -> list[str]:
    """The venues whose frames are wanted and can be recorded."""
    if not st.toggle("Raw frames", False, key="record-frames", help=FRAMES_HELP):
        return []
    able = engine().flight.venues()
    without = [venue for venue in venues if venue not in able]
    if without:
        st.caption(plain(f"{', '.join(without)}: there are no raw frames to record."))
    return [venue for venue in venues if venue in able]


def _keys() -> list[FeedKey]:
    running = sorted([key for key, readers in engine().hub.running().items() if readers])
    options = [RUNNING, CHOSEN] if running else [CHOSEN]
    way = st.radio("Of", options, key="record-way")
    if way == RUNNING:
        picked = st.multiselect(
            "Feeds", running, running, key="record-feeds", format_func=lambda key: feed_name(tuple(key))
        )
        return [(str(venue), str(symbol), str(mode)) for venue, symbol, mode in picked]
    return _chosen()


def _chosen() -> list[FeedKey]:
    connectors = engine().connectors
    names = [name for name in sorted(connectors) if not name.startswith("replay:")]
    first = names.index("mock") if "mock" in names else 0
    name = str(st.selectbox("Venue", names, first, key="record-venue", required=True))
    can = connectors[name].capabilities
    listing = directory().listing(connectors[name])
    symbols = st.multiselect(
        "Symbols", list(listing.instruments), key=f"record-symbols-{name}", max_selections=MOST_SYMBOLS,
        accept_new_options=True, select_all=False, placeholder="As the venue spells them",
    )  # fmt: skip
    if listing.state == "loading":
        _wait_for_listing(name)
    modes = [STREAMING] * can.streaming + [POLLING] * can.polling
    mode = st.radio("Mode", modes, key=f"record-mode-{name}", horizontal=True) if len(modes) > 1 else modes[0]
    return [(name, str(symbol), "stream" if mode == STREAMING else "poll:1") for symbol in symbols]


@st.fragment(run_every=0.5)
def _wait_for_listing(name: str) -> None:
    if directory().listing(engine().connectors[name]).state != "loading":
        st.rerun()
    st.caption(f"Loading what {plain(name)} lists …")


def _start(keys: Sequence[FeedKey], frames_of: Sequence[str], note: str) -> None:
    running = engine()
    try:
        # The frames first: they begin with the connection, which the tape may be the one to open.
        for venue in frames_of:
            running.flight.start(venue)
        if keys:
            running.recording.start(keys, note)
    except EngineError as error:
        st.session_state["record-error"] = plain(without_folders(sentences(str(error), error.hint)))


def _stop() -> None:
    running = engine()
    running.recording.stop()
    running.flight.stop_all()
