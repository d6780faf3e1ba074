"""The names of the source documents over the live order flow: code written against those documents runs on it.

`OrderFlowAnalyzer` and `DOMAggregatorService` read the analyzers of the symbols (`lines`: symbol → analyzer, or None
where nothing runs). Names and fields are theirs, figures are ours: exact where trades are seen, None where something is
not known, and marked where it had to be estimated. Directions are `bull` and `bear` here, times in milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from engine.flow.analyzer import FlowAnalyzer, FlowMetrics
from engine.flow.facade.dom_service import MILLISECOND_NS, DOMAggregatorService, Lines, RealtimeVolume, share, volume_of
from engine.flow.facade.records import OrderFlowMetrics, OrderFlowSignal, OrderFlowSignalType
from engine.flow.readings import Quality
from engine.flow.signals.flow_signal import RULES, FlowSignal
from engine.flow.statistics.windows import SortedWindow

__all__ = [
    "DOMAggregatorService", "OrderFlowAnalyzer", "OrderFlowMetrics", "OrderFlowSignal", "OrderFlowSignalType",
    "RealtimeVolume",
]  # fmt: skip

LEAST_CALLS = 10
LEAST_SIZES = 20
SIZES_KEPT = 100
RECENT = 5
NORMAL_DEVIATION = 1.4826
REACH: Mapping[OrderFlowSignalType, tuple[float, float]] = {
    OrderFlowSignalType.LIQUIDITY_IMBALANCE: (1.5, 1.0),
    OrderFlowSignalType.ABSORPTION: (2.5, 1.2),
    OrderFlowSignalType.LARGE_PLAYER: (3.0, 1.0),
    OrderFlowSignalType.HIDDEN_ORDER: (2.5, 1.2),
    OrderFlowSignalType.OFI_PRESSURE: (1.5, 1.0),
    OrderFlowSignalType.DELTA_DIVERGENCE: (2.0, 1.5),
}
"""Target and stop in average true ranges, as the source draws them; they are geometry, not advice."""


class _Calls:
    """What earlier calls for one symbol said, for callers without a live line."""

    def __init__(self, window: int) -> None:
        self.spreads, self.imbalances = SortedWindow(window), SortedWindow(window)
        self.sizes = SortedWindow(SIZES_KEPT)
        self.mids: deque[float] = deque(maxlen=window)
        self.volumes: deque[float] = deque(maxlen=window)

    def large(self, sizes: Sequence[float], share: float) -> int:
        """How many of the sizes are as large as the largest of those before them."""
        threshold = self.sizes.quantile(share) if len(self.sizes) >= LEAST_SIZES else None
        for size in sizes:
            self.sizes.add(size)
        return 0 if threshold is None else sum(size >= threshold for size in sizes)

    def absorbed(self, imbalance: float | None, large: int, threshold: float) -> bool:
        """Large one-sided orders after which the mid did not go their way since the call before."""
        if imbalance is None or abs(imbalance) <= threshold or not large or len(self.mids) < 2:
            return False
        return (self.mids[-1] - self.mids[-2]) * imbalance <= 0.0

    def exhausted(self, decline: float) -> bool:
        """The mid at the extreme of all its moves in one direction, on volume that fell by more than `decline`."""
        volumes, mids = list(self.volumes), self.mids
        if len(volumes) < (self.volumes.maxlen or 0) or len(volumes) <= RECENT:
            return False
        early, late = sum(volumes[:-RECENT]) / (len(volumes) - RECENT), sum(volumes[-RECENT:]) / RECENT
        first, middle, last = mids[0], mids[-RECENT - 1], mids[-1]
        onward = (middle - first) * (last - middle) > 0.0 and last in (min(mids), max(mids))
        return onward and early > 0.0 and 1.0 - late / early > decline


def _score(window: SortedWindow, value: float | None) -> float | None:
    """A robust z-score against earlier values; None below ten of them and where they did not vary."""
    if value is None:
        return None
    middle = window.median()
    spread = NORMAL_DEVIATION * window.deviation(middle) if middle is not None else 0.0
    known = len(window) >= LEAST_CALLS
    window.add(value)
    return (value - middle) / spread if known and spread > 0.0 and middle is not None else None


class OrderFlowAnalyzer:
    """`compute_metrics` and `generate_signals` of the source.

    With a live line behind the symbol its figures are used and its signals are reported. Without one, figures and
    signals rest on the calls for that symbol alone (never another's): such signals have no strength and no confidence,
    for nothing has been measured.
    """

    def __init__(
        self,
        rolling_window: int = 20,
        imbalance_threshold: float = 0.3,
        zscore_threshold: float = 2.0,
        large_order_percentile: float = 0.95,
        absorption_threshold: float = 0.4,
        exhaustion_volume_decline: float = 0.3,
        lines: Lines | None = None,
    ) -> None:
        """The thresholds are those of figures from calls; the live detectors have their own."""
        self.rolling_window = rolling_window
        self.imbalance_threshold = imbalance_threshold
        self.zscore_threshold = zscore_threshold
        self.large_order_percentile = large_order_percentile
        self.absorption_threshold = absorption_threshold
        self.exhaustion_volume_decline = exhaustion_volume_decline
        self._lines = lines
        self._calls: dict[str, _Calls] = {}

    def reset(self) -> None:
        """Forget earlier calls; live lines keep what they have seen."""
        self._calls.clear()

    def compute_metrics(
        self,
        timestamp: int,
        symbol: str,
        timeframe: str,
        bid_price: float,
        ask_price: float,
        bid_size: float,
        ask_size: float,
        buy_volume: float,
        sell_volume: float,
        order_sizes: list[float] | None = None,
        regime: str | None = None,
        current_price: float | None = None,
    ) -> OrderFlowMetrics:
        """The figures of one moment; `timestamp` in ms, sizes and volumes in base units."""
        line = self._line(symbol)
        calls = self._calls.setdefault(symbol, _Calls(self.rolling_window))
        estimated: frozenset[str] = frozenset()
        if line is not None:
            real, quality = volume_of(line, timeframe)
            if real is not None:
                buy_volume, sell_volume = real
            if real is None or quality is not Quality.EXACT:
                estimated = frozenset(("buy_volume", "sell_volume", "volume_imbalance"))
        volume_imbalance = share(buy_volume, sell_volume)
        calls.mids.append((bid_price + ask_price) / 2.0)
        calls.volumes.append(buy_volume + sell_volume)
        large = calls.large(order_sizes or (), self.large_order_percentile)
        found = OrderFlowMetrics(
            timestamp, symbol, timeframe, ask_price - bid_price, bid_size, ask_size, share(bid_size, ask_size),
            buy_volume, sell_volume, volume_imbalance, large,
            _score(calls.spreads, ask_price - bid_price), _score(calls.imbalances, volume_imbalance),
            calls.absorbed(volume_imbalance, large, self.absorption_threshold),
            calls.exhausted(self.exhaustion_volume_decline), regime, current_price, estimated,
        )  # fmt: skip
        return found if line is None else _enrich(found, line.read())

    def generate_signals(
        self, metrics: OrderFlowMetrics, current_price: float, atr: float | None
    ) -> list[OrderFlowSignal]:
        """The signals of the symbol now. Targets and stops are None without an average true range."""
        line = self._line(metrics.symbol)
        if line is None:
            return [_plain(kind, way, metrics, current_price, atr) for kind, way in self._from_call(metrics)]
        return [_signal(found, metrics, current_price, atr) for found in line.read().signals]

    def _from_call(self, metrics: OrderFlowMetrics) -> list[tuple[OrderFlowSignalType, int]]:
        """(type, +1 buy, -1 sell or 0) of what the figures of one call show."""
        found = []
        depth, volume = metrics.depth_imbalance or 0.0, metrics.volume_imbalance or 0.0
        flow = (volume > 0.0) - (volume < 0.0)
        if abs(depth) >= RULES[OrderFlowSignalType.LIQUIDITY_IMBALANCE].on:
            found.append((OrderFlowSignalType.LIQUIDITY_IMBALANCE, 1 if depth > 0.0 else -1))
        if metrics.absorption_detected:
            found.append((OrderFlowSignalType.ABSORPTION, -flow))
        if metrics.exhaustion_detected:
            found.append((OrderFlowSignalType.EXHAUSTION, 0))
        if metrics.large_order_count:
            found.append((OrderFlowSignalType.LARGE_PLAYER, flow))
        if (metrics.spread_zscore or 0.0) >= RULES[OrderFlowSignalType.SPREAD_ANOMALY].on:
            found.append((OrderFlowSignalType.SPREAD_ANOMALY, 0))
        return found

    def _line(self, symbol: str) -> FlowAnalyzer | None:
        return self._lines(symbol) if self._lines is not None else None


def _enrich(found: OrderFlowMetrics, live: FlowMetrics) -> OrderFlowMetrics:
    """Put in what the live line knows better."""
    kinds = [signal.kind for signal in live.signals]
    found.spread_zscore = live["spread_z"]
    found.large_order_count = max(found.large_order_count, kinds.count(OrderFlowSignalType.LARGE_PLAYER))
    found.absorption_detected = OrderFlowSignalType.ABSORPTION in kinds
    found.exhaustion_detected = OrderFlowSignalType.EXHAUSTION in kinds
    found.regime = found.regime or live.regime.value
    found.price = found.price if found.price is not None else live["mid"]
    return found


def _signal(found: FlowSignal, metrics: OrderFlowMetrics, price: float, atr: float | None) -> OrderFlowSignal:
    """A live signal in the source's words."""
    way = {"buy": 1, "sell": -1}.get(found.direction or "", 0)
    signal = _plain(found.kind, way, metrics, price, atr)
    signal.strength, signal.confidence, signal.status = found.strength, found.confidence, found.status
    signal.timestamp = found.at_ns // MILLISECOND_NS
    signal.metadata = {"score": found.score, "label": found.label, "horizon_s": found.horizon_s}
    return signal


def _plain(
    kind: OrderFlowSignalType, way: int, metrics: OrderFlowMetrics, price: float, atr: float | None
) -> OrderFlowSignal:
    """A signal of which only type and direction are known."""
    target = stop = None
    if way and atr is not None and kind in REACH:
        far, near = REACH[kind]
        target, stop = price + way * far * atr, price - way * near * atr
    return OrderFlowSignal(
        kind, {1: "bull", -1: "bear"}.get(way), None, None, metrics.timestamp, metrics.symbol, metrics.timeframe,
        price, target, stop, {"label": "uncalibrated (n=0)"},
    )  # fmt: skip
