from __future__ import annotations

import pytest

from engine.flow.book import depth
from engine.flow.book.depth import Side
from engine.flow.readings import Quality

BIDS = Side([100, 99, 98], [2.0, 3.0, 5.0])
ASKS = Side([101, 102, 104], [1.0, 4.0, 5.0])
NONE = Side([], [])
MID = 100.5


def test_prices_come_in_whole_ticks() -> None:
    assert depth.side_of(((0.3, 1.0), (0.1 + 0.2 - 0.1, 2.0)), 0.1) == Side([3, 2], [1.0, 2.0])


def test_the_mid_needs_both_sides_uncrossed() -> None:
    assert depth.mid_of(BIDS, ASKS) == MID
    assert depth.mid_of(BIDS, NONE) is None
    assert depth.mid_of(ASKS, BIDS) is None
    assert depth.mid_of(BIDS, Side([100], [1.0])) == 100


@pytest.mark.parametrize(
    ("levels", "value", "quality"),
    [(1, 1 / 3, Quality.EXACT), (3, 0.0, Quality.EXACT), (5, 0.0, Quality.PARTIAL)],
)
def test_the_imbalance_uses_the_levels_there_are_and_says_so(levels: int, value: float, quality: Quality) -> None:
    found, trust = depth.imbalance(BIDS, ASKS, levels)
    assert found == pytest.approx(value)
    assert trust is quality


def test_an_empty_side_has_depth_zero_and_no_imbalance() -> None:
    assert depth.depth(NONE, 10) == 0.0
    assert depth.imbalance(BIDS, NONE, 1)[0] is None
    assert depth.slope(NONE, MID) is None
    assert depth.vamp(BIDS, NONE, 2) is None


@pytest.mark.parametrize(("reach", "bid", "ask"), [(100, 2.0, 1.0), (200, 5.0, 5.0)])
def test_a_band_holds_what_stands_within_its_reach(reach: float, bid: float, ask: float) -> None:
    assert (depth.band(BIDS, MID, reach).size, depth.band(ASKS, MID, reach).size) == (bid, ask)


def test_a_band_includes_its_edge_counts_its_notional_and_knows_that_the_book_ends_inside() -> None:
    found = depth.band(Side([99, 98], [1.0, 2.0]), 100.0, 200.0, tick=0.5)
    assert (found.size, found.notional, found.truncated) == (3.0, 0.5 * (99 + 196), True)
    assert not depth.band(BIDS, MID, 200).truncated


def test_the_slope_is_fitted_through_the_origin() -> None:
    assert depth.slope(BIDS, MID, reach_bps=500) == pytest.approx(0.03847714285714285, rel=1e-12)
    assert depth.slope(ASKS, MID, reach_bps=500) == pytest.approx(0.029298305084745763, rel=1e-12)
    first = 1e4 * 0.5 / MID
    assert depth.slope(BIDS, MID, levels=1) == pytest.approx(2.0 / first)


def test_pressure_weighs_by_distance() -> None:
    found = depth.pressure(BIDS, ASKS, MID, decay_bps=5, reach_bps=500)
    assert found == pytest.approx(0.33333333080356226, rel=1e-9)
    assert depth.pressure(BIDS, ASKS, MID, reach_bps=10) is None


def test_the_mean_prices_are_weighted_by_the_other_side() -> None:
    assert depth.vamp(BIDS, ASKS, 2) == pytest.approx(100.6)


def test_a_cost_is_never_extrapolated() -> None:
    # The hand-worked case T02.
    assert depth.cost_bps(ASKS, MID, 305) == pytest.approx(116.08623548922102, rel=1e-12)
    assert depth.cost_bps(ASKS, MID, 10_000) is None
    assert depth.cost_bps(NONE, MID, 1) is None
    whole = 101 + 4 * 102 + 5 * 104
    assert depth.cost_bps(ASKS, MID, whole) is not None, "all that is there can be bought"


def test_the_cost_is_at_least_half_the_spread_and_counts_in_quote_units() -> None:
    half_spread = 1e4 * 0.5 / MID
    assert depth.cost_bps(BIDS, MID, 1.0) == pytest.approx(half_spread)
    assert depth.cost_bps(ASKS, MID, 30.5, tick=0.1) == pytest.approx(116.08623548922102, rel=1e-12)


def test_the_widest_gap_is_between_neighbours() -> None:
    assert depth.largest_gap(ASKS, 10) == 2
    assert depth.largest_gap(ASKS, 2) == 1
    assert depth.largest_gap(NONE, 10) is None
