"""Code written against the source documents."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.flow.analyzer import FlowAnalyzer
from engine.flow.facade import (
    DOMAggregatorService,
    OrderFlowAnalyzer,
    OrderFlowMetrics,
    OrderFlowSignalType,
    RealtimeVolume,
)
from engine.flow.readings import Quality
from engine.flow.signals.flow_signal import SignalType
from tests.engine.flow.market import TICK, Player, events, played

PANEL = {
    "spread", "spread_zscore", "bid_depth", "ask_depth", "buy_volume", "sell_volume", "depth_imbalance",
    "volume_imbalance", "large_order_detected", "large_order_direction", "absorption_detected", "exhaustion_detected",
}  # fmt: skip


@pytest.fixture(scope="module")
def line() -> FlowAnalyzer:
    return played(120)


@pytest.fixture(scope="module")
def lines(line: FlowAnalyzer) -> Callable[[str], FlowAnalyzer | None]:
    return {"ONE": line}.get


def call(
    analyzer: OrderFlowAnalyzer, symbol: str = "ONE", bid_size: float = 3.0, ask_size: float = 1.0,
    buy_volume: float = 6.0, sell_volume: float = 4.0, mid: float = 100.0, sizes: list[float] | None = None,
    spread: float = 0.02,
) -> OrderFlowMetrics:  # fmt: skip
    return analyzer.compute_metrics(
        timestamp=1_700_000_000_000, symbol=symbol, timeframe="1m", bid_price=mid - spread / 2,
        ask_price=mid + spread / 2, bid_size=bid_size, ask_size=ask_size, buy_volume=buy_volume,
        sell_volume=sell_volume, order_sizes=sizes, current_price=mid,
    )  # fmt: skip


def test_the_update_loop_of_the_document_runs_on_a_live_line(lines: Callable[[str], FlowAnalyzer | None]) -> None:
    aggregator, analyzer = DOMAggregatorService(lines, ["ONE"], interval_seconds=3), OrderFlowAnalyzer(lines=lines)
    dom_data = aggregator.get_full_dom_data("ONE")
    assert dom_data is not None
    bids, asks = dom_data["bids"], dom_data["asks"]
    buy_volume, sell_volume = aggregator.get_realtime_volume("ONE", "1m")
    metrics = analyzer.compute_metrics(
        timestamp=dom_data["timestamp"], symbol="ONE", timeframe="1m",
        bid_price=bids[0][0] if bids else dom_data["mid_price"],
        ask_price=asks[0][0] if asks else dom_data["mid_price"],
        bid_size=dom_data["bid_depth"], ask_size=dom_data["ask_depth"],
        buy_volume=buy_volume, sell_volume=sell_volume, current_price=dom_data["mid_price"],
    )  # fmt: skip
    assert set(metrics.panel_data()) == PANEL
    assert metrics.buy_volume == buy_volume > 0.0
    assert metrics.estimated == frozenset()
    assert metrics.regime is not None
    for signal in analyzer.generate_signals(metrics, dom_data["mid_price"], 0.5):
        assert set(signal.as_row()) == {"timestamp", "signal_type", "direction", "strength", "confidence", "status"}


def test_the_latest_metrics_are_those_of_the_book(
    lines: Callable[[str], FlowAnalyzer | None], line: FlowAnalyzer
) -> None:
    service = DOMAggregatorService(lines)
    latest, full = service.get_latest_dom_metrics("ONE"), service.get_full_dom_data("ONE")
    assert latest is not None
    assert full is not None
    assert set(latest) == {"timestamp", "mid_price", "spread", "imbalance"}
    assert set(full) == {*latest, "bids", "asks", "bid_depth", "ask_depth", "depth_ratio"}
    assert latest["timestamp"] == line.observer.last_ns // 1_000_000
    assert latest["spread"] == pytest.approx(full["asks"][0][0] - full["bids"][0][0])
    assert -1.0 <= latest["imbalance"] <= 1.0
    assert len(full["bids"]) == 20
    assert full["bid_depth"] == pytest.approx(sum(size for _, size in full["bids"]))


def test_a_symbol_without_a_line_has_no_book_and_no_volume(lines: Callable[[str], FlowAnalyzer | None]) -> None:
    service = DOMAggregatorService(lines)
    assert service.get_latest_dom_metrics("NONE") is None
    assert service.get_full_dom_data("NONE") is None
    volume = service.get_realtime_volume("NONE")
    assert volume == (0.0, 0.0)
    assert volume.quality is None


def test_volume_says_whether_its_sides_were_inferred() -> None:
    marked, inferred = FlowAnalyzer("venue", "ONE", TICK), FlowAnalyzer("venue", "ONE", TICK)
    Player(marked.observer).play(events(20))
    unmarked = [(kind, t, a, b, 0.0 if kind == "trade" else c, d) for kind, t, a, b, c, d in events(20)]
    Player(inferred.observer).play(unmarked)
    volumes = [DOMAggregatorService({"ONE": line}.get).get_realtime_volume("ONE") for line in (marked, inferred)]
    assert [volume.quality for volume in volumes] == [Quality.EXACT, Quality.ESTIMATED]
    assert all(isinstance(volume, RealtimeVolume) and len(volume) == 2 for volume in volumes)
    found = call(OrderFlowAnalyzer(lines={"ONE": inferred}.get))
    assert found.estimated == {"buy_volume", "sell_volume", "volume_imbalance"}


def test_volume_is_not_kept_for_every_timeframe(lines: Callable[[str], FlowAnalyzer | None]) -> None:
    with pytest.raises(ValueError, match="no volume by '1d'"):
        DOMAggregatorService(lines).get_realtime_volume("ONE", "1d")


def test_live_signals_are_reported_with_targets_from_the_range() -> None:
    line = played(30)
    now = line.observer.last_ns
    line.board.occurred(now, SignalType.ABSORPTION, -1, -1, 2.0)
    line.board.occurred(now, SignalType.EXHAUSTION, 0, 1, 0.5)
    analyzer = OrderFlowAnalyzer(lines={"ONE": line}.get)
    metrics = call(analyzer)
    assert metrics.absorption_detected
    assert metrics.exhaustion_detected
    found = {signal.signal_type: signal for signal in analyzer.generate_signals(metrics, 100.0, 2.0)}
    absorption, exhaustion = found[OrderFlowSignalType.ABSORPTION], found[OrderFlowSignalType.EXHAUSTION]
    assert (absorption.direction, absorption.target_price, absorption.stop_price) == ("bear", 95.0, 102.4)
    assert absorption.confidence is None
    assert absorption.metadata["label"] == "uncalibrated (n=0)"
    assert (exhaustion.direction, exhaustion.target_price, exhaustion.stop_price) == (None, None, None)
    assert analyzer.generate_signals(metrics, 100.0, None)[0].target_price is None


def test_without_a_line_a_ratio_of_nothing_is_unknown() -> None:
    metrics = call(OrderFlowAnalyzer(), bid_size=0.0, ask_size=0.0, buy_volume=0.0, sell_volume=0.0)
    assert (metrics.depth_imbalance, metrics.volume_imbalance) == (None, None)
    assert metrics.large_order_direction is None
    assert (metrics.spread_zscore, metrics.imbalance_zscore) == (None, None)


def test_scores_from_calls_never_contain_their_own_value_nor_another_symbol() -> None:
    analyzer = OrderFlowAnalyzer()
    for step in range(20):
        call(analyzer, spread=0.02 + 0.001 * (step % 3))
        call(analyzer, symbol="OTHER", spread=50.0)
    found = call(analyzer, spread=0.2)
    assert found.spread_zscore is not None
    assert found.spread_zscore > 50.0
    kinds = {signal.signal_type for signal in analyzer.generate_signals(found, 100.0, 1.0)}
    assert OrderFlowSignalType.SPREAD_ANOMALY in kinds
    analyzer.reset()
    assert call(analyzer).spread_zscore is None


def test_a_large_order_is_measured_by_those_before_it() -> None:
    analyzer = OrderFlowAnalyzer()
    assert call(analyzer, sizes=[float(size) for size in range(1, 31)]).large_order_count == 0
    found = call(analyzer, sizes=[100.0, 1.0])
    assert found.large_order_count == 1
    assert found.large_order_direction == "buy"


def test_absorption_from_calls_wants_a_price_that_did_not_follow() -> None:
    for move, expected in ((-0.01, True), (0.0, True), (0.5, False)):
        analyzer = OrderFlowAnalyzer()
        call(analyzer, sizes=[1.0] * 30)
        found = call(analyzer, buy_volume=9.0, sell_volume=1.0, sizes=[50.0], mid=100.0 + move)
        assert found.absorption_detected is expected
        ways = {s.signal_type: s.direction for s in analyzer.generate_signals(found, 100.0, 1.0)}
        assert ways.get(OrderFlowSignalType.ABSORPTION) == ("bear" if expected else None)


def test_exhaustion_from_calls_wants_a_trend_on_falling_volume() -> None:
    for slope, late, expected in ((0.1, 1.0, True), (0.1, 10.0, False), (0.0, 1.0, False)):
        analyzer = OrderFlowAnalyzer()
        for step in range(20):
            volume = 10.0 if step < 15 else late
            found = call(analyzer, mid=100.0 + slope * step, buy_volume=volume, sell_volume=volume)
        assert found.exhaustion_detected is expected


def test_a_lopsided_book_is_a_signal_without_a_confidence() -> None:
    analyzer = OrderFlowAnalyzer()
    signal = analyzer.generate_signals(call(analyzer, bid_size=9.0, ask_size=1.0), 100.0, 1.0)[0]
    assert (signal.signal_type.value, signal.direction, signal.confidence) == ("liquidity_imbalance", "bull", None)
    assert (signal.target_price, signal.stop_price, signal.status) == (101.5, 99.0, "active")
