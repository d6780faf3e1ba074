"""Calm or excited, from the past alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.flow.regimes.hidden_markov import TwoStateFilter, TwoStateModel, choose_step, fit, sigma_floor

EVEN = TwoStateModel(((0.9, 0.1), (0.1, 0.9)), (1.0, 3.0), (0.5, 0.5))


def test_the_filter_gives_the_probability_of_the_excited_state() -> None:
    # The hand-worked case T17.
    forward = TwoStateFilter(EVEN)
    assert forward.probability is None
    assert forward.add(3.0) == pytest.approx(0.9479149938275155, rel=1e-12)
    assert forward.add(0.0) == pytest.approx(0.6688287311013458, rel=1e-12)


def test_what_comes_later_changes_nothing_that_was_said() -> None:
    changes = np.random.default_rng(1).normal(0.0, 2.0, 50)
    whole, part = TwoStateFilter(EVEN), TwoStateFilter(EVEN)
    said = [whole.add(float(change)) for change in changes]
    assert [part.add(float(change)) for change in changes[:20]] == said[:20]


def test_an_unthinkable_return_means_excited_and_no_error() -> None:
    forward = TwoStateFilter(EVEN)
    assert forward.add(1e6) == 1.0
    assert 0.0 <= forward.add(0.0) <= 1.0


def test_the_fit_finds_the_two_volatilities_again() -> None:
    random = np.random.default_rng(5)
    spells = [random.normal(0.0, sigma, 300) for sigma in (1.0, 5.0, 1.0, 5.0, 1.0)]
    changes = np.concatenate(spells)
    model = fit(changes, sigma_floor(changes))
    assert model.sigma == pytest.approx((1.0, 5.0), rel=0.1)
    assert min(model.moves[0][0], model.moves[1][1]) > 0.97


def test_no_sigma_falls_below_its_floor() -> None:
    changes = np.array([0.0] * 50 + [1.0, -1.0] * 5)
    model = fit(changes, 0.25)
    assert min(model.sigma) >= 0.25


def test_the_step_is_the_shortest_with_few_zero_returns() -> None:
    mids = 100.0 + np.repeat(np.arange(40.0) % 3, 2)
    found = choose_step(mids)
    assert found is not None
    assert found[0] == 2
    assert choose_step(np.full(100, 7.0)) is None
