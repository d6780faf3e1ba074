"""Cumulative depth, compressed for drawing, and how many decimals a number needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import itemgetter

from engine.market.events import Level

DEPTH_LEVELS = 500
DEPTH_POINTS = 200
NEAR_POINTS = 100
MOST_DECIMALS = 10

_size_of = itemgetter(1)


def cumulative(levels: Sequence[Level], points: int = DEPTH_POINTS, near: int = NEAR_POINTS) -> list[Level]:
    """(price, size up to and including it) of one side, best first, in at most `points` pairs.

    The `near` best levels are all kept; the rest is thinned evenly and always ends with the last level, so the
    total is exact.
    """
    totals = list(accumulate(map(_size_of, levels)))
    n = len(totals)
    if n <= points:
        return [(level[0], total) for level, total in zip(levels, totals, strict=True)]
    step = (n - near) / (points - near)
    chosen = [*range(near), *[near - 1 + round(step * i) for i in range(1, points - near + 1)]]
    return [(levels[index][0], totals[index]) for index in chosen]


def decimals(values: Iterable[float]) -> int:
    """The most decimals any of these needs when written exactly; 0 for none, at most 10."""
    most = 0
    for value in values:
        text = repr(value)
        if "e" in text:
            text = f"{value:.{MOST_DECIMALS}f}".rstrip("0")
        _, _, part = text.partition(".")
        if part and part != "0":
            most = max(most, len(part))
    return min(most, MOST_DECIMALS)
