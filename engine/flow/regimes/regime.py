"""What kind of market is this right now? Rules with a margin that can be shown, not a probability that was made up."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from enum import StrEnum

from msgspec import Struct

SECOND_NS = 1_000_000_000
DWELL_NS = 10 * SECOND_NS
TREND_SPAN_S = 60


class Regime(StrEnum):
    """First match wins, in this order; UNKNOWN while any figure is missing."""

    LIQUIDITY_STRESS = "liquidity_stress"
    VOLATILE = "volatile"
    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    QUIET = "quiet"
    RANGE = "range"
    UNKNOWN = "unknown"


class RegimeInputs(Struct, frozen=True, gc=False):
    """The figures of one second; None where one is not known.

    `volatility_ratio`: volatility of 10 s over that of 120 s. `efficiency`: 0 … 1 over 60 s. `move_bps`: the log move
    over those 60 s; `slow_volatility_bps`: of 120 s, per second. `spread_percentile`: 0 … 1 in its own window;
    `spread_ratio`: over its median. `depth_ratio`: the thinner side's 10 bps band over its own median. `trade_ratio`:
    trades of 10 s over their median. `vacuum`: a side is empty of its usual depth. `unmatched_s`: for how long the book
    has been locked or crossed.
    """

    volatility_ratio: float | None
    efficiency: float | None
    move_bps: float | None
    slow_volatility_bps: float | None
    spread_percentile: float | None
    spread_ratio: float | None
    depth_ratio: float | None
    trade_ratio: float | None
    vacuum: bool = False
    unmatched_s: float = 0.0


class RegimeRules(Struct, frozen=True):
    """The thresholds: where a regime begins and where it ends."""

    spread_percentile: float = 0.99
    spread_ratio: float = 2.0
    calm_percentile: float = 0.9
    calm_depth: float = 0.5
    unmatched_s: float = 1.0
    volatile: float = 1.8
    volatile_end: float = 1.4
    trend: float = 0.5
    trend_end: float = 0.35
    trend_sigmas: float = 2.0
    quiet: float = 0.5
    quiet_end: float = 0.7
    quiet_trades: float = 0.25


class Margin(Struct, frozen=True):
    """The figure that is nearest to changing the regime: its value, the threshold, and what crossing that would mean.

    `distance` is |value - threshold| / threshold.
    """

    figure: str
    value: float
    threshold: float
    then: Regime

    @property
    def distance(self) -> float:
        return abs(self.value - self.threshold) / self.threshold


class RegimeChange(Struct, frozen=True, gc=False):
    """A regime began."""

    regime: Regime
    before: Regime
    at_ns: int


class RegimeTracker:
    """The regime of one symbol, asked once per second. A regime stays for at least ten seconds, except UNKNOWN."""

    __slots__ = ("_inputs", "changes", "regime", "rules", "since_ns")

    def __init__(self, rules: RegimeRules | None = None) -> None:
        self.rules = rules or RegimeRules()
        self.changes: deque[RegimeChange] = deque(maxlen=500)
        self.regime = Regime.UNKNOWN
        self.since_ns: int | None = None
        self._inputs: RegimeInputs | None = None

    def step(self, t_ns: int, inputs: RegimeInputs) -> RegimeChange | None:
        """Take the figures of a second; the change, if the regime is another now."""
        self._inputs = inputs
        wanted = self._match(inputs)
        if self.since_ns is None:
            self.since_ns = t_ns
        unknown = Regime.UNKNOWN in (wanted, self.regime)
        if wanted is self.regime or (t_ns - self.since_ns < DWELL_NS and not unknown):
            return None
        change = RegimeChange(wanted, self.regime, t_ns)
        self.regime, self.since_ns = wanted, t_ns
        self.changes.append(change)
        return change

    def margin(self) -> Margin | None:
        """The nearest threshold; None while the regime is unknown."""
        inputs = self._inputs
        if inputs is None or self.regime is Regime.UNKNOWN:
            return None
        return min(self._margins(inputs), key=lambda margin: margin.distance, default=None)

    def _match(self, inputs: RegimeInputs) -> Regime:
        rules, now = self.rules, self.regime
        if inputs.vacuum or inputs.unmatched_s > rules.unmatched_s:
            return Regime.LIQUIDITY_STRESS
        percentile, spread, depth = inputs.spread_percentile, inputs.spread_ratio, inputs.depth_ratio
        ratio, efficiency, trades = inputs.volatility_ratio, inputs.efficiency, inputs.trade_ratio
        move, slow = inputs.move_bps, inputs.slow_volatility_bps
        if (
            percentile is None or spread is None or depth is None or ratio is None
            or efficiency is None or trades is None or move is None or slow is None
        ):  # fmt: skip
            return Regime.UNKNOWN
        if percentile >= rules.spread_percentile and spread >= rules.spread_ratio:
            return Regime.LIQUIDITY_STRESS
        # Where the spread is nearly always one tick, that tick stands high among its own: it is calm all the same.
        calm = percentile < rules.calm_percentile or spread <= 1.0
        if now is Regime.LIQUIDITY_STRESS and not (calm and depth > rules.calm_depth):
            return now
        if ratio >= (rules.volatile_end if now is Regime.VOLATILE else rules.volatile):
            return Regime.VOLATILE
        trend = self._trend(efficiency, move, slow)
        if trend is not None:
            return trend
        if now is Regime.QUIET:
            return now if ratio <= rules.quiet_end else Regime.RANGE
        return Regime.QUIET if ratio <= rules.quiet and trades <= rules.quiet_trades else Regime.RANGE

    def _trend(self, efficiency: float, move: float, slow: float) -> Regime | None:
        rules = self.rules
        way = Regime.TREND_UP if move > 0.0 else Regime.TREND_DOWN
        if efficiency >= rules.trend and abs(move) >= rules.trend_sigmas * slow * math.sqrt(TREND_SPAN_S):
            return way
        return way if way is self.regime and efficiency >= rules.trend_end else None

    def _margins(self, inputs: RegimeInputs) -> list[Margin]:
        rules, now = self.rules, self.regime
        ratio, efficiency = inputs.volatility_ratio or 0.0, inputs.efficiency or 0.0
        if now is Regime.LIQUIDITY_STRESS:
            return [
                Margin("spread percentile", inputs.spread_percentile or 0.0, rules.calm_percentile, Regime.RANGE),
                Margin("depth ratio", inputs.depth_ratio or 0.0, rules.calm_depth, Regime.RANGE),
            ]
        if now is Regime.VOLATILE:
            return [Margin("volatility ratio", ratio, rules.volatile_end, Regime.RANGE)]
        excited = Margin("volatility ratio", ratio, rules.volatile, Regime.VOLATILE)
        if now in (Regime.TREND_UP, Regime.TREND_DOWN):
            return [excited, Margin("efficiency ratio", efficiency, rules.trend_end, Regime.RANGE)]
        way = Regime.TREND_UP if (inputs.move_bps or 0.0) > 0.0 else Regime.TREND_DOWN
        straight = Margin("efficiency ratio", efficiency, rules.trend, way)
        if now is Regime.QUIET:
            return [Margin("volatility ratio", ratio, rules.quiet_end, Regime.RANGE), straight]
        return [excited, straight, Margin("volatility ratio", ratio, rules.quiet, Regime.QUIET)]


class TradeRate:
    """How lively trading is: trades of the last 10 s over the median of that figure in the last five minutes.

    `ratio` is 0 or more; None for the first minute and where the median is 0. Call `second` once per second.
    """

    __slots__ = ("_counts", "_history", "_ordered", "_seconds")

    def __init__(self) -> None:
        self._counts: deque[int] = deque(maxlen=10)
        self._history: deque[int] = deque()
        self._ordered: list[int] = []
        self._seconds = 0

    def second(self, trades: int) -> None:
        """A second has passed, with so many trades in it."""
        self._counts.append(trades)
        self._seconds += 1
        if len(self._counts) < 10:
            return
        total = sum(self._counts)
        if len(self._history) == 300:
            del self._ordered[bisect_left(self._ordered, self._history.popleft())]
        self._history.append(total)
        insort(self._ordered, total)

    @property
    def ratio(self) -> float | None:
        if self._seconds < 60:
            return None
        median = self._ordered[(len(self._ordered) - 1) // 2]
        return self._history[-1] / median if median else None
