"""The market itself: quotes, price, ladder, depth and tape, drawn by the browser from the data socket."""

from __future__ import annotations

import streamlit as st

from app.live import components
from app.live.pipe import FramePipe
from app.session import LiveSession
from app.view import View
from app.wiring import live_plane, make_pipe

FRAMES_PER_S = 8


def show(session: LiveSession, view: View) -> None:
    """All panels of the page; the symbol in focus fills the large ones."""
    keys = session.keys
    plane = live_plane()
    ticket = plane.office.mint(keys, session.id) if plane is not None else ""
    components.quotes(keys, ticket=ticket, key="quotes")
    focus = view.key(_focus(view))
    left, right = st.columns([2.1, 1], gap="small")
    with left:
        components.price(focus, ticket=ticket, key="price", height=400)
        depth, tape = st.columns(2, gap="small")
        with depth:
            components.depth(focus, ticket=ticket, key="depth", height=330)
        with tape:
            components.tape(focus, ticket=ticket, key="tape", height=330)
    with right:
        components.ladder(focus, ticket=ticket, key="ladder", height=745)
    if plane is None:
        pump(session)


def pump(session: LiveSession) -> None:
    """Where there is no data socket: frames of all that the tab watches travel as component data."""
    components.boot(key="boot")
    pipe = session.frame_pipe(make_pipe)
    pipe.watch(session.keys)
    _pump(pipe)


@st.fragment(run_every=1 / FRAMES_PER_S)
def _pump(pipe: FramePipe) -> None:
    """Where there is no data socket, frames travel as component data."""
    components.pipe(pipe.message(), key="pipe")


def _focus(view: View) -> str:
    """The symbol that the large panels show."""
    if len(view.symbols) == 1:
        return view.symbols[0]
    chosen = st.segmented_control(
        "In focus",
        view.symbols,
        default=view.symbols[0],
        key="focus",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    return str(chosen) if chosen in view.symbols else view.symbols[0]
