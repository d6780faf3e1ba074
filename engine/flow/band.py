"""The size within a distance of the mid, kept up to date from update to update."""

from __future__ import annotations

from math import ceil, floor

from engine.flow.section import Changes, Section
from engine.market.book import Book

REBUILD_AFTER = 1000
"""Updates after which the sums are made anew, against rounding that adds up."""
_INFINITY = float("inf")


class BandDepth(Section):
    """`bid` and `ask`: the size within `reach_bps` of the mid, the edge included. None while there is no mid."""

    __slots__ = (
        "_ask_edge",
        "_best",
        "_bid_edge",
        "_left",
        "ask",
        "bid",
        "mid_ticks",
        "reach",
        "tick",
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

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        (bids, _), (asks, _) = book.top_bids(), book.top_asks()
        if not bids or not asks or bids[0] > asks[0]:
            self._forget(bool(bids), bool(asks))
            return
        bid, ask, best = self.bid, self.ask, self._best
        if changes is None or bid is None or ask is None or best is None or not self._left:
            self._rebuild(book, bids[0], asks[0])
            return
        self._left -= 1
        edge = self._bid_edge
        for (price, size), before in zip(changes.bids, changes.bids_before, strict=True):
            if price > edge:
                bid += size - before
        edge = self._ask_edge
        for (price, size), before in zip(changes.asks, changes.asks_before, strict=True):
            if price < edge:
                ask += size - before
        if bids[0] != best[0] or asks[0] != best[1]:
            bid_edge, ask_edge = self._bid_edge, self._ask_edge
            self._aim(bids[0], asks[0])
            if self._bid_edge < bid_edge:
                bid += book.bid_total(self._bid_edge, bid_edge)
            elif self._bid_edge > bid_edge:
                bid -= book.bid_total(bid_edge, self._bid_edge)
            if self._ask_edge > ask_edge:
                ask += book.ask_total(ask_edge, self._ask_edge)
            elif self._ask_edge < ask_edge:
                ask -= book.ask_total(self._ask_edge, ask_edge)
        self.bid, self.ask = bid, ask

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.bid = self.ask = self.mid_ticks = self._best = None

    def _forget(self, bids: bool, asks: bool) -> None:
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
