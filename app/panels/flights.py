"""Recordings of raw frames: the list, one of them as a file, and deletion."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.panels.recording_works import attempt, show_trouble
from app.recorded import flights_table
from app.wiring import archive, engine
from app.words import plain
from engine.store.flight.listing import Flight
from engine.store.flight.recorder import FlightState
from engine.store.report import moment, size_words

LOOK_EVERY_S = 2.0
TROUBLE, ASKED = "flight-error", "flight-asked"
"""Which recording of frames the question before its deletion is about, while it is open."""


def show() -> None:
    """Newest first; what is being written cannot be packed or deleted."""
    flights = {flight.name: flight for flight in archive().flights()}
    if not flights:
        return
    writing = _writing()
    st.fragment(_table, run_every=LOOK_EVERY_S if writing else None)()
    with st.container(horizontal=True, vertical_alignment="bottom", key="flight-actions"):
        name = str(st.selectbox("Raw frames", list(flights), key="flight", required=True))
        found = flights.get(name)
        if found is None:
            return
        st.button("Pack as one file", key="flight-pack", disabled=name in writing, on_click=_pack, args=(found,))
        st.button("🗑 Delete …", key="flight-delete", disabled=name in writing, on_click=_ask, args=(found,))
    show_trouble(TROUBLE)
    if (asked := flights.get(st.session_state.get(ASKED, ""))) is not None:
        _confirm(asked)


def _writing() -> dict[str, FlightState]:
    """What is being recorded, by the name of its folder."""
    return {Path(state.place).name: state for state in engine().flight.states().values() if state.running}


def _table() -> None:
    """Its numbers grow while something is being recorded."""
    st.html(f"<h4>Raw frames</h4>{flights_table(archive().flights(), _writing())}")


# What buttons do is done in callbacks: they run before the page does, so a page that is drawn anew loses no click.


def _pack(found: Flight) -> None:
    attempt(lambda: archive().pack_flight(found), TROUBLE)


def _ask(found: Flight) -> None:
    st.session_state[ASKED] = found.name


def _forget() -> None:
    st.session_state.pop(ASKED, None)


def _delete(found: Flight) -> None:
    _forget()
    attempt(lambda: archive().delete_flight(found), TROUBLE)


@st.dialog("Delete these raw frames?", on_dismiss=_forget)
def _confirm(found: Flight) -> None:
    st.markdown(
        f"**{plain(found.name)}**: {found.records:,} records of {plain(found.manifest.connector)}, recorded from "
        f"{moment(found.manifest.started_ns)}, {size_words(found.size_bytes)}. This cannot be undone."
    )
    with st.container(horizontal=True):
        done = st.button("Delete for good", key="flight-delete-really", type="primary", on_click=_delete, args=(found,))
        kept = st.button("Keep them", key="flight-delete-not", on_click=_forget)
    if done or kept:
        st.rerun()
