"""The page's main part: the list of recordings and the one that is looked at, or why there is no store."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.panels import recording_choice, recording_details, recording_import, recording_store, recording_works
from app.view import STREAMING
from app.wiring import archive, engine, open_tape, venues_of_recording
from app.words import plain, sentences, without_folders
from engine.errors import EngineError, StoreError
from engine.market.consolidated import MOST_MEMBERS
from engine.store.base import Recording

MOST_SYMBOLS = 20


def show() -> None:
    """Draw it; a store that fails leaves the rest of the page alone."""
    st.subheader("Recordings")
    try:
        store = archive().store()
        recordings = store.recordings()
        desk = engine().recording
        recording_store.show_findings(desk.state(), desk.look_ahead(store))
        recording_works.show()
        chosen = recording_choice.show(recordings)
        if chosen is not None:
            recording_details.show(chosen)
            recording_details.confirm(recordings)
            _replay(recordings)
        recording_import.show()
        recording_import.show_exports()
        recording_store.show(store)
    except StoreError as error:
        st.error(plain(without_folders(sentences(str(error), error.hint))))


def _replay(recordings: Sequence[Recording]) -> None:
    """Open Live Trading, or Across Venues, on the recording whose button was pressed; the address holds which."""
    across = recording_details.asked_for(recording_details.ACROSS_ASKED, recordings)
    recording = across or recording_details.asked_for(recording_details.REPLAY_ASKED, recordings)
    for asked in (recording_details.ACROSS_ASKED, recording_details.REPLAY_ASKED):
        st.session_state.pop(asked, None)
    if recording is None:
        return
    try:
        name = open_tape(recording.id, 1.0)
        symbols = [instrument.symbol for instrument in engine().connectors[name].instruments()][:MOST_SYMBOLS]
    except EngineError as error:
        st.error(plain(sentences(str(error), error.hint)))
        return
    if across is not None:
        for other in ("instrument", "off"):
            st.session_state.pop(other, None)
        venues = st.session_state["venues"] = venues_of_recording(name)[:MOST_MEMBERS]
        st.switch_page("pages/across_venues.py", query_params={"venues": venues, "run": "1"})
    for other in ("mode", "focus", "own_symbols"):
        st.session_state.pop(other, None)
    st.session_state["connector"], st.session_state["symbols"] = name, symbols
    st.session_state["mode"] = STREAMING
    st.switch_page("pages/live_trading.py", query_params={"connector": name, "symbols": symbols, "run": "1"})
