"""A score becomes a signal."""

from __future__ import annotations

import pytest

from engine.flow.signals.hysteresis import NEVER_DUE, Hysteresis, ScoreHistory

SECOND = 1_000_000_000


def trace(machine: Hysteresis, *scores: tuple[float, float | None]) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for seconds, score in scores:
        said = machine.step(round(seconds * SECOND), score)
        if said:
            found.append((seconds, said))
    return found


def test_the_trace_of_hold_hysteresis_and_cooldown() -> None:
    # The hand-worked case T26.
    machine = Hysteresis(on=0.8, off=0.5, hold_s=0.5, cooldown_s=10)
    scores = [(0, 0.2), (1, 0.9), (1.3, 0.95), (1.6, 0.9), (2, 0.6), (3, 0.4), (4, 0.95), (5, 0.95), (12, 0.95)]
    assert trace(machine, *scores) == [(1.6, "on"), (3, "off"), (12, "on")]


def test_a_dip_begins_the_hold_anew() -> None:
    machine = Hysteresis(0.8, 0.5, 0.5, 10)
    assert trace(machine, (0, 0.9), (0.4, 0.7), (0.5, 0.9), (0.9, 0.9), (1.0, 0.9)) == [(1.0, "on")]


def test_an_episode_speaks_once_even_after_it_expired() -> None:
    machine = Hysteresis(0.8, 0.5, 0.0, 10, expiry_s=30)
    scores = [(0, 0.9), (29, 0.9), (30, 0.9), (50, 0.9), (51, 0.4), (52, 0.9)]
    assert trace(machine, *scores) == [(0, "on"), (30, "expired"), (52, "on")]


def test_an_invalid_book_cancels_and_begins_the_hold_anew() -> None:
    machine = Hysteresis(0.8, 0.5, 0.5, 1)
    scores: list[tuple[float, float | None]] = [(0, 0.9), (1, 0.9), (2, None), (3, 0.9), (3.2, 0.9), (3.6, 0.9)]
    assert trace(machine, *scores) == [(1, "on"), (2, "cancelled"), (3.6, "on")]


def test_it_knows_when_it_would_speak_next() -> None:
    machine = Hysteresis(0.8, 0.5, 0.5, 10, expiry_s=30)
    assert machine.next_ns == NEVER_DUE
    machine.step(0, 0.9)
    assert machine.next_ns == SECOND // 2
    machine.step(SECOND, 0.9)
    assert machine.next_ns == 31 * SECOND
    machine.step(2 * SECOND, 0.1)
    machine.step(3 * SECOND, 0.9)
    assert machine.next_ns == 11 * SECOND


def test_an_occurrence_waits_for_its_cooldown_and_lapses() -> None:
    machine = Hysteresis(0.0, 0.0, 0.0, cooldown_s=10, expiry_s=5)
    assert machine.fire(0)
    assert not machine.lapse(4 * SECOND)
    assert machine.lapse(5 * SECOND)
    assert not machine.fire(9 * SECOND)
    assert machine.fire(10 * SECOND)


def test_strength_is_the_share_of_own_scores_that_are_no_larger() -> None:
    history = ScoreHistory()
    for score in range(199):
        history.add(-score)
    assert history.percentile(10) is None
    history.add(199)
    assert history.percentile(99) == pytest.approx(0.5)
    assert history.percentile(-1000) == 1.0


def test_old_scores_leave_the_history() -> None:
    history = ScoreHistory(capacity=200)
    for score in [1000.0] * 200 + [1.0] * 200:
        history.add(score)
    assert len(history) == 200
    assert history.percentile(5.0) == 1.0
