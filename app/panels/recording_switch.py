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
    "What is on the wire, both ways, without keys: what belongs to a report of a fault. All symbols of a venue; "
    "of one recording the newest 2 GB are kept."
)


def show() -> None:
    """The controls; Stop while something is being recorded."""
    st.subheader("Record")
    recording, frames = engine().recording.state().recording, _frames_running()
    if recording is not None or frames:
        st.button("⏹ Stop recording", key="record-stop", type="primary", width="stretch", on_click=_stop)
        if recording is not None:
            st.caption(plain(f"Tape of {', '.join(map(feed_name, recording.feeds[:MOST_SYMBOLS]))}"))
        for venue in frames:
            st.caption(plain(f"Raw frames of {venue}"))
    else:
        _draw_choice()
        keys = _keys()
        tape = st.toggle("Tape (events)", True, key="record-tape", help=TAPE_HELP)
        _draw_frames(keys)
        st.text_input("Note", key="record-note", max_chars=LONGEST_NOTE, placeholder="what this is about")
        empty = not keys or not (tape or _frames_of(keys))
        st.button("● Record", key="record", type="primary", width="stretch", disabled=empty, on_click=_start)
    if error := st.session_state.pop("record-error", None):
        st.error(error)


def _frames_running() -> list[str]:
    return [venue for venue, state in engine().flight.states().items() if state.running]


def _draw_frames(keys: Sequence[FeedKey]) -> None:
    if not st.toggle("Raw frames", False, key="record-frames", help=FRAMES_HELP):
        return
    without = sorted({venue for venue, _, _ in keys} - set(engine().flight.venues()))
    if without:
        st.caption(plain(f"{', '.join(without)}: there are no raw frames to record."))


def _draw_choice() -> None:
    running = sorted([key for key, readers in engine().hub.running().items() if readers])
    options = [RUNNING, CHOSEN] if running else [CHOSEN]
    way = st.radio("Of", options, key="record-way")
    if way == RUNNING:
        st.multiselect("Feeds", running, running, key="record-feeds", format_func=lambda key: feed_name(tuple(key)))
    else:
        _draw_venue()


def _draw_venue() -> None:
    connectors = engine().connectors
    names = [name for name in sorted(connectors) if not name.startswith("replay:")]
    first = names.index("mock") if "mock" in names else 0
    name = str(st.selectbox("Venue", names, first, key="record-venue", required=True))
    can = connectors[name].capabilities
    listing = directory().listing(connectors[name])
    st.multiselect(
        "Symbols", list(listing.instruments), key=f"record-symbols-{name}", max_selections=MOST_SYMBOLS,
        accept_new_options=True, select_all=False, placeholder="As the venue spells them",
    )  # fmt: skip
    if listing.state == "loading":
        _wait_for_listing(name)
    modes = [STREAMING] * can.streaming + [POLLING] * can.polling
    if len(modes) > 1:
        st.radio("Mode", modes, key=f"record-mode-{name}", horizontal=True)


@st.fragment(run_every=0.5)
def _wait_for_listing(name: str) -> None:
    if directory().listing(engine().connectors[name]).state != "loading":
        st.rerun()
    st.caption(f"Loading what {plain(name)} lists …")


# What is chosen at this moment: the button's callback runs before the page is drawn with it.


def _keys() -> list[FeedKey]:
    """The feeds that are to be recorded."""
    chosen = st.session_state
    if chosen.get("record-way") == RUNNING:
        return [(str(venue), str(symbol), str(mode)) for venue, symbol, mode in chosen.get("record-feeds", ())]
    name = str(chosen.get("record-venue", ""))
    if name not in engine().connectors:
        return []
    streams = engine().connectors[name].capabilities.streaming
    mode = chosen.get(f"record-mode-{name}", STREAMING if streams else POLLING)
    symbols = chosen.get(f"record-symbols-{name}", ())
    return [(name, str(symbol), "stream" if mode == STREAMING else "poll:1") for symbol in symbols]


def _frames_of(keys: Sequence[FeedKey]) -> list[str]:
    """The venues whose frames are wanted and can be recorded."""
    able = engine().flight.venues() if st.session_state.get("record-frames") else ()
    return [venue for venue in dict.fromkeys([key[0] for key in keys]) if venue in able]


def _start() -> None:
    running, found = engine(), _keys()
    keys, frames_of = found if st.session_state.get("record-tape") else [], _frames_of(found)
    note = str(st.session_state.get("record-note", ""))
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
