"""Recordings of raw frames: the list, one of them as a file, and deletion."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.recorded import flights_table
from app.wiring import archive, engine
from app.words import plain, sentences
from engine.errors import StoreError
from engine.store.flight_list import Flight
from engine.store.report import moment, size_words


def show() -> None:
    """Newest first; what is being written cannot be packed or deleted."""
    flights = {flight.name: flight for flight in archive().flights()}
    if not flights:
        return
    writing = {Path(state.place).name for state in engine().flight.states().values() if state.running}
    st.html(f"<h4>Raw frames</h4>{flights_table(list(flights.values()), writing)}")
    with st.container(horizontal=True, vertical_alignment="bottom", key="flight-actions"):
        name = str(st.selectbox("Raw frames", list(flights), key="flight", required=True))
        found = flights.get(name)
        if found is None:
            return
        st.button("Pack as one file", key="flight-pack", on_click=_pack, args=(found,), disabled=name in writing)
        st.button("🗑 Delete …", key="flight-delete", on_click=_ask, args=(name,), disabled=name in writing)
    if error := st.session_state.pop("flight-error", None):
        st.error(error)
    if st.session_state.pop("flight-delete-asked", None) == name:
        _confirm(found)


def _ask(name: str) -> None:
    st.session_state["flight-delete-asked"] = name


def _pack(found: Flight) -> None:
    try:
        archive().pack_flight(found)
    except StoreError as error:
        st.session_state["flight-error"] = plain(sentences(str(error), error.hint))


@st.dialog("Delete these raw frames?")
def _confirm(found: Flight) -> None:
    st.markdown(
        f"**{plain(found.name)}**: {found.records:,} records of {plain(found.manifest.connector)}, recorded from "
        f"{moment(found.manifest.started_ns)}, {size_words(found.size_bytes)}. This cannot be undone."
    )
    with st.container(horizontal=True):
        if st.button("Delete for good", key="flight-delete-really", type="primary"):
            try:
                archive().delete_flight(found)
            except StoreError as error:
                st.error(plain(sentences(str(error), error.hint)))
                return
            st.rerun()
        if st.button("Keep them", key="flight-delete-not"):
            st.rerun()
