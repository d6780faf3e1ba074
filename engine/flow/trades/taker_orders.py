"""Fills to taker orders: what one aggressive order took, put together again."""

from __future__ import annotations

from msgspec import Struct

OPEN_NS = 250_000_000
"""An order is complete when nothing more of it has come for this long. Its fills share one venue time, so a different
fill ends it at once; the wait is only for a market that falls silent, and longer than fills of one order ever lay apart
on their way (30 ms and more were seen)."""


class TakerOrder(Struct, frozen=True, gc=False):
    """The fills of one side with one venue time. Prices in ticks; `t_ns` is when its last fill was received.

    `levels` counts distinct prices; `monotone` tells whether they only moved in the order's own direction.
    """

    t_ns: int
    side: int
    size: float
    fills: int
    levels: int
    vwap: float
    first: float
    last: float
    monotone: bool

    @property
    def slip_bps(self) -> float:
        """How much worse than its first price the order was filled on average, in basis points; 0 for one level."""
        return 1e4 * self.side * (self.vwap - self.first) / self.first

    @property
    def reach_ticks(self) -> float:
        """How far it walked, in ticks."""
        return self.side * (self.last - self.first)


class TakerOrders:
    """Puts consecutive fills of the same side and the same venue time together.

    `add` gives the order that the new fill has closed, `expire` the one that has waited long enough; None otherwise.
    Fills without a side close what is open and are part of no order. A venue without times groups by receive time.
    """

    __slots__ = (
        "_fills", "_first", "_last", "_moment", "_monotone", "_notional", "_prices", "_side", "_size", "_t_ns",
        "orders",
    )  # fmt: skip

    def __init__(self) -> None:
        self.orders = 0
        """How many orders were closed."""
        self._side = 0
        self._moment: int | None = None
        self._t_ns = self._fills = 0
        self._size = self._notional = self._first = self._last = 0.0
        self._prices: list[float] = []
        self._monotone = True

    def add(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None) -> TakerOrder | None:
        """Take a fill; price in ticks."""
        moment = t_ns if venue_ns is None else venue_ns
        if side == self._side and moment == self._moment:
            self._t_ns = t_ns
            self._fills += 1
            self._size += size
            self._notional += price * size
            if price != self._last:
                if (price - self._last) * side < 0.0:
                    self._monotone = False
                self._last = price
                self._prices.append(price)
            return None
        closed = self.close() if self._side else None
        self._side, self._moment, self._t_ns = side, moment, t_ns
        self._fills, self._size, self._notional = 1, size, price * size
        self._first = self._last = price
        self._prices = [price]
        self._monotone = True
        return closed

    def expire(self, t_ns: int) -> TakerOrder | None:
        """The open order, if its last fill has waited long enough."""
        return self.close() if self._side and t_ns - self._t_ns > OPEN_NS else None

    def close(self) -> TakerOrder | None:
        """The open order, as if nothing more of it will come; None when none is open."""
        side = self._side
        if not side:
            return None
        self._side = 0
        self._moment = None
        self.orders += 1
        prices = self._prices
        size = self._size
        return TakerOrder(
            self._t_ns, side, size, self._fills, len(prices) if self._monotone else len(set(prices)),
            self._notional / size if size > 0.0 else self._first, self._first, self._last, self._monotone,
        )  # fmt: skip
