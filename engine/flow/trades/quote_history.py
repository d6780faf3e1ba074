"""The mids of the last seconds, so that a trade can be held against the quote that stood before it."""

from __future__ import annotations

from bisect import bisect_right

LONG = 20_000
"""Changes of the mid that are kept at most; a second brings a few hundred."""
OFF_GRID = 1e-4
"""A price this many ticks off a whole tick is not on the grid that was given, and is left as it is."""


def in_ticks(price: float, tick: float) -> float:
    """A price in ticks: a whole number where it lies on the grid, so that equal prices are equal and sums exact."""
    ticks = price / tick
    whole = round(ticks)
    return float(whole) if -OFF_GRID < ticks - whole < OFF_GRID else ticks


class QuoteHistory:
    """Mids in ticks by receive time. `mid` is the newest: None while a side is empty or the book is crossed.

    Only changes are kept, for at least `keep_ns`; `dropped` counts those lost to the bound.
    """

    __slots__ = (
        "_ask_ticks", "_bid_ticks", "_from", "_held", "_until", "dropped", "keep_ns", "limit", "mid", "mids", "raw_ask",
        "raw_bid", "tick", "times",
    )  # fmt: skip

    def __init__(self, tick: float, keep_ns: int = 3_000_000_000, limit: int = LONG) -> None:
        self.tick = tick
        self.keep_ns = keep_ns
        self.limit = limit
        self.mid: float | None = None
        self.raw_bid = self.raw_ask = 0.0
        """The best prices as they came; 0 while unknown."""
        self._bid_ticks = self._ask_ticks = 0.0
        self.dropped = 0
        self.times: list[int] = []
        self.mids: list[float | None] = []
        """Each mid and since when it stood, oldest first."""
        self._from = self._until = 0
        self._held: float | None = None
        """The mid of the stretch that was asked for last, and from when to when it stood."""

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """Take a best quote; an empty side has size or price 0."""
        if bid != self.raw_bid or ask != self.raw_ask or bid_size <= 0.0 or ask_size <= 0.0 or self.mid is None:
            self.changed(t_ns, bid, bid_size, ask, ask_size)

    def changed(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """Take a best quote that differs from the one before it."""
        if bid != self.raw_bid:
            self.raw_bid, self._bid_ticks = bid, in_ticks(bid, self.tick)
        if ask != self.raw_ask:
            self.raw_ask, self._ask_ticks = ask, in_ticks(ask, self.tick)
        known = bid > 0.0 and ask > 0.0 and bid_size > 0.0 and ask_size > 0.0 and ask >= bid
        self._set(t_ns, (self._bid_ticks + self._ask_ticks) / 2 if known else None)

    def on_reset(self, t_ns: int) -> None:
        """The book is unknown from here to the next quote."""
        self.raw_bid = self.raw_ask = 0.0
        self._set(t_ns, None)

    def before(self, t_ns: int) -> float | None:
        """The mid that stood at `t_ns`, the last one received at or before it; None if unknown then."""
        if self._from <= t_ns < self._until:
            return self._held
        times = self.times
        place = bisect_right(times, t_ns)
        if not place:
            return None
        mid = self.mids[place - 1]
        if place < len(times):
            # Fills of one order ask for the same stretch again.
            self._from, self._until, self._held = times[place - 1], times[place], mid
        return mid

    def trim(self, t_ns: int) -> None:
        """Let go what is older than `keep_ns`, but the one mid that stood then."""
        gone = bisect_right(self.times, t_ns - self.keep_ns) - 1
        if gone > 0:
            del self.times[:gone]
            del self.mids[:gone]

    def _set(self, t_ns: int, mid: float | None) -> None:
        if mid == self.mid and self.times:
            return
        self.mid = mid
        self.times.append(t_ns)
        self.mids.append(mid)
        if len(self.times) > self.limit:
            half = self.limit // 2
            self.dropped += half
            del self.times[:half]
            del self.mids[:half]
