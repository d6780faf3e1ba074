"""The slow figures of one symbol: volatility, direction, regime, change of volatility; and each second's scores."""

from __future__ import annotations

from engine.flow.change_point import VolatilityChange
from engine.flow.ofi import BestOfi
from engine.flow.readings import Quality, Reading
from engine.flow.regime import Regime, RegimeChange, RegimeInputs, RegimeTracker, TradeRate
from engine.flow.section import SECOND_NS, Section
from engine.flow.signal_board import FlowScore, SignalBoard
from engine.flow.signals import SignalType
from engine.flow.state import BookState
from engine.flow.top import TopOfBook
from engine.flow.trend import Bar, DirectionalMovement, EfficiencyRatio, VolatilityRatio
from engine.flow.vacuum import Vacuum

TREND_BAR_S = 5
RANGE_BAR_S = 60


class BarMovement:
    """Directional movement on bars of whole seconds made of trades; seconds without a trade leave no bar."""

    __slots__ = ("_bar", "_bar_ns", "movement")

    def __init__(self, bar_s: int) -> None:
        self._bar_ns = bar_s * SECOND_NS
        self._bar: Bar | None = None
        self.movement = DirectionalMovement()

    def trade(self, price: float, size: float) -> None:
        if self._bar is None:
            self._bar = Bar(price, size)
        else:
            self._bar.add(price, size)

    def second(self, t_ns: int) -> None:
        """A whole second has passed; bars end at whole multiples of their length."""
        if t_ns % self._bar_ns == 0 and self._bar is not None:
            self.movement.add(self._bar.high, self._bar.low, self._bar.close)
            self._bar = None


class MarketWatch(Section):
    """It stands after top, OFI, vacuum and board, asks them once per second, and tells the board the scores."""

    __slots__ = (
        "_board", "_ofi", "_parted_ns", "_ratios", "_top", "_vacuum", "change", "change_ns", "efficiency", "flow",
        "flow_score", "last_change", "ranges", "rate", "regime", "spread", "trend", "volatility",
    )  # fmt: skip

    def __init__(self, top: TopOfBook, ofi: BestOfi, vacuum: Vacuum, board: SignalBoard) -> None:
        self._top, self._ofi, self._vacuum, self._board = top, ofi, vacuum, board
        self.volatility = VolatilityRatio()
        self.efficiency = EfficiencyRatio()
        self.change = VolatilityChange()
        self.change_ns: int | None = None
        """When the volatility last changed, as far as the newest block tells."""
        self.trend = BarMovement(TREND_BAR_S)
        self.ranges = BarMovement(RANGE_BAR_S)
        """For the average true range, by which stops are measured."""
        self.rate = TradeRate()
        self.regime = RegimeTracker()
        self.last_change: RegimeChange | None = None
        self.flow = FlowScore()
        self.flow_score: float | None = None
        self.spread: tuple[float, float, float, float] | None = None
        """z, median, deviation and percentile of the spread at the last whole second."""
        self._parted_ns: int | None = None
        """Since when the book has been locked or crossed."""
        self._ratios: tuple[float | None, float | None] = (None, None)
        """The depth of bids and asks near the mid over what is usual."""

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.rate.trade()
        self.trend.trade(price, size)
        self.ranges.trade(price, size)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.volatility.add(None)
        self.efficiency.add(None)
        self.flow.add(None)
        self.change.restart_block()
        self._parted_ns = None

    def on_timer(self, t_ns: int) -> None:
        top = self._top
        mid = top.mid_ticks
        self.rate.second()
        self.trend.second(t_ns)
        self.ranges.second(t_ns)
        self.efficiency.add(mid)
        moved = self.volatility.add(mid)
        if moved is not None and mid and self.change.add(moved, 5_000.0 / mid) is not None and self.change.steps:
            self.change_ns = t_ns - self.change.steps * 10 * SECOND_NS
        self.flow_score = self.flow.add(self._ofi.cumulative if self._ofi.since_ns is not None else None)
        self.spread = top.spread_history(t_ns)
        self.last_change = self.regime.step(t_ns, self._inputs(t_ns)) or self.last_change
        self._judge(t_ns)

    def _inputs(self, t_ns: int) -> RegimeInputs:
        top, vacuum, spread = self._top, self._vacuum, self.spread
        parted = top.state in (BookState.LOCKED, BookState.CROSSED)
        self._parted_ns = (self._parted_ns or top.changed_ns) if parted else None
        self._ratios = vacuum.bids.ratio(t_ns), vacuum.asks.ratio(t_ns)
        ratios = [ratio for ratio in self._ratios if ratio is not None]
        wide = top.spread_ticks
        return RegimeInputs(
            self.volatility.ratio,
            self.efficiency.ratio,
            self.efficiency.move_bps,
            self.volatility.slow.value,
            spread[3] if spread else None,
            wide / spread[1] if spread and wide is not None and spread[1] > 0.0 else None,
            min(ratios, default=None),
            self.rate.ratio,
            vacuum.bids.active or vacuum.asks.active,
            (t_ns - self._parted_ns) / SECOND_NS if self._parted_ns is not None else 0.0,
        )

    def _judge(self, t_ns: int) -> None:
        board, flow, spread = self._board, self.flow_score, self.spread
        scores: dict[tuple[SignalType, int], float | None] = {}
        imbalance = self._top.imbalance
        if imbalance is not None:
            board.remember(SignalType.LIQUIDITY_IMBALANCE, imbalance)
        if flow is not None:
            board.remember(SignalType.OFI_PRESSURE, flow)
            scores[SignalType.OFI_PRESSURE, 1] = flow
            scores[SignalType.OFI_PRESSURE, -1] = -flow
        if spread is not None:
            z, _, _, percentile = spread
            board.remember(SignalType.SPREAD_ANOMALY, z)
            # Far out in units of the floor alone says little: it must be rare, too.
            common = z >= board.rules[SignalType.SPREAD_ANOMALY].on and percentile < 0.99
            scores[SignalType.SPREAD_ANOMALY, 0] = 0.0 if common else z
        for side, vacuum, ratio in zip((1, -1), (self._vacuum.bids, self._vacuum.asks), self._ratios, strict=True):
            if ratio is not None:
                severity = min(max(1.0 - ratio, 0.0), 1.0)
                board.remember(SignalType.LIQUIDITY_VACUUM, severity)
                # The vacuum has its own hysteresis: while it is on, its severity is above one half.
                scores[SignalType.LIQUIDITY_VACUUM, side] = severity if vacuum.active else 0.0
        board.judge(t_ns, scores)

    def readings(self, t_ns: int, state: BookState = BookState.OK) -> dict[str, Reading]:
        """Every figure of this part by name; those of the grid are as of the last whole second."""
        since = self.change_ns
        found = {
            "volatility_ratio": self.volatility.ratio,
            "volatility_bps": self.volatility.fast.value,
            "efficiency_ratio": self.efficiency.ratio,
            "adx": self.trend.movement.adx,
            "atr": self.ranges.movement.atr,
            "trade_rate_ratio": self.rate.ratio,
            "ofi_z": self.flow_score,
            "volatility_age_s": None if since is None else (t_ns - since) / SECOND_NS,
        }
        warm = min(self.volatility.slow.steps / 60.0, 1.0)
        return {name: Reading(value, t_ns, Quality.EXACT, warm, state) for name, value in found.items()}

    @property
    def known_regime(self) -> Regime:
        """The regime as of the last whole second."""
        return self.regime.regime
