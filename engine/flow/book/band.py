"""The size within a distance of the mid, kept up to date from update to update."""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple

from engine.flow.section import Changes, Section
from engine.market.book import Book

REBUILD_AFTER = 1000
"""Updates after which the sums are made anew, against rounding that adds up."""
NEAR_TICKS = 5
"""Changes so close to the best price are told one by one."""
_INFINITY = float("inf")


class Counted(NamedTuple):
    """What an update did to one side within the band as it was before: how much sizes grew where they did, how much
    they changed in all, and (price, change) of the levels near the best price. `edge` is where the band ended."""

    edge: float
    grown: float
    change: float
    near: list[tuple[float, float]]


NOTHING = Counted(0.0, 0.0, 0.0, [])


class BandDepth(Section):
    """`bid` and `ask`: the size within `reach_bps` of the mid, the edge included. None while there is no mid."""

    __slots__ = (
        "_ask_edge", "_best", "_bid_edge", "_left", "_near", "ask", "asks_in", "bid", "bids_in", "counted",
        "mid_ticks", "reach", "tick",
    )  # fmt: skip

    def __init__(self, tick: float, reach_bps: float = 10.0) -> None:
        self.tick = tick
        self.reach = reach_bps / 1e4
        self.bid: float | None = None
        self.ask: float | None = None
        self.mid_ticks: float | None = None
        self._best: tuple[float, float] | None = None
        self._bid_edge = self._ask_edge = 0.0
        """Prices halfway between the last level that counts and the first that does not."""
        self._left = 0
        self._near = (NEAR_TICKS + 0.5) * tick
        self.counted = False
        """Whether the last update was counted: `bids_in` and `asks_in` are of that one."""
        self.bids_in = self.asks_in = NOTHING

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        touch = book.touch
        bid, ask, best = self.bid, self.ask, self._best
        self.counted = False
        if changes is not None and bid is not None and ask is not None and best is not None:
            bid, ask = self._count(changes, bid, ask, best)
        if touch is None or touch[0] > touch[1]:
            self._forget(*book.levels)
            return
        if not self.counted or bid is None or ask is None or best is None or not self._left:
            self._rebuild(book, *touch)
            return
        self._left -= 1
        if touch != best:
            bid_edge, ask_edge = self._bid_edge, self._ask_edge
            self._aim(*touch)
            if self._bid_edge < bid_edge:
                bid += book.bid_total(self._bid_edge, bid_edge)
            elif self._bid_edge > bid_edge:
                bid -= book.bid_total(bid_edge, self._bid_edge)
            if self._ask_edge > ask_edge:
                ask += book.ask_total(ask_edge, self._ask_edge)
            elif self._ask_edge < ask_edge:
                ask -= book.ask_total(self._ask_edge, ask_edge)
        self.bid, self.ask = bid, ask

    def _count(self, changes: Changes, bid: float, ask: float, best: tuple[float, float]) -> tuple[float, float]:
        """Take an update within the band as it was before it; the sizes in that band afterwards."""
        near_bids: list[tuple[float, float]] = []
        near_asks: list[tuple[float, float]] = []
        edge, near, added, size_before = self._bid_edge, best[0] - self._near, 0.0, bid
        for (price, size), before in zip(changes.bids, changes.bids_before, strict=True):
            if price > edge:
                net = size - before
                bid += net
                if net > 0.0:
                    added += net
                if price > near:
                    near_bids.append((price, net))
        self.bids_in = Counted(edge, added, bid - size_before, near_bids)
        edge, near, added, size_before = self._ask_edge, best[1] + self._near, 0.0, ask
        for (price, size), before in zip(changes.asks, changes.asks_before, strict=True):
            if price < edge:
                net = size - before
                ask += net
                if net > 0.0:
                    added += net
                if price < near:
                    near_asks.append((price, net))
        self.asks_in = Counted(edge, added, ask - size_before, near_asks)
        self.counted = True
        return bid, ask

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.counted = False
        self.bid = self.ask = self.mid_ticks = self._best = None

    def _forget(self, bids: int, asks: int) -> None:
        """There is no mid: an empty side is known to hold nothing, the other has no band."""
        self.mid_ticks = self._best = None
        self.bid, self.ask = None if bids else 0.0, None if asks else 0.0

    def _rebuild(self, book: Book, best_bid: float, best_ask: float) -> None:
        self._left = REBUILD_AFTER
        self._aim(best_bid, best_ask)
        self.bid = book.bid_total(self._bid_edge, _INFINITY)
        self.ask = book.ask_total(0.0, self._ask_edge)

    def _aim(self, best_bid: float, best_ask: float) -> None:
        """Put the edges where they belong around the mid of these prices."""
        tick = self.tick
        self._best = best_bid, best_ask
        mid = self.mid_ticks = (round(best_bid / tick) + round(best_ask / tick)) / 2
        reach = mid * self.reach
        self._bid_edge = (ceil(mid - reach) - 0.5) * tick
        self._ask_edge = (floor(mid + reach) + 0.5) * tick
