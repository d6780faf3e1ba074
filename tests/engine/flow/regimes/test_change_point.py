"""When did the volatility last change?"""

from __future__ import annotations

import numpy as np
import pytest

from engine.flow.regimes.change_point import RunLength, VolatilityChange


def test_after_one_observation_a_change_has_the_probability_of_the_hazard() -> None:
    # The hand-worked case T18.
    for value in (-7.0, 0.0, 0.3, 100.0):
        run = RunLength(hazard=0.01)
        run.add(value)
        assert run.posterior == pytest.approx([0.01, 0.99], rel=1e-12)


def test_a_jump_in_scale_resets_the_run_within_four_steps() -> None:
    random = np.random.default_rng(7)
    values = np.concatenate((random.normal(0, 1, 200), random.normal(0, 4, 100)))
    run = RunLength(hazard=0.01, prior=(0.0, 1.0, 1.0, 1.0))
    lengths = [run.add(float(value)) for value in values]
    found = {place: lengths[place] for place in (50, 199, 202, 205, 210, 220, 299)}
    assert found == {50: 51, 199: 200, 202: 4, 205: 7, 210: 11, 220: 21, 299: 5}


def test_the_posterior_sums_to_one_and_is_bounded() -> None:
    run = RunLength(longest=20)
    for value in np.random.default_rng(3).normal(0, 1, 100):
        run.add(float(value))
    assert run.posterior.sum() == pytest.approx(1.0)
    assert len(run.posterior) == 21
    assert run.share_up_to(100) == pytest.approx(1.0)


def test_a_later_observation_changes_nothing_said_before() -> None:
    values = [float(value) for value in np.random.default_rng(4).normal(0, 1, 60)]
    whole, part = RunLength(), RunLength()
    assert [whole.add(value) for value in values][:30] == [part.add(value) for value in values[:30]]


def feed(change: VolatilityChange, sigma: float, blocks: int, seed: int) -> None:
    for value in np.random.default_rng(seed).normal(0.0, sigma, blocks * 10):
        change.add(float(value), floor=0.001)


def test_the_age_is_unknown_until_twelve_blocks_have_set_the_scale() -> None:
    change = VolatilityChange()
    feed(change, 1.0, 11, seed=1)
    assert change.steps is None
    feed(change, 1.0, 1, seed=2)
    assert change.steps == 12


def test_a_burst_of_volatility_makes_the_age_small() -> None:
    change = VolatilityChange()
    feed(change, 1.0, 30, seed=1)
    assert change.steps is not None
    assert change.steps > 20
    feed(change, 8.0, 3, seed=2)
    assert change.steps is not None
    assert change.steps <= 4


def test_a_block_without_moves_stays_finite() -> None:
    change = VolatilityChange()
    for _ in range(200):
        change.add(0.0, floor=0.001)
    assert change.steps is not None
