"""Windows over streams of numbers: by time or by count, each cheap to feed and exact to read.

Means and covariances are kept centred and with removal, never as differences of sums of squares, and are rebuilt from
the window now and then.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from math import ceil, sqrt

from msgspec import Struct

REBUILD_AFTER = 4096
"""Removals after which a running sum is made anew from its window."""


class StepWindow:
    """A right-continuous step function with whole-number values, over the last `window_ns`: exact by duration.

    The value that holds now counts from the moment it began; one that has just begun has no weight yet. Time during
    which nothing is known (`hold(t, None)`) has no weight at all.
    """

    __slots__ = ("_durations", "_segments", "_since_ns", "_total_ns", "_value", "window_ns")

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self._segments: deque[list[int]] = deque()
        """[begin, end, value], oldest first, without the one that is open."""
        self._durations: dict[int, int] = {}
        self._total_ns = 0
        self._value: int | None = None
        self._since_ns = 0

    def hold(self, t_ns: int, value: int | None) -> None:
        """From `t_ns` on the function has this value; None: it is not known."""
        if value == self._value:
            return
        self._close(t_ns)
        self._value = value

    def settle(self, t_ns: int) -> None:
        """Bring the window to `t_ns`; what is read afterwards is as of then."""
        self._close(t_ns)
        self._evict(t_ns - self.window_ns)

    @property
    def covered_ns(self) -> int:
        """For how much of the window the function is known."""
        return self._total_ns

    def median(self) -> int | None:
        """The smallest value whose cumulated duration reaches half; None for an empty window."""
        return _lower_median(self._durations, self._total_ns)

    def deviation(self, centre: int) -> int | None:
        """The lower weighted median of the distances from `centre`."""
        distances: dict[int, int] = {}
        for value, duration in self._durations.items():
            distance = abs(value - centre)
            distances[distance] = distances.get(distance, 0) + duration
        return _lower_median(distances, self._total_ns)

    def share_up_to(self, value: int) -> float | None:
        """The share of the known time during which the function was at most `value`, in 0 … 1."""
        if not self._total_ns:
            return None
        return sum(duration for known, duration in self._durations.items() if known <= value) / self._total_ns

    def mean(self) -> float | None:
        """The mean by time."""
        if not self._total_ns:
            return None
        return sum(value * duration for value, duration in self._durations.items()) / self._total_ns

    def _close(self, t_ns: int) -> None:
        """End the open segment at `t_ns` and begin another with the same value."""
        value, since = self._value, self._since_ns
        self._since_ns = t_ns
        if value is None or t_ns <= since:
            return
        segments = self._segments
        if segments and segments[-1][1] == since and segments[-1][2] == value:
            segments[-1][1] = t_ns
        else:
            segments.append([since, t_ns, value])
        self._durations[value] = self._durations.get(value, 0) + t_ns - since
        self._total_ns += t_ns - since
        if segments[0][1] <= t_ns - self.window_ns:
            self._evict(t_ns - self.window_ns)

    def _evict(self, before_ns: int) -> None:
        segments = self._segments
        while segments and segments[0][0] < before_ns:
            first = segments[0]
            gone = min(first[1], before_ns) - first[0]
            left = self._durations[first[2]] - gone
            if left:
                self._durations[first[2]] = left
            else:
                del self._durations[first[2]]
            self._total_ns -= gone
            if first[1] > before_ns:
                first[0] = before_ns
                return
            segments.popleft()


def _lower_median(weights: dict[int, int], total: int) -> int | None:
    reached = 0
    for value in sorted(weights):
        reached += weights[value]
        if 2 * reached >= total:
            return value
    return None


class SortedWindow:
    """The last `capacity` numbers, in order of size as well."""

    __slots__ = ("_arrived", "_ordered", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrived: deque[float] = deque()
        self._ordered: list[float] = []

    def __len__(self) -> int:
        return len(self._ordered)

    def add(self, value: float) -> None:
        if len(self._arrived) == self.capacity:
            del self._ordered[bisect_left(self._ordered, self._arrived.popleft())]
        self._arrived.append(value)
        insort(self._ordered, value)

    def quantile(self, share: float) -> float | None:
        """The smallest number that at least this share do not exceed; None while empty."""
        ordered = self._ordered
        if not ordered:
            return None
        # The product may come out a hair above the whole number that it is.
        return ordered[max(ceil(share * len(ordered) - 1e-9), 1) - 1]

    def median(self) -> float | None:
        """The middle one, or halfway between the two in the middle."""
        ordered = self._ordered
        if not ordered:
            return None
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2

    def deviation(self, centre: float) -> float:
        """The median distance from `centre`; 0 while empty."""
        count = len(self._ordered)
        if not count:
            return 0.0
        upper = self._distance(centre, count // 2)
        return upper if count % 2 else (self._distance(centre, count // 2 - 1) + upper) / 2

    def _distance(self, centre: float, rank: int) -> float:
        """The distance from `centre` that `rank` of the numbers undercut: by bisection of both halves."""
        ordered = self._ordered
        split = bisect_left(ordered, centre)
        low, high = max(0, rank + 1 - len(ordered) + split), min(rank + 1, split)
        while low < high:
            left = (low + high) // 2
            # Of the nearest `rank + 1` numbers, `left` are below the centre: too few while the next below is nearer.
            if centre - ordered[split - 1 - left] < ordered[split + rank - left] - centre:
                low = left + 1
            else:
                high = left
        below = centre - ordered[split - low] if low else 0.0
        above = ordered[split + rank - low] - centre if low <= rank else 0.0
        return max(below, above)

    def share_up_to(self, value: float) -> float | None:
        """The share of the numbers that are at most `value`, in 0 … 1; None while empty."""
        ordered = self._ordered
        return bisect_right(ordered, value) / len(ordered) if ordered else None


class Line(Struct, frozen=True):
    """A least-squares line `y = intercept + slope · x`; `t` is the slope over its standard error, in n - 2 freedoms."""

    intercept: float
    slope: float
    r2: float
    t: float
    n: int


class RollingLine:
    """The least-squares line through the last `capacity` points (all of them for None)."""

    __slots__ = ("_mean_x", "_mean_y", "_points", "_removed", "_xx", "_xy", "_yy", "capacity", "n")

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._points: deque[tuple[float, float]] = deque()
        self._removed = 0
        self._begin()

    def _begin(self) -> None:
        self.n = 0
        self._mean_x = self._mean_y = self._xx = self._xy = self._yy = 0.0

    def add(self, x: float, y: float) -> None:
        if self.capacity is not None:
            if len(self._points) == self.capacity:
                self._remove(*self._points.popleft())
            self._points.append((x, y))
        self._add(x, y)

    def _add(self, x: float, y: float) -> None:
        self.n += 1
        ahead_x, ahead_y = x - self._mean_x, y - self._mean_y
        self._mean_x += ahead_x / self.n
        self._mean_y += ahead_y / self.n
        self._xx += ahead_x * (x - self._mean_x)
        self._yy += ahead_y * (y - self._mean_y)
        self._xy += ahead_x * (y - self._mean_y)

    def _remove(self, x: float, y: float) -> None:
        self._removed += 1
        if self._removed >= REBUILD_AFTER or self.n == 1:
            self._removed = 0
            self._begin()
            for point in self._points:
                self._add(*point)
            return
        after_x, after_y = x - self._mean_x, y - self._mean_y
        self.n -= 1
        self._mean_x -= after_x / self.n
        self._mean_y -= after_y / self.n
        self._xx -= after_x * (x - self._mean_x)
        self._yy -= after_y * (y - self._mean_y)
        self._xy -= after_x * (y - self._mean_y)

    def line(self) -> Line | None:
        """None for fewer than three points, and where x or y does not vary."""
        if self.n < 3 or self._xx <= 0.0 or self._yy <= 0.0:
            return None
        slope = self._xy / self._xx
        unexplained = max(self._yy - slope * self._xy, 0.0)
        error = sqrt(unexplained / (self.n - 2) / self._xx)
        t = slope / error if error > 0.0 else float("inf") * (1 if slope > 0 else -1)
        return Line(self._mean_y - slope * self._mean_x, slope, 1.0 - unexplained / self._yy, t, self.n)


class Ewma:
    """An exponentially weighted mean by count, without the pull of its start: exact from the first value on."""

    __slots__ = ("_decay", "_sum", "_weight")

    def __init__(self, half_life: float) -> None:
        self._decay = 0.5 ** (1.0 / half_life)
        self._sum = 0.0
        self._weight = 0.0

    def add(self, value: float) -> None:
        self._sum = self._decay * self._sum + (1.0 - self._decay) * value
        self._weight = self._decay * self._weight + (1.0 - self._decay)

    @property
    def value(self) -> float | None:
        """None before the first value."""
        return self._sum / self._weight if self._weight else None


class RollingMoments:
    """Mean and variance of the last `capacity` numbers (all of them for None)."""

    __slots__ = ("_mean", "_removed", "_squares", "_values", "capacity", "n")

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._values: deque[float] = deque()
        self._removed = self.n = 0
        self._mean = self._squares = 0.0

    def add(self, value: float) -> None:
        if self.capacity is not None:
            if len(self._values) == self.capacity:
                self._remove(self._values.popleft())
            self._values.append(value)
        self._add(value)

    def _add(self, value: float) -> None:
        self.n += 1
        ahead = value - self._mean
        self._mean += ahead / self.n
        self._squares += ahead * (value - self._mean)

    def _remove(self, value: float) -> None:
        self._removed += 1
        if self._removed >= REBUILD_AFTER or self.n == 1:
            self._removed = self.n = 0
            self._mean = self._squares = 0.0
            for known in self._values:
                self._add(known)
            return
        after = value - self._mean
        self.n -= 1
        self._mean -= after / self.n
        self._squares -= after * (value - self._mean)

    @property
    def mean(self) -> float | None:
        return self._mean if self.n else None

    def variance(self, freedoms_lost: int = 1) -> float | None:
        """None until more than `freedoms_lost` numbers are known."""
        return max(self._squares, 0.0) / (self.n - freedoms_lost) if self.n > freedoms_lost else None
