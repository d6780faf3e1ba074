from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread, active_count

import pytest

from engine.clock import ManualClock
from engine.errors import Blocked, ConfigError, FeedError, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.mailbox import EventQueue, FeedKey, Mailbox
from engine.hub import Hub
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent
from tests.engine.support import DEADLINE_S, START_NS, FakeConnector, FakeStream, delta, snapshot, trade

KEY = ("binance", "BTCUSDT", "stream")
ETH = ("binance", "ETHUSDT", "stream")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
def connector(clock: ManualClock) -> FakeConnector:
    return FakeConnector(clock=clock)


@pytest.fixture
def hub(connector: FakeConnector, clock: ManualClock) -> Iterator[Hub]:
    hub = Hub({"binance": connector}, clock=clock)
    yield hub
    hub.close()


def events(queue: EventQueue) -> list[MarketEvent]:
    return [item.event for item in queue.drain()]


def assert_contiguous(line: list[MarketEvent]) -> int:
    """A status, a snapshot, then deltas that follow each other by one; returns the last number."""
    assert isinstance(line[0], FeedStatus)
    last: int | None = None
    for event in line:
        if isinstance(event, BookSnapshot):
            assert last is None or event.sequence == last + 1, "a second book without a gap"
            last = event.sequence
        elif isinstance(event, BookDelta):
            assert last is not None
            assert event.first_sequence == last + 1
            last = event.last_sequence
        elif isinstance(event, FeedStatus) and not event.state.has_data:
            last = None
    assert last is not None
    return last


def test_two_readers_share_one_upstream(hub: Hub, connector: FakeConnector) -> None:
    first, second = EventQueue(), EventQueue()
    hub.subscribe([KEY], first)
    hub.subscribe([KEY], second)
    assert len(connector.streams) == 1
    assert hub.running() == {KEY: 2}
    connector.streams[0].say(snapshot(100))
    assert events(first) == events(second)


def test_a_reader_may_ask_for_the_same_feed_twice_and_reads_it_once(hub: Hub, connector: FakeConnector) -> None:
    queue = EventQueue()
    hub.subscribe([KEY, KEY], queue)
    connector.streams[0].say(trade(1))
    assert events(queue) == [trade(1)]


def test_a_late_reader_begins_with_the_status_and_the_book_and_misses_nothing(
    hub: Hub, connector: FakeConnector
) -> None:
    hub.subscribe([KEY], EventQueue())
    stream = connector.streams[0]
    for event in (snapshot(100), delta(101), delta(102)):
        stream.say(event)
    late = EventQueue()
    hub.subscribe([KEY], late)
    stream.say(delta(103))
    line = events(late)
    assert [type(event) for event in line] == [FeedStatus, BookSnapshot, BookDelta]
    assert assert_contiguous(line) == 103


def test_a_late_reader_of_a_feed_without_a_book_hears_its_status(hub: Hub, connector: FakeConnector) -> None:
    hub.subscribe([KEY], EventQueue())
    connector.streams[0].say(delta(100))
    late = EventQueue()
    hub.subscribe([KEY], late)
    [heard] = events(late)
    assert isinstance(heard, FeedStatus)
    assert heard.state is FeedState.SYNCING


@pytest.mark.parametrize("pushed", [1, 2, 3, 4])
def test_a_reader_that_comes_between_the_book_and_its_publication_reads_it_once(
    hub: Hub, connector: FakeConnector, pushed: int
) -> None:
    hub.subscribe([KEY], EventQueue())
    stream = connector.streams[0]
    for kept in (delta(100), delta(101), delta(102)):
        stream.say(kept)
    published = stream.feed.push(snapshot(99))
    assert len(published) == 5
    for event in published[:pushed]:
        stream.callback(event)
    late = EventQueue()
    hub.subscribe([KEY], late)
    for event in published[pushed:]:
        stream.callback(event)
    stream.say(delta(103))
    line = events(late)
    assert assert_contiguous(line) == 103
    assert [type(event) for event in line if not isinstance(event, FeedStatus)] == [BookSnapshot, BookDelta]


def test_a_reader_follows_a_venue_that_begins_to_count_anew(hub: Hub, connector: FakeConnector) -> None:
    hub.subscribe([KEY], EventQueue())
    stream = connector.streams[0]
    stream.say(snapshot(1000))
    late = EventQueue()
    hub.subscribe([KEY], late)
    stream.feed.connection_lost()
    for event in stream.feed.set_state(FeedState.RECONNECTING, "restart"):
        stream.callback(event)
    for event in (snapshot(5), delta(6), delta(7)):
        stream.say(event)
    assert [event.sequence for event in events(late) if isinstance(event, BookSnapshot)] == [1000, 5]


def test_readers_that_come_while_the_line_runs_all_read_it_without_a_hole(hub: Hub, connector: FakeConnector) -> None:
    hub.subscribe([KEY], EventQueue())
    stream = connector.streams[0]
    stop, half_way = Event(), Event()

    def publish() -> None:
        number = 100
        while not stop.is_set():
            if number % 97 == 0:  # a gap and its repair, with updates kept for the snapshot
                number += 5
                stream.say(delta(number + 1))
                stream.say(delta(number + 2))
                stream.say(snapshot(number))
                number += 2
            number += 1
            stream.say(delta(number))
            if number > 400:
                half_way.set()

    stream.say(snapshot(100))
    publisher = Thread(target=publish, daemon=True)
    publisher.start()
    queues = []
    for _ in range(60):
        queue = EventQueue(capacity=1_000_000)
        hub.subscribe([KEY], queue)
        queues.append(queue)
    assert half_way.wait(DEADLINE_S)
    stop.set()
    publisher.join(DEADLINE_S)
    ends = {assert_contiguous(events(queue)) for queue in queues}
    assert len(ends) == 1


def test_a_slow_reader_drops_all_counts_it_and_reopens_with_a_snapshot(hub: Hub, connector: FakeConnector) -> None:
    slow, fast = EventQueue(capacity=10), EventQueue()
    hub.subscribe([KEY], slow)
    hub.subscribe([KEY], fast)
    stream = connector.streams[0]
    stream.say(snapshot(100))
    for number in range(101, 121):
        stream.say(delta(number))
    line = events(slow)
    assert slow.dropped > 0
    assert [type(event) for event in line[:2]] == [FeedStatus, BookSnapshot]
    assert assert_contiguous(line) == 120
    assert assert_contiguous(events(fast)) == 120
    stream.say(delta(121))
    assert events(slow) == [delta(121)]


def test_a_slow_reader_of_a_feed_without_a_book_hears_its_status_and_what_comes_after_the_drop(
    hub: Hub, connector: FakeConnector
) -> None:
    slow = EventQueue(capacity=5)
    hub.subscribe([KEY], slow)
    stream = connector.streams[0]
    stream.say(delta(100))
    for number in range(1, 21):
        stream.say(trade(number))
    assert slow.dropped > 10
    line = events(slow)
    assert isinstance(line[0], FeedStatus)
    stream.say(trade(21))
    assert events(slow) == [trade(21)]
    stream.say(snapshot(99))
    line = events(slow)
    assert assert_contiguous(line) == 100


def test_the_last_reader_leaves_the_feed_running_for_ten_seconds(
    hub: Hub, connector: FakeConnector, clock: ManualClock
) -> None:
    first, second = hub.subscribe([KEY], EventQueue()), hub.subscribe([KEY], EventQueue())
    first.close()
    clock.advance(60.0)
    hub.sweep()
    assert hub.running() == {KEY: 1}
    second.close()
    clock.advance(9.999)
    hub.sweep()
    assert hub.running() == {KEY: 0}
    assert not connector.streams[0].stopped.is_set()
    clock.advance(0.001)
    hub.sweep()
    assert connector.streams[0].stopped.is_set()
    assert hub.running() == {}
    assert hub.feed(KEY) is None


def test_the_keeper_stops_what_nobody_reads_without_being_called(
    hub: Hub, connector: FakeConnector, clock: ManualClock
) -> None:
    hub.subscribe([KEY], EventQueue()).close()
    clock.advance(10.0)
    assert connector.streams[0].stopped.wait(DEADLINE_S)


def test_who_returns_in_time_finds_the_feed_running(hub: Hub, connector: FakeConnector, clock: ManualClock) -> None:
    hub.subscribe([KEY], EventQueue()).close()
    clock.advance(9.0)
    queue = EventQueue()
    hub.subscribe([KEY], queue)
    clock.advance(60.0)
    hub.sweep()
    assert len(connector.streams) == 1
    connector.streams[0].say(trade(1))
    assert events(queue) == [trade(1)]


def test_who_returns_too_late_starts_anew(hub: Hub, connector: FakeConnector, clock: ManualClock) -> None:
    hub.subscribe([KEY], EventQueue()).close()
    clock.advance(10.0)
    hub.sweep()
    hub.subscribe([KEY], EventQueue())
    assert len(connector.streams) == 2


def test_watching_other_feeds_does_not_interrupt_those_that_stay(hub: Hub, connector: FakeConnector) -> None:
    queue = EventQueue()
    subscription = hub.subscribe([KEY], queue)
    connector.streams[0].say(snapshot(100))
    events(queue)
    subscription.watch([ETH, KEY])
    assert hub.running() == {KEY: 1, ETH: 1}
    connector.streams[0].say(delta(101))
    assert events(queue) == [delta(101)]
    subscription.watch([ETH])
    connector.streams[0].say(delta(102))
    assert events(queue) == []
    assert hub.running() == {KEY: 0, ETH: 1}
    subscription.close()
    assert hub.running() == {KEY: 0, ETH: 0}


def test_an_unknown_connector_is_a_mistake_that_names_the_known_ones(hub: Hub) -> None:
    with pytest.raises(ConfigError, match="nope") as caught:
        hub.subscribe([("nope", "BTCUSDT", "stream")], EventQueue())
    assert "binance" in caught.value.hint


def test_a_mistake_in_one_feed_starts_none_of_them(hub: Hub, connector: FakeConnector) -> None:
    with pytest.raises(ConfigError):
        hub.subscribe([KEY, ("nope", "BTCUSDT", "stream")], EventQueue())
    assert hub.running() == {}
    assert connector.streams == []


@pytest.mark.parametrize("mode", ["poll:", "poll:soon", "poll:-1", "poll:0", "poll:nan", "poll:inf", "push", ""])
def test_a_mode_that_does_not_exist_is_a_mistake_and_starts_nothing(hub: Hub, mode: str) -> None:
    with pytest.raises(ConfigError, match="mode"):
        hub.subscribe([("binance", "BTCUSDT", mode)], EventQueue())
    assert hub.running() == {}


def test_polling_is_started_with_its_interval(hub: Hub, connector: FakeConnector) -> None:
    hub.subscribe([("binance", "BTCUSDT", "poll:2.5")], EventQueue())
    assert connector.polls == [("BTCUSDT", 2.5)]


def test_a_venue_without_a_stream_is_polled_and_says_why(hub: Hub, connector: FakeConnector) -> None:
    connector.refusal = StreamUnsupported("this venue has no stream")
    hub.subscribe([KEY], EventQueue())
    assert connector.polls == [("BTCUSDT", 1.0)]
    assert hub.notice(KEY) == "this venue has no stream"
    assert hub.notice(ETH) == ""


@pytest.mark.parametrize(
    "refusal", [Blocked("not here", hint="move"), FeedError("away", hint="move"), ConfigError("no key", hint="move")]
)
def test_a_feed_that_cannot_start_says_so_in_its_line(hub: Hub, connector: FakeConnector, refusal: Exception) -> None:
    connector.refusal = refusal
    queue = EventQueue()
    hub.subscribe([KEY], queue)
    [heard] = events(queue)
    assert isinstance(heard, FeedStatus)
    assert (heard.state, heard.reason, heard.hint) == (FeedState.FAILED, str(refusal), "move")
    late = EventQueue()
    hub.subscribe([KEY], late)
    assert events(late) == [heard]


def test_a_connector_with_a_fault_of_its_own_ends_its_own_feed_only(hub: Hub, connector: FakeConnector) -> None:
    connector.refusal = ZeroDivisionError("by nothing")
    queue = EventQueue()
    subscription = hub.subscribe([("binance", "BTCUSDT", "stream")], queue)
    [heard] = events(queue)
    assert isinstance(heard, FeedStatus)
    assert (heard.state, heard.reason) == (FeedState.FAILED, "ZeroDivisionError: by nothing")
    assert "binance" in heard.hint
    subscription.close()


def test_a_connector_that_cannot_be_closed_keeps_no_other_from_closing(clock: ManualClock) -> None:
    broken, sound = FakeConnector("broken", clock), FakeConnector("sound", clock)
    broken.close = lambda: 1 / 0  # type: ignore[assignment,method-assign]
    Hub({"broken": broken, "sound": sound}, clock=clock).close()
    assert sound.closed.is_set()


def test_what_a_connector_says_before_its_start_has_returned_is_not_lost(hub: Hub, connector: FakeConnector) -> None:
    speakers: list[Thread] = []

    def speak(stream: FakeStream) -> None:
        speaker = Thread(target=stream.say, args=(trade(1),), daemon=True)
        speakers.append(speaker)
        speaker.start()

    connector.on_start = speak
    queue = EventQueue()
    hub.subscribe([KEY], queue)
    speakers[0].join(DEADLINE_S)
    assert events(queue) == [trade(1)]


def test_closing_stops_every_feed_connector_and_thread_in_time(connector: FakeConnector, clock: ManualClock) -> None:
    before = active_count()
    hub = Hub({"binance": connector}, clock=clock)
    hub.subscribe([KEY, ETH], Mailbox())
    closing = Thread(target=hub.close, daemon=True)
    closing.start()
    closing.join(2.0)
    assert not closing.is_alive()
    assert all(stream.stopped.is_set() for stream in connector.streams)
    assert connector.closed.is_set()
    assert hub.running() == {}
    assert active_count() == before


def test_a_connector_can_be_added_and_replaces_none(hub: Hub, connector: FakeConnector) -> None:
    other = FakeConnector("replay")
    hub.add_connector(other)
    hub.add_connector(FakeConnector("binance"))
    assert hub.connectors["replay"] is other
    assert hub.connectors["binance"] is connector


class Failing:
    """A receiver with a fault."""

    lost: frozenset[FeedKey] = frozenset()

    def __init__(self) -> None:
        self.calls = 0

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        self.calls += 1
        raise ValueError("a fault in a receiver")

    def reopen(self, key: FeedKey) -> None:
        raise AssertionError("never asked for")

    def close(self) -> None:
        pass


def test_a_receiver_with_a_fault_is_let_go_and_the_others_read_on(
    hub: Hub, connector: FakeConnector, caplog: pytest.LogCaptureFixture
) -> None:
    before, failing, after = EventQueue(), Failing(), EventQueue()
    readers: list[Callable[[], object]] = [
        lambda: hub.subscribe([KEY], before), lambda: hub.subscribe([KEY], failing), lambda: hub.subscribe([KEY], after)
    ]  # fmt: skip
    for subscribe in readers:
        subscribe()
    connector.streams[0].say(trade(1))
    connector.streams[0].say(trade(2))
    assert events(before) == events(after) == [trade(1), trade(2)]
    assert failing.calls == 1
    assert "a fault in a receiver" in caplog.text


def test_a_lingering_feed_that_does_not_work_is_started_anew() -> None:
    connector = FakeConnector()
    hub = Hub({"binance": connector}, clock=ManualClock(START_NS))
    try:
        first = hub.subscribe([("binance", "BTCUSDT", "stream")], Mailbox())
        connector.streams[0].feed.set_state(FeedState.POLLING, "no stream")
        first.close()
        again = hub.subscribe([("binance", "BTCUSDT", "stream")], Mailbox())
        assert len(connector.streams) == 2
        assert connector.streams[0].stopped.is_set()
        again.close()
    finally:
        hub.close()


class StubbornConnector(FakeConnector):
    """One that can be asked to try again."""

    asked = 0

    def start_again(self) -> None:
        self.asked += 1


def test_who_joins_a_feed_that_has_given_up_makes_the_venue_try_again_and_interrupts_nobody() -> None:
    connector = StubbornConnector()
    hub = Hub({"binance": connector}, clock=ManualClock(START_NS))
    try:
        first = hub.subscribe([KEY], Mailbox())
        hub.subscribe([KEY], Mailbox()).close()
        assert connector.asked == 0, "a feed that works is left alone"
        connector.streams[0].feed.set_state(FeedState.BLOCKED, "blocked in this region")
        second = hub.subscribe([KEY], Mailbox())
        assert connector.asked == 1
        assert len(connector.streams) == 1
        assert not connector.streams[0].stopped.is_set()
        first.close()
        second.close()
    finally:
        hub.close()
