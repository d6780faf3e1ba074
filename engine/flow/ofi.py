"""Order-flow imbalance: by how much bids grew and asks shrank, summed over time.

It explains the move of the mid in the same interval; it does not predict the next one.

Source: Cont, Kukanov and Stoikov (2014) for the best level and the impact line; Xu, Gould and Howison (2018) for
levels. Deeper levels repeat the move of the touch where every price is occupied: that is the definition.
"""

from __future__ import annotations

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

    __slots__ = ("_asks", "_bids", "complete", "cumulative", "depth_sum", "events")

    def __init__(self, levels: int = LEVELS) -> None:
        self.cumulative = [0.0] * levels
        """By level, best first, since the beginning, in base units."""
        self.depth_sum = 0.0
        """The sum over the book states of the mean size per level and side."""
        self.events = 0
        self.complete = True
        """Whether every level was there in all states since `cumulative` was last read to be so."""
        self._bids: tuple[Column, Column] | None = None
        self._asks: tuple[Column, Column] | None = None

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        bids, asks = book.top_bids(), book.top_asks()
        cumulative = self.cumulative
        count = len(cumulative)
        bid_sizes, ask_sizes = bids[1][:count], asks[1][:count]
        bids, asks = (bids[0][:count], bid_sizes), (asks[0][:count], ask_sizes)
        self.depth_sum += (sum(bid_sizes) + sum(ask_sizes)) / (2 * count)
        self.events += 1
        old_bids, old_asks = self._bids, self._asks
        self._bids, self._asks = bids, asks
        if len(bid_sizes) < count or len(ask_sizes) < count:
            self.complete = False
        if changes is None or old_bids is None or old_asks is None:
            return
        # Written out, and not as the two functions of the best level, for there are twenty of them in every update.
        bought = [
            size - known_size if price == known else size if price > known else -known_size
            for price, size, known, known_size in zip(*bids, *old_bids, strict=False)
        ]
        sold = [
            size - known_size if price == known else size if price < known else -known_size
            for price, size, known, known_size in zip(*asks, *old_asks, strict=False)
        ]
        if len(bought) == len(sold) == count:
            self.cumulative = [known + bid - ask for known, bid, ask in zip(cumulative, bought, sold, strict=True)]
        else:
            for level, (bid, ask) in enumerate(zip(bought, sold, strict=False)):
                cumulative[level] += bid - ask

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._bids = self._asks = None


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
