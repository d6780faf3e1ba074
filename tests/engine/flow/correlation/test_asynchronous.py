"""Two prices that tick at their own times."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.correlation.asynchronous import (
    OverlapCovariance,
    Ticks,
    distinct,
    epps_curve,
    grid,
    kernel_correlation,
    lead_lag_curve,
    overlap,
    overlap_correlation,
    overlap_covariance,
    pearson,
    refresh_returns,
    returns_on,
    shrink,
    squared_path,
)

Pairs = list[tuple[int, float]]

X = [(0, 0.0), (2, 1.0), (5, 3.0)]
Y = [(1, 0.0), (4, 2.0), (6, 1.0)]


def ticks(pairs: Pairs) -> Ticks:
    return Ticks(np.array([time for time, _ in pairs], dtype=np.int64), np.array([value for _, value in pairs]))


def streamed(one: Pairs, other: Pairs) -> OverlapCovariance:
    found, left, right = OverlapCovariance(), dict(one), dict(other)
    for time in sorted(left | right):
        found.add(left.get(time), right.get(time))
    return found


def test_overlapping_returns_by_hand() -> None:
    # The hand-worked case T19.
    assert overlap_covariance(ticks(X), ticks(Y)) == 4.0
    assert (squared_path(ticks(X)), squared_path(ticks(Y))) == (5.0, 5.0)
    assert overlap_correlation(ticks(X), ticks(Y)) == pytest.approx(0.8)


def test_overlapping_returns_while_they_come() -> None:
    found = streamed(X, Y)
    assert (found.covariance, found.variance_x, found.variance_y) == (4.0, 5.0, 5.0)
    assert found.correlation == pytest.approx(0.8)


def test_at_common_times_only_the_products_of_equal_intervals_count() -> None:
    one, other = [(0, 0.0), (1, 1.0), (2, 3.0)], [(0, 0.0), (1, 2.0), (2, 1.0)]
    assert overlap_covariance(ticks(one), ticks(other)) == 0.0
    assert streamed(one, other).covariance == 0.0


def brute_force(one: Pairs, other: Pairs) -> float:
    total = 0.0
    for (a, x), (b, y) in pairwise(one):
        for (c, u), (d, v) in pairwise(other):
            if c < b and d > a:
                total += (y - x) * (v - u)
    return total


series = st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 3)), min_size=2, max_size=25).map(
    lambda pairs: sorted({time: float(value) for time, value in pairs}.items())
)


@given(series, series)
def test_stream_and_batch_equal_brute_force(one: Pairs, other: Pairs) -> None:
    expected = brute_force(one, other)
    assert overlap_covariance(ticks(one), ticks(other)) == pytest.approx(expected)
    assert streamed(one, other).covariance == pytest.approx(expected)


def test_distinct_keeps_the_last_of_a_moment_and_only_changes() -> None:
    found = distinct([1, 1, 2, 3, 4], [10.0, 11.0, 11.0, 12.0, 12.0])
    assert found.times.tolist() == [1, 3]
    assert np.exp(found.logs) == pytest.approx([11.0, 12.0])


def test_a_grid_begins_with_a_whole_second_and_sees_only_the_past() -> None:
    second = 1_000_000_000
    edges = grid(second // 2, 3 * second, 1.0)
    assert edges.tolist() == [second, 2 * second, 3 * second]
    prices = ticks([(0, 1.0), (2 * second, 2.0), (2 * second + 1, 5.0)])
    assert returns_on(prices, edges).tolist() == [1.0, 3.0]


def walk(seed: int, count: int = 4000) -> tuple[Ticks, Ticks]:
    """A price each 10 ms and the same price 100 ms later with noise of its own."""
    random = np.random.default_rng(seed)
    path = np.cumsum(random.normal(0, 1e-4, count))
    times = np.arange(count, dtype=np.int64) * 10_000_000
    return Ticks(times, path), Ticks(times + 100_000_000, path + random.normal(0, 1e-6, count))


def test_the_lead_lag_curve_peaks_where_the_leader_leads() -> None:
    leader, follower = walk(1)
    curve = lead_lag_curve(leader, follower, (-100, 0, 50, 100, 200))
    assert max(curve, key=lambda lag: curve[lag] or 0.0) == 100
    reverse = lead_lag_curve(follower, leader, (-200, -100, -50, 0, 100))
    assert max(reverse, key=lambda lag: reverse[lag] or 0.0) == -100


def test_correlation_rises_with_the_horizon_where_one_follows_late() -> None:
    leader, follower = walk(2)
    span = overlap(leader, follower)
    assert span is not None
    curve = epps_curve(leader, follower, span, (0.1, 1.0, 5.0))
    low, middle, high = (value or 0.0 for _, value in curve.values())
    assert low < middle < high
    assert curve[1.0][0] == 38


def test_a_kernel_of_no_lags_is_the_plain_correlation_about_zero() -> None:
    random = np.random.default_rng(3)
    left, right = random.normal(size=200), random.normal(size=200)
    expected = float(left @ right) / math.sqrt(float(left @ left) * float(right @ right))
    assert kernel_correlation(left, right, 0) == pytest.approx(expected)
    assert abs(kernel_correlation(left, right, 20) or 9.0) <= 1.0


def test_refresh_times_wait_for_both() -> None:
    left, right = refresh_returns(ticks(X), ticks(Y))
    assert left.tolist() == [1.0, 2.0]
    assert right.tolist() == [2.0, -1.0]


def test_what_never_moved_has_no_correlation() -> None:
    flat = ticks([(0, 1.0)])
    assert overlap_correlation(flat, ticks(Y)) is None
    assert pearson(np.ones(5), np.arange(5.0)) is None
    assert kernel_correlation(np.zeros(5), np.ones(5), 1) is None
    assert overlap(flat, ticks([])) is None


def test_shrinking_pulls_to_the_identity_the_more_the_less_is_known() -> None:
    random = np.random.default_rng(6)
    common = random.normal(size=(400, 1))
    returns = common + random.normal(size=(400, 4))
    correlation = np.asarray(np.corrcoef(returns.T))
    much, little = shrink(correlation, returns), shrink(np.asarray(np.corrcoef(returns[:20].T)), returns[:20])
    assert 0.0 < much[1] < little[1] <= 1.0
    assert np.diag(much[0]) == pytest.approx(np.ones(4))
    assert abs(much[0][0, 1]) < abs(correlation[0, 1])
