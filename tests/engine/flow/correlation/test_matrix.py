"""The matrix of return correlations at one horizon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from engine.flow.correlation.matrix import CorrelationBoard, FadingMoments, ReturnCorrelation, fisher_interval

NAMES = ("one", "two", "three")


def prices(correlation: float, steps: int, seed: int = 1) -> list[list[float]]:
    """Mids of three symbols: the first two correlated, the third by itself."""
    random = np.random.default_rng(seed)
    draws = random.normal(0, 1e-3, (steps, 3))
    draws[:, 1] = correlation * draws[:, 0] + math.sqrt(1 - correlation**2) * draws[:, 1]
    found: list[list[float]] = (100.0 * np.exp(np.cumsum(draws, axis=0))).tolist()
    return found


def matrix(rows: Sequence[Sequence[float | None]]) -> ReturnCorrelation:
    found = ReturnCorrelation(NAMES)
    for row in rows:
        found.step(row)
    return found


def test_a_cell_is_unknown_below_thirty_joint_returns() -> None:
    rows = prices(0.9, 31)
    assert matrix(rows[:30]).cell("one", "two").value is None
    assert matrix(rows).cell("one", "two").count == 30
    assert matrix(rows).cell("one", "two").value is not None


def test_a_close_pair_is_certain_and_strangers_are_not() -> None:
    found = matrix(prices(0.9, 300))
    close, strange = found.cell("one", "two"), found.cell("one", "three")
    assert close.value == pytest.approx(0.9, abs=0.1)
    assert close.certain
    assert close.low is not None
    assert close.high is not None
    assert close.value is not None
    assert close.low < close.value < close.high
    assert not strange.certain


def test_the_matrix_is_symmetric_with_ones_on_its_diagonal() -> None:
    found = matrix(prices(0.5, 100)).matrix()
    assert [found[place][place] for place in range(3)] == [1.0, 1.0, 1.0]
    assert found[0][1] == found[1][0]


def test_a_feed_that_was_stale_for_a_fifth_of_the_time_shows_nothing() -> None:
    rows: list[list[float | None]] = [
        [a, b if step % 3 else None, c] for step, (a, b, c) in enumerate(prices(0.9, 400))
    ]
    cell = matrix(rows).cell("one", "two")
    assert cell.value is None
    assert cell.stale_share == pytest.approx(1 / 3, abs=0.02)
    assert matrix(rows).cell("one", "three").value is not None


def test_no_return_is_taken_across_an_unknown_mid() -> None:
    rows: list[list[float | None]] = [list(row) for row in prices(0.9, 100)]
    rows[50] = [None, None, None]
    assert matrix(rows).cell("one", "two").count == 97


def test_without_fading_the_moments_are_those_of_the_whole() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(5.0, 1.0, 50), random.normal(-3.0, 2.0, 50)
    moments = FadingMoments(half_life=1e12)
    for left, right in zip(x, y, strict=True):
        moments.add(float(left), float(right))
    assert moments.correlation == pytest.approx(float(np.corrcoef(x, y)[0, 1]), rel=1e-9)
    assert moments.effective_count == pytest.approx(50.0)


def test_fading_weights_the_newest_most() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=80), random.normal(size=80)
    weights = 0.5 ** (np.arange(79, -1, -1) / 20.0)
    moments = FadingMoments(half_life=20.0)
    for left, right in zip(x, y, strict=True):
        moments.add(float(left), float(right))
    expected = np.cov(x, y, aweights=weights)
    assert moments.correlation == pytest.approx(expected[0, 1] / math.sqrt(expected[0, 0] * expected[1, 1]), rel=1e-9)


def test_a_price_that_never_moves_has_no_correlation() -> None:
    found = matrix([[a, 7.0, c] for a, _, c in prices(0.5, 100)])
    assert found.cell("one", "two").value is None


def test_a_pair_that_parts_is_called_broken() -> None:
    together = prices(0.99, 400, seed=4)
    assert not matrix(together).cell("one", "two").broken
    last = together[-1]
    apart = [[last[0] * math.exp(0.001 * step), last[1] * math.exp(-0.001 * step), last[2]] for step in range(1, 12)]
    apart = [
        [row[0] * (1 + 0.002 * (step % 2)), row[1] * (1 - 0.002 * (step % 2)), row[2]] for step, row in enumerate(apart)
    ]
    assert matrix([*together, *apart]).cell("one", "two").broken


def test_the_interval_narrows_with_the_count_and_needs_four() -> None:
    wide, narrow = fisher_interval(0.5, 10), fisher_interval(0.5, 1000)
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]
    assert fisher_interval(0.5, 3) is None


def test_each_horizon_takes_its_own_edges() -> None:
    board, rows = CorrelationBoard(NAMES, (1, 5)), prices(0.9, 301)
    for second, row in enumerate(rows):
        board.second(second * 1_000_000_000, row)
    assert board.matrices[1].cell("one", "two") == matrix(rows).cell("one", "two")
    assert board.matrices[5].cell("one", "two") == matrix(rows[::5]).cell("one", "two")
