"""What the simulated exchange's messages look like when something goes wrong with them."""

from __future__ import annotations

from itertools import cycle

from msgspec.structs import replace

from connectors.base.simulation.faults import Fault, FaultBoard
from connectors.base.simulation.market import Fact, Market
from connectors.base.simulation.wire import encode_fact
from engine.market.events import BookDelta

GARBAGE = (
    b'{"t":"delta","s":"BTC/USDT","U":1,"u":',
    b'{"t":"delta","s":42,"U":"one","u":null,"E":0,"b":{},"a":"none"}',
    b'{"t":"horoscope","s":"BTC/USDT"}',
    b"{}",
    b"\xff\xfe\x80 not text",
    b'{"t":"trade","s":"BTC/USDT","i":1e400,"p":1e999,"q":-1,"m":7,"E":0}',
    b"[1,2,3]",
)
"""Cut short, wrong types, unknown kind, nothing in it, not UTF-8, huge numbers, another shape."""


class Spoiler:
    """Turns facts into frames, as the faults that are on want it. One thread at a time."""

    def __init__(self, market: Market, faults: FaultBoard) -> None:
        self._market = market
        self._faults = faults
        self._held: dict[str, bytes] = {}
        self._garbage = cycle(GARBAGE)
        self._wrong = cycle((_negative, _no_price, _not_a_number))

    def frames(self, fact: Fact) -> list[bytes]:
        """The frames that go out for `fact`: one, unless a fault is on."""
        faults = self._faults
        if faults.quiet and not self._held:
            return [encode_fact(fact)]
        symbol = fact.symbol
        if faults.take(Fault.SYMBOL_STALL, symbol):
            return []
        frames = self._extra(symbol)
        if type(fact) is BookDelta:
            return frames + self._delta(fact)
        return [*frames, encode_fact(fact, self.skew_ns())]

    def skew_ns(self) -> int:
        """How far the exchange's clock runs ahead."""
        skew = self._faults.peek(Fault.CLOCK_SKEW)
        return round(skew.value * 1e9) if skew else 0

    def forget(self) -> None:
        """The connection is new: nothing is held back for it."""
        self._held.clear()

    def _extra(self, symbol: str) -> list[bytes]:
        frames = []
        if self._faults.take(Fault.BAD_FRAME, symbol):
            frames.append(next(self._garbage))
        huge = self._faults.take(Fault.HUGE_FRAME, symbol)
        if huge:
            frames.append(b'{"t":"notice","kind":"heartbeat","reason":"' + b"x" * round(huge.value * 1e6) + b'"}')
        return frames

    def _delta(self, delta: BookDelta) -> list[bytes]:
        faults, symbol = self._faults, delta.symbol
        if faults.take(Fault.GAP, symbol):
            return []
        wrong = faults.take(Fault.BAD_VALUES, symbol)
        if wrong:
            delta = next(self._wrong)(delta)
        elif faults.take(Fault.CROSSED, symbol):
            delta = self._crossed(delta)
        frame = encode_fact(delta, self.skew_ns())
        held = self._held.pop(symbol, None)
        if held is not None:
            return [frame, held]
        if faults.take(Fault.REORDER, symbol):
            self._held[symbol] = frame
            return []
        return [frame, frame] if faults.take(Fault.DUPLICATE, symbol) else [frame]

    def _crossed(self, delta: BookDelta) -> BookDelta:
        truth = self._market.truth_at(delta.symbol, delta.last_sequence or 0, 1)
        if truth is None:
            return delta
        return replace(delta, bids=(*delta.bids, truth[1][0]))


def _negative(delta: BookDelta) -> BookDelta:
    return replace(
        delta, bids=tuple([(p, -s - 1.0) for p, s in delta.bids]), asks=tuple([(p, -s - 1.0) for p, s in delta.asks])
    )


def _no_price(delta: BookDelta) -> BookDelta:
    return replace(delta, bids=(*delta.bids, (0.0, 1.0)))


def _not_a_number(delta: BookDelta) -> BookDelta:
    return replace(delta, asks=(*delta.asks, (float("nan"), 1.0)))
