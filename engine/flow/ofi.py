"""Order-flow imbalance: by how much bids grew and asks shrank, summed over time.

It explains the move of the mid in the same interval; it does not predict the next one.

Source: Cont, Kukanov and Stoikov (2014) for the best level and the impact line; Xu, Gould and Howison (2018) for
levels. Deeper levels repeat the move of the touch where every price is occupied: that is the definition.
"""

from __future__ import annotations

from collections import deque

from engine.flow.section import Changes, Section
from engine.flow.windows import Line, RollingLine
from engine.market.book import Book, Column

BUCKET_NS = 100_000_000
LONGEST_S = 30
LEVELS = 10
IMPACT_S = 10
IMPACT_INTERVALS = 180
IMPACT_WARM = 30


class BestOfi(Section):
    """At the best prices, over windows of up to 30 s (their beginnings to the nearest tenth of a second)."""

    __slots__ = (
        "_ask", "_ask_size", "_bid", "_bid_size", "_known", "_marks", "_next_ns", "cumulative", "depth_sum", "events",
        "last", "since_ns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cumulative = 0.0
        """Since the beginning, in base units."""
        self.depth_sum = 0.0
        """The sum over the events of the two queues together."""
        self.events = 0
        self.last: float | None = None
        """What the newest quote added; None for the first one and after a break."""
        self.since_ns: int | None = None
        """Since when there has been no break."""
        self._bid = self._bid_size = self._ask = self._ask_size = 0.0
        self._known = False
        self._marks: deque[tuple[int, float, float, int]] = deque(maxlen=LONGEST_S * 10 + 2)
        """(end of a tenth of a second, cumulative, depth_sum, events) as they stood then."""
        self._next_ns = 0

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        if t_ns >= self._next_ns:
            self._mark(t_ns)
        if self._known and bid <= ask:
            known_bid = self._bid
            if bid == known_bid:
                event = bid_size - self._bid_size
            elif bid > known_bid:
                event = bid_size
            else:
                event = -self._bid_size
            known_ask = self._ask
            if ask == known_ask:
                event += self._ask_size - ask_size
            elif ask > known_ask:
                event += self._ask_size
            else:
                event -= ask_size
            self.last = event
            self.cumulative += event
            self.depth_sum += bid_size + ask_size
            self.events += 1
        else:
            self._begin(t_ns, bid <= ask)
        self._bid, self._bid_size, self._ask, self._ask_size = bid, bid_size, ask, ask_size

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._begin(t_ns, False)

    def _begin(self, t_ns: int, known: bool) -> None:
        self._known = known
        self.last = None
        self.since_ns = t_ns if known else None

    def _mark(self, t_ns: int) -> None:
        """Note how things stood at the end of the last tenth of a second in which something happened."""
        end = t_ns // BUCKET_NS * BUCKET_NS
        self._marks.append((end, self.cumulative, self.depth_sum, self.events))
        self._next_ns = end + BUCKET_NS

    def over(self, t_ns: int, window_s: float) -> tuple[float, float | None] | None:
        """OFI of the last `window_s` in base units, and normalised by the mean queue; None while it is not known.

        The second is None where no quote came in that time.
        """
        begin = t_ns - round(window_s * 1e9)
        if self.since_ns is None or self.since_ns > begin:
            return None
        marked = (self.cumulative, self.depth_sum, self.events)
        for end, *then in reversed(self._marks):
            marked = (then[0], then[1], int(then[2]))
            if end <= begin:
                break
        ofi, events = self.cumulative - marked[0], self.events - marked[2]
        queue = (self.depth_sum - marked[1]) / (2 * events) if events else 0.0
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
        if bids != old_bids:
            for level, (price, size, old_price, old_size) in enumerate(zip(*bids, *old_bids, strict=False)):
                if price == old_price:
                    cumulative[level] += size - old_size
                elif price > old_price:
                    cumulative[level] += size
                else:
                    cumulative[level] -= old_size
        if asks != old_asks:
            for level, (price, size, old_price, old_size) in enumerate(zip(*asks, *old_asks, strict=False)):
                if price == old_price:
                    cumulative[level] += old_size - size
                elif price < old_price:
                    cumulative[level] -= size
                else:
                    cumulative[level] += old_size

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
