"""What honest counting needs: quantiles of shares, rank correlation, errors that allow for overlap, many tests at once.

Everything here is slow-path and pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SMALL = 1e-300
LEAST_VALUES = 5


def beta_share(x: float, a: float, b: float) -> float:
    """The probability that a Beta(a, b) variable is at most `x` (the regularised incomplete beta function)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - front * _continued(1.0 - x, b, a) / b
    return front * _continued(x, a, b) / a


def _continued(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _SMALL else _SMALL)
    value = d
    for step in range(1, 1000):
        even = step * (b - step) * x / ((a + 2 * step - 1.0) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1.0))
        change = 1.0
        for numerator in (even, odd):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > _SMALL else _SMALL)
            c = 1.0 + numerator / c
            c = c if abs(c) > _SMALL else _SMALL
            change = c * d
            value *= change
        if abs(change - 1.0) < 1e-16:
            break
    return value


def beta_quantile(share: float, a: float, b: float) -> float:
    """The point below which a Beta(a, b) variable lies with probability `share`: Newton's steps inside a bracket."""
    low, high, x = 0.0, 1.0, a / (a + b)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(200):
        miss = beta_share(x, a, b) - share
        if miss < 0.0:
            low = x
        else:
            high = x
        density = math.exp(scale + (a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x))
        better = x - miss / density if density > 0.0 else low
        if not low < better < high:
            better = (low + high) / 2.0
        if abs(better - x) <= 1e-15 or better in (low, high):
            return better
        x = better
    return x


def beta_interval(a: float, b: float, level: float = 0.90) -> tuple[float, float]:
    """The central interval that holds a Beta(a, b) variable with probability `level`."""
    outside = (1.0 - level) / 2.0
    return beta_quantile(outside, a, b), beta_quantile(1.0 - outside, a, b)


def jeffreys_interval(hits: int, count: int, level: float = 0.90) -> tuple[float, float]:
    """The interval of a share after `hits` of `count`; reaches 0 where nothing hit and 1 where everything did."""
    low, high = beta_interval(hits + 0.5, count - hits + 0.5, level)
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(values))
    shared = np.empty(len(values))
    shared[order] = np.repeat((starts + ends + 1) / 2.0, ends - starts)
    return shared


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Spearman's correlation, -1 … 1; None for fewer than two pairs or where one does not vary."""
    if len(one) < 2:
        return None
    left, right = ranks(one), ranks(other)
    left, right = left - left.mean(), right - right.mean()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / scale if scale > 0.0 else None


def correlation_p_value(correlation: float, count: float) -> float | None:
    """Two-sided probability of so large a correlation of `count` independent pairs by chance (Fisher's z)."""
    if count <= 3.0:
        return None
    if abs(correlation) >= 1.0:
        return 0.0
    return two_sided(math.atanh(correlation) * math.sqrt(count - 3.0))


def two_sided(score: float) -> float:
    """The probability that a standard normal variable is at least this far from zero."""
    return math.erfc(abs(score) / math.sqrt(2.0))


def student_two_sided(t: float, freedoms: float) -> float:
    """The probability that Student's t is at least this far from zero."""
    return beta_share(freedoms / (freedoms + t * t), freedoms / 2.0, 0.5)


def newey_west_t(values: Sequence[float], lag: int) -> float | None:
    """The mean over its standard error, allowing for correlation over `lag` neighbours (Bartlett weights).

    None for fewer than five values, and where the error comes out as zero.

    Source: Newey & West, Econometrica 55 (1987) 703-708.
    """
    count = len(values)
    if count < LEAST_VALUES:
        return None
    series = np.asarray(values, dtype=np.float64)
    mean = float(series.mean())
    centred = series - mean
    variance = float(centred @ centred) / count
    for distance in range(1, min(lag, count - 1) + 1):
        variance += 2.0 * (1.0 - distance / (lag + 1)) * float(centred[distance:] @ centred[:-distance]) / count
    return mean / math.sqrt(variance / count) if variance > 0.0 else None


def q_values(p_values: Sequence[float]) -> list[float]:
    """The share of false discoveries among all tests at least this significant, for each test, in the given order.

    Source: Benjamini & Hochberg, JRSS B 57 (1995) 289-300.
    """
    count = len(p_values)
    order = sorted(range(count), key=p_values.__getitem__, reverse=True)
    found = [1.0] * count
    least = 1.0
    for place, index in enumerate(order):
        least = min(least, p_values[index] * count / (count - place))
        found[index] = least
    return found
