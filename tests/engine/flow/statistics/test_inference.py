"""Counting honestly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.statistics.inference import (
    beta_interval,
    beta_quantile,
    beta_share,
    correlation_p_value,
    jeffreys_interval,
    newey_west_t,
    q_values,
    rank_correlation,
    ranks,
    student_two_sided,
    two_sided,
)


def test_q_values_by_hand() -> None:
    # The hand-worked case T24.
    assert q_values([0.001, 0.02, 0.03, 0.2]) == pytest.approx([0.004, 0.04, 0.04, 0.2])


def test_q_values_keep_the_order_they_were_given_in() -> None:
    assert q_values([0.2, 0.03, 0.001, 0.02]) == pytest.approx([0.2, 0.04, 0.004, 0.04])
    assert q_values([]) == []


@given(st.lists(st.floats(0.0, 1.0), max_size=30))
def test_a_q_value_is_no_smaller_than_its_p_value_and_at_most_one(p_values: list[float]) -> None:
    assert all(p <= q + 1e-15 and q <= 1.0 for p, q in zip(p_values, q_values(p_values), strict=True))


def test_the_interval_of_a_shrunk_share() -> None:
    assert beta_interval(32.0, 28.0) == pytest.approx((0.42751835734309435, 0.6378737598809749), abs=1e-10)


def test_the_interval_of_a_share_reaches_its_ends() -> None:
    assert jeffreys_interval(0, 4) == pytest.approx((0.0, 0.36248681276449385), abs=1e-9)
    assert jeffreys_interval(4, 4)[1] == 1.0
    assert jeffreys_interval(2, 4) == pytest.approx((0.165280266655658, 0.8347197333443419), abs=1e-9)


def test_a_uniform_variable_is_the_simplest_beta() -> None:
    assert [beta_share(x, 1.0, 1.0) for x in (-1.0, 0.0, 0.3, 1.0, 2.0)] == pytest.approx([0, 0, 0.3, 1, 1])


@given(st.floats(0.01, 0.99), st.floats(0.5, 500.0), st.floats(0.5, 500.0))
def test_quantile_and_share_undo_each_other(share: float, a: float, b: float) -> None:
    # Where the density is enormous, neighbouring doubles differ by more than this.
    assert beta_share(beta_quantile(share, a, b), a, b) == pytest.approx(share, abs=1e-6)


def test_equal_values_share_their_ranks() -> None:
    assert ranks(np.array([10.0, 30.0, 10.0, 20.0])).tolist() == [1.5, 4.0, 1.5, 3.0]


def test_rank_correlation_sees_order_only() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert rank_correlation(values, values**5) == pytest.approx(1.0)
    assert rank_correlation(values, -np.exp(values)) == pytest.approx(-1.0)
    assert rank_correlation(values, np.ones(4)) is None


def test_the_p_value_of_a_correlation_needs_more_than_three_pairs() -> None:
    assert correlation_p_value(0.18323711982456348, 129.0) == pytest.approx(0.0374955784697244, rel=1e-9)
    assert correlation_p_value(0.9, 3.0) is None
    assert correlation_p_value(1.0, 50.0) == 0.0


def test_two_sided_is_one_at_zero_and_five_percent_at_two_sigmas() -> None:
    assert two_sided(0.0) == 1.0
    assert two_sided(1.959963985) == pytest.approx(0.05, abs=1e-9)


def test_students_t_has_wider_tails() -> None:
    assert student_two_sided(2.0, 1e7) == pytest.approx(two_sided(2.0), rel=1e-5)
    assert student_two_sided(12.706204736, 1.0) == pytest.approx(0.05, rel=1e-8)
    assert student_two_sided(0.0, 5.0) == 1.0


def test_the_error_of_a_mean_without_overlap_is_the_plain_one() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert newey_west_t(values, 0) == pytest.approx(3.0 / math.sqrt(2.0 / 5.0))


def test_neighbours_that_move_together_widen_the_error() -> None:
    values = [1.0, 1.0, 1.0, 3.0, 3.0, 3.0]
    assert (newey_west_t(values, 2) or 0.0) < (newey_west_t(values, 0) or 0.0)


def test_the_error_is_unknown_for_few_or_equal_values() -> None:
    assert newey_west_t([1.0, 2.0, 3.0, 4.0], 1) is None
    assert newey_west_t([1.0] * 10, 1) is None
