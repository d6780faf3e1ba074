from __future__ import annotations

import random

import pytest

from app.live import frames
from app.live.channel import Channel
from engine.clock import ManualClock
from engine.market.events import FeedState, Level
from tests.app.live.market import HandFeed
from tests.app.live.reading import KEY, Read, Screen, read, unknown

BIDS: list[Level] = [(99.5, 1.0), (99.0, 2.5)]
ASKS: list[Level] = [(100.0, 0.5), (100.5, 4.0)]


class Desk:
    """A channel with its feed and clock."""

    def __init__(self, tick: float | None = 0.5) -> None:
        self.clock = ManualClock()
        self.hand = HandFeed(self.clock, KEY)
        self.channel = Channel(KEY, 7, tick)

    def step(self, seconds: float = 0.05) -> Read | None:
        self.clock.advance(seconds)
        self.channel.absorb(self.hand.news())
        self.channel.look(self.hand.feed)
        encoded = self.channel.next_frame(self.clock.now_ns())
        return None if encoded is None else read(encoded)[0]

    def snapshot(self) -> Read:
        return read(self.channel.snapshot(self.clock.now_ns()))[0]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_before_anything_came_everything_is_unknown(desk: Desk) -> None:
    frame = desk.snapshot()
    assert frame.kind == frames.SNAPSHOT
    assert frame.state is FeedState.CONNECTING
    assert unknown(frame.bid)
    assert unknown(frame.ask)
    assert frame.sections[frames.BIDS] == []
    assert frame.sections[frames.META]["key"] == list(KEY)


def test_a_delta_carries_only_levels_that_changed(desk: Desk) -> None:
    desk.hand.book(BIDS, ASKS)
    desk.step()
    desk.hand.book([(99.5, 1.0), (98.5, 3.0)], ASKS)
    frame = desk.step()
    assert frame is not None
    assert frame.kind == frames.DELTA
    assert sorted(frame.sections[frames.BIDS]) == [(98.5, 3.0), (99.0, 0.0)]
    assert frames.ASKS not in frame.sections


def test_deltas_after_a_snapshot_give_the_book_that_the_feed_holds(desk: Desk) -> None:
    chance = random.Random(5)
    screen = Screen()
    late = Screen()
    for step in range(200):
        middle = chance.randint(195, 205)
        bids = [((middle - i) / 2, chance.randint(1, 3) / 4) for i in range(1, 80)]
        asks = [((middle + i) / 2, chance.randint(1, 3) / 4) for i in range(1, 80)]
        desk.hand.book(bids, asks)
        if chance.random() < 0.5:
            desk.hand.trade(middle / 2, 0.1)
        frame = desk.step()
        assert frame is not None
        if step == 0:
            screen.take(desk.snapshot())
        screen.take(frame)
        if step == 120:
            late.take(desk.snapshot())
        elif step > 120:
            late.take(frame)
        view = desk.hand.feed.view
        assert view is not None
        assert screen.bids == list(view.bids)
        assert screen.asks == list(view.asks)
    assert late.bids == screen.bids
    assert late.trades == screen.trades == list(range(1, len(screen.trades) + 1))
    assert late.points == screen.points
    assert len(set(screen.points)) == len(screen.points)


def test_a_lost_book_stays_on_the_screen_but_its_quote_is_unknown(desk: Desk) -> None:
    desk.hand.book(BIDS, ASKS)
    desk.step()
    desk.hand.state(FeedState.RECONNECTING, "connection reset")
    frame = desk.step()
    assert frame is not None
    assert frame.state is FeedState.RECONNECTING
    assert unknown(frame.bid)
    assert frames.BIDS not in frame.sections
    assert frame.sections[frames.META]["reason"] == "connection reset"
    assert desk.snapshot().sections[frames.BIDS] == BIDS


def test_a_quiet_feed_sends_two_small_heartbeats_a_second_at_most(desk: Desk) -> None:
    desk.hand.book(BIDS, ASKS)
    desk.step()
    sent = [frame for frame in [desk.step() for _ in range(200)] if frame is not None]
    assert len(sent) <= 30
    beats = [frame for frame in sent if frame.kind == frames.HEARTBEAT]
    assert beats
    assert all(not frame.sections for frame in beats)


def test_depth_is_sent_five_times_a_second_and_quality_once(desk: Desk) -> None:
    depth = quality = 0
    for step in range(100):
        desk.hand.book([(99.5, 1.0 + step)], ASKS)
        frame = desk.step()
        assert frame is not None
        depth += frames.DEPTH in frame.sections
        quality += frames.QUALITY in frame.sections
    assert 20 <= depth <= 26
    assert 4 <= quality <= 6


def test_a_time_without_data_becomes_a_gap_that_closes(desk: Desk) -> None:
    desk.hand.book(BIDS, ASKS)
    desk.step()
    desk.hand.state(FeedState.RECONNECTING, "connection reset")
    frame = desk.step()
    assert frame is not None
    [(start, end)] = frame.sections[frames.GAPS]
    assert unknown(end)
    desk.clock.advance(3.0)
    desk.hand.book(BIDS, ASKS)
    frame = desk.step()
    assert frame is not None
    [(start_after, end)] = frame.sections[frames.GAPS]
    assert start_after == start
    assert 3000.0 <= end - start <= 3100.0


def test_decimals_come_from_the_tick_or_else_from_the_prices_seen() -> None:
    told, learning = Desk(tick=0.001), Desk(tick=None)
    for desk in (told, learning):
        desk.hand.book([(99.25, 1.125)], [(99.5, 2.0)])
        desk.step()
    assert told.snapshot().price_decimals == 3
    assert learning.snapshot().price_decimals == 2
    assert learning.snapshot().size_decimals == 3


def test_an_overlap_has_the_whole_book_and_the_last_trades_with_their_numbers(desk: Desk) -> None:
    for number in range(150):
        desk.hand.book(BIDS, [(100.0, 1.0 + number)])
        desk.hand.trade(100.0, 1.0 + number)
        desk.step()
    frame = read(desk.channel.overlap(desk.clock.now_ns()))[0]
    assert frame.kind == frames.OVERLAP
    assert frame.sections[frames.BIDS] == BIDS
    assert [row[0] for row in frame.sections[frames.TRADES]] == list(range(51, 151))
    assert len(frame.sections[frames.POINTS]) == 60


def test_time_that_runs_back_leaves_a_number_out_so_that_pages_ask_for_the_whole(desk: Desk) -> None:
    desk.hand.book(BIDS, ASKS)
    first = desk.step()
    desk.hand.trade(100.0, 1.0)
    desk.clock.advance(60.0)
    desk.hand.book(BIDS, ASKS[:1])
    desk.step()
    desk.clock.advance(-50.0)
    desk.hand.book(BIDS, ASKS)
    frame = desk.step()
    assert first is not None
    assert frame is not None
    assert frame.seq == first.seq + 3
    points = desk.snapshot().sections[frames.POINTS]
    assert len(points) == 1
