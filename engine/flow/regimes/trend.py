"""How much a price moves and how straight: volatility with a half-life, efficiency ratio, directional movement, range.

Prices may be in ticks or quote units; volatilities are in basis points of the price per step. All are fed once per
step of their grid and are O(1) per step. None means that not enough has been seen; the class says what is enough.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

BPS = 10_000.0
WILDER_PERIOD = 14
REBUILD_AFTER = 256
FLAT = 1e-12


class EwmaVolatility:
    """Root mean square of returns with exponentially fading weight, free of the bias of its start at zero."""

    __slots__ = ("_keep", "_left", "_square", "steps")

    def __init__(self, half_life: float) -> None:
        self._keep = 0.5 ** (1.0 / half_life)
        self.clear()

    def clear(self) -> None:
        self.steps = 0
        self._square = 0.0
        self._left = 1.0
        """How much weight the missing past would have."""

    def add(self, change: float) -> None:
        """Take the return of one step."""
        keep = self._keep
        self._square = keep * self._square + (1.0 - keep) * change * change
        self._left *= keep
        self.steps += 1

    @property
    def value(self) -> float | None:
        """The volatility in the unit of the returns; None before the first."""
        return math.sqrt(self._square / (1.0 - self._left)) if self.steps else None


class VolatilityRatio:
    """EWMA volatility with a short half-life over that with a long one, from log returns of a mid in basis points.

    `ratio` is above zero: 1 means as lively as lately. None for the first `warm` returns, and while nothing moved.
    """

    __slots__ = ("_last", "_warm", "fast", "slow")

    def __init__(self, fast: float = 10.0, slow: float = 120.0, warm: int = 60) -> None:
        self.fast = EwmaVolatility(fast)
        self.slow = EwmaVolatility(slow)
        self._warm = warm
        self._last: float | None = None

    def add(self, mid: float | None) -> float | None:
        """The mid at the next edge; the return since the last one in bps. None after an unknown mid."""
        change = None
        if mid is not None and self._last is not None:
            change = (math.log(mid) - math.log(self._last)) * BPS
            self.fast.add(change)
            self.slow.add(change)
        self._last = mid
        return change

    @property
    def ratio(self) -> float | None:
        fast, slow = self.fast.value, self.slow.value
        if self._last is None or self.slow.steps < self._warm or fast is None or not slow:
            return None
        return fast / slow


class EfficiencyRatio:
    """How straight the way was: |net move| / length of the path over the last `span` steps (Kaufman).

    `ratio` is in 0 … 1; None until `span` steps are known without a hole, and for a path that never moved.
    """

    __slots__ = ("_mids", "_path", "_removed", "_span")

    def __init__(self, span: int = 60) -> None:
        self._span = span
        self._mids: deque[float] = deque()
        self._path = 0.0
        self._removed = 0

    def add(self, mid: float | None) -> None:
        """The mid at the next edge; an unknown one begins the path anew."""
        mids = self._mids
        if mid is None:
            mids.clear()
            self._path = 0.0
            return
        if mids:
            self._path += abs(mid - mids[-1])
        mids.append(mid)
        if len(mids) > self._span + 1:
            self._path -= abs(mids[1] - mids.popleft())
            self._removed += 1
            if self._removed >= REBUILD_AFTER:
                self._removed = 0
                self._path = sum(abs(later - earlier) for earlier, later in pairwise(mids))

    @property
    def move(self) -> float | None:
        """The net move over the span in the unit of the mids; None until the span is full."""
        mids = self._mids
        return mids[-1] - mids[0] if len(mids) > self._span else None

    @property
    def move_bps(self) -> float | None:
        """The net log move over the span in basis points; None until the span is full."""
        mids = self._mids
        return math.log(mids[-1] / mids[0]) * BPS if len(mids) > self._span else None

    @property
    def ratio(self) -> float | None:
        move = self.move
        # What is left of a running sum after all moves have gone is rounding.
        if move is None or self._path <= abs(self._mids[-1]) * FLAT:
            return None
        return min(abs(move) / self._path, 1.0)


class Bar:
    """Open, high, low and close of one span of time; prices in any unit, `volume` in base units."""

    __slots__ = ("close", "high", "low", "opened", "volume")

    def __init__(self, price: float, volume: float = 0.0) -> None:
        self.opened = self.high = self.low = self.close = price
        self.volume = volume

    def add(self, price: float, volume: float) -> None:
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += volume


class DirectionalMovement:
    """Wilder's average directional index and average true range over `period` bars.

    `adx`, `plus` and `minus` are in 0 … 100; ADX is None for the first 2 × period - 1 bars, the others for the first
    `period`. `atr` is in the unit of the prices.

    Source: Wilder, New Concepts in Technical Trading Systems (1978); the start follows TA-Lib, where the first sums
    hold period - 1 bars.
    """

    __slots__ = (
        "_close", "_dx_sum", "_high", "_low", "_minus", "_period", "_plus", "_range", "_range_sum",
        "adx", "atr", "bars",
    )  # fmt: skip

    def __init__(self, period: int = WILDER_PERIOD) -> None:
        self._period = period
        self.clear()

    def clear(self) -> None:
        self.bars = 0
        self._high = self._low = self._close = 0.0
        self._plus = self._minus = self._range = self._dx_sum = self._range_sum = 0.0
        self.adx: float | None = None
        self.atr: float | None = None

    def add(self, high: float, low: float, close: float) -> None:
        """Take a finished bar."""
        number = self.bars
        self.bars += 1
        if number:
            up, down = high - self._high, self._low - low
            true_range = max(high, self._close) - min(low, self._close)
            self._smooth(up if up > down and up > 0.0 else 0.0, down if down > up and down > 0.0 else 0.0, true_range)
            self._average_range(true_range)
            if number >= self._period:
                self._average_index(number)
        self._high, self._low, self._close = high, low, close

    def _smooth(self, plus: float, minus: float, true_range: float) -> None:
        fade = 1.0 - 1.0 / self._period if self.bars > self._period else 1.0
        self._plus = self._plus * fade + plus
        self._minus = self._minus * fade + minus
        self._range = self._range * fade + true_range

    def _average_range(self, true_range: float) -> None:
        period = self._period
        if self.atr is not None:
            self.atr = (self.atr * (period - 1) + true_range) / period
            return
        self._range_sum += true_range
        if self.bars > period:
            self.atr = self._range_sum / period

    def _average_index(self, number: int) -> None:
        period, plus, minus = self._period, self.plus, self.minus
        together = (plus or 0.0) + (minus or 0.0)
        index = 100.0 * abs((plus or 0.0) - (minus or 0.0)) / together if together > 0.0 else None
        if self.adx is not None:
            if index is not None:
                self.adx = (self.adx * (period - 1) + index) / period
            return
        self._dx_sum += index or 0.0
        if number >= 2 * period - 1:
            self.adx = self._dx_sum / period

    @property
    def plus(self) -> float | None:
        """The share of the range that went to new highs, in percent."""
        return 100.0 * self._plus / self._range if self.bars > self._period and self._range > 0.0 else None

    @property
    def minus(self) -> float | None:
        """The share of the range that went to new lows, in percent."""
        return 100.0 * self._minus / self._range if self.bars > self._period and self._range > 0.0 else None
