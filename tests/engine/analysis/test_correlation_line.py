"""Feeds that move together are found to, at the horizon asked for, and a leader leads."""

from __future__ import annotations

from random import Random

import pytest

from engine.analysis.correlation_line import TICKS_KEPT, CorrelationLine
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.feed.sync import WholeBooks
from engine.market.events import BookSnapshot, Quote

ONE, OTHER = ("mock", "ONE", "stream"), ("mock", "OTHER", "stream")
SECOND = 1_000_000_000
LEAD_NS = 200_000_000


class Pair:
    """Two feeds; the second follows the first 200 ms later, or goes its own way."""

    def __init__(self, together: bool) -> None:
        self.clock = ManualClock()
        self.feeds = {key: Feed(key[0], key[1], WholeBooks(), clock=self.clock) for key in (ONE, OTHER)}
        self.line = CorrelationLine((ONE, OTHER))
        for key in (ONE, OTHER):
            now = self.clock.now_ns()
            self.feeds[key].push(BookSnapshot(*key[:2], ((99.0, 1.0),), ((101.0, 1.0),), None, now, now, "mock"))
        self._random, self._together = Random(5), together
        self._mids = {ONE: 100.0, OTHER: 100.0}

    def quote(self, key: FeedKey, move: float) -> None:
        self._mids[key] += move
        mid, now = self._mids[key], self.clock.now_ns()
        event = Quote(*key[:2], mid - 0.5, 1.0, mid + 0.5, 1.0, None, now, now, "mock")
        for published in self.feeds[key].push(event) or (event,):
            self.line.put(key, published, self.feeds[key])

    def play(self, seconds: int) -> None:
        for _ in range(seconds):
            move, own = self._random.choice((-0.1, 0.1)), self._random.choice((-0.1, 0.1))
            self.clock.advance(0.3)
            self.quote(ONE, move)
            self.clock.advance(LEAD_NS / 1e9)
            self.quote(OTHER, move if self._together else own)
            self.clock.advance(0.5)
            self.line.look(self.clock.now_ns(), self.feeds)


def test_feeds_that_move_together_correlate_and_the_first_is_seen_to_lead() -> None:
    pair = Pair(together=True)
    pair.play(60)
    cell = pair.line.cell(1, ONE, OTHER)
    assert cell.value == pytest.approx(1.0, abs=0.05)
    assert cell.certain
    study = pair.line.study(ONE, OTHER, pair.clock.now_ns())
    assert study is not None
    assert max(study.lags, key=lambda lag: study.lags[lag] or -2.0) == 200
    assert study.epps[1.0][0] > 50


def test_feeds_that_go_their_own_ways_are_not_called_correlated() -> None:
    pair = Pair(together=False)
    pair.play(120)
    cell = pair.line.cell(1, ONE, OTHER)
    assert cell.value is not None
    assert abs(cell.value) < 0.5
    assert cell.low is not None
    assert cell.high is not None
    assert cell.low < cell.value < cell.high


def test_too_few_returns_are_no_correlation() -> None:
    pair = Pair(together=True)
    pair.play(20)
    cell = pair.line.cell(1, ONE, OTHER)
    assert cell.value is None
    assert 0 < cell.count < 30


def test_a_feed_without_fresh_data_counts_as_stale() -> None:
    pair = Pair(together=True)
    pair.play(40)
    for _ in range(40):
        pair.clock.advance(1.0)
        pair.quote(ONE, 0.1)
        pair.line.look(pair.clock.now_ns(), pair.feeds)
    cell = pair.line.cell(1, ONE, OTHER)
    assert cell.value is None
    assert cell.stale_share > 0.2


def test_memory_is_bounded_and_a_closed_line_takes_nothing() -> None:
    pair = Pair(together=True)
    for _ in range(TICKS_KEPT + 10):
        pair.quote(ONE, 0.1)
    assert len(pair.line._ticks[ONE]) == TICKS_KEPT
    pair.line.close()
    before = pair.line._ticks[ONE][-1]
    pair.quote(ONE, 5.0)
    assert pair.line._ticks[ONE][-1] == before
