"""Volatility, straightness and direction of a price."""

from __future__ import annotations

import math

import pytest

from engine.flow.regimes.trend import Bar, DirectionalMovement, EfficiencyRatio, EwmaVolatility, VolatilityRatio


def efficiency(*mids: float | None, span: int = 4) -> EfficiencyRatio:
    ratio = EfficiencyRatio(span)
    for mid in mids:
        ratio.add(mid)
    return ratio


def test_the_efficiency_ratio_is_net_move_over_path() -> None:
    # The hand-worked case T16.
    assert efficiency(1, 2, 3, 2, 4).ratio == pytest.approx(0.6)


def test_the_efficiency_ratio_of_a_flat_path_is_unknown() -> None:
    assert efficiency(3, 3, 3, 3, 3).ratio is None


def test_the_efficiency_ratio_is_unknown_until_its_span_is_full_and_after_a_hole() -> None:
    assert efficiency(1, 2, 3, 2).ratio is None
    assert efficiency(1, 2, 3, 2, None, 4, 5, 6, 7).ratio is None
    assert efficiency(1, 2, 3, 2, None, 4, 5, 6, 7, 8).ratio == 1.0


def test_the_efficiency_ratio_looks_back_over_its_span_only() -> None:
    assert efficiency(100, 1, 1, 2, 3, 2, 4).ratio == pytest.approx(0.6)


def test_a_fading_volatility_has_no_bias_from_its_start() -> None:
    volatility = EwmaVolatility(half_life=1.0)
    assert volatility.value is None
    volatility.add(1.0)
    assert volatility.value == 1.0
    volatility.add(2.0)
    assert volatility.value == pytest.approx(math.sqrt(3.0))


def test_the_volatility_ratio_is_one_for_even_moves_and_unknown_for_a_minute() -> None:
    ratio = VolatilityRatio()
    mid = 100.0
    for step in range(61):
        ratio.add(mid * (1.0001 if step % 2 else 1.0))
        assert (ratio.ratio is None) == (step < 60)
    assert ratio.ratio == pytest.approx(1.0, rel=1e-9)


def test_the_volatility_ratio_rises_with_a_burst_and_is_unknown_without_a_mid() -> None:
    ratio = VolatilityRatio()
    for step in range(200):
        ratio.add(100.0 + (step % 2) * 0.001)
    for step in range(10):
        ratio.add(100.0 + (step % 2) * 0.1)
    assert ratio.ratio is not None
    assert ratio.ratio > 1.8
    ratio.add(None)
    assert ratio.ratio is None


def test_no_return_is_taken_across_an_unknown_mid() -> None:
    ratio = VolatilityRatio()
    assert [ratio.add(mid) for mid in (100.0, None, 200.0)] == [None, None, None]
    assert ratio.slow.steps == 0


def movement(bars: list[tuple[float, float, float]]) -> DirectionalMovement:
    found = DirectionalMovement()
    for bar in bars:
        found.add(*bar)
    return found


def test_adx_needs_twice_its_period_and_is_one_hundred_for_a_straight_climb() -> None:
    climb = [(10.0 + step, 9.0 + step, 9.5 + step) for step in range(40)]
    assert movement(climb[:27]).adx is None
    assert movement(climb[:28]).adx == pytest.approx(100.0)
    assert movement(climb).minus == 0.0


def test_adx_by_hand_with_a_period_of_two() -> None:
    # Sums of one bar first, then fading by a half: plus 1, 0.5, 2.25; minus 0, 1, 0.5; ranges 2, 3, 3.5 + 2.
    found = DirectionalMovement(period=2)
    for bar in ((10.0, 9.0, 9.5), (11.0, 9.5, 10.0), (10.5, 8.5, 9.0), (12.5, 9.5, 12.0)):
        found.add(*bar)
    plus, minus = 0.5 * 0.5 + 2.0, 1.0 * 0.5
    first = 100.0 * abs(0.5 - 1.0) / 1.5
    assert found.adx == pytest.approx((first + 100.0 * (plus - minus) / (plus + minus)) / 2.0)


def test_the_average_range_is_that_of_even_bars_and_unknown_for_its_period() -> None:
    even = [(11.0, 9.0, 10.0)] * 20
    assert movement(even[:14]).atr is None
    assert movement(even).atr == pytest.approx(2.0)


def test_a_bar_keeps_its_extremes_and_its_last_price() -> None:
    bar = Bar(10.0, 1.0)
    for price in (12.0, 9.0, 11.0):
        bar.add(price, 2.0)
    assert (bar.opened, bar.high, bar.low, bar.close, bar.volume) == (10.0, 12.0, 9.0, 11.0, 7.0)
