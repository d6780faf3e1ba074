"""The market second by second: price, both volumes and the running delta, for charts."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from engine.flow.book.top import TopOfBook
from engine.flow.section import Section
from engine.flow.tape import Tape

SECONDS_KEPT = 1_800


class SecondBar(Struct, frozen=True, gc=False):
    """One second up to `t_ns`: prices of its trades and mid at its end in quote units, volumes in base units.

    Prices are None in a second without a trade, `mid` while the book is not to be trusted.
    """

    t_ns: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    buy: float
    sell: float
    unsigned: float
    cvd: float
    mid: float | None


class SecondBars(Section):
    """The last half hour of seconds. It stands after the tape, whose sides and running delta it takes."""

    __slots__ = ("_close", "_high", "_low", "_open", "_tape", "_top", "bars", "count")

    def __init__(self, top: TopOfBook, tape: Tape) -> None:
        self._top, self._tape = top, tape
        self.bars: deque[SecondBar] = deque(maxlen=SECONDS_KEPT)
        self.count = 0
        """How many there have been; the newest kept bar bears this number."""
        self._open: float | None = None
        self._high = self._low = self._close = 0.0

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        if self._open is None:
            self._open = self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price

    def on_timer(self, t_ns: int) -> None:
        volume = self._tape.volumes.over(t_ns, 1_000_000_000)
        known = self._open is not None
        self.bars.append(
            SecondBar(
                t_ns, self._open, self._high if known else None, self._low if known else None,
                self._close if known else None, volume.buy, volume.sell, volume.unsigned, self._tape.cvd.value,
                self._top.mid,
            )
        )  # fmt: skip
        self.count += 1
        self._open = None

    def since(self, count: int) -> list[SecondBar]:
        """The bars after number `count` that are still kept."""
        new = min(self.count - count, len(self.bars))
        return [self.bars[place] for place in range(len(self.bars) - new, len(self.bars))] if new > 0 else []
