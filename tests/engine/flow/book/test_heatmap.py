from __future__ import annotations

import numpy as np
import pytest

from engine.flow.book.heatmap import Heatmap, nice_ticks
from engine.flow.section import SECOND_NS
from tests.engine.flow.books import BookTeller, at


def sizes(heatmap: Heatmap, column: int, price: float) -> float:
    """The cell of a price."""
    picture = heatmap.picture()
    assert picture is not None
    return float(picture.cells[round(price) // picture.bin_ticks - picture.lowest, column])


def test_a_cell_is_the_mean_by_time_of_what_stood_in_its_prices() -> None:
    heatmap = Heatmap(1.0, bin_ticks=2, rows=20)
    heatmap.watch(at(3600))
    teller = BookTeller(heatmap)
    teller.snapshot(0, [(101, 1.0), (100, 5.0)], [(105, 2.0)])
    teller.update(0.6, [(100, 9.0)])
    heatmap.on_timer(at(1))
    assert sizes(heatmap, 0, 100) == pytest.approx(7.6)
    assert sizes(heatmap, 0, 105) == pytest.approx(2.0)
    assert sizes(heatmap, 0, 95) == 0.0
    heatmap.on_timer(at(2))
    assert sizes(heatmap, 1, 100) == pytest.approx(10.0)


def test_time_without_a_book_is_blank_and_does_not_dilute() -> None:
    heatmap = Heatmap(1.0, bin_ticks=1, rows=20)
    heatmap.watch(at(3600))
    teller = BookTeller(heatmap)
    teller.snapshot(0, [(100, 4.0)], [(102, 2.0)])
    heatmap.on_reset(at(0.5), "a gap")
    for second in (1, 2):
        heatmap.on_timer(at(second))
    teller.snapshot(2.5, [(100, 6.0)], [(102, 2.0)])
    heatmap.on_timer(at(3))
    assert sizes(heatmap, 0, 100) == pytest.approx(4.0), "of the half second that was known"
    assert np.isnan(sizes(heatmap, 1, 100))
    assert sizes(heatmap, 2, 100) == pytest.approx(6.0)


def test_the_picture_follows_the_market_and_older_columns_with_it() -> None:
    heatmap = Heatmap(1.0, bin_ticks=1, rows=20)
    heatmap.watch(at(3600))
    teller = BookTeller(heatmap)
    teller.snapshot(0, [(100, 4.0)], [(101, 2.0)])
    teller.update(1.5, [(107, 3.0)], [(101, 0.0), (108, 1.0)])
    heatmap.on_timer(at(2))
    picture = heatmap.picture()
    assert picture is not None
    assert picture.lowest == 107 - 10
    assert sizes(heatmap, 0, 100) == pytest.approx(4.0)
    assert sizes(heatmap, 1, 100) == pytest.approx(4.0)
    assert sizes(heatmap, 1, 107) == pytest.approx(1.5), "in view and there for half of the column"
    assert sizes(heatmap, 1, 101) == pytest.approx(1.0)
    assert np.isnan(sizes(heatmap, 0, 116)), "nobody looked there then"


def test_what_stands_far_away_does_not_count() -> None:
    heatmap = Heatmap(1.0, bin_ticks=1, rows=10)
    heatmap.watch(at(3600))
    teller = BookTeller(heatmap)
    teller.snapshot(0, [(100, 1.0), (10, 9.0)], [(101, 1.0)])
    teller.update(0.5, [(11, 4.0)], [(500, 7.0)])
    heatmap.on_timer(at(1))
    picture = heatmap.picture()
    assert picture is not None
    assert picture.cells.sum() == pytest.approx(2.0)


def test_columns_are_bounded() -> None:
    heatmap = Heatmap(1.0, bin_ticks=1, rows=10, columns=5)
    heatmap.watch(at(3600))
    teller = BookTeller(heatmap)
    assert heatmap.picture() is None
    for second in range(20):
        teller.snapshot(second, [(100, 1.0 + second)], [(101, 1.0)])
    picture = heatmap.picture()
    assert picture is not None
    assert picture.cells.shape == (10, 5)
    assert picture.begin_ns[-1] == at(18)
    assert heatmap.columns[0].end_ns - heatmap.columns[0].begin_ns == SECOND_NS


@pytest.mark.parametrize(("ticks", "nice"), [(0.2, 1), (1.3, 1), (1.6, 2), (4, 5), (8, 10), (124, 100), (618, 500)])
def test_bins_are_of_round_width(ticks: float, nice: int) -> None:
    assert nice_ticks(ticks) == nice


def test_the_width_is_chosen_so_that_the_rows_cover_25_basis_points_either_way() -> None:
    heatmap = Heatmap(0.01)
    BookTeller(heatmap).snapshot(0, [(61_837.63, 1.0)], [(61_837.64, 1.0)])
    covered_bps = 1e4 * heatmap.rows * heatmap.bin_ticks * 0.01 / 61_837
    assert 35 <= covered_bps <= 75


def test_what_nobody_looks_at_is_sampled_every_five_seconds() -> None:
    heatmap = Heatmap(1.0, bin_ticks=1, rows=10)
    teller = BookTeller(heatmap)
    teller.snapshot(0, [(100, 1.0)], [(101, 1.0)])
    for second in range(1, 12):
        teller.update(second, [(100, 1.0 + second)])
        heatmap.on_timer(at(second))
    assert [(column.begin_ns, column.exact) for column in heatmap.columns] == [
        (at(second), False) for second in (0, 5, 10)
    ]
    assert [float(column.sizes.max()) for column in heatmap.columns] == [1.0, 6.0, 11.0]


def test_looking_makes_it_exact_at_once_and_for_a_minute() -> None:
    heatmap = Heatmap(1.0, bin_ticks=1, rows=10)
    teller = BookTeller(heatmap)
    teller.snapshot(0, [(100, 1.0)], [(101, 1.0)])
    assert heatmap.picture() is not None
    for tenth in range(1, 1000):
        teller.update(tenth / 10, [(100, 1.0 + tenth)])
    picture = heatmap.picture()
    assert picture is not None
    assert picture.exact[:2] == [False, True]
    assert picture.exact[-1] is False
    # It was known to be looked at when the first sample, of five seconds, ended.
    assert sum(picture.exact) == 65
    assert picture.cells[100 - picture.lowest, 2] == pytest.approx(1 + 14.5)
