from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from engine.clock import ManualClock
from engine.errors import ConfigError, StoreError
from engine.feed.feed import Feed
from engine.feed.mailbox import EventQueue, FeedKey
from engine.feed.sync import NoBook
from engine.hub import Hub
from engine.market.events import BookDelta, BookSnapshot, FeedState
from engine.market.signal import Signal
from engine.store.recording.options import RecordOptions
from engine.store.recording.recorder import Recorder
from tests.engine.store.recording.stubborn import StubbornStore
from tests.engine.support import DEADLINE_S, START_NS, FakeConnector, FakeStream, delta, snapshot, trade

BTC = ("binance", "BTCUSDT", "stream")
ETH = ("binance", "ETHUSDT", "stream")
QUICK = RecordOptions(flush_s=0.02, depth_every_s=0.0, capacity=50)
REFUSED = StoreError("the disk is full", hint="Free some space.")


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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StubbornStore]:
    store = StubbornStore(tmp_path / "tape.duckdb")
    yield store
    store.close()


Record = Callable[..., Recorder]


@pytest.fixture
def record(store: StubbornStore, hub: Hub, clock: ManualClock) -> Iterator[Record]:
    """Starts a recording of the two feeds; it is stopped in the end."""
    started: list[Recorder] = []

    def start(*keys: FeedKey, options: RecordOptions = QUICK) -> Recorder:
        started.append(Recorder(store, hub, keys or (BTC, ETH), options=options, clock=clock))
        started[-1].start()
        return started[-1]

    yield start
    for recorder in started:
        finish(recorder)


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + DEADLINE_S
    while not condition():
        assert monotonic() < deadline, "it did not come to be in time"
        sleep(0.005)


def finish(recorder: Recorder) -> None:
    """Stop it and wait for the disk."""
    recorder.stop()
    assert recorder.wait(DEADLINE_S)


def stored(store: StubbornStore, recorder: Recorder, key: FeedKey | None = None) -> list[object]:
    """What was recorded, of one feed or of all."""
    keys = None if key is None else {key}
    return [entry.event for entry in store.read(recorder.recording.id, keys=keys)]


def lines(connector: FakeConnector) -> tuple[FakeStream, FakeStream]:
    first, second = connector.streams
    return first, second


def test_what_the_hub_publishes_is_recorded_in_its_order(
    hub: Hub, connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    reader = EventQueue()
    hub.subscribe([BTC, ETH], reader)
    recorder = record(options=RecordOptions(flush_s=0.02))
    btc, eth = lines(connector)
    for number in range(1, 30):
        btc.say(snapshot(1) if number == 1 else delta(number, bids=((99.0, float(number)),)))
        eth.say(trade(number, symbol="ETHUSDT"))
        btc.say(trade(number))
    finish(recorder)
    assert [(one.key, one.event) for one in store.read(recorder.recording.id)] == [
        (update.key, update.event) for update in reader.drain()
    ]
    assert recorder.recording.ending == "stopped"
    assert recorder.progress().error == ""


def test_a_recording_that_begins_late_opens_with_the_status_and_the_whole_book(
    hub: Hub, connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    hub.subscribe([BTC], EventQueue())
    [line] = connector.streams
    line.say(snapshot(1))
    line.say(delta(2, bids=((99.5, 7.0),)))
    recorder = record(BTC)
    line.say(delta(3))
    finish(recorder)
    status, book, last = stored(store, recorder)
    assert getattr(status, "state", None) is FeedState.LIVE
    assert isinstance(book, BookSnapshot)
    assert (book.sequence, (99.5, 7.0) in book.bids) == (2, True)
    assert last == delta(3)


def test_a_disk_that_is_full_for_a_while_costs_nothing_and_is_told(
    connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    recorder = record()
    btc, _ = lines(connector)
    btc.say(snapshot(1))
    until(lambda: recorder.progress().events > 0)
    store.refusal = REFUSED
    btc.say(delta(2))
    until(lambda: recorder.progress().error == "the disk is full")
    assert recorder.progress().hint == "Free some space."
    assert recorder.progress().waiting > 0
    store.wait_for_tries()
    store.refusal = None
    btc.say(delta(3))
    until(lambda: not recorder.progress().error)
    finish(recorder)
    found = [event for event in stored(store, recorder, BTC) if isinstance(event, BookDelta)]
    assert found == [delta(2), delta(3)]
    assert store.gaps(recorder.recording.id) == []
    assert recorder.progress().dropped == 0


def test_a_disk_that_stays_full_leaves_a_gap_with_its_reason_while_the_feed_goes_on(
    hub: Hub, connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    reader = EventQueue()
    hub.subscribe([BTC], reader)
    recorder = record()
    btc, eth = lines(connector)
    btc.say(snapshot(1))
    eth.say(snapshot(1, symbol="ETHUSDT"))
    until(lambda: recorder.progress().events >= 4)
    store.refusal = REFUSED
    btc.say(delta(2))
    until(lambda: recorder.progress().error != "")
    for number in range(3, 200):
        btc.say(delta(number))
    store.refusal = None
    until(lambda: not recorder.progress().error)
    btc.say(delta(200))
    finish(recorder)
    told = [update.event for update in reader.drain() if isinstance(update.event, BookDelta)]
    assert told == [delta(number) for number in range(2, 201)]
    [gap] = store.gaps(recorder.recording.id)
    assert (gap.key, gap.reason) == (BTC, "it could not be written: the disk is full")
    assert gap.lost == recorder.progress().dropped > 0
    assert_contiguous(stored(store, recorder, BTC))


def assert_contiguous(line: list[object]) -> None:
    """Every delta follows what stands before it; whatever is missing is bridged by a snapshot."""
    last = 0
    for event in line:
        if isinstance(event, BookSnapshot):
            last = event.sequence or 0
        elif isinstance(event, BookDelta):
            assert event.first_sequence == last + 1
            last = event.last_sequence or 0
    assert last == 200


def test_an_event_that_cannot_be_kept_costs_a_gap_and_the_recording_goes_on(
    connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    recorder = record(BTC)
    [btc] = connector.streams
    btc.say(snapshot(1))
    until(lambda: recorder.progress().events >= 2)
    for event in btc.feed.set_state(FeedState.STALE, "half a letter: \ud800"):
        btc.callback(event)
    until(lambda: recorder.progress().dropped > 0)
    btc.say(delta(2))
    btc.say(delta(3))
    finish(recorder)
    [gap] = store.gaps(recorder.recording.id)
    assert "cannot be kept" in gap.reason
    assert [type(event).__name__ for event in stored(store, recorder)][-3:] == [
        "FeedStatus", "BookSnapshot", "BookDelta",
    ]  # fmt: skip
    assert recorder.progress().error == ""


def test_signals_stand_among_the_events_of_their_feed(hub: Hub, store: StubbornStore, clock: ManualClock) -> None:
    ears: list[Callable[[FeedKey, Signal], None]] = []

    def listen(ear: Callable[[FeedKey, Signal], None]) -> Callable[[], None]:
        ears.append(ear)
        return ears.clear

    recorder = Recorder(store, hub, [BTC], options=QUICK, clock=clock)
    recorder.start(listen)
    signal = Signal("echo", "binance", "BTCUSDT", "buy", 0.5, 100.0, START_NS, "because", 0.75)
    ears[0](BTC, signal)
    ears[0](ETH, signal)
    finish(recorder)
    assert [event for event in stored(store, recorder) if isinstance(event, Signal)] == [signal]
    assert ears == []


def test_books_bars_and_quality_are_written_beside_the_events(
    connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    recorder = record(BTC, options=RecordOptions(flush_s=0.02, depth_every_s=0.05))
    [btc] = connector.streams
    btc.say(snapshot(1))
    btc.say(trade(1, 100.5, 2.0))
    btc.say(trade(2, 100.25, 1.0))
    until(lambda: len(store.market_depth("BTCUSDT")) >= 2)
    finish(recorder)
    row = store.market_depth("BTCUSDT")[0]
    assert (row.bids, row.asks) == ("[[100.0,1.0],[99.0,2.0]]", "[[101.0,1.0],[102.0,2.0]]")
    assert (row.provider, row.mid_price, row.spread, row.imbalance) == ("binance", 100.5, 1.0, 0.0)
    assert row.ts_utc == START_NS // 1_000_000
    [bar] = store.candle_bars("BTCUSDT", "1m")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.buy_volume) == (100.5, 100.5, 100.25, 100.25, 3, 3)
    [note] = store.quality(recorder.recording.id)
    assert (note.key, note.report.trades, note.report.snapshots) == (BTC, 2, 1)


def test_a_jump_of_the_clock_is_a_gap_of_all_feeds(
    connector: FakeConnector, store: StubbornStore, record: Record, clock: ManualClock
) -> None:
    recorder = record(BTC)
    connector.streams[0].say(snapshot(1))
    clock.advance(3600)
    until(lambda: recorder.progress().gaps > 0)
    finish(recorder)
    gap = store.gaps(recorder.recording.id)[0]
    assert (gap.key, gap.to_ns - gap.from_ns) == (None, 3600 * 10**9)
    assert "clock jumped by +" in gap.reason


def test_a_feed_without_books_is_recorded_after_a_gap_too(
    hub: Hub, connector: FakeConnector, store: StubbornStore, record: Record
) -> None:
    connector.on_start = lambda stream: setattr(stream, "feed", Feed("binance", "BTCUSDT", NoBook(), clock=hub.clock))
    reader = EventQueue()
    hub.subscribe([BTC], reader)
    recorder = record(BTC)
    [btc] = connector.streams
    store.refusal = REFUSED
    until(lambda: recorder.progress().error != "")
    for number in range(200):
        btc.say(trade(number))
    store.refusal = None
    until(lambda: not recorder.progress().error)
    btc.say(trade(200))
    finish(recorder)
    found = stored(store, recorder)
    assert [getattr(found[-2], "state", None), found[-1]] == [FeedState.LIVE, trade(200)]
    [gap] = store.gaps(recorder.recording.id)
    assert (gap.lost or 0) + len(found) == len(reader.drain())


def test_a_recording_ends_by_itself_when_the_check_says_so(store: StubbornStore, hub: Hub, clock: ManualClock) -> None:
    recorder = Recorder(store, hub, [BTC], options=QUICK, clock=clock, check_every_s=0.01)
    recorder.check = lambda: "it is too large"
    recorder.start()
    until(lambda: not recorder.running)
    assert recorder.progress().error == "it is too large"
    assert recorder.recording.ending == "stopped"


def test_a_recording_of_an_unknown_venue_is_refused_and_leaves_nothing(
    hub: Hub, store: StubbornStore, clock: ManualClock
) -> None:
    with pytest.raises(ConfigError, match="no connector"):
        Recorder(store, hub, [("bourse", "X", "stream")], options=QUICK, clock=clock)
    assert store.recordings() == []


def test_what_could_not_be_written_in_the_end_leaves_a_recording_that_is_cut_off(
    connector: FakeConnector, store: StubbornStore, record: Record, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = record(BTC)
    [btc] = connector.streams
    btc.say(snapshot(1))
    until(lambda: recorder.progress().events >= 2)
    store.refusal = REFUSED
    btc.say(delta(2))
    finish(recorder)
    assert "ends without its last 1 events" in caplog.text
    store.close()
    again = StubbornStore(tmp_path / "tape.duckdb")
    assert [one.id for one in again.found_cut_off] == [recorder.recording.id]
    again.close()
