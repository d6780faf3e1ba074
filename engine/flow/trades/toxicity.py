"""Flow toxicity in volume buckets, and the side of volume when only bars are known.

Easley, López de Prado & O'Hara 2012 (RFS 25:1457) and 2016 (JFE 120:269). It describes flow, it forecasts nothing that
volume and volatility do not (Andersen & Bondarenko 2014).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import erf, sqrt

from engine.flow.statistics.windows import RollingMoments

ROOT_TWO = sqrt(2.0)
FULL = 1e-9
"""A bucket is full when no more than this share of it is missing: sums of floats seldom end on the point."""
HISTORY = 1_000
STILL = 1e-12


def bulk_buy_share(change: float, sigma: float) -> float:
    """The share of a bar's volume that was bought, from its change of close; in 0 … 1, always an estimate."""
    return 0.5 * (1.0 + erf(change / sigma / ROOT_TWO))


class VolumeBuckets:
    """Imbalance of the last `n` buckets of equal volume: Σ|bought - sold| / (n · bucket), in 0 … 1.

    A trade that overfills a bucket is split, its rest begins the next. `value` is None until `n` buckets are full.
    Volume without a side fills buckets and counts on neither side.
    """

    __slots__ = ("_buy", "_filled", "_history", "_recent", "_sell", "bucket", "buckets", "n", "value")

    def __init__(self, bucket: float, n: int = 50) -> None:
        if bucket <= 0.0 or n < 1:
            raise ValueError(f"bucket {bucket}, n {n}: both must be above zero")
        self.bucket = bucket
        self.n = n
        self.buckets = 0
        """How many buckets have been filled."""
        self.value: float | None = None
        self._buy = self._sell = self._filled = 0.0
        self._recent: deque[float] = deque(maxlen=n)
        self._history: deque[float] = deque(maxlen=HISTORY)

    @property
    def imbalances(self) -> tuple[float, ...]:
        """|bought - sold| of the last full buckets, oldest first."""
        return tuple(self._recent)

    @property
    def values(self) -> tuple[float, ...]:
        """Its last 1000 values, one per full bucket, oldest first."""
        return tuple(self._history)

    @property
    def warm(self) -> float:
        """How much of the first `n` buckets is there, in 0 … 1."""
        return len(self._recent) / self.n

    @property
    def percentile(self) -> float | None:
        """The share of its own past values that are not above the present one; None below 20 of them."""
        if self.value is None or len(self._history) < 20:
            return None
        ordered = sorted(self._history)
        return bisect_right(ordered, self.value) / len(ordered)

    def add(self, size: float, buy_share: float | None) -> int:
        """Take volume of which `buy_share` was bought (None: unknown); how many buckets it has filled."""
        filled = self._filled + size
        if filled < self.bucket * (1.0 - FULL):
            self._filled = filled
            if buy_share is not None:
                self._buy += size * buy_share
                self._sell += size * (1.0 - buy_share)
            return 0
        return self._overfill(size, buy_share)

    def _overfill(self, size: float, buy_share: float | None) -> int:
        done = 0
        while size > 0.0:
            part = min(size, self.bucket - self._filled)
            if buy_share is not None:
                self._buy += part * buy_share
                self._sell += part * (1.0 - buy_share)
            self._filled += part
            size -= part
            if self._filled >= self.bucket * (1.0 - FULL):
                self._close()
                done += 1
        return done

    def _close(self) -> None:
        self._recent.append(abs(self._buy - self._sell))
        self._buy = self._sell = self._filled = 0.0
        self.buckets += 1
        if len(self._recent) == self.n:
            self.value = sum(self._recent) / (self.n * self.bucket)
            self._history.append(self.value)


class BarSplit:
    """Bought volume of bars of which only close and volume are known; always an estimate.

    Closes in ticks. A change is held against the deviation of the last `window` changes before it; below `least` of
    them, or if none of them moved, nothing is known (None), and half of the volume is the best guess.
    """

    __slots__ = ("_changes", "_close", "least")

    def __init__(self, window: int = 50, least: int = 20) -> None:
        self.least = least
        self._close: float | None = None
        self._changes = RollingMoments(window)

    def add(self, close: float, volume: float) -> float | None:
        """Take a bar; how much of its volume was bought."""
        previous, self._close = self._close, close
        if previous is None:
            return None
        change = close - previous
        sigma = self._sigma()
        self._changes.add(change)
        return volume * bulk_buy_share(change, sigma) if sigma else None

    def _sigma(self) -> float | None:
        variance = self._changes.variance() if self._changes.n >= self.least else None
        # Prices come in ticks: less than this is what rounding leaves of changes that have left the window.
        return sqrt(variance) if variance is not None and variance > STILL else None
