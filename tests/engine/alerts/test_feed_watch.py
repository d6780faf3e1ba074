"""Troubles of a feed are told once each, and its return with how long it took."""

from __future__ import annotations

from engine.alerts.feed_watch import FeedWatch
from engine.feed.feed import Feed
from engine.market.events import FeedState
from tests.engine.alerts.support import KEY, FakeFeeds, texts
from tests.engine.support import START_NS, snapshot


class World:
    def __init__(self) -> None:
        self.feeds = FakeFeeds()
        self.feed: Feed = self.feeds.live()
        self.watch = FeedWatch(KEY)

    def look(self, after_s: float = 0.25, *, on_purpose: bool = False) -> list[str]:
        self.feeds.clock.advance(after_s)
        return texts(self.watch.look(self.feed, self.feeds.clock.now_ns(), on_purpose=on_purpose))

    def state(self, state: FeedState, reason: str = "") -> None:
        self.feed.set_state(state, reason)

    def live(self, number: int) -> None:
        self.feed.push(snapshot(number, at_ns=self.feeds.clock.now_ns()))


def test_a_feed_that_begins_is_no_news() -> None:
    world = World()
    assert world.look() == []


def test_silence_is_told_once_and_the_return_with_its_length() -> None:
    world = World()
    world.look()
    assert world.look(5.0) == ["stale: no update for 5 s"]
    assert world.look() == []
    world.feeds.clock.advance(6.5)
    world.feeds.update(101)
    assert world.look(0.25) == ["recovered: live again after 12 s"]
    assert world.look() == []


def test_a_gap_between_two_looks_shows_although_it_is_mended() -> None:
    world = World()
    world.look()
    world.feeds.update(110)
    assert world.feed.quality.gaps == 1
    world.live(120)
    assert world.look() == ["gap: 1 gap in the book's updates"]
    assert world.look() == []


def test_polling_instead_of_streaming_is_told_with_its_reason_and_the_way_back() -> None:
    world = World()
    world.look()
    world.state(FeedState.RECONNECTING, "the connection broke")
    assert world.look() == []
    world.state(FeedState.POLLING, "the stream cannot be had")
    assert world.look() == ["fallback: polling instead of streaming: the stream cannot be had"]
    assert world.look() == []
    world.live(200)
    assert world.look() == ["recovered: live again after less than a second"]


def test_polling_that_was_wished_is_no_trouble() -> None:
    world = World()
    world.state(FeedState.POLLING)
    assert world.look(on_purpose=True) == []
    assert world.look(on_purpose=True) == []


def test_a_refusal_is_told_once() -> None:
    world = World()
    world.look()
    world.state(FeedState.BLOCKED, "not from here")
    assert world.look() == ["failed: refused: not from here"]
    assert world.look() == []


def test_a_feed_that_never_was_live_does_not_come_back() -> None:
    world = World()
    world.feed = world.feeds.start(("binance", "ETHUSDT", "stream"))
    assert world.look(3.0) == []
    world.feed.push(snapshot(1, symbol="ETHUSDT", at_ns=world.feeds.clock.now_ns()))
    assert world.look() == []


def test_another_feed_under_the_same_key_begins_its_counts_anew() -> None:
    world = World()
    world.feeds.update(110)
    world.look()
    del world.feeds.feeds[KEY]
    world.feed = world.feeds.live()
    assert "gap" not in str(world.look())


def test_of_a_recording_only_the_gaps_are_told() -> None:
    world = World()
    feed = world.feed
    feed.push(snapshot(200, source="replay", at_ns=START_NS))
    world.state(FeedState.RECONNECTING)
    feed.push(snapshot(300, source="replay", at_ns=START_NS))
    status = feed.status
    assert status is not None
    assert status.source == "replay"
    assert world.look(60.0) == []
