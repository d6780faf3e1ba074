"""The tape deck: speed, pause, step, a slider over the recording's time, and loop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.panels.capture import SPEEDS
from app.wiring import engine, replay_controls
from app.words import plain
from connectors.base.playback.controls import ReplayControls, ReplayState

SHORTEST_S = 2.0
"""A recording that is shorter has no slider."""
HELP = "*Event* and *Book* pause, and play the next event, or up to the next change of a book."
AT, SPEED, LOOP = "replay-at", "replay-speed", "replay-loop"
_SECOND_NS = 1_000_000_000


def show(*connectors: str) -> None:
    """The controls of the recording that is chosen; nothing where no connector is one."""
    found = [controls for name in connectors if (controls := replay_controls(name)) is not None]
    if found:
        with st.container(key="replay-deck"):
            _deck(found[0])
            if any(controls is not found[0] for controls in found):
                st.caption("The deck is that of the first recording; the others have theirs on Live Trading.")


def remark(connector: str) -> None:
    """What the recording of this connector lacks, for whoever reads figures from it; nothing where it is none."""
    if replay_controls(connector) is not None and (note := engine().connectors[connector].capabilities.note):
        st.caption(plain(note))


@st.fragment(run_every=1.0)
def _deck(controls: ReplayControls) -> None:
    state = controls.state()
    st.markdown(f"**Replay** {plain(words(state))}", help=HELP)
    st.session_state[SPEED] = speed_name(state.speed)
    st.segmented_control(
        "Replay speed", list(SPEEDS), key=SPEED, required=True, on_change=_turn, args=(controls,),
        help="1× is the time of the recording; max goes as fast as the readers can.",
    )  # fmt: skip
    pause, again = st.columns(2)
    event, book = st.columns(2)
    if state.ended and not state.loop:
        pause.button("▶", key="replay-once-more", width="stretch", on_click=_once_more,
            args=(controls, state.start_ns))  # fmt: skip
    elif state.paused:
        pause.button("▶", key="replay-resume", width="stretch", on_click=controls.resume)
    else:
        pause.button("⏸", key="replay-pause", width="stretch", on_click=controls.pause)
    event.button("Event", key="replay-step", width="stretch", on_click=controls.step, args=("event",))
    book.button("Book", key="replay-step-book", width="stretch", on_click=controls.step, args=("book",))
    if state.end_ns - state.start_ns >= SHORTEST_S * _SECOND_NS:
        _places(again, controls, state)
    st.session_state[LOOP] = state.loop
    st.toggle("Loop", key=LOOP, on_change=_loop, args=(controls,), help="The end is followed by the beginning.")


def words(state: ReplayState) -> str:
    """How a replay stands: `2024-08-08 12:05:09 of 12:16:00 UTC`, and what is special."""
    text = f"{_time(state.at_ns):%Y-%m-%d} {_clock(state.at_ns)} of {_clock(state.end_ns)} UTC"
    if state.error:
        return f"{text}, failed: {state.error}"
    if state.seeking:
        return f"{text}, on its way"
    if state.ended:
        return f"{text}, ended"
    return f"{text}, paused" if state.paused else text


def speed_name(speed: float | None) -> str | None:
    """The name of a speed; None where it has none."""
    return next((name for name, value in SPEEDS.items() if value == speed), None)


def _places(again: DeltaGenerator, controls: ReplayControls, state: ReplayState) -> None:
    """Where it is, and where to go.

    Two things: a slider that followed the replay would send its last place back as if somebody had chosen it.
    """
    st.progress(min(max((state.at_ns - state.start_ns) / (state.end_ns - state.start_ns), 0.0), 1.0))
    first, last = _time(state.start_ns), _time(state.end_ns) + timedelta(seconds=1)
    if not first <= st.session_state.get(AT, first) <= last:
        del st.session_state[AT]  # it was chosen in another recording
    st.slider(
        "Go to (UTC)", first, last, first, step=timedelta(seconds=1), format=_format(first, last), key=AT,
        on_change=_seek, args=(controls, state.start_ns),
    )  # fmt: skip
    again.button(
        "↺", key="replay-again", width="stretch", help="Go once more to the moment of the slider.", on_click=_seek,
        args=(controls, state.start_ns),
    )  # fmt: skip


def _format(first: datetime, last: datetime) -> str:
    """Times of day, with the date where a day is not enough."""
    return "HH:mm:ss" if last - first < timedelta(days=1) else "MM-DD HH:mm:ss"


def _seek(controls: ReplayControls, start_ns: int) -> None:
    chosen: datetime = st.session_state[AT].replace(tzinfo=UTC)
    controls.seek(max(start_ns, round(chosen.timestamp()) * _SECOND_NS))


def _once_more(controls: ReplayControls, start_ns: int) -> None:
    controls.seek(start_ns)
    controls.resume()


def _turn(controls: ReplayControls) -> None:
    controls.set_speed(SPEEDS[str(st.session_state[SPEED])])


def _loop(controls: ReplayControls) -> None:
    controls.set_loop(bool(st.session_state[LOOP]))


def _time(at_ns: int) -> datetime:
    """Whole seconds, without a zone: the slider would turn one into the server's."""
    return datetime.fromtimestamp(at_ns // _SECOND_NS, UTC).replace(tzinfo=None)


def _clock(at_ns: int) -> str:
    return f"{_time(at_ns):%H:%M:%S}"
