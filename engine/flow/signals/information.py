"""Does a score say anything about what comes next? Its rank correlation with the return that followed."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from engine.flow.statistics.inference import correlation_p_value, rank_correlation

SECONDS_KEPT = 3_600
UNKNOWN = float("nan")


class Information(Struct, frozen=True):
    """`coefficient` is in -1 … 1 (None where it cannot be told), of `count` seconds.

    Returns over a horizon of several seconds overlap: only `independent` = count / horizon of them count for `p`, the
    probability of so much by chance.
    """

    score: str
    horizon_s: int
    coefficient: float | None
    count: int
    independent: float
    p: float | None


class InformationRecord:
    """The last hour of some scores and of the mid, second by second. Entry is at the second itself, without latency."""

    __slots__ = ("_count", "_mids", "_scores", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._mids = array("d", [UNKNOWN]) * SECONDS_KEPT
        self._scores = [array("d", [UNKNOWN]) * SECONDS_KEPT for _ in self.names]
        self._count = 0

    def add(self, mid: float | None, scores: Sequence[float | None]) -> None:
        """Take a second; None for what is not known."""
        place = self._count % SECONDS_KEPT
        self._mids[place] = UNKNOWN if mid is None else mid
        for kept, score in zip(self._scores, scores, strict=True):
            kept[place] = UNKNOWN if score is None else score
        self._count += 1

    def coefficients(self, horizons_s: Sequence[int] = (1, 5, 30)) -> list[Information]:
        """Every score at every horizon; seconds in which something is unknown at either end are left out."""
        mids = self._ordered(self._mids)
        found = []
        for name, kept in zip(self.names, self._scores, strict=True):
            score = self._ordered(kept)
            for horizon in horizons_s:
                ahead = (mids[horizon:] - mids[:-horizon]) / mids[:-horizon]
                before = score[: len(ahead)]
                known = ~(np.isnan(ahead) | np.isnan(before))
                count = int(known.sum())
                value = rank_correlation(before[known], ahead[known])
                p = correlation_p_value(value, count / horizon) if value is not None else None
                found.append(Information(name, horizon, value, count, count / horizon, p))
        return found

    def _ordered(self, ring: array[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Oldest first."""
        values = np.array(ring)
        if self._count <= SECONDS_KEPT:
            return values[: self._count]
        return np.roll(values, -(self._count % SECONDS_KEPT))
