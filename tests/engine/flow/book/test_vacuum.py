from __future__ import annotations

from math import isnan
from random import Random

import pytest

from engine.flow.book.band import BandDepth
from engine.flow.book.vacuum import Vacuum
from engine.flow.statistics.time_median import TimeMedian
from tests.engine.flow.books import BookTeller, at


def median_by_hand(steps: list[tuple[int, float]], now: int, width: int) -> float | None:
    values = sorted(
        value
        for moment in range(max(now - width, 0), now)
        for value in [next((said for at_, said in reversed(steps) if at_ <= moment), float("nan"))]
        if not isnan(value)
    )
    return values[(len(values) + 1) // 2 - 1] if values else None


def test_the_median_by_time_is_exact_and_its_ceiling_holds() -> None:
    random = Random(31)
    median = TimeMedian(60)
    steps: list[tuple[int, float]] = []
    now, bounded = 0, 0
    for _ in range(500):
        value = random.choice((1.0, 2.0, 5.0, 7.5, float("nan")))
        steps.append((now, value))
        median.hold(now, value)
        now += random.randrange(1, 9)
        truth = median_by_hand(steps, now, 60)
        ceiling = median.ceiling(now)
        if ceiling is not None and truth is not None:
            bounded += 1
            assert ceiling >= truth
        if random.random() < 0.2:
            assert median.median(now)[0] == truth
    assert bounded > 100


def test_memory_of_the_median_stays_bounded() -> None:
    median = TimeMedian(100)
    for step in range(50_000):
        median.hold(step, float(step % 7))
    assert len(median._starts) < 10_000
    assert median.median(50_000) == (3.0, 100)


class Market:
    """Bids of the size that is wanted, at one price."""

    def __init__(self) -> None:
        self.band = BandDepth(0.1, reach_bps=20)
        self.vacuum = Vacuum(self.band, window_s=60, warm_s=30)
        self.teller = BookTeller(self.band, self.vacuum)
        self.teller.snapshot(0, [(100.0, 10.0)], [(100.1, 10.0)])
        self.second = 0

    def say(self, seconds: float, bid: float) -> None:
        while self.second < seconds:
            self.vacuum.on_timer(at(self.second))
            self.second += 1
        self.teller.update(seconds, [(100.0, bid)])


def test_a_vacuum_begins_after_200_ms_below_a_quarter_and_ends_above_half() -> None:
    market = Market()
    for tenth in range(400):
        market.say(tenth / 10, 10.0)
    market.say(40.0, 2.4)
    market.say(40.1, 2.4)
    assert not market.vacuum.events
    market.say(40.2, 2.0)
    market.say(40.3, 4.0)
    market.say(40.4, 5.1)
    begun, ended = market.vacuum.events
    assert (begun.t_ns, begun.side, begun.on, ended.t_ns, ended.side, ended.on) == (
        at(40.2),
        1,
        True,
        at(40.4),
        1,
        False,
    )
    assert [begun.ratio, ended.ratio] == pytest.approx([0.2, 0.51])


def test_a_short_dip_is_none() -> None:
    market = Market()
    for tenth in range(400):
        market.say(tenth / 10, 10.0)
    for seconds, size in ((40.0, 2.0), (40.15, 2.6), (40.25, 2.0), (40.4, 2.0), (40.41, 9.0)):
        market.say(seconds, size)
    assert not market.vacuum.events


def test_nothing_is_said_before_thirty_seconds() -> None:
    market = Market()
    for tenth in range(250):
        market.say(tenth / 10, 10.0)
    for tenth in range(250, 290):
        market.say(tenth / 10, 1.0)
    assert not market.vacuum.events
    assert market.vacuum.readings(at(29))["vacuum_bid"].value is None
    for tenth in range(290, 305):
        market.say(tenth / 10, 1.0)
    assert [event.on for event in market.vacuum.events] == [True]
    severity = market.vacuum.readings(at(30.5))["vacuum_bid_severity"].value
    assert severity == pytest.approx(0.9)
    assert market.vacuum.readings(at(30.5))["vacuum_ask"].value == 0.0


def test_a_new_book_is_given_200_ms_to_fill() -> None:
    market = Market()
    for tenth in range(400):
        market.say(tenth / 10, 10.0)
    market.band.on_reset(at(40), "a gap")
    market.vacuum.on_reset(at(40), "a gap")
    market.teller.snapshot(41, [(100.0, 1.0)], [(100.1, 10.0)])
    market.say(41.1, 1.0)
    market.say(41.2, 1.0)
    market.say(41.35, 1.0)
    assert not market.vacuum.events
    market.say(41.45, 1.0)
    assert [event.t_ns for event in market.vacuum.events] == [at(41.45)]
