"""The observer of a live feed: quotes that change nothing but a size, which most do, are taken in one step.

Told section by section, such a quote costs four calls and as many looks at the same four figures. Here the parts that
it concerns are brought up to date at once; what comes of it is the same to the last bit (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.flow.book.queue_states import BUCKETS
from engine.flow.book.top import TopOfBook
from engine.flow.section import Observer, Section
from engine.flow.signals.board import SignalBoard
from engine.flow.tape import Tape
from engine.market.events import Quote, Trade

_INFINITY = float("inf")


class LiveObserver(Observer):
    """`top`, `board` and `tape` are the sections that take quotes; with a further one there is no short way."""

    __slots__ = ("_asks", "_bids", "_board", "_short", "_tape", "_top")

    def __init__(
        self, top: TopOfBook, board: SignalBoard, tape: Tape, sections: Sequence[Section], *,
        derive_quotes: bool = False,
    ) -> None:  # fmt: skip
        self._top, self._board, self._tape = top, board, tape
        self._bids, self._asks = tape.refills.bid, tape.refills.ask
        self._short = False
        super().__init__(sections, derive_quotes=derive_quotes)

    def set_sections(self, sections: Sequence[Section]) -> None:
        super().set_sections(sections)
        self._short = len(self._bbo) == 3

    def hear(self, event: Quote | Trade) -> None:
        if type(event) is not Quote:
            super().hear(event)
            return
        top, bid, ask = self._top, event.bid, event.ask
        t_ns, bid_size, ask_size = event.received_ns, event.bid_size, event.ask_size
        total = bid_size + ask_size
        bids, asks, board = self._bids, self._asks, self._board
        # Tenths of a second end before whole seconds do: before `mark_ns` no edge is passed.
        if (
            bid != top.bid or ask != top.ask or t_ns >= top.mark_ns or not top.known or not self._short
            or not (bid_size > 0.0 < ask_size and total < _INFINITY) or bid != bids.price or ask != asks.price
        ):  # fmt: skip
            self.on_bbo(t_ns, bid, bid_size, ask, ask_size)
            return
        flow = top.ofi_last = bid_size - top.bid_size + top.ask_size - ask_size
        top.ofi += flow
        top.depth_sum += total
        top.events += 1
        state = top.place = top.base + int(BUCKETS * bid_size / total)
        top.row[state] += top.states.weight
        top.row = top.rows[state]
        top.bid_size, top.ask_size = bid_size, ask_size
        top.t_ns = self.last_ns = t_ns
        if not board.low < (bid_size - ask_size) / total < board.high or t_ns >= board.wake_ns:
            board.on_bbo(t_ns, bid, bid_size, ask, ask_size)
        if (bids.traded_ns >= 0 and bid_size != bids.size) or (asks.traded_ns >= 0 and ask_size != asks.size):
            # It may be the answer to a trade.
            self._tape.on_bbo(t_ns, bid, bid_size, ask, ask_size)
            return
        bids.size, asks.size = bid_size, ask_size
        if bid_size > bids.peak:
            bids.peak = bid_size
        if ask_size > asks.peak:
            asks.peak = ask_size
