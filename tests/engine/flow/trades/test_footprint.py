from __future__ import annotations

import pytest

from engine.flow.trades.footprint import BINS, Footprint, nice_bin, stacks


@pytest.mark.parametrize(
    ("mid", "ticks"), [(6_183_763.5, 500), (268_380.5, 20), (500.0, 1), (12_000.0, 1), (16_000.0, 2), (40_000.0, 5)]
)
def test_a_bin_is_the_nice_number_of_ticks_nearest_to_one_basis_point(mid: float, ticks: int) -> None:
    assert nice_bin(mid) == ticks


def test_volume_goes_to_its_bin_and_side_and_the_delta_remembers_how_far_it_ran() -> None:
    bar = Footprint(10)
    for price, size, side in ((105.0, 3.0, 1), (109.0, 5.0, -1), (110.0, 4.0, 1), (111.0, 1.0, 0)):
        bar.add(price, size, side)
    assert {place: (cell.sell, cell.buy, cell.unsigned, cell.trades) for place, cell in bar.cells.items()} == {
        10: (5.0, 3.0, 0.0, 2),
        11: (0.0, 4.0, 1.0, 2),
    }
    assert (bar.delta, bar.high_delta, bar.low_delta) == (2.0, 3.0, -2.0)
    assert bar.point_of_control == 10


def test_an_empty_bar_has_no_point_of_control() -> None:
    assert Footprint(10).point_of_control is None
    assert Footprint(10).imbalances() == {}


def test_a_print_far_away_is_counted_and_not_kept() -> None:
    bar = Footprint(1)
    bar.add(100.0, 1.0, 1)
    for _ in range(2):
        bar.add(100.0 + BINS + 1, 1.0, 1)
    assert bar.dropped == 2
    assert list(bar.cells) == [100]
    assert bar.delta == 1.0


def test_buyers_are_held_against_the_sellers_one_bin_below_and_sellers_against_buyers_above() -> None:
    bar = Footprint(1)
    for price, sold, bought in (
        (100.0, 2.0, 1.0),
        (101.0, 1.0, 6.0),
        (102.0, 1.0, 5.9),
        (103.0, 7.0, 1.0),
        (104.0, 1.0, 2.0),
    ):
        bar.add(price, sold, -1)
        bar.add(price, bought, 1)
    # 101: 6 ≥ 3 · 2 of the bin below; 103: 7 ≥ 3 · 2 of the bin above; 102 has less than the 75 % quantile of 7.
    assert bar.imbalances() == {101: 1, 103: -1}


def test_three_neighbouring_imbalances_of_one_side_are_stacked() -> None:
    assert stacks({5: 1, 6: 1, 7: 1, 8: -1, 9: -1, 11: -1}) == [(5, 7, 1)]
    assert stacks({5: 1, 6: 1, 8: 1}) == []


def test_a_bar_finds_its_own_stacks() -> None:
    bar = Footprint(1)
    for price in (100.0, 101.0, 102.0, 103.0):
        bar.add(price, 5.0, 1)
    assert bar.stacked() == [(100, 103, 1)]
