"""The red light: what is being recorded, on every page, and what keeps it from being written."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from app.recorded import passed
from app.wiring import engine
from app.words import sentences, without_folders
from engine.store.desk import RecordingState
from engine.store.flight.recorder import FlightState
from engine.store.report import size_words

LOOK_EVERY_S = 2.0


@st.fragment(run_every=LOOK_EVERY_S)
def show() -> None:
    """Looks by itself, since anybody may start or stop a recording; nothing is drawn while there is nothing to say."""
    running = engine()
    now_ns = running.clock.now_ns()
    lights = tape_light(running.recording.state())
    lights += "".join([frames_light(state, now_ns) for state in running.flight.states().values()])
    with st.container(key="recording-light"):
        st.html(lights or "<span></span>")


def tape_light(state: RecordingState) -> str:
    """The light of the tape: time, events, size; its trouble also after it ended by itself."""
    recording = state.recording
    trouble = sentences(state.error, state.hint) if state.error else ""
    if recording is None and not trouble:
        return ""
    if recording is None:
        return _light("trouble", "", "not recording", trouble)
    parts = [passed(state.seconds), f"{state.events:,} events", f"store {size_words(state.bytes)}"]
    if state.dropped:
        parts.append(f"{state.dropped:,} lost")
    if state.warnings:
        parts.append("deletions are due: see Recordings")
    return _light("trouble" if trouble else "on", recording.id, "REC " + " · ".join(parts), trouble)


def frames_light(state: FlightState, now_ns: int) -> str:
    """The light of a venue's raw frames; none when they are not recorded."""
    if not state.running:
        return ""
    parts = [passed((now_ns - state.started_ns) / 1e9), f"{state.records:,} frames", size_words(state.size_bytes)]
    if state.lost:
        parts.append(f"{state.lost:,} lost")
    if state.removed:
        parts.append(f"its oldest {state.removed:,} files made room")
    name = Path(state.place).name
    kind = "trouble" if state.trouble else "on"
    return _light(kind, name, f"RAW {state.venue} " + " · ".join(parts), state.trouble)


def _light(kind: str, name: str, words: str, trouble: str) -> str:
    told = f"<em>⚠ {escape(without_folders(trouble))}</em>" if trouble else ""
    return f'<div class="td-rec" data-light="{kind}" data-of="{escape(name)}">● {escape(words)} {told}</div>'
