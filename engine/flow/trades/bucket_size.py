"""How much volume a toxicity bucket holds: a fiftieth of a day's volume, found from what is seen."""

from __future__ import annotations

from engine.flow.trades.volumes import DAY_NS

PER_DAY = 50
FIRST_S = 3_600
NEARLY_A_DAY_S = 23 * 3_600


class BucketSize:
    """After the first hour a fiftieth of 24 such hours; from then on, at each UTC midnight that ends a day which was
    seen for at least 23 hours, a fiftieth of that day. In between it stays: buckets must be equal to be compared."""

    __slots__ = ("_seconds", "_volume", "since_ns", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        """In base units; None during the first hour, and while nothing trades."""
        self.since_ns: int | None = None
        self._seconds = 0
        self._volume = 0.0

    def on_second(self, t_ns: int, volume: float) -> bool:
        """Take what traded in the second up to `t_ns`; whether the size has changed."""
        self._seconds += 1
        self._volume += volume
        found: float | None = None
        if t_ns % DAY_NS == 0:
            if self._seconds >= NEARLY_A_DAY_S:
                found = self._volume / PER_DAY
            if self.value is not None:
                self._seconds, self._volume = 0, 0.0
        if found is None and self.value is None and self._seconds >= FIRST_S:
            found = self._volume / self._seconds * 86_400 / PER_DAY
        if not found:
            return False
        self.value, self.since_ns = found, t_ns
        return True
