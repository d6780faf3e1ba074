"""What is added to the book and what is taken out of it without a trade.

Trades and updates of the book are not in step, so whatever is counted here is an estimate and a lower bound: what comes
and goes between two updates is never seen. "Pulled" says what happened, not why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from engine.flow.book.band import BandDepth, Counted
from engine.flow.section import Changes
from engine.flow.statistics.upper_tail import UpperTail
from engine.flow.statistics.windows import SortedWindow
from engine.market.events import Levels

MEMORY_S = 60
FLEETING_NS = 2_000_000_000
LARGE_SHARE = 0.9
ADDS_KEPT = 1_000
ADDS_LEAST = 100
WATCHED = 2_000
"""Fresh large sizes that are watched at once, per side."""


class Tally(Struct):
    """Sizes in base units: came, went without a trade, was traded."""

    added: float = 0.0
    cancelled: float = 0.0
    traded: float = 0.0

    @property
    def order_to_trade(self) -> float | None:
        """How much was cancelled for each unit traded; None without a trade."""
        return self.cancelled / self.traded if self.traded > 0.0 else None


class Fleeting:
    """Large sizes placed near the touch, and how much of them is gone within 2 s without a trade.

    Hasbrouck & Saar 2009 (JFM 12:143). Large is the 0.9 quantile of the last 1000 such sizes (at least 100).
    """

    __slots__ = ("_adds", "_fresh", "added", "dropped", "gone")

    def __init__(self) -> None:
        self._adds = UpperTail(ADDS_KEPT)
        self._fresh: dict[float, tuple[int, float]] = {}
        self.added = self.gone = 0.0
        """Large sizes that were placed, and what of them was fleeting, in base units."""
        self.dropped = 0

    def placed(self, t_ns: int, price: float, size: float) -> None:
        """So much was added at a price near the touch."""
        adds = self._adds
        # Most are far below: the quantile lies in the tail.
        large = adds.quantile(LARGE_SHARE) if size >= adds.floor and len(adds) >= ADDS_LEAST else None
        adds.add(size)
        if large is None or size < large:
            return
        self.added += size
        if len(self._fresh) >= WATCHED:
            self._expire(t_ns)
        if len(self._fresh) >= WATCHED:
            self.dropped += 1
            return
        self._fresh[price] = t_ns, size

    def removed(self, t_ns: int, price: float, size: float) -> None:
        """So much went from a price without a trade."""
        fresh = self._fresh.get(price)
        if fresh is None:
            return
        placed_ns, left = fresh
        if t_ns - placed_ns > FLEETING_NS:
            del self._fresh[price]
            return
        gone = min(size, left)
        self.gone += gone
        if gone < left:
            self._fresh[price] = placed_ns, left - gone
        else:
            del self._fresh[price]

    def clear(self) -> None:
        """The book is unknown: what was fresh can no longer be followed."""
        self._fresh.clear()

    @property
    def share(self) -> float | None:
        """The fleeting share of the large sizes placed, in 0 … 1; None before the first."""
        return self.gone / self.added if self.added > 0.0 else None

    def _expire(self, t_ns: int) -> None:
        self._fresh = {price: known for price, known in self._fresh.items() if t_ns - known[0] <= FLEETING_NS}


class _Side:
    """One side of the book."""

    __slots__ = ("fleeting", "median", "pulled", "rising", "seconds", "taken", "tally")

    def __init__(self, *, rising: bool) -> None:
        self.rising = rising
        """Whether the best price is the lowest."""
        self.tally = Tally()
        self.taken: dict[float, float] = {}
        """Traded by price since the last update."""
        self.fleeting = Fleeting()
        self.pulled = 0.0
        """Cancelled in this second."""
        self.seconds: deque[float] = deque(maxlen=MEMORY_S)
        self.median = SortedWindow(MEMORY_S)

    def update(self, t_ns: int, inside: Counted, levels: Levels, before: Sequence[float]) -> None:
        """Take what an update did to this side: `inside` the band, to all of its `levels`."""
        taken, grown, change = self.taken, inside.grown, inside.change
        if taken:
            grown, change = self._without_trades(inside, levels, before)
        for price, net in inside.near:
            net += taken.get(price, 0.0)
            if net > 0.0:
                self.fleeting.placed(t_ns, price, net)
            elif net < 0.0:
                self.fleeting.removed(t_ns, price, -net)
        cancelled = grown - change
        tally = self.tally
        tally.added += grown
        tally.cancelled += cancelled
        self.pulled += cancelled
        if taken:
            taken.clear()

    def _without_trades(self, inside: Counted, levels: Levels, before: Sequence[float]) -> tuple[float, float]:
        """How much sizes grew, and changed in all, apart from what trades took off the levels of the update."""
        grown, change = inside.grown, inside.change
        told = dict(levels)
        for price, size in self.taken.items():
            if price > inside.edge if self.rising else price < inside.edge:
                continue
            self.tally.traded += size
            stands = told.get(price)
            if stands is not None:
                net = stands - before[levels.index((price, stands))]
                grown += max(net + size, 0.0) - max(net, 0.0)
                change += size
        return grown, change

    def second(self) -> None:
        self.seconds.append(self.pulled)
        self.median.add(self.pulled)
        self.pulled = 0.0

    @property
    def pull_rate(self) -> float | None:
        """Cancelled in the last second, in multiples of the median second; None below 60 s and for a median of 0."""
        usual = self.median.median() if len(self.median) == MEMORY_S else None
        return self.seconds[-1] / usual if usual else None


class RestingFlow:
    """Added and cancelled sizes of both sides within 10 bp of the mid before each update; what a trade took is not
    cancelled. `band` counts the updates, and is up to date before this is told of one."""

    __slots__ = ("_known", "ask", "band", "bid", "updates")

    def __init__(self, band: BandDepth) -> None:
        self.band = band
        self.bid = _Side(rising=False)
        self.ask = _Side(rising=True)
        self.updates = 0
        self._known = False
        """Whether there is a mid to hold trades against."""

    def on_book(self, t_ns: int, changes: Changes | None) -> None:
        """Take an update, or a snapshot (`changes` None), which counts for nothing."""
        band = self.band
        if changes is None or not band.counted:
            self.bid.taken.clear()
            self.ask.taken.clear()
        else:
            self.bid.update(t_ns, band.bids_in, changes.bids, changes.bids_before)
            self.ask.update(t_ns, band.asks_in, changes.asks, changes.asks_before)
            self.updates += 1
        self._known = band.mid_ticks is not None

    def on_trade(self, price: float, size: float, side: int) -> None:
        """Take a trade with a side, its price as the book spells it; a buy takes from the asks."""
        if self._known:
            taken = self.ask.taken if side > 0 else self.bid.taken
            taken[price] = taken.get(price, 0.0) + size

    def on_second(self) -> None:
        """A second has passed."""
        self.bid.second()
        self.ask.second()

    def on_reset(self) -> None:
        """The book is unknown until the next snapshot."""
        self._known = False
        for side in (self.bid, self.ask):
            side.taken.clear()
            side.fleeting.clear()
