"""Confidence that was earned: how often a type's direction came true, shrunk towards a coin's one half."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from engine.flow.statistics import beta_interval

PRIOR = (20, 20)
LEAST_OUTCOMES = 30
OUTCOMES_KEPT = 500


class Confidence(Struct, frozen=True):
    """How often the direction came true, shrunk towards one half. `value` is None below 30 outcomes."""

    value: float | None
    shrunk: float
    interval: tuple[float, float]
    count: int
    label: str


def confidence(hits: int, count: int) -> Confidence:
    """From `hits` of `count` outcomes that moved: (hits + 20) / (count + 40), with its 90 % interval."""
    good, bad = hits + PRIOR[0], count - hits + PRIOR[1]
    shrunk = good / (good + bad)
    earned = count >= LEAST_OUTCOMES
    label = f"n={count}" if earned else f"uncalibrated (n={count})"
    return Confidence(shrunk if earned else None, shrunk, beta_interval(good, bad), count, label)


class Calibration:
    """Hits of the last 500 outcomes per type, horizon and half of the strength scale; one per symbol, one per venue."""

    __slots__ = ("_signs",)

    def __init__(self) -> None:
        self._signs: dict[tuple[str, float, int | None], deque[int]] = {}

    def add(self, kind: str, horizon_s: float, half: int | None, markout: float) -> None:
        """Take an outcome."""
        key = kind, horizon_s, half
        self._signs.setdefault(key, deque(maxlen=OUTCOMES_KEPT)).append((markout > 0.0) - (markout < 0.0))

    def count(self, kind: str, horizon_s: float, half: int | None) -> tuple[int, int]:
        """Hits, and outcomes that moved (a mid that stayed where it was says nothing)."""
        found = self._signs.get((kind, horizon_s, half), ())
        return sum(sign > 0 for sign in found), sum(sign != 0 for sign in found)
