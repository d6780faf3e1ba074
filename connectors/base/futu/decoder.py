"""Reads the frames that OpenD's pushes became. Rules:
1. Books have no numbers. One whose two times both lie behind what the connection said before is old: left out.
2. A print has a number per code. It is told once, whatever connection it comes by.
3. Prints that OpenD repeats on subscribing are past, and marked as such. What it brings later because its own line had
   been broken is news.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from connectors.base.futu.wire import BookFrame, TicksFrame, decode
from connectors.base.venue import Control
from engine.errors import DecodeError
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookSnapshot, MarketEvent, Trade

TOLD_KEPT = 2_000
"""Numbers of prints that are remembered per symbol; OpenD repeats at most the last thousand."""
REPEATED = 3
"""Why a print is pushed: 1 it happened now, 2 OpenD had lost its own line, 3 it was repeated on subscribing."""
DIRECTIONS = {1: BUY, 2: SELL}


class Told:
    """The numbers of the prints that were told of each symbol last, whatever connection they came by."""

    def __init__(self) -> None:
        self._numbers: dict[str, tuple[deque[int], set[int]]] = {}

    def is_news(self, symbol: str, number: int) -> bool:
        """Whether a print was not told yet; it counts as told from now on."""
        order, known = self._numbers.setdefault(symbol, (deque(), set()))
        if number in known:
            return False
        known.add(number)
        order.append(number)
        if len(order) > TOLD_KEPT:
            known.discard(order.popleft())
        return True


class Decoder:
    """Reads the frames of one connection."""

    def __init__(self, venue: str, told: Told) -> None:
        self._venue = venue
        self._told = told
        self._times: dict[str, tuple[int, int]] = {}
        """When the two sides of each symbol's last book left the exchange, where that is known."""

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        """What a frame says. Raises DecodeError."""
        try:
            said = decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"{self._venue} frame: {error}") from error
        if isinstance(said, BookFrame):
            return () if self._is_old(said) else (self._book(said, received_ns),)
        if isinstance(said, TicksFrame):
            return self._trades(said, received_ns)
        if said.kind == "unreadable":
            raise DecodeError(f"{self._venue}: {said.reason}")
        return (Control(said.kind, said.s, said.reason),)

    def _is_old(self, said: BookFrame) -> bool:
        """Whether this book was overtaken by one that this connection brought before."""
        if said.tb is None or said.ta is None:
            return False
        now = (said.tb, said.ta)
        last = self._times.get(said.s)
        if last is not None and now != last and now[0] <= last[0] and now[1] <= last[1]:
            return True
        self._times[said.s] = now
        return False

    def _book(self, said: BookFrame, received_ns: int) -> BookSnapshot:
        times = [at_ns for at_ns in (said.tb, said.ta) if at_ns is not None]  # that of the side that changed last
        return BookSnapshot(self._venue, said.s, said.b, said.a, None, max(times, default=None), received_ns, "stream")

    def _trades(self, said: TicksFrame, received_ns: int) -> Sequence[Trade]:
        return [
            Trade(
                self._venue, said.s, price, size, DIRECTIONS.get(direction, UNKNOWN_SIDE), number, at_ns, received_ns,
                "stream", why == REPEATED,
            )
            for price, size, direction, number, at_ns, why in said.t
            if self._told.is_news(said.s, number)
        ]  # fmt: skip
