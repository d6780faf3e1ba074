"""The market itself: quotes, price, ladder, depth and tape, drawn by the browser from the data socket."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.live import components
from app.live.pipe import FramePipe
from app.session import LiveSession
from app.view import View
from app.wiring import live_plane, make_pipe
from engine.feed.mailbox import FeedKey

FRAMES_PER_S = 8


def show(session: LiveSession, view: View) -> None:
    """All panels of the page; the symbol in focus fills the large ones."""
    keys = session.keys
    plane = live_plane()
    ticket = plane.office.mint(keys, session.id) if plane is not None else ""
    components.quotes(keys, ticket=ticket, key="quotes")
    focused = view.key(focus(view))
    left, right = st.columns([2.1, 1], gap="small")
    with left:
        components.price(focused, ticket=ticket, key="price", height=400)
        depth, tape = st.columns(2, gap="small")
        with depth:
            components.depth(focused, ticket=ticket, key="depth", height=330)
        with tape:
            components.tape(focused, ticket=ticket, key="tape", height=330)
    with right:
        components.ladder(focused, ticket=ticket, key="ladder", height=745)
    if plane is None:
        pump(session)


def pump(session: LiveSession, more: Sequence[FeedKey] = ()) -> None:
    """Where there is no data socket: frames of all that the tab watches, and `more`, travel as component data."""
    components.boot(key="boot")
    pipe = session.frame_pipe(make_pipe)
    pipe.watch([*session.keys, *more])
    _pump(pipe)


@st.fragment(run_every=1 / FRAMES_PER_S)
def _pump(pipe: FramePipe) -> None:
    """Where there is no data socket, frames travel as component data."""
    components.pipe(pipe.message(), key="pipe")


def focus(view: View) -> str:
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
