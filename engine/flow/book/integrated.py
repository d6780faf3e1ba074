"""Order-flow imbalance of ten levels in one figure: their first principal component.

Show it beside the best level's only: where every price is occupied it is close to an identity with the move itself.

Source: Cont, Cucuringu and Zhang (2023).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.flow.book.ofi import IMPACT_INTERVALS, IMPACT_S, IMPACT_WARM, LevelOfi
from engine.flow.statistics.windows import Line, RollingLine

Matrix = NDArray[np.float64]


def principal(flows: Matrix) -> tuple[Matrix, float]:
    """The first principal component of the columns (length 1, its sum above zero) and its share of the variance."""
    values, vectors = np.linalg.eigh(np.cov(flows.T))
    first = vectors[:, -1]
    total = float(values.sum())
    return (first if first.sum() >= 0 else -first), float(values[-1]) / total if total > 0 else 0.0


def integrate(flows: Matrix, weights: Matrix) -> Matrix:
    """One figure for each row: the weighted mean of its levels, by weights that need not sum to 1."""
    return np.asarray(flows @ weights / np.abs(weights).sum())


class IntegratedOfi:
    """The levels of the last intervals, normalised by their mean size, drawn together once an interval."""

    __slots__ = ("_flows", "_known", "_moves", "_seconds", "_source", "interval_s", "share", "value", "weights")

    def __init__(self, source: LevelOfi, interval_s: int = IMPACT_S, intervals: int = IMPACT_INTERVALS) -> None:
        self.interval_s = interval_s
        self.weights: Matrix | None = None
        """The principal component; None below 30 intervals."""
        self.share: float | None = None
        """How much of the variance it holds, in 0 … 1."""
        self.value: float | None = None
        """Of the newest interval, dimensionless."""
        self._source = source
        self._flows: deque[Sequence[float]] = deque(maxlen=intervals)
        self._moves: deque[float] = deque(maxlen=intervals)
        self._seconds = 0
        self._known: tuple[float, list[float], float, int] | None = None

    @property
    def n(self) -> int:
        return len(self._flows)

    def on_second(self, mid_ticks: float | None) -> None:
        """A whole second has passed; `mid_ticks` is the book's, None while it is unknown."""
        source = self._source
        if self._known is not None and mid_ticks is not None and source.complete:
            self._seconds += 1
            if self._seconds < self.interval_s:
                return
            self._end(mid_ticks, *self._known)
        self._seconds = 0
        source.complete = True
        self._known = (
            None if mid_ticks is None else (mid_ticks, source.cumulative.copy(), source.depth_sum, source.events)
        )

    def lose(self) -> None:
        """The flow was interrupted: the interval under way does not count."""
        self._known = None

    def _end(self, mid_ticks: float, mid: float, flows: list[float], depth_sum: float, events: int) -> None:
        source = self._source
        size = (source.depth_sum - depth_sum) / max(source.events - events, 1)
        if size <= 0.0:
            return
        self._flows.append([(now - then) / size for now, then in zip(source.cumulative, flows, strict=True)])
        self._moves.append(mid_ticks - mid)
        if len(self._flows) >= IMPACT_WARM:
            self.weights, self.share = principal(np.array(self._flows))
            self.value = float(integrate(np.array(self._flows[-1]), self.weights))

    def line(self) -> Line | None:
        """The impact line of the integrated figure over the same intervals; None below 30."""
        if self.weights is None:
            return None
        line = RollingLine()
        for x, y in zip(integrate(np.array(self._flows), self.weights), self._moves, strict=True):
            line.add(float(x), y)
        return line.line()
