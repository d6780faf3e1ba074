"""What one symbol looked like at each whole second, kept in full: for studies of recordings, not for live feeds."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.flow.correlation.asynchronous import Ticks, distinct
from engine.flow.regimes.trend import Bar
from engine.flow.section import Changes, Section, Table
from engine.market.book import Book

Array = NDArray[np.float64]

BAR_S = 5
MIDS_TABLE = "mids"
SECOND_NS = 1_000_000_000
UNKNOWN = float("nan")
LONGEST_S = 86_400
"""A record with a longer silence in it is two; the later one is kept."""


class GridRecord(Section):
    """Values at the edges of whole seconds, mid changes, and trade bars of five seconds.

    An edge before the first book has NaN for its imbalances. `bars` hold prices in quote units; a bar without a trade
    is left out. Sums over (edge - 1 s, edge].
    """

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.mids, self.spreads = array("d"), array("d")
        self.imbalances: dict[int, array[float]] = {1: array("d"), 5: array("d"), 10: array("d")}
        self.ofi, self.signed = array("d"), array("d")
        self.bars: list[Bar] = []
        self._bar: Bar | None = None
        self._bid = self._bid_size = self._ask = self._ask_size = 0.0
        self._five = self._ten = UNKNOWN
        self._ofi = self._bought = self._sold = self._mid = 0.0
        self._times, self._prices = array("q"), array("d")
        self._seen = False

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        if self._seen:
            flow = bid_size if bid >= self._bid else 0.0
            flow -= self._bid_size if bid <= self._bid else 0.0
            flow -= ask_size if ask <= self._ask else 0.0
            flow += self._ask_size if ask >= self._ask else 0.0
            self._ofi += flow
        self._seen = True
        self._bid, self._bid_size, self._ask, self._ask_size = bid, bid_size, ask, ask_size
        mid = (bid + ask) / 2.0
        if mid != self._mid:
            self._mid = mid
            self._times.append(t_ns)
            self._prices.append(mid)

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        bids, asks = book.top_bids()[1], book.top_asks()[1]
        self._five, self._ten = _imbalance(bids, asks, 5), _imbalance(bids, asks, 10)

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        if self.first_ns is None:
            return
        if side > 0:
            self._bought += size
        elif side:
            self._sold += size
        if self._bar is None:
            self._bar = Bar(price, size)
        else:
            self._bar.add(price, size)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._seen = False
        self._five = self._ten = UNKNOWN

    def on_timer(self, t_ns: int) -> None:
        if self.first_ns is not None:
            # Edges are not told of in a long silence, but places here are counted in seconds.
            missed = (t_ns - self.first_ns) // SECOND_NS - len(self.mids)
            if missed > LONGEST_S:
                self._begin_anew()
            elif missed:
                self._stand_still(missed)
        self._pass(t_ns)

    def _stand_still(self, seconds: int) -> None:
        for kept in (self.mids, self.spreads, *self.imbalances.values()):
            kept.extend([kept[-1]] * seconds)
        for flowed in (self.ofi, self.signed):
            flowed.extend([0.0] * seconds)

    def _begin_anew(self) -> None:
        self.first_ns = None
        for kept in (self.mids, self.spreads, self.ofi, self.signed, *self.imbalances.values()):
            del kept[:]
        self.bars.clear()
        self._bar = None

    def _pass(self, t_ns: int) -> None:
        """Write down how things stand at an edge, and what flowed in the second before."""
        if self.first_ns is None:
            self.first_ns = t_ns
            self._ofi = 0.0
        else:
            self.ofi.append(self._ofi)
            self.signed.append(self._bought - self._sold)
            self._ofi = self._bought = self._sold = 0.0
            if (t_ns - self.first_ns) % (BAR_S * SECOND_NS) == 0:
                if self._bar is not None:
                    self.bars.append(self._bar)
                self._bar = None
        self.mids.append(self._mid)
        self.spreads.append(self._ask - self._bid)
        self.imbalances[1].append(_imbalance((self._bid_size,), (self._ask_size,), 1))
        self.imbalances[5].append(self._five)
        self.imbalances[10].append(self._ten)

    def tables(self) -> Mapping[str, Table]:
        return {MIDS_TABLE: Table(("t_ns", "mid"), list(zip(self._times, self._prices, strict=True)))}

    @property
    def ticks(self) -> Ticks:
        """Every change of the mid."""
        return distinct(self._times, self._prices)

    @property
    def half_spread_bps(self) -> float:
        """The median over the edges of half the spread, in basis points of the mid."""
        return float(np.median(np.asarray(self.spreads) / np.asarray(self.mids))) / 2.0 * 10_000.0


def _imbalance(bids: tuple[float, ...], asks: tuple[float, ...], levels: int) -> float:
    bid, ask = sum(bids[:levels]), sum(asks[:levels])
    return (bid - ask) / (bid + ask) if bid > 0.0 and ask > 0.0 else UNKNOWN
