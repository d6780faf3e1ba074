"""Switches of the mock market: its pace, its mode and everything that can go wrong with a venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.wiring import engine
from connectors.base.simulation.faults import CARDS, PER_SYMBOL, Fault, FaultBoard

FASTEST = 5_000
ALL = "all symbols"
AT_NEXT_CONNECTION = frozenset({Fault.REFUSE_STREAM, Fault.HANDSHAKE_REFUSED, Fault.ACK_MISSING, Fault.ACK_REFUSED})
AT_NEXT_BOOK = frozenset(
    {Fault.STALE_SNAPSHOT, Fault.SNAPSHOT_ERROR, Fault.SNAPSHOT_HTML, Fault.SNAPSHOT_SLOW, Fault.REFUSE_REST}
)


def show(symbols: Mapping[str, Sequence[str]]) -> None:
    """For those of these connectors that carry a fault board; the symbols that are watched at each."""
    boards = {name: board for name in symbols if (board := _board(name)) is not None}
    if not boards:
        return
    with st.expander("Simulated market", key="simulated-market"):
        first = next(iter(boards))
        name = first if len(boards) == 1 else str(st.selectbox("At", list(boards), key="fault-venue", required=True))
        connector: Any = engine().connectors[name]
        rate = st.slider("Messages per second and symbol", 1, FASTEST, int(connector.rate), key=f"mock-rate-{name}")
        if rate != connector.rate:
            connector.rate = float(rate)
        rest_only = st.toggle(
            "REST only (no stream)",
            connector.mode == "rest",
            key=f"mock-rest-only-{name}",
            help="Takes effect at the next start.",
        )
        connector.mode = "rest" if rest_only else "stream"
        _break(boards, name, symbols[name])


def _board(name: str) -> FaultBoard | None:
    board = getattr(engine().connectors[name], "faults", None)
    return board if isinstance(board, FaultBoard) else None


@st.fragment
def _break(boards: Mapping[str, FaultBoard], name: str, symbols: Sequence[str]) -> None:
    st.markdown("**Break something**")
    board = boards[name]
    fault = Fault(str(st.selectbox("Fault", list(board.supported), key="fault", format_func=_name)))
    card = CARDS[fault]
    st.caption(" ".join([card.text, _when(fault)]).strip())
    st.selectbox("For", [ALL, *(symbols if fault in PER_SYMBOL else ())], key=f"fault-symbol-{name}")
    if card.parameter:
        st.number_input(card.parameter.capitalize(), value=card.default, key=f"value-{fault}")
    now, off = st.columns(2)
    now.button("Once" if card.once else "Switch on", key="fault-on", width="stretch", on_click=_set, args=(board, name))
    off.button("Clear all", key="fault-clear", width="stretch", on_click=_clear, args=(boards,))
    _burning(boards)


# In callbacks, which run before the page does: a page that is drawn anew meanwhile loses no click.


def _set(board: FaultBoard, name: str) -> None:
    """Switch on what is chosen at this moment."""
    fault, symbol = Fault(str(st.session_state["fault"])), str(st.session_state.get(f"fault-symbol-{name}", ALL))
    value = st.session_state.get(f"value-{fault}", CARDS[fault].default) if CARDS[fault].parameter else None
    board.set(fault, symbol="" if symbol == ALL else symbol, value=value)


def _clear(boards: Mapping[str, FaultBoard]) -> None:
    for one in boards.values():
        one.clear()


@st.fragment(run_every=2.0)
def _burning(boards: Mapping[str, FaultBoard]) -> None:
    """What is switched on; some faults end by themselves."""
    for name, board in boards.items():
        at = f" at {name}" if len(boards) > 1 else ""
        for active in board.active():
            st.caption(f"🔥 {_name(active.fault)} on {active.symbol or 'all symbols'}{at}")


def _when(fault: Fault) -> str:
    """What it takes to see a fault that a running connection does not notice."""
    if fault in AT_NEXT_CONNECTION:
        return "Seen when we connect the next time: add *drop*."
    return "Seen when a book is asked for: add *gap* or *drop*, or poll." if fault in AT_NEXT_BOOK else ""


def _name(fault: Fault) -> str:
    return str(fault).replace("_", " ")
