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

    Only changes are kept, for at least `keep_ns`; `dropped` counts those lost to the bound. `broken_ns` is when the
    quote was last unknown: what spans that moment was not watched throughout.
    """

    __slots__ = (
        "_ask",
        "_bid",
        "_mids",
        "_times",
        "ask",
        "bid",
        "broken_ns",
        "dropped",
        "keep_ns",
        "limit",
        "mid",
        "tick",
    )

    def __init__(self, tick: float, keep_ns: int = 3_000_000_000, limit: int = LONG) -> None:
        self.tick = tick
        self.keep_ns = keep_ns
        self.limit = limit
        self.mid: float | None = None
        self.bid = self.ask = 0.0
        """The best prices in ticks; 0 while unknown."""
        self.broken_ns: int | None = None
        self.dropped = 0
        self._bid = self._ask = 0.0
        self._times: list[int] = []
        self._mids: list[float | None] = []

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """Take a best quote; an empty side has size or price 0."""
        if bid != self._bid or ask != self._ask or bid_size <= 0.0 or ask_size <= 0.0 or self.mid is None:
            self._changed(t_ns, bid, bid_size, ask, ask_size)

    def on_reset(self, t_ns: int) -> None:
        """The book is unknown from here to the next quote."""
        self._bid = self._ask = self.bid = self.ask = 0.0
        self.broken_ns = t_ns
        self._set(t_ns, None)

    def before(self, t_ns: int) -> float | None:
        """The mid that stood at `t_ns`, the last one received at or before it; None if unknown then."""
        place = bisect_right(self._times, t_ns) - 1
        return self._mids[place] if place >= 0 else None

    def trim(self, t_ns: int) -> None:
        """Let go what is older than `keep_ns`, but the one mid that stood then."""
        gone = bisect_right(self._times, t_ns - self.keep_ns) - 1
        if gone > 0:
            del self._times[:gone]
            del self._mids[:gone]

    def _changed(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self._bid, self._ask = bid, ask
        if not (bid > 0.0 and ask > 0.0 and bid_size > 0.0 and ask_size > 0.0 and ask >= bid):
            self.bid = in_ticks(bid, self.tick) if bid > 0.0 and bid_size > 0.0 else 0.0
            self.ask = in_ticks(ask, self.tick) if ask > 0.0 and ask_size > 0.0 else 0.0
            self.broken_ns = t_ns
            self._set(t_ns, None)
            return
        self.bid, self.ask = in_ticks(bid, self.tick), in_ticks(ask, self.tick)
        self._set(t_ns, (self.bid + self.ask) / 2)

    def _set(self, t_ns: int, mid: float | None) -> None:
        if mid == self.mid and self._times:
            return
        self.mid = mid
        self._times.append(t_ns)
        self._mids.append(mid)
        if len(self._times) > self.limit:
            half = self.limit // 2
            self.dropped += half
            del self._times[:half]
            del self._mids[:half]
