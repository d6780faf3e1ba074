"""Confidence that was earned: how often a type's direction came true, shrunk towards a coin's one half."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from engine.flow.statistics.inference import beta_interval

PRIOR = (20, 20)
LEAST_OUTCOMES = 30
OUTCOMES_KEPT = 500


class Confidence(Struct, frozen=True, gc=False):
    """How often the direction came true, of the outcomes that moved."""

    hits: int
    count: int

    @property
    def shrunk(self) -> float:
        """(hits + 20) / (count + 40), in 0 … 1: one half is no better than a coin."""
        return (self.hits + PRIOR[0]) / (self.count + PRIOR[0] + PRIOR[1])

    @property
    def value(self) -> float | None:
        """The same; None below 30 outcomes."""
        return self.shrunk if self.count >= LEAST_OUTCOMES else None

    @property
    def interval(self) -> tuple[float, float]:
        """Holds the shrunk value with 90 % probability."""
        return beta_interval(self.hits + PRIOR[0], self.count - self.hits + PRIOR[1])

    @property
    def label(self) -> str:
        """What stands beside it on the screen."""
        return f"n={self.count}" if self.count >= LEAST_OUTCOMES else f"uncalibrated (n={self.count})"


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
