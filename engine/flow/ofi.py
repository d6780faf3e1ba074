"""Order-flow imbalance: by how much bids grew and asks shrank, summed over time.

It explains the move of the mid in the same interval; it does not predict the next one.

Source: Cont, Kukanov and Stoikov (2014) for the best level and the impact line; Xu, Gould and Howison (2018) for
levels. Deeper levels repeat the move of the touch where every price is occupied: that is the definition.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import sub

from engine.flow.section import Changes, Section
from engine.flow.top import TopOfBook
from engine.flow.windows import Line, RollingLine
from engine.market.book import Book, Column

LEVELS = 10
IMPACT_S = 10
IMPACT_INTERVALS = 180
IMPACT_WARM = 30


class BestOfi:
    """At the best prices, over windows of up to 90 s (their beginnings to the nearest tenth of a second).

    The sums are kept by `TopOfBook`, quote by quote.
    """

    __slots__ = ("_top",)

    def __init__(self, top: TopOfBook) -> None:
        self._top = top

    @property
    def cumulative(self) -> float:
        """Since the beginning, in base units."""
        return self._top.ofi

    @property
    def last(self) -> float | None:
        """What the newest quote added; None for the first one and after a break."""
        return self._top.ofi_last

    def over(self, t_ns: int, window_s: float) -> tuple[float, float | None] | None:
        """OFI of the last `window_s` in base units, and normalised by the mean queue; None while it is not known.

        The second is None where no quote came in that time.
        """
        top, begin = self._top, t_ns - round(window_s * 1e9)
        if top.ofi_since_ns is None or top.ofi_since_ns > begin:
            return None
        ofi, depth_sum, events = top.ofi, top.depth_sum, top.events
        for mark in reversed(top.marks):
            if mark.end_ns < begin:
                break
            ofi, depth_sum, events = mark.ofi, mark.depth_sum, mark.events
        ofi, depth_sum, events = top.ofi - ofi, top.depth_sum - depth_sum, top.events - events
        queue = depth_sum / (2 * events) if events else 0.0
        return ofi, ofi / queue if queue > 0.0 else None


class LevelOfi(Section):
    """At each of the ten best levels of the book, from update to update."""

    __slots__ = ("_known", "complete", "cumulative", "depth_sum", "events")

    def __init__(self, levels: int = LEVELS) -> None:
        self.cumulative = [0.0] * levels
        """By level, best first, since the beginning, in base units."""
        self.depth_sum = 0.0
        """The sum over the book states of the mean size per level and side."""
        self.events = 0
        self.complete = True
        """Whether every level was there in all states since somebody set this."""
        self._known: tuple[Column, Column, Column, Column] | None = None

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        cumulative = self.cumulative
        count = len(cumulative)
        known = self._known
        bid_prices, bid_sizes, ask_prices, ask_sizes = self._known = book.best_columns(count)
        self.depth_sum += (sum(bid_sizes) + sum(ask_sizes)) / (2 * count)
        self.events += 1
        if changes is None or known is None:
            self.complete &= len(bid_sizes) == len(ask_sizes) == count
            return
        # Written out, and not by the functions of the best level, for there are twenty levels in every update.
        bought: Iterable[float] = map(sub, bid_sizes, known[1]) if bid_prices == known[0] else [
            size - before if price == was else size if price > was else -before
            for price, size, was, before in zip(bid_prices, bid_sizes, known[0], known[1], strict=False)
        ]  # fmt: skip
        sold: Iterable[float] = map(sub, ask_sizes, known[3]) if ask_prices == known[2] else [
            size - before if price == was else size if price < was else -before
            for price, size, was, before in zip(ask_prices, ask_sizes, known[2], known[3], strict=False)
        ]  # fmt: skip
        sums = [total + bid - ask for total, bid, ask in zip(cumulative, bought, sold, strict=False)]
        if len(sums) == count:
            self.cumulative = sums
        else:
            # A level that is missing on either side, before or after, is not known to have changed.
            self.complete = False
            self.cumulative = sums + cumulative[len(sums) :]

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._known = None


class Impact:
    """The line `move of the mid in ticks = a + b · flow` through the last intervals, none of which overlap."""

    __slots__ = ("_known", "_line", "_seconds", "interval_s")

    def __init__(self, interval_s: int = IMPACT_S, intervals: int = IMPACT_INTERVALS) -> None:
        self.interval_s = interval_s
        self._line = RollingLine(intervals)
        self._seconds = 0
        self._known: tuple[float, float] | None = None

    def on_second(self, mid_ticks: float | None, cumulative: float) -> None:
        """Take the mid and the sum of the flow as they stand at a whole second; None for an unknown mid."""
        if self._known is not None and mid_ticks is not None:
            self._seconds += 1
            if self._seconds < self.interval_s:
                return
            mid, flow = self._known
            self._line.add(cumulative - flow, mid_ticks - mid)
        self._seconds = 0
        self._known = None if mid_ticks is None else (mid_ticks, cumulative)

    def lose(self) -> None:
        """The flow was interrupted: the interval under way does not count."""
        self._known = None

    @property
    def n(self) -> int:
        """How many intervals the line goes through."""
        return self._line.n

    def line(self) -> Line | None:
        """None below 30 intervals, and where nothing varied."""
        return self._line.line() if self._line.n >= IMPACT_WARM else None
