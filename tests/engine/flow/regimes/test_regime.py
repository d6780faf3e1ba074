"""What kind of market it is, and how near it is to being another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.flow.regimes.regime import Regime, RegimeInputs, RegimeTracker, TradeRate

SECOND = 1_000_000_000
PLAIN = RegimeInputs(
    volatility_ratio=1.0, efficiency=0.2, move_bps=1.0, slow_volatility_bps=1.0, spread_percentile=0.5,
    spread_ratio=1.0, depth_ratio=1.0, trade_ratio=1.0,
)  # fmt: skip


def play(*inputs: RegimeInputs, every_s: int = 20) -> RegimeTracker:
    tracker = RegimeTracker()
    for place, item in enumerate(inputs):
        tracker.step(place * every_s * SECOND, item)
    return tracker


@pytest.mark.parametrize(
    ("change", "regime"),
    [
        ({}, Regime.RANGE),
        ({"volatility_ratio": 1.8}, Regime.VOLATILE),
        ({"volatility_ratio": 0.5, "trade_ratio": 0.25}, Regime.QUIET),
        ({"volatility_ratio": 0.5, "trade_ratio": 0.26}, Regime.RANGE),
        ({"efficiency": 0.5, "move_bps": 15.5}, Regime.TREND_UP),
        ({"efficiency": 0.5, "move_bps": -15.5}, Regime.TREND_DOWN),
        ({"efficiency": 0.5, "move_bps": 15.4}, Regime.RANGE),
        ({"spread_percentile": 0.99, "spread_ratio": 2.0}, Regime.LIQUIDITY_STRESS),
        ({"spread_percentile": 0.99, "spread_ratio": 1.9}, Regime.RANGE),
        ({"vacuum": True}, Regime.LIQUIDITY_STRESS),
        ({"unmatched_s": 1.1}, Regime.LIQUIDITY_STRESS),
        ({"volatility_ratio": 2.0, "efficiency": 0.9, "move_bps": 99.0}, Regime.VOLATILE),
    ],
)
def test_the_first_rule_that_matches_wins(change: dict[str, float], regime: Regime) -> None:
    assert play(replace(PLAIN, **change)).regime is regime


@pytest.mark.parametrize("name", RegimeInputs.__struct_fields__[:8])
def test_a_missing_figure_makes_the_regime_unknown(name: str) -> None:
    assert play(PLAIN, replace(PLAIN, **{name: None})).regime is Regime.UNKNOWN


@pytest.mark.parametrize(
    ("start", "still", "over"),
    [
        ({"volatility_ratio": 1.8}, {"volatility_ratio": 1.4}, {"volatility_ratio": 1.39}),
        ({"efficiency": 0.6, "move_bps": 20.0}, {"efficiency": 0.35, "move_bps": 1.0}, {"efficiency": 0.34}),
        ({"volatility_ratio": 0.4, "trade_ratio": 0.1}, {"volatility_ratio": 0.7}, {"volatility_ratio": 0.71}),
        (
            {"spread_percentile": 1.0, "spread_ratio": 3.0},
            {"spread_percentile": 0.9, "spread_ratio": 1.1},
            {"spread_percentile": 0.89, "spread_ratio": 1.1},
        ),
        ({"vacuum": True}, {"depth_ratio": 0.5}, {"depth_ratio": 0.51}),
    ],
)
def test_a_regime_ends_later_than_it_begins(
    start: dict[str, float], still: dict[str, float], over: dict[str, float]
) -> None:
    begun = play(replace(PLAIN, **start))
    held = play(replace(PLAIN, **start), replace(PLAIN, **still))
    ended = play(replace(PLAIN, **start), replace(PLAIN, **still), replace(PLAIN, **over))
    assert begun.regime is held.regime
    assert ended.regime is Regime.RANGE


def test_the_usual_spread_is_calm_even_where_it_is_nearly_the_only_one() -> None:
    stress = replace(PLAIN, spread_percentile=1.0, spread_ratio=3.0)
    assert play(stress, replace(PLAIN, spread_percentile=0.995, spread_ratio=1.0)).regime is Regime.RANGE


def test_a_regime_stays_for_ten_seconds() -> None:
    wild = replace(PLAIN, volatility_ratio=3.0)
    tracker = RegimeTracker()
    tracker.step(0, PLAIN)
    assert tracker.step(9 * SECOND, wild) is None
    change = tracker.step(10 * SECOND, wild)
    assert change is not None
    assert (change.before, change.regime, change.at_ns) == (Regime.RANGE, Regime.VOLATILE, 10 * SECOND)


def test_not_knowing_takes_effect_at_once() -> None:
    tracker = play(PLAIN)
    assert tracker.step(1 * SECOND, replace(PLAIN, efficiency=None)) is not None
    assert tracker.regime is Regime.UNKNOWN
    assert tracker.margin() is None
    assert tracker.step(2 * SECOND, PLAIN) is not None


def test_the_margin_names_the_nearest_threshold() -> None:
    margin = play(replace(PLAIN, volatility_ratio=1.7)).margin()
    assert margin is not None
    assert (margin.figure, margin.value, margin.threshold, margin.then) == (
        "volatility ratio", 1.7, 1.8, Regime.VOLATILE,
    )  # fmt: skip
    assert margin.distance == pytest.approx(0.1 / 1.8)
    stress = play(replace(PLAIN, vacuum=True, depth_ratio=0.4)).margin()
    assert stress is not None
    assert stress.figure == "depth ratio"


def rate(counts: list[int]) -> TradeRate:
    found = TradeRate()
    for count in counts:
        found.second(count)
    return found


def test_the_trade_rate_is_relative_to_its_own_median_and_unknown_for_a_minute() -> None:
    assert rate([2] * 59).ratio is None
    assert rate([2] * 60).ratio == 1.0
    assert rate([2] * 100 + [6] * 10).ratio == pytest.approx(3.0)
    assert rate([0] * 100).ratio is None


def test_the_trade_rate_forgets_what_is_older_than_five_minutes() -> None:
    assert rate([50] * 400 + [2] * 310).ratio == 1.0
