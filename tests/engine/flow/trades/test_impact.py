from __future__ import annotations

from math import log

import pytest

from engine.flow.trades.impact import Illiquidity, PriceImpact


def test_price_impact_is_the_line_through_whole_intervals() -> None:
    # The hand-worked case T10.
    impact = PriceImpact(interval_s=1, least=5)
    mid = 100.0
    impact.on_second(mid, 99.0)
    for signed, moved in ((1, 2), (2, 3), (-1, -2), (0, 1)):
        mid += moved
        impact.on_second(mid, signed)
    assert impact.line is None
    impact.on_second(mid + 5, 3)
    line = impact.line
    assert line is not None
    assert (line.slope, line.intercept) == pytest.approx((1.6, 0.2))
    assert (line.r2, line.t) == pytest.approx((0.9552238805970149, 8.000000000000004))
    assert line.n == 5
    # 1.6 ticks of 0.5 at a mid of 100 ticks: 160 bp per unit, and a unit is worth 50 in quote.
    assert impact.bps_per_million(100.0, 0.5) == pytest.approx(160.0 / 50.0 * 1e6)


def test_an_interval_with_a_hole_does_not_count() -> None:
    impact = PriceImpact(interval_s=2, least=2)
    for second in range(9):
        if second == 3:
            impact.on_reset()
        impact.on_second(100.0 + second, float(second))
    assert impact.intervals == 3


def test_bars_without_volume_are_left_out_of_the_illiquidity() -> None:
    # The hand-worked case T11.
    bars = Illiquidity()
    for moved, quoted in ((0.001, 1e6), (-0.002, 4e6), (0.0, 0.0), (0.001, 2e6)):
        bars.add(moved, quoted)
    assert bars.value == pytest.approx(6.666666666666667)
    assert bars.bars == 3


def test_illiquidity_takes_log_returns_of_whole_bars() -> None:
    bars = Illiquidity(interval_s=2)
    for second, mid in enumerate((100.0, 105.0, 110.0, 111.0)):
        bars.on_second(mid, 500.0 * (second > 0))
    assert bars.bars == 1
    assert bars.value == pytest.approx(log(1.1) / 1000.0 * 1e10)


def test_illiquidity_is_unknown_before_the_first_bar_with_volume() -> None:
    bars = Illiquidity(interval_s=1)
    for _ in range(5):
        bars.on_second(100.0, 0.0)
    assert bars.value is None
