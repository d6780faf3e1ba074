"""The scale benchmark: its straight line, and a small run of it."""

from __future__ import annotations

import pytest

from benchmarks.scale import fit, measure, venues


def test_a_straight_line_is_found_with_its_fit() -> None:
    rise, base, r2 = fit([(25, 5.5), (50, 8.0), (100, 13.0), (200, 23.0)])

    assert [rise, base, r2] == pytest.approx([0.1, 3.0, 1.0])


def test_a_bent_line_fits_less_well() -> None:
    assert fit([(1, 1.0), (2, 4.0), (3, 9.0), (4, 16.0), (10, 100.0)])[2] < 0.97


def test_five_venues_come_live_with_nothing_wrong_and_few_threads() -> None:
    with venues(2, 20.0) as (said, violations):
        step, end = measure(said, [10], 0.5)

    assert violations == []
    assert (step["live"], step["wrong"], step["not_live"]) == (10, {}, [])
    assert step["connections"] == 5
    assert step["threads"] <= 3 * step["connections"] + 3
    assert step["updates_per_s"] > 0
    assert step["cpu_percent"] > 0
    assert end["closed_in_s"] < 2.0
