"""Who moves with whom: a matrix of return correlations that fades, and says how many returns stand behind each cell.

A correlation belongs to a horizon (Epps): the same pair may show 0.4 at 0.1 s and 0.8 at 10 s. The headline matrix
therefore has one, chosen by the user; `engine/flow/correlation/asynchronous.py` draws the whole curve of a pair.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import NormalDist

from msgspec import Struct

HALF_LIFE = 60.0
FAST_HALF_LIFE = 12.0
LEAST_RETURNS = 30
MOST_STALE = 0.2
HISTORY = 720
LEAST_HISTORY = 200
BAND = 0.99
LEVEL = 0.90
HORIZONS_S = (1, 5, 30, 60, 300)
SECOND_NS = 1_000_000_000


class Cell(Struct, frozen=True, gc=False):
    """One pair of the matrix.

    `value` is in -1 … 1 or None (fewer than 30 joint returns, or a feed stale for over a fifth of the window);
    `low` and `high` are its 90 % interval; `certain` says whether that excludes zero. `broken` says that the fast
    correlation has left the 99 % band of its own past. `count` are the joint returns since the beginning.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    certain: bool
    broken: bool
    stale_share: float


class FadingMoments:
    """Means and (co)variances of two series with exponentially fading weight; centred, so it stays exact."""

    __slots__ = ("_keep", "count", "mean_x", "mean_y", "squared_weight", "weight", "xx", "xy", "yy")

    def __init__(self, half_life: float) -> None:
        self._keep = 0.5 ** (1.0 / half_life)
        self.count = 0
        self.weight = self.squared_weight = 0.0
        self.mean_x = self.mean_y = self.xx = self.xy = self.yy = 0.0

    def add(self, x: float, y: float) -> None:
        """Take one joint observation."""
        keep = self._keep
        self.weight = keep * self.weight + 1.0
        self.squared_weight = keep * keep * self.squared_weight + 1.0
        from_x, from_y = x - self.mean_x, y - self.mean_y
        self.mean_x += from_x / self.weight
        self.mean_y += from_y / self.weight
        self.xx = keep * self.xx + from_x * (x - self.mean_x)
        self.xy = keep * self.xy + from_x * (y - self.mean_y)
        self.yy = keep * self.yy + from_y * (y - self.mean_y)
        self.count += 1

    @property
    def correlation(self) -> float | None:
        """-1 … 1; None where one of the two did not vary."""
        scale = self.xx * self.yy
        return max(-1.0, min(1.0, self.xy / math.sqrt(scale))) if scale > 0.0 else None

    @property
    def effective_count(self) -> float:
        """How many equally weighted observations would say as much (Kish)."""
        return self.weight * self.weight / self.squared_weight if self.squared_weight else 0.0


def fisher_interval(correlation: float, count: float, level: float = LEVEL) -> tuple[float, float] | None:
    """The interval that holds the true correlation with probability `level`; None for three observations or fewer.

    Source: Fisher's z transformation.
    """
    if count <= 3.0 or abs(correlation) >= 1.0:
        return None
    centre, half = math.atanh(correlation), NormalDist().inv_cdf(0.5 + level / 2.0) / math.sqrt(count - 3.0)
    return math.tanh(centre - half), math.tanh(centre + half)


class _Pair:
    __slots__ = ("fast", "history", "slow")

    def __init__(self, half_life: float, fast_half_life: float) -> None:
        self.slow = FadingMoments(half_life)
        self.fast = FadingMoments(fast_half_life)
        self.history: deque[float] = deque(maxlen=HISTORY)

    def add(self, x: float, y: float) -> None:
        self.slow.add(x, y)
        self.fast.add(x, y)
        fast = self.fast.correlation
        if fast is not None and self.fast.count >= LEAST_RETURNS:
            self.history.append(fast)

    def broken(self) -> bool:
        history = self.history
        if len(history) < LEAST_HISTORY:
            return False
        *past, now = history
        past.sort()
        outside = int(len(past) * (1.0 - BAND) / 2.0)
        return not past[outside] <= now <= past[-1 - outside]


class ReturnCorrelation:
    """The matrix of `symbols` at one horizon: give it the mids at each edge of that horizon.

    Keys are any names that tell the feeds apart (venue and symbol). A return counts only where both ends of both
    feeds were fresh; how often that failed is each cell's `stale_share`.
    """

    def __init__(
        self, symbols: Sequence[str], half_life: float = HALF_LIFE, fast_half_life: float = FAST_HALF_LIFE
    ) -> None:
        self.symbols = tuple(symbols)
        self._keep = 0.5 ** (1.0 / half_life)
        size = len(self.symbols)
        self._logs: list[float | None] = [None] * size
        self._stale = [0.0] * size
        self._weight = 0.0
        self._pairs = {
            (one, other): _Pair(half_life, fast_half_life) for one in range(size) for other in range(one + 1, size)
        }

    def step(self, mids: Sequence[float | None]) -> None:
        """Take the mid of each symbol at the next edge; None where its feed is stale or its book not valid."""
        keep = self._keep
        self._weight = keep * self._weight + 1.0
        changes: list[float | None] = []
        for place, mid in enumerate(mids):
            log, last = math.log(mid) if mid is not None else None, self._logs[place]
            self._stale[place] = keep * self._stale[place] + (log is None)
            changes.append(log - last if log is not None and last is not None else None)
            self._logs[place] = log
        for (one, other), pair in self._pairs.items():
            left, right = changes[one], changes[other]
            if left is not None and right is not None:
                pair.add(left, right)

    def cell(self, one: str, other: str) -> Cell:
        """The correlation of two of the symbols.

        Raises:
            ValueError: a symbol is not in the matrix.
        """
        first, second = sorted((self.symbols.index(one), self.symbols.index(other)))
        stale = max(self._stale[first], self._stale[second]) / self._weight if self._weight else 0.0
        if first == second:
            return Cell(1.0, 1.0, 1.0, 0, True, False, stale)
        pair = self._pairs[first, second]
        value, count = pair.slow.correlation, pair.slow.count
        if value is None or count < LEAST_RETURNS or stale > MOST_STALE:
            return Cell(None, None, None, count, False, False, stale)
        low, high = fisher_interval(value, pair.slow.effective_count) or (value, value)
        return Cell(value, low, high, count, not low <= 0.0 <= high, pair.broken(), stale)

    def matrix(self) -> list[list[float | None]]:
        """All values, in the order of `symbols`; symmetric, with ones on the diagonal."""
        return [[self.cell(one, other).value for other in self.symbols] for one in self.symbols]


class CorrelationBoard:
    """One matrix per horizon, fed by the second: give it the mids of all symbols at each whole second."""

    __slots__ = ("matrices",)

    def __init__(self, symbols: Sequence[str], horizons_s: Sequence[int] = HORIZONS_S) -> None:
        self.matrices = {horizon: ReturnCorrelation(symbols) for horizon in horizons_s}

    def second(self, t_ns: int, mids: Sequence[float | None]) -> None:
        """The mids at a whole second, in the order of the symbols; None where a feed is stale or a book not valid."""
        now_s = t_ns // SECOND_NS
        for horizon, matrix in self.matrices.items():
            if now_s % horizon == 0:
                matrix.step(mids)
