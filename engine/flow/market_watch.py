"""The slow figures of one symbol: volatility, direction, regime, change of volatility; and each second's scores."""

from __future__ import annotations

from engine.flow.book.top import TopOfBook
from engine.flow.book.vacuum import Vacuum
from engine.flow.readings import Quality, Reading
from engine.flow.regimes.change_point import VolatilityChange
from engine.flow.regimes.regime import Regime, RegimeChange, RegimeInputs, RegimeTracker, TradeRate
from engine.flow.regimes.trend import Bar, DirectionalMovement, EfficiencyRatio, VolatilityRatio
from engine.flow.section import SECOND_NS, Section
from engine.flow.signals.board import FlowScore, SignalBoard
from engine.flow.signals.flow_signal import SignalType
from engine.flow.signals.information import InformationRecord
from engine.flow.state import BookState
from engine.flow.statistics.windows import SortedWindow

TREND_BAR_S = 5
RANGE_BAR_S = 60
WINDOW_S = 300
WARM_S = 30
WIDE = 1.5
RARE = 0.99
_INFINITY = float("inf")


class BarMovement:
    """Directional movement on bars of whole seconds made of trades; seconds without a trade leave no bar."""

    __slots__ = ("_bar", "_bar_ns", "movement")

    def __init__(self, bar_s: int) -> None:
        self._bar_ns = bar_s * SECOND_NS
        self._bar: Bar | None = None
        self.movement = DirectionalMovement()

    def second(self, t_ns: int, low: float, high: float, close: float) -> None:
        """A whole second has passed, with these trades in it (`close` 0: with none).

        Bars end at whole multiples of their length.
        """
        if close:
            bar = self._bar
            if bar is None:
                bar = self._bar = Bar(close)
            bar.high, bar.low, bar.close = max(bar.high, high), min(bar.low, low), close
        if t_ns % self._bar_ns == 0 and self._bar is not None:
            self.movement.add(self._bar.high, self._bar.low, self._bar.close)
            self._bar = None


class MarketWatch(Section):
    """It stands after top, vacuum and board, asks them once per second, and tells the board the scores."""

    __slots__ = (
        "_board", "_close", "_counted", "_depths", "_high", "_low", "_ratios", "_spreads", "_top", "_vacuum",
        "change", "change_ns", "efficiency", "flow", "flow_score", "information", "last_change", "ranges", "rate",
        "regime", "regime_inputs", "spread_z", "trades", "trend", "volatility",
    )  # fmt: skip

    def __init__(self, top: TopOfBook, vacuum: Vacuum, board: SignalBoard) -> None:
        self._top, self._vacuum, self._board = top, vacuum, board
        self.volatility = VolatilityRatio()
        self.efficiency = EfficiencyRatio()
        self.change = VolatilityChange()
        self.change_ns: int | None = None
        """When the volatility last changed, as far as the newest block tells."""
        self.trend = BarMovement(TREND_BAR_S)
        self.ranges = BarMovement(RANGE_BAR_S)
        """For the average true range, by which stops are measured."""
        self.trades = 0
        """How many prints there have been, and of these before this second; its prices."""
        self._counted = 0
        self._low, self._high, self._close = _INFINITY, 0.0, 0.0
        self.rate = TradeRate()
        self.regime = RegimeTracker()
        self.regime_inputs = RegimeInputs(None, None, None, None, None, None, None, None)
        """The figures of the last whole second."""
        self.last_change: RegimeChange | None = None
        self.information = InformationRecord(("imbalance_1", "ofi_z", "imbalance_band_10"))
        self.flow = FlowScore()
        self.flow_score: float | None = None
        self.spread_z: float | None = None
        """At the last whole second; 0 while the spread is usual."""
        self._spreads, self._depths = SortedWindow(WINDOW_S), (SortedWindow(WINDOW_S), SortedWindow(WINDOW_S))
        """The spread in ticks, and the depth of bids and asks near the mid, at each whole second."""
        self._ratios: tuple[float | None, float | None] = (None, None)
        """The depth of bids and asks near the mid over what is usual."""

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.trades += 1
        if price > self._high:
            self._high = price
        if price < self._low:
            self._low = price
        self._close = price

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.volatility.add(None)
        self.efficiency.add(None)
        self.flow.add(None)
        self.change.restart_block()

    def on_timer(self, t_ns: int) -> None:
        top = self._top
        mid = top.mid_ticks
        low, high, close = self._low, self._high, self._close
        self._low, self._high, self._close = _INFINITY, 0.0, 0.0
        self.rate.second(self.trades - self._counted)
        self._counted = self.trades
        self.trend.second(t_ns, low, high, close)
        self.ranges.second(t_ns, low, high, close)
        self.efficiency.add(mid)
        moved = self.volatility.add(mid)
        if moved is not None and mid and self.change.add(moved, 5_000.0 / mid) is not None and self.change.steps:
            self.change_ns = t_ns - self.change.steps * 10 * SECOND_NS
        self.flow_score = self.flow.add(top.ofi if top.ofi_since_ns is not None else None)
        inputs = self.regime_inputs = self._inputs(t_ns)
        self.last_change = self.regime.step(t_ns, inputs) or self.last_change
        self._judge(t_ns)

    def _inputs(self, t_ns: int) -> RegimeInputs:
        top, vacuum = self._top, self._vacuum
        parted = top.state in (BookState.LOCKED, BookState.CROSSED)
        percentile, ratio = self._spread(t_ns)
        self._ratios = self._thinness(0, vacuum.bids.size), self._thinness(1, vacuum.asks.size)
        return RegimeInputs(
            self.volatility.ratio,
            self.efficiency.ratio,
            self.efficiency.move_bps,
            self.volatility.slow.value,
            percentile,
            ratio,
            min([ratio for ratio in self._ratios if ratio is not None], default=None),
            self.rate.ratio,
            vacuum.bids.active or vacuum.asks.active,
            (t_ns - self._board.lost_ns) / SECOND_NS if parted else 0.0,
        )

    def _spread(self, t_ns: int) -> tuple[float | None, float | None]:
        """Percentile of the spread and its ratio to the median; the exact history is asked only while it is wide."""
        spreads, wide = self._spreads, self._top.spread_ticks
        self.spread_z = None
        if wide is None or self._top.state is not BookState.OK:
            return None, None
        percentile, median = spreads.share_up_to(wide), spreads.quantile(0.5)
        known = len(spreads) >= WARM_S
        spreads.add(wide)
        if not known or percentile is None or not median:
            return None, None
        self.spread_z = 0.0
        if wide >= WIDE * median:
            exact = self._top.spread_history(t_ns)
            if exact is not None:
                self.spread_z, percentile = exact[0], exact[3]
        return percentile, wide / median

    def _thinness(self, side: int, size: float | None) -> float | None:
        """What stands near the mid on a side over its median; None until enough is known."""
        depths = self._depths[side]
        if size is None:
            return None
        median = depths.quantile(0.5) if len(depths) >= WARM_S else None
        depths.add(size)
        return size / median if median else None

    def _judge(self, t_ns: int) -> None:
        board, flow, z = self._board, self.flow_score, self.spread_z
        scores: dict[tuple[SignalType, int], float | None] = {}
        imbalance, bid, ask = self._top.imbalance, self._vacuum.bids.size, self._vacuum.asks.size
        near = (bid - ask) / (bid + ask) if bid is not None and ask is not None and bid + ask > 0.0 else None
        self.information.add(board.mid, (imbalance, flow, near))
        if imbalance is not None:
            board.remember(SignalType.LIQUIDITY_IMBALANCE, imbalance)
        if flow is not None:
            board.remember(SignalType.OFI_PRESSURE, flow)
            scores[SignalType.OFI_PRESSURE, 1] = flow
            scores[SignalType.OFI_PRESSURE, -1] = -flow
        if z is not None:
            board.remember(SignalType.SPREAD_ANOMALY, z)
            # Far out in units of the floor alone says little: it must be rare, too.
            rare = (self.regime_inputs.spread_percentile or 0.0) >= RARE
            scores[SignalType.SPREAD_ANOMALY, 0] = z if rare or z < board.rules[SignalType.SPREAD_ANOMALY].on else 0.0
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
