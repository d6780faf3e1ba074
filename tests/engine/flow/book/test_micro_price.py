from __future__ import annotations

from random import Random

import numpy as np
import pytest

from engine.flow.book.micro_price import MOVES_NEEDED, MicroPrice, solve
from engine.flow.book.queue_states import BUCKETS, QueueStates
from engine.flow.book.top import TopOfBook
from engine.flow.readings import Quality
from tests.engine.flow.books import at, quote


def test_the_hand_worked_adjustment() -> None:
    # The hand-worked case T20.
    still, moving = np.array([[0.4, 0.2], [0.2, 0.4]]), np.array([[0.1, 0.3], [0.3, 0.1]])
    found = solve(still, moving, np.array([-0.1, 0.1]), [1, 0])
    assert found is not None
    assert found.first == pytest.approx([-0.125, 0.125])
    assert found.final == pytest.approx([-0.1, 0.1])


def test_a_sum_that_does_not_converge_gives_nothing() -> None:
    still, moving = np.zeros((2, 2)), np.eye(2)
    assert solve(still, moving, np.array([-1.0, 1.0]), [1, 0]) is None


def wander(top: TopOfBook, *sections: MicroPrice, steps: int = 6000) -> float:
    """A market whose mid goes where the longer queue pushes it; the time after it."""
    random = Random(23)
    bid, seconds = 1000, 0.0
    for _ in range(steps):
        share = random.random()
        seconds += 0.01
        quote(top, seconds, bid, share, bid + 1, 1 - share)
        if random.random() < 0.3:
            bid += 1 if random.random() < share else -1
    for section in (top, *sections):
        for second in range(31):
            section.on_timer(at(seconds + second))
    return seconds


def test_the_longer_queue_draws_the_price_and_both_sides_mirror_each_other() -> None:
    top = TopOfBook(1.0)
    micro = MicroPrice(top)
    assert micro.reading(at(0)).value is None
    seconds = wander(top, micro)
    found = micro.adjustments
    assert found is not None
    narrow = found.final[:BUCKETS]
    assert narrow[:5] == pytest.approx([-value for value in reversed(narrow[5:])])
    # One step goes by 0.3 (2 share - 1) ticks in the mean, and the next one knows nothing of it.
    assert narrow == pytest.approx([0.3 * ((2 * place + 1) / BUCKETS - 1) for place in range(BUCKETS)], abs=0.05)
    quote(top, seconds + 1, 1000, 95, 1001, 5)
    reading = micro.reading(at(seconds + 1))
    assert reading.value == pytest.approx(1000.5 + narrow[9])
    assert reading.quality is Quality.EXACT


def test_until_enough_is_known_and_where_the_spread_is_wide_the_weighted_mid_stands_in_marked() -> None:
    top = TopOfBook(1.0)
    micro = MicroPrice(top)
    seconds = wander(top, micro, steps=MOVES_NEEDED)
    assert micro.adjustments is None
    quote(top, seconds + 1, 1000, 3, 1001, 1)
    reading = micro.reading(at(seconds + 1))
    assert (reading.value, reading.quality) == (1000.75, Quality.ESTIMATED)
    seconds = wander(top, micro)
    quote(top, seconds + 1, 1000, 3, 1005, 1)
    assert micro.adjustment() is None


def test_transitions_through_a_wide_spread_or_a_break_are_not_counted() -> None:
    top = TopOfBook(1.0, half_life_s=None)
    micro = MicroPrice(top)
    for seconds, ask in ((0, 101), (1, 101), (2, 110), (3, 101)):
        quote(top, seconds, 100, 1, ask, 1)
    assert micro.transitions == 1
    top.on_reset(at(4), "a gap")
    quote(top, 5, 100, 1, 101, 1)
    assert micro.transitions == 1
    quote(top, 6, 101, 1, 102, 1)
    assert micro.transitions == 2


def test_older_transitions_weigh_half_after_the_half_life() -> None:
    states = QueueStates(half_life_s=10)
    states.still[0][1] += states.weight
    for _ in range(10):
        states.on_second()
    states.still[0][1] += states.weight
    assert states.counts()[0].sum() == pytest.approx(1.5)
    for _ in range(1000):
        states.on_second()
    assert states.weight < 1e9
    assert states.counts()[0].sum() == pytest.approx(1.5 * 0.5**100, rel=1e-6)


def test_a_queue_that_is_all_bid_counts_in_the_last_bucket() -> None:
    top = TopOfBook(1.0, half_life_s=None)
    for seconds in (0, 1):
        quote(top, seconds, 100, 1, 101, 0)
    assert top.states.counts()[0][BUCKETS - 1, BUCKETS - 1] == 1.0
