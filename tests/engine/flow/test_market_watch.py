"""The slow figures of one symbol, second by second."""

from __future__ import annotations

import pytest

from engine.flow.analyzer import FlowAnalyzer
from engine.flow.market_watch import BarMovement
from engine.flow.regimes.regime import Regime
from engine.flow.signals.flow_signal import SignalType
from tests.engine.flow.market import SECOND, TICK, Event, Player, events, played


def test_bars_close_at_whole_multiples_and_empty_ones_leave_nothing() -> None:
    bars = BarMovement(5)
    for second in range(1, 26):
        quiet = 11 <= second <= 15
        price = 0.0 if quiet else 100.0 + second
        bars.second(second * SECOND, price, price, price)
    assert bars.movement.bars == 4


def test_the_regime_is_unknown_for_a_minute_and_then_one_of_the_named() -> None:
    assert played(50).watch.regime.regime is Regime.UNKNOWN
    assert played(150).watch.regime.regime is not Regime.UNKNOWN


def test_a_reset_makes_the_regime_unknown_again() -> None:
    analyzer = played(150)
    now = analyzer.observer.last_ns
    analyzer.observer.on_reset(now, "the book is lost")
    analyzer.observer.on_time(now + 2 * SECOND)
    assert analyzer.watch.regime.regime is Regime.UNKNOWN
    assert analyzer.metrics()["volatility_ratio"] is None


def quotes(seconds: int, start: int, spread_ticks: int) -> list[Event]:
    return [
        (
            "bbo",
            (start + step) * SECOND + 1,
            100.0 - (step % 2) * TICK,
            1.0,
            100.0 + (spread_ticks - step % 2) * TICK,
            1.0,
        )
        for step in range(seconds)
    ]


def test_a_spread_far_above_its_own_is_a_warning_until_it_is_usual_again() -> None:
    analyzer = FlowAnalyzer("venue", "ONE", TICK)
    player = Player(analyzer.observer)
    player.play(quotes(120, 1000, 1))
    assert analyzer.board.active() == []
    player.play(quotes(3, 1120, 9))
    active = analyzer.board.active()
    assert [(signal.kind, signal.direction) for signal in active] == [(SignalType.SPREAD_ANOMALY, None)]
    assert active[0].score >= 4.0
    player.play(quotes(3, 1123, 1))
    assert analyzer.board.active() == []


def test_a_crossed_book_is_no_market() -> None:
    analyzer = FlowAnalyzer("venue", "ONE", TICK)
    player = Player(analyzer.observer)
    player.play(events(150))
    start = analyzer.observer.last_ns // SECOND + 1
    player.play(quotes(5, start, -3))
    metrics = analyzer.metrics()
    assert metrics["mid"] is None
    assert metrics["imbalance_1"] is None
    assert metrics.signals == ()
    assert metrics.regime is Regime.LIQUIDITY_STRESS


def test_readings_carry_how_warm_they_are() -> None:
    readings = played(30).watch.readings(0)
    assert readings["volatility_ratio"].value is None
    assert readings["volatility_ratio"].warm == pytest.approx(0.5, abs=0.05)
