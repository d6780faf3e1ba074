"""Books without numbers: only their checksum tells a lost update, and it is computed over the digits as written."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.mailbox import EventQueue
from engine.feed.sync import Checked, RangeContinuity, Unnumbered, Verdict
from engine.hub import Hub
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, Levels, MarketEvent, Wire, Written
from tests.engine.support import START_NS, FakeConnector, FakeStream, trade

DEPTH = 6


class Crc:
    """A checksum over the three best levels a side."""

    levels = 3

    def piece(self, price: str, size: str) -> str:
        return f"{price}:{size}"

    def value(self, bids: Sequence[str], asks: Sequence[str]) -> int:
        return crc32("|".join([*bids, "/", *asks]).encode())


class Market:
    """A venue that writes sizes with eight places, keeps six levels and numbers nothing."""

    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)
        self.bids = dict.fromkeys(range(40, 50), "1.00000000")
        self.asks = dict.fromkeys(range(51, 61), "1.00000000")
        self.at_ns = START_NS

    def top(self, depth: int = DEPTH) -> Wire:
        bids = tuple((f"{price}.0", self.bids[price]) for price in sorted(self.bids, reverse=True)[:depth])
        return bids, tuple((f"{price}.0", self.asks[price]) for price in sorted(self.asks)[:depth])

    def checksum(self) -> int:
        sides = [[Crc().piece(*level) for level in side] for side in self.top(Crc.levels)]
        return Crc().value(*sides)

    def snapshot(self) -> BookSnapshot:
        self.at_ns += 1_000_000
        wire = self.top()
        return BookSnapshot(
            "binance", "BTCUSDT", numbers(wire[0]), numbers(wire[1]), None, self.at_ns, self.at_ns, "stream",
            self.checksum(), DEPTH, wire,
        )  # fmt: skip

    def step(self) -> BookDelta:
        """One message: some levels of each side; what leaves the six best is not said."""
        self.at_ns += 1_000_000
        before = self.top()
        for side, low, high in ((self.bids, 30, 50), (self.asks, 51, 70)):
            for _ in range(self.random.randint(0, 3)):
                price = self.random.randint(low, high)
                if len(side) > DEPTH and self.random.random() < 0.4:
                    side.pop(price, None)
                else:
                    side[price] = f"{self.random.randint(1, 300) / 100:.8f}"
        changes = [self._changes(*sides) for sides in zip(before, self.top(), (self.bids, self.asks), strict=True)]
        return BookDelta(
            "binance", "BTCUSDT", numbers(changes[0]), numbers(changes[1]), None, None, self.at_ns, self.at_ns,
            "stream", None, self.checksum(), (changes[0], changes[1]),
        )  # fmt: skip

    @staticmethod
    def _changes(before: Written, after: Written, side: dict[int, str]) -> Written:
        gone = [(price, "0.00000000") for price, _ in before if float(price) not in side]
        return (*gone, *[level for level in after if level not in before])


def numbers(written: Written) -> Levels:
    return tuple((float(price), float(size)) for price, size in written)


def make_feed(depth: int = 50) -> Feed:
    return Feed("binance", "BTCUSDT", Unnumbered(Crc()), clock=ManualClock(START_NS), depth=depth)


def live(market: Market) -> Feed:
    feed = make_feed()
    feed.push(market.snapshot())
    assert feed.state is FeedState.LIVE
    return feed


def assert_is(feed: Feed, market: Market) -> None:
    snapshot = feed.snapshot()
    assert snapshot is not None
    assert snapshot.wire == market.top()
    assert (snapshot.bids, snapshot.asks) == tuple(numbers(side) for side in market.top())


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60), depth=st.sampled_from([1, 3, 50]))
def test_a_book_cut_to_the_venues_depth_agrees_with_every_checksum(seed: int, steps: int, depth: int) -> None:
    market, feed = Market(seed), make_feed(depth)
    feed.push(market.snapshot())
    for _ in range(steps):
        delta = market.step()
        assert feed.push(delta) == (delta,)
        assert_is(feed, market)
    assert (feed.quality.checksums_ok, feed.quality.checksums_bad) == (steps + 1, 0)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32), script=st.lists(st.sampled_from(["step", "step", "lose", "again", "new"]), max_size=40)
)
def test_the_checked_levels_of_a_live_book_are_true_whatever_is_lost(seed: int, script: list[str]) -> None:
    market = Market(seed)
    feed, again = live(market), make_feed()
    again.push(feed.snapshot())  # type: ignore[arg-type]
    last: BookDelta | None = None
    for action in script:
        events: list[MarketEvent] = []
        if action in ("step", "lose"):
            delta = market.step()
            if action == "step":
                last = delta
                events = [delta]
        elif action == "again" and last is not None:
            events = [last]
        elif action == "new":
            events = [market.snapshot()]
        for event in events:
            published = feed.push(event)
            assert [one for item in published for one in again.push(item)] == list(published)
            if action != "again" and feed.state is FeedState.LIVE:
                snapshot = feed.snapshot(Crc.levels)
                assert snapshot is not None
                assert snapshot.wire == market.top(Crc.levels)


def test_the_checksum_covers_the_digits_and_not_the_number() -> None:
    market = Market()
    feed = live(market)
    delta = market.step()
    while not delta.bids:
        feed.push(delta)
        delta = market.step()
    assert delta.wire is not None
    [(price, _), *rest] = market.top()[0]
    shorter = BookDelta(
        "binance", "BTCUSDT", ((float(price), 1.5),), (), None, None, None, START_NS, "stream", None,
        crc32(b""), (((price, "1.5"),), ()),
    )  # fmt: skip
    [status] = feed.push(shorter)
    assert isinstance(status, FeedStatus)
    assert status.state is FeedState.SYNCING
    assert "checksum" in status.reason
    assert (feed.quality.checksums_bad, feed.quality.resyncs, feed.needs_snapshot) == (1, 1, True)
    assert feed.snapshot() is None
    assert rest


def test_a_snapshot_with_a_wrong_checksum_is_not_shown() -> None:
    market, feed = Market(), make_feed()
    events = feed.push(replace(market.snapshot(), checksum=7))
    assert [type(event) for event in events] == [FeedStatus]
    assert (feed.state, feed.view, feed.quality.checksums_bad) == (FeedState.SYNCING, None, 1)
    feed.push(market.snapshot())
    assert feed.state is FeedState.LIVE


def test_updates_before_the_snapshot_are_of_no_use_and_not_kept() -> None:
    market, feed = Market(), make_feed()
    for _ in range(3):
        feed.push(market.step())
    assert (feed.sync.waiting, feed.quality.ignored, feed.state) == (0, 3, FeedState.SYNCING)
    feed.push(market.snapshot())
    feed.push(market.step())
    assert_is(feed, market)


def test_a_polled_book_is_shown_but_joins_no_stream() -> None:
    market, feed = Market(), make_feed()
    feed.push(market.step())
    polled = BookSnapshot("binance", "BTCUSDT", ((49.0, 1.0),), ((51.0, 1.0),), None, None, START_NS, "poll")
    feed.push(polled)
    feed.push(market.step())
    assert feed.state is FeedState.POLLING
    snapshot = feed.snapshot()
    assert snapshot is not None
    assert (snapshot.bids, snapshot.wire, snapshot.checksum, snapshot.depth) == (polled.bids, None, None, None)
    feed.push(market.snapshot())
    feed.push(market.step())
    assert feed.quality.checksums_ok == 2
    assert_is(feed, market)


def test_without_digits_nothing_is_checked_and_nothing_claimed() -> None:
    feed = make_feed()
    feed.push(BookSnapshot("binance", "BTCUSDT", ((1.0, 1.0),), ((2.0, 1.0),), None, None, START_NS, "stream", 5))
    delta = BookDelta(
        "binance", "BTCUSDT", ((1.0, 2.0),), (), None, None, None, START_NS, "stream", None, 5
    )  # fmt: skip
    assert feed.push(delta) == (delta,)
    assert (feed.quality.checksums_ok, feed.quality.checksums_bad, feed.state) == (0, 0, FeedState.LIVE)


@pytest.mark.parametrize("wire", [None, ((), ()), ((("49.0", "2.0"), ("48.0", "1.0")), ())])
def test_digits_that_do_not_belong_to_the_levels_end_the_checking_until_the_next_snapshot(wire: Wire | None) -> None:
    market = Market()
    feed = live(market)
    feed.push(BookDelta("binance", "BTCUSDT", ((49.0, 2.0),), (), None, None, None, START_NS, "stream", None, 1, wire))
    feed.push(market.step())
    assert (feed.quality.checksums_ok, feed.quality.checksums_bad) == (1, 0)
    feed.push(market.snapshot())
    feed.push(market.step())
    assert feed.quality.checksums_ok == 3


def test_a_venue_that_keeps_a_depth_without_checksums_is_cut_too() -> None:
    feed = Feed("binance", "BTCUSDT", Unnumbered(), clock=ManualClock(START_NS))
    bids = tuple((float(price), 1.0) for price in (5, 4, 3))
    feed.push(BookSnapshot("binance", "BTCUSDT", bids, (), None, None, START_NS, "stream", None, 3))
    feed.push(BookDelta("binance", "BTCUSDT", ((6.0, 1.0),), (), None, None, None, START_NS, "stream"))
    snapshot = feed.snapshot()
    assert snapshot is not None
    assert [price for price, _ in snapshot.bids] == [6.0, 5.0, 4.0]
    assert snapshot.depth == 3


def test_a_new_connection_begins_with_its_own_snapshot() -> None:
    market = Market()
    feed = live(market)
    feed.connection_lost()
    assert feed.push(market.step()) != ()
    assert feed.view is None
    feed.push(market.snapshot())
    feed.push(market.step())
    assert_is(feed, market)


def test_rules_say_whether_there_are_checksums() -> None:
    assert isinstance(Unnumbered(Crc()), Checked)
    assert not isinstance(RangeContinuity(), Checked)
    delta = Market().step()
    assert Unnumbered().joins(1, delta) is Unnumbered().follows(1, delta) is Verdict.GAP


def test_a_reader_who_comes_while_an_update_is_published_does_not_get_it_twice() -> None:
    """The feed is one event ahead of the hub just then; without numbers the event itself must be known again."""
    connector = FakeConnector(clock=ManualClock(START_NS))
    hub = Hub({"binance": connector}, clock=ManualClock(START_NS))
    try:
        key = ("binance", "BTCUSDT", "stream")
        hub.subscribe([key], EventQueue())
        market, stream = Market(), connector.streams[0]
        stream.feed = make_feed()
        upstream = hub._upstreams[key]
        upstream.feed = stream.feed
        for say in (market.snapshot, market.step, market.step):
            _assert_opens_once(hub, key, stream, say(), market)
    finally:
        hub.close()


def _assert_opens_once(
    hub: Hub, key: tuple[str, str, str], stream: FakeStream, change: BookSnapshot | BookDelta, market: Market
) -> None:
    early, late = EventQueue(), EventQueue()
    published = stream.feed.push(change)
    hub.subscribe([key], early)  # after the push, before the hub hears of it
    for event in published:
        stream.callback(event)
    hub.subscribe([key], late)
    nothing, following = trade(None), market.step()
    stream.say(nothing)
    stream.say(following)
    for queue in (early, late):
        books = [item.event for item in queue.drain() if isinstance(item.event, BookSnapshot | BookDelta)]
        assert [type(book) for book in books] == [BookSnapshot, BookDelta]
        assert books[1] is following
