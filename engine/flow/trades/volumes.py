"""Bought and sold volume: by window, and running since a shown anchor (cumulative volume delta)."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

BUCKET_NS = 100_000_000
DAY_NS = 86_400 * 1_000_000_000


class Volume(Struct, frozen=True, gc=False):
    """Traded volume of a window, in base units; zero when nothing traded. `unsigned` has no known side."""

    buy: float
    sell: float
    unsigned: float
    quote: float
    trades: int

    @property
    def total(self) -> float:
        """All volume, with or without a side."""
        return self.buy + self.sell + self.unsigned

    @property
    def delta(self) -> float:
        """Bought minus sold."""
        return self.buy - self.sell

    @property
    def imbalance(self) -> float | None:
        """(bought - sold) / (bought + sold), in -1 … 1; None when nothing with a side traded."""
        signed = self.buy + self.sell
        return (self.buy - self.sell) / signed if signed > 0.0 else None


NO_VOLUME = Volume(0.0, 0.0, 0.0, 0.0, 0)


class VolumeWindows:
    """Sums of the last seconds in buckets of 100 ms, right end included: exact where a window ends on one.

    `longest_ns` bounds the memory: at most one bucket per 100 ms of it.
    """

    __slots__ = ("_bucket", "_buckets", "_edge", "longest_ns")

    def __init__(self, longest_ns: int = 300_000_000_000) -> None:
        self.longest_ns = longest_ns
        self._edge = -1
        self._bucket: list[float] = []
        self._buckets: deque[list[float]] = deque(maxlen=longest_ns // BUCKET_NS + 1)
        """[right edge, buy, sell, unsigned, quote, trades] each."""

    def add(self, t_ns: int, size: float, quote: float, side: int) -> None:
        """Take a trade; `quote` is its size in quote units, `side` +1, -1 or 0."""
        if t_ns > self._edge:
            self._edge = edge = -(-t_ns // BUCKET_NS) * BUCKET_NS
            self._bucket = [edge, 0.0, 0.0, 0.0, 0.0, 0]
            self._buckets.append(self._bucket)
        bucket = self._bucket
        bucket[1 if side > 0 else 2 if side else 3] += size
        bucket[4] += quote
        bucket[5] += 1

    def over(self, t_ns: int, window_ns: int) -> Volume:
        """What traded in the `window_ns` up to `t_ns`."""
        buy = sell = unsigned = quote = 0.0
        trades = 0
        start = t_ns - window_ns
        for edge, bought, sold, other, value, count in reversed(self._buckets):
            if edge <= start:
                break
            if edge - t_ns >= BUCKET_NS:
                continue
            buy += bought
            sell += sold
            unsigned += other
            quote += value
            trades += int(count)
        return Volume(buy, sell, unsigned, quote, trades) if trades else NO_VOLUME


class CumulativeDelta:
    """Bought minus sold volume since `anchor_ns`, which moves to each UTC midnight, or to where a reader sets it.

    A gap in the trades keeps the value and makes it partial until the next anchor; `missing` trades were lost.
    """

    __slots__ = ("_interrupted", "anchor_ns", "daily", "missing", "unsigned", "value")

    def __init__(self, *, daily: bool = True) -> None:
        self.daily = daily
        self.anchor_ns: int | None = None
        self.value = 0.0
        self.unsigned = 0.0
        """Volume without a known side, which the value does not contain."""
        self.missing = 0
        self._interrupted = False

    @property
    def partial(self) -> bool:
        """Whether trades since the anchor are missing, or may be."""
        return self.missing > 0 or self._interrupted

    def add(self, t_ns: int, volume: Volume) -> None:
        """Take what traded in a stretch that ends at `t_ns`; a stretch that ends at midnight is still the old day's."""
        anchor = self.anchor_ns
        if anchor is None:
            self.anchor_ns = t_ns
        elif self.daily and (t_ns - 1) // DAY_NS != anchor // DAY_NS:
            self.anchor((t_ns - 1) // DAY_NS * DAY_NS)
        self.value += volume.buy - volume.sell
        self.unsigned += volume.unsigned

    def anchor(self, t_ns: int) -> None:
        """Begin anew at `t_ns`."""
        self.anchor_ns = t_ns
        self.value = self.unsigned = 0.0
        self.missing = 0
        self._interrupted = False

    def gap(self, missing: int) -> None:
        """So many trades were lost; below zero: so many of them came after all."""
        self.missing = max(self.missing + missing, 0)

    def interrupt(self) -> None:
        """The stream was lost after the anchor: nobody knows how many trades there were."""
        self._interrupted = self.anchor_ns is not None
