"""Correlation of two prices that tick at their own times: by horizon, by overlap of ticks, by lead and lag.

A tick is (time in ns, log mid); times rise strictly, and a mid that did not change is no tick. All functions take
whole arrays and belong to a chosen pair on a page, not to the hot path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = NDArray[np.int64]

SECOND_NS = 1_000_000_000
EPPS_HORIZONS_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
LAGS_MS = (-1000, -500, -200, -100, -50, -20, 0, 20, 50, 100, 200, 500, 1000)


class Ticks(Struct, frozen=True):
    """Mid changes of one symbol: `times` in ns (rising), `logs` the natural logarithms of the mids."""

    times: Times
    logs: Array

    def between(self, first_ns: int, last_ns: int) -> Ticks:
        """The ticks from `first_ns` to `last_ns`, both included."""
        start = int(np.searchsorted(self.times, first_ns, "left"))
        end = int(np.searchsorted(self.times, last_ns, "right"))
        return Ticks(self.times[start:end], self.logs[start:end])

    def at(self, edges: Times) -> Array:
        """The last value at or before each edge; the edges may not lie before the first tick."""
        return self.logs[np.searchsorted(self.times, edges, "right") - 1]


def distinct(times: Sequence[int] | Times, mids: Sequence[float] | Array) -> Ticks:
    """Ticks from mids as they came: the last of each moment, then only where it changed."""
    when, logs = np.asarray(times, dtype=np.int64), np.log(np.asarray(mids, dtype=np.float64))
    if len(when):
        last = np.append(when[1:] != when[:-1], True)
        when, logs = when[last], logs[last]
        changed = np.append(True, logs[1:] != logs[:-1])
        when, logs = when[changed], logs[changed]
    return Ticks(when, logs)


def pearson(one: Array, other: Array) -> float | None:
    """Correlation about the means, -1 … 1; None for fewer than two pairs or where one does not vary."""
    if len(one) < 2:
        return None
    left, right = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / scale if scale > 0.0 else None


def grid(first_ns: int, last_ns: int, step_s: float) -> Times:
    """The edges from the first whole second at or after `first_ns` to `last_ns`."""
    start, step = -(-first_ns // SECOND_NS) * SECOND_NS, round(step_s * SECOND_NS)
    return np.arange(start, last_ns + 1, step, dtype=np.int64)


def returns_on(ticks: Ticks, edges: Times) -> Array:
    """Log returns between edges, each edge with the last value before it."""
    return np.diff(ticks.at(edges)) if len(edges) > 1 else np.empty(0)


def overlap(one: Ticks, other: Ticks) -> tuple[int, int] | None:
    """The first and last moment at which both are known; None where they never are."""
    if not len(one.times) or not len(other.times):
        return None
    first, last = max(one.times[0], other.times[0]), min(one.times[-1], other.times[-1])
    return (int(first), int(last)) if first < last else None


def epps_curve(
    one: Ticks, other: Ticks, span: tuple[int, int], horizons_s: Iterable[float] = EPPS_HORIZONS_S
) -> dict[float, tuple[int, float | None]]:
    """Correlation of previous-tick returns by horizon: horizon in s → (number of returns, correlation).

    Source: Epps, JASA 74 (1979) 291-298: it falls as the horizon gets shorter.
    """
    curve = {}
    for horizon in horizons_s:
        edges = grid(*span, horizon)
        left, right = returns_on(one, edges), returns_on(other, edges)
        curve[horizon] = (len(left), pearson(left, right))
    return curve


def overlap_covariance(one: Ticks, other: Ticks) -> float:
    """The sum of products of all returns whose intervals overlap (Hayashi & Yoshida, Bernoulli 11, 2005).

    Not bounded by the variances: use it for comparisons, not as a correlation.
    """
    if len(one.times) < 2 or len(other.times) < 2:
        return 0.0
    before = np.maximum(np.searchsorted(other.times, one.times[:-1], "right") - 1, 0)
    after = np.minimum(np.searchsorted(other.times, one.times[1:], "left"), len(other.times) - 1)
    return float(np.diff(one.logs) @ (other.logs[after] - other.logs[before]))


def squared_path(ticks: Ticks) -> float:
    """The sum of squared tick returns."""
    changes = np.diff(ticks.logs)
    return float(changes @ changes)


def overlap_correlation(one: Ticks, other: Ticks) -> float | None:
    """Covariance by overlap over the tick variances; may exceed 1. None where a price never moved."""
    scale = math.sqrt(squared_path(one) * squared_path(other))
    return overlap_covariance(one, other) / scale if scale > 0.0 else None


def lead_lag_curve(one: Ticks, other: Ticks, lags_ms: Iterable[int] = LAGS_MS) -> dict[int, float | None]:
    """Correlation by overlap with the clock of `one` moved by each lag; the peak at +L says that `one` leads by L ms.

    Times are those of receipt: the difference of the feeds' latencies is part of the lag.

    Source: Hoffmann, Rosenbaum & Yoshida, Bernoulli 19 (2013) 426-461.
    """
    return {
        lag: overlap_correlation(Ticks(one.times + lag * 1_000_000, one.logs), other) for lag in lags_ms
    }  # fmt: skip


def kernel_correlation(left: Array, right: Array, lags: int) -> float | None:
    """Correlation from returns on a fine grid with a Bartlett kernel over `lags` steps; uses all data.

    Source: Barndorff-Nielsen, Hansen, Lunde & Shephard, J. Econometrics 162 (2011) 149-169.
    """
    values = np.vstack((left, right))
    total = values @ values.T
    for lag in range(1, lags + 1):
        shifted = values[:, lag:] @ values[:, :-lag].T
        total += (1.0 - lag / (lags + 1)) * (shifted + shifted.T)
    scale = float(total[0, 0] * total[1, 1])
    return float(total[0, 1]) / math.sqrt(scale) if scale > 0.0 else None


def refresh_returns(one: Ticks, other: Ticks) -> tuple[Array, Array]:
    """Returns between the moments at which both have ticked anew; their correlation is taken about zero."""
    moments = []
    left, right, size_left, size_right = 0, 0, len(one.times), len(other.times)
    while left < size_left and right < size_right:
        moment = max(int(one.times[left]), int(other.times[right]))
        moments.append(moment)
        left = int(np.searchsorted(one.times, moment, "right"))
        right = int(np.searchsorted(other.times, moment, "right"))
    edges = np.array(moments, dtype=np.int64)
    return returns_on(one, edges), returns_on(other, edges)


class OverlapCovariance:
    """The same covariance while ticks come, in O(1) per tick."""

    __slots__ = ("_last_x", "_last_y", "_since_x", "_since_y", "covariance", "variance_x", "variance_y")

    def __init__(self) -> None:
        self.covariance = self.variance_x = self.variance_y = 0.0
        self._last_x: float | None = None
        self._last_y: float | None = None
        self._since_x = self._since_y = 0.0
        """Returns of the other that closed since this one's last tick."""

    def add(self, x: float | None, y: float | None) -> None:
        """Take the log mids that changed at one moment; None for the one that did not."""
        change_x = x - self._last_x if x is not None and self._last_x is not None else 0.0
        change_y = y - self._last_y if y is not None and self._last_y is not None else 0.0
        self.covariance += change_x * self._since_x + change_y * self._since_y + change_x * change_y
        if x is not None:
            self.variance_x += change_x * change_x
            self._since_x = 0.0
            self._since_y += change_x if y is None else 0.0
            self._last_x = x
        if y is not None:
            self.variance_y += change_y * change_y
            self._since_y = 0.0
            self._since_x += change_y if x is None else 0.0
            self._last_y = y

    @property
    def correlation(self) -> float | None:
        """Over the tick variances; may exceed 1. None where a price never moved."""
        scale = math.sqrt(self.variance_x * self.variance_y)
        return self.covariance / scale if scale > 0.0 else None


def shrink(correlation: Array, returns: Array) -> tuple[Array, float]:
    """A correlation matrix pulled towards the identity, and by how much (0 … 1); for portfolios and clustering.

    `returns` has a row per moment and a column per symbol, in any scale.

    Source: Ledoit & Wolf, J. Multivariate Analysis 88 (2004) 365-411.
    """
    count, size = returns.shape
    scaled = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    sample = scaled.T @ scaled / count
    level = float(np.trace(sample)) / size
    distance = float(((sample - level * np.eye(size)) ** 2).sum())
    noise = float(((scaled**2).T @ (scaled**2)).sum()) / count - float((sample**2).sum())
    amount = min(max(noise / count / distance, 0.0), 1.0) if distance > 0.0 else 0.0
    return (1.0 - amount) * correlation + amount * np.eye(size), amount
