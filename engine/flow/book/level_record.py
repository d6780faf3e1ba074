"""What happened at each price near the touch: what was traded there, and what was added and pulled of late."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from engine.flow.book.top import TopOfBook
from engine.flow.section import Changes, Section
from engine.market.book import Book
from engine.market.events import Levels

SPAN_S = 10
REACH = 0.0025
PRICES_KEPT = 20_000


class LevelHistory(Struct, frozen=True, gc=False):
    """One price: bought and sold there since the record began; added and pulled in the last ten seconds. Base units.

    What went is taken for pulled as far as no trade at that price explains it: an estimate and a lower bound.
    """

    price: float
    bought: float
    sold: float
    added: float
    pulled: float


class LevelRecord(Section):
    """Prices within a quarter of a percent of the mid; it stands after the top of the book."""

    __slots__ = ("_added", "_gone", "_high", "_low", "_seconds", "_taken", "_top", "_traded", "dropped", "since_ns")

    def __init__(self, top: TopOfBook) -> None:
        self._top = top
        self._traded: dict[float, list[float]] = {}
        self._added: dict[float, float] = {}
        self._gone: dict[float, float] = {}
        self._taken: dict[float, float] = {}
        self._seconds: deque[tuple[dict[float, float], dict[float, float]]] = deque(maxlen=SPAN_S - 1)
        self._low, self._high = 0.0, 0.0
        self.since_ns = 0
        """When the first trade was recorded; 0 for none."""
        self.dropped = 0
        """Trades at new prices when there were too many of those."""

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        if not self.since_ns:
            self.since_ns = t_ns
        cell = self._traded.get(price)
        if cell is None:
            if len(self._traded) >= PRICES_KEPT:
                self.dropped += 1
                return
            cell = self._traded[price] = [0.0, 0.0]
        if side:
            cell[side < 0] += size
        self._taken[price] = self._taken.get(price, 0.0) + size

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        if changes is not None and self._high:
            self._note(changes.bids, changes.bids_before)
            self._note(changes.asks, changes.asks_before)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._added, self._gone, self._taken = {}, {}, {}
        self._seconds.clear()
        self._high = 0.0

    def on_timer(self, t_ns: int) -> None:
        self._seconds.append((self._added, self._pulled()))
        self._added, self._gone, self._taken = {}, {}, {}
        mid = self._top.mid
        if mid is not None:
            self._low, self._high = mid * (1.0 - REACH), mid * (1.0 + REACH)

    def levels(self, prices: Iterable[float]) -> list[LevelHistory]:
        """What is known of these prices; those of which nothing is known are left out."""
        seconds = [*self._seconds, (self._added, self._pulled())]
        found = []
        for price in prices:
            added = sum([second[0].get(price, 0.0) for second in seconds])
            pulled = sum([second[1].get(price, 0.0) for second in seconds])
            bought, sold = self._traded.get(price, (0.0, 0.0))
            if added or pulled or bought or sold:
                found.append(LevelHistory(price, bought, sold, added, pulled))
        return found

    def _note(self, levels: Levels, before: Sequence[float]) -> None:
        low, high, added, gone = self._low, self._high, self._added, self._gone
        for (price, size), stood in zip(levels, before, strict=True):
            if low <= price <= high:
                change = size - stood
                if change > 0.0:
                    added[price] = added.get(price, 0.0) + change
                elif change:
                    gone[price] = gone.get(price, 0.0) - change

    def _pulled(self) -> dict[float, float]:
        """What went in this second without a trade."""
        taken = self._taken.get
        return {price: max(size - taken(price, 0.0), 0.0) for price, size in self._gone.items()}
