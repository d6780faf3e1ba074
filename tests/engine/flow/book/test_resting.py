from __future__ import annotations

import pytest

from engine.flow.book.band import BandDepth
from engine.flow.book.resting import ADDS_LEAST, FLEETING_NS, MEMORY_S, WATCHED, Fleeting, RestingFlow
from engine.flow.section import Changes
from engine.market.book import Book
from engine.market.events import Levels

MS = 1_000_000


class Line:
    """A book that tells a RestingFlow of each update."""

    def __init__(self, bids: Levels, asks: Levels, tick: float = 1.0) -> None:
        self.book = Book()
        self.band = BandDepth(tick)
        self.flow = RestingFlow(self.band)
        self.snapshot(bids, asks)

    def snapshot(self, bids: Levels, asks: Levels) -> None:
        self.book.replace(bids, asks)
        self._tell(0, None)

    def update(self, t_ns: int, bids: Levels = (), asks: Levels = ()) -> None:
        known = dict(self.book.bids()), dict(self.book.asks())
        before = [
            [side.get(price, 0.0) for price, _ in levels] for side, levels in zip(known, (bids, asks), strict=True)
        ]
        self.book.apply(bids, asks)
        self._tell(t_ns, Changes(bids, asks, before[0], before[1]))

    def _tell(self, t_ns: int, changes: Changes | None) -> None:
        self.band.on_book(t_ns, self.book, changes)
        self.flow.on_book(t_ns, changes)

    def reset(self) -> None:
        self.band.on_reset(0, "gap")
        self.flow.on_reset()


def test_what_a_trade_took_is_not_cancelled() -> None:
    # The hand-worked case T27, at prices whose levels lie within 10 bp.
    line = Line(((10_000.0, 5.0),), ((10_001.0, 10.0),))
    line.flow.on_trade(10_001.0, 3.0, 1)
    line.update(2, asks=((10_001.0, 4.0),))
    ask = line.flow.ask.tally
    assert (ask.added, ask.cancelled, ask.traded) == (0.0, 3.0, 3.0)
    line.update(3, ((10_000.0, 9.0),), ((10_001.0, 6.0),))
    bid = line.flow.bid.tally
    assert (bid.added, bid.cancelled, bid.traded) == (4.0, 0.0, 0.0)
    assert (ask.added, ask.cancelled, ask.traded) == (2.0, 3.0, 3.0)
    assert ask.order_to_trade == 1.0
    assert bid.order_to_trade is None


def test_levels_further_than_ten_basis_points_from_the_mid_before_do_not_count() -> None:
    line = Line(((10_000.0, 5.0),), ((10_002.0, 10.0),))
    line.update(1, ((9_991.0, 1.0), (9_990.0, 7.0)))
    assert line.flow.bid.tally.added == 1.0


def test_a_snapshot_and_what_follows_a_reset_count_for_nothing() -> None:
    line = Line(((10_000.0, 5.0),), ((10_002.0, 10.0),))
    line.reset()
    line.update(1, ((10_000.0, 50.0),))
    assert line.flow.updates == 0
    line.reset()
    line.snapshot(((10_000.0, 9.0),), ((10_002.0, 1.0),))
    line.update(2, ((10_000.0, 10.0),))
    assert line.flow.bid.tally.added == 1.0


def test_trades_before_the_book_are_forgotten_with_the_snapshot() -> None:
    line = Line(((10_000.0, 5.0),), ((10_001.0, 10.0),))
    line.flow.on_trade(10_001.0, 3.0, 1)
    line.snapshot(((10_000.0, 5.0),), ((10_001.0, 10.0),))
    line.update(1, asks=((10_001.0, 4.0),))
    assert line.flow.ask.tally.cancelled == 6.0


def test_an_emptied_side_leaves_no_mid_and_nothing_to_count() -> None:
    line = Line(((10_000.0, 5.0),), ((10_001.0, 10.0),))
    line.update(1, asks=((10_001.0, 0.0),))
    assert line.flow.ask.tally.cancelled == 10.0
    line.update(2, asks=((10_001.0, 3.0),))
    assert line.flow.ask.tally.added == 0.0


def test_the_pull_rate_is_known_after_a_minute_and_in_multiples_of_the_usual_second() -> None:
    line = Line(((10_000.0, 500.0),), ((10_001.0, 10.0),))
    for second in range(MEMORY_S):
        assert line.flow.bid.pull_rate is None
        line.update(second, ((10_000.0, 499.0 - second * (2 if second == MEMORY_S - 1 else 1)),))
        line.flow.on_second()
    assert line.flow.bid.pull_rate == pytest.approx(60.0)
    assert line.flow.ask.pull_rate is None


def _warm(fleeting: Fleeting) -> None:
    for _ in range(ADDS_LEAST):
        fleeting.placed(0, 1.0, 1.0)


def test_a_large_size_that_is_gone_within_two_seconds_was_fleeting() -> None:
    fleeting = Fleeting()
    _warm(fleeting)
    assert fleeting.share is None
    fleeting.placed(0, 100.0, 8.0)
    fleeting.placed(0, 101.0, 4.0)
    fleeting.removed(FLEETING_NS, 100.0, 6.0)
    fleeting.removed(FLEETING_NS + 1, 101.0, 4.0)
    assert fleeting.share == 0.5
    fleeting.removed(FLEETING_NS, 100.0, 6.0)
    assert fleeting.gone == 8.0


def test_small_sizes_and_those_never_placed_are_not() -> None:
    fleeting = Fleeting()
    _warm(fleeting)
    fleeting.placed(0, 100.0, 0.5)
    fleeting.removed(1, 100.0, 0.5)
    fleeting.removed(1, 55.0, 9.0)
    assert fleeting.share is None


def test_what_is_watched_is_bounded() -> None:
    fleeting = Fleeting()
    _warm(fleeting)
    for price in range(WATCHED + 10):
        fleeting.placed(0, float(price), 5.0)
    assert fleeting.dropped == 10
    fleeting.placed(FLEETING_NS + 1, 5.5, 5.0)
    assert fleeting.dropped == 10


def test_near_the_touch_updates_feed_it() -> None:
    line = Line(((10_000.0, 5.0),), ((10_001.0, 10.0),))
    _warm(line.flow.bid.fleeting)
    line.update(MS, ((9_996.0, 50.0), (9_994.0, 50.0)))
    line.update(2 * MS, ((9_996.0, 0.0), (9_994.0, 0.0)))
    assert (line.flow.bid.fleeting.added, line.flow.bid.fleeting.gone) == (50.0, 50.0)
