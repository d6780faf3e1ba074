"""For ever: `replay(record(x)) == x`, event for event, and strategies say the same of both.

All that may differ is `source`; all that is added stands at the end: the status that the recording is over.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.base.simulation.market import Market
from connectors.replay import replay_connectors
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.feed_copy import FeedCopy
from engine.feed.mailbox import EventQueue, FeedKey, Update
from engine.feed.sync import RangeContinuity
from engine.hub import Hub
from engine.market.book import BookView
from engine.market.events import FeedState, FeedStatus, MarketEvent, Trade
from engine.market.signal import Signal
from engine.plugins import frame_readers
from engine.store.base import Entry, Store
from engine.store.captures.play import PlayableCapture
from engine.store.opening import open_store
from engine.store.parquet.export import export_parquet
from engine.store.play_tape import PlayableTape
from engine.store.playable import Playable
from engine.store.recording.collector import Collector
from engine.store.recording.options import RecordOptions
from engine.store.recording.recording_queue import RecordingQueue
from engine.strategy.runner import Runner
from engine.strategy.signal_stream import SignalDigest
from strategies.base import Strategy
from strategies.book_pressure import BookPressure
from tests.connectors.base.playback.replay_rig import HurriedPace
from tests.engine.feed.truth import ACTIONS, Venue
from tests.engine.support import DEADLINE_S, START_NS, FakeConnector
from tests.fakes.memory_store import MemoryStore
from tests.shared import capture

DEMO = "demo_binance_spot_btc_eth_20240808_650s.jsonl.gz"
GAP = "gap in the recording"
Folders = pytest.TempPathFactory
KEYS: tuple[FeedKey, ...] = (("binance", "BTCUSDT", "stream"), ("kraken", "BTCUSDT", "stream"))
SCRIPTS = st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=60)
SPEEDS = (1.0, 100.0, None)
Line = list[tuple[FeedKey, MarketEvent]]


@dataclass
class Chatter(Strategy):
    """Says all that it sees, so that two that say the same have seen the same."""

    name: ClassVar[str] = "chatter"

    def on_book(self, book: BookView) -> Iterable[Signal]:
        seen = f"{book.bids} {book.asks} {book.sequence} {book.exchange_ns} {book.state}"
        yield Signal(self.name, book.venue, book.symbol, "flat", 0.0, book.mid or 0.0, book.received_ns, seen)

    def on_trade(self, trade: Trade) -> Iterable[Signal]:
        yield Signal(
            self.name, trade.venue, trade.symbol, "buy", 1.0, trade.price, trade.received_ns, str(trade.trade_id)
        )


class Bench:
    """A reader of a hub that keeps the line and asks a strategy, from the first event on."""

    def __init__(self, hub: Hub, keys: Sequence[FeedKey], strategy: type[Strategy] = Chatter) -> None:
        self.queue = EventQueue(views=False)
        self.line: Line = []
        self._runners = {key: Runner(strategy(), strategy) for key in keys}
        self._digests = {key: SignalDigest() for key in keys}
        hub.subscribe(keys, self.queue)

    def drain(self, timeout_s: float = 0.0) -> list[Update]:
        """What came since the last time, after the strategies heard it."""
        updates = self.queue.drain(timeout_s)
        for update in updates:
            self.line.append((update.key, update.event))
            for signal in self._runners[update.key].take(update.event):
                self._digests[update.key].add(signal)
        return updates

    def said(self) -> list[tuple[int, str]]:
        """How many signals there were of each feed, and their digest."""
        return [(digest.signals, digest.hexdigest()) for digest in self._digests.values()]


def live(script: Sequence[str], seed: int, store: Store) -> tuple[Line, list[tuple[int, str]], PlayableTape]:
    """Two venues that do this, live and recorded: what was published, what strategies said, and the recording."""
    connectors = {key[0]: FakeConnector(key[0]) for key in KEYS}
    hub = Hub(connectors)
    clock = ManualClock(START_NS)
    bench = Bench(hub, KEYS)
    tape = Tape(hub, store, clock)
    venues = [Venue(seed), Venue(seed + 1)]
    random = Random(seed)
    try:
        for action in script:
            which = random.randrange(len(KEYS))
            stream = connectors[KEYS[which][0]].streams[0]
            for published in venues[which].act(action, stream.feed):
                for event in published:
                    stream.callback(replace(event, venue=KEYS[which][0]))
            if random.random() < 0.3:
                tape.flush()
        tape.flush()
        bench.drain()
    finally:
        hub.close()
    return bench.line, bench.said(), PlayableTape(store, store.end(tape.recording.id, at_ns=START_NS + 1))


class Tape:
    """The recorder without its thread: the same queue, the same batches."""

    def __init__(
        self, hub: Hub, store: Store, clock: ManualClock, keys: Sequence[FeedKey] = KEYS, capacity: int = 100_000
    ) -> None:
        self.recording = store.begin(keys, at_ns=START_NS)
        self.queue = RecordingQueue(capacity)
        self._store = store
        self._collector = Collector(hub, self.recording, self.queue, RecordOptions(), clock)
        hub.subscribe(keys, self.queue)

    def flush(self) -> None:
        batch = self._collector.collect()
        self._store.append(self.recording.id, batch.entries, gaps=batch.gaps)


def replayed(
    playable: Playable,
    keys: Sequence[FeedKey],
    speed: float | None,
    strategy: type[Strategy] = Chatter,
    record: Callable[[Hub, Sequence[FeedKey]], Tape] | None = None,
) -> tuple[Line, list[tuple[int, str]]]:
    """The same by way of replay connectors, hub and queue; without the statuses of the end."""
    made = replay_connectors(playable, "again", speed, paused=True, pace=HurriedPace())
    names = {connector.venue: connector.name for connector in made}
    back = {(names[key[0]], key[1], "stream"): key for key in keys}
    hub = Hub({connector.name: connector for connector in made})
    bench = Bench(hub, list(back), strategy)
    tape = record(hub, list(back)) if record is not None else None
    made[0].controls.resume()
    try:
        ended: set[FeedKey] = set()
        while len(ended) < len(keys):
            updates = bench.drain(DEADLINE_S)
            assert updates
            ended |= {update.key for update in updates if is_end(update.event)}
            if tape is not None:
                tape.flush()
    finally:
        hub.close()
    assert bench.queue.dropped == 0
    return [(back[key], event) for key, event in bench.line if not is_end(event)], bench.said()


def is_end(event: MarketEvent) -> bool:
    return (
        isinstance(event, FeedStatus)
        and event.state is FeedState.STOPPED
        and event.reason.startswith("the recording has ended")
    )


def as_replayed(line: Line) -> Line:
    return [(key, replace(event, source="replay")) for key, event in line]


@settings(max_examples=40, deadline=None)
@given(script=SCRIPTS, seed=st.integers(0, 2**32))
def test_what_is_replayed_is_what_was_live_whatever_went_wrong(script: list[str], seed: int) -> None:
    line, said, recorded = live(script, seed, MemoryStore())
    for speed in SPEEDS:
        assert replayed(recorded, KEYS, speed) == (as_replayed(line), said)


@settings(max_examples=3, deadline=None)
@given(script=SCRIPTS, seed=st.integers(0, 2**32))
def test_and_so_it_is_by_way_of_the_database_and_of_parquet_files(
    script: list[str], seed: int, tmp_path_factory: Folders
) -> None:
    folder = tmp_path_factory.mktemp("tape")
    with database(folder) as store:
        line, said, recorded = live(script, seed, store)
        assert replayed(recorded, KEYS, None) == (as_replayed(line), said)
        export_parquet(store, recorded.recording.id, folder / "archive")
    archive = open_store(f"parquet:///{folder / 'archive'}")
    try:
        recorded = PlayableTape(archive, archive.recordings()[0])
        assert replayed(recorded, KEYS, None) == (as_replayed(line), said)
    finally:
        archive.close()


@settings(max_examples=60, deadline=None)
@given(script=SCRIPTS, seed=st.integers(0, 2**32))
def test_what_a_recorder_lost_is_told_as_a_gap_and_no_book_across_it_is_shown(script: list[str], seed: int) -> None:
    connector, store, venue = FakeConnector("binance"), MemoryStore(), Venue(seed)
    hub, random = Hub({"binance": connector}), Random(seed)
    try:
        tape = Tape(hub, store, ManualClock(START_NS), KEYS[:1], capacity=6)
        for action in script:
            for published in venue.act(action, connector.streams[0].feed):
                for event in published:
                    connector.streams[0].callback(event)
            if random.random() < 0.2:
                tape.flush()
        tape.flush()
    finally:
        hub.close()
    line, _ = replayed(PlayableTape(store, store.end(tape.recording.id, at_ns=START_NS + 1)), KEYS[:1], None)
    told = [event for _, event in line if isinstance(event, FeedStatus) and event.reason.startswith(GAP)]
    assert len(told) == len(store.gaps(tape.recording.id))
    copy = FeedCopy("binance", "BTCUSDT")
    for _, event in line:
        copy.push(event)
        if copy.view is not None and copy.view.sequence is not None:
            book = copy.snapshot()
            assert book is not None
            assert (book.bids, book.asks) == venue.truth.history[copy.view.sequence]


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_simulated_market_is_replayed_as_it_was(seed: int) -> None:
    market = Market(seed, rate=200.0)
    symbol = market.symbols[0]
    feed, store = Feed("mock", symbol, RangeContinuity(), clock=ManualClock(START_NS)), MemoryStore()
    key = ("mock", symbol, "stream")
    facts = [market.truth(symbol), *market.advance(symbol, 5.0)]
    line = [(key, event) for fact in facts for event in feed.push(fact)]
    recording = store.begin([key], at_ns=START_NS)
    store.append(recording.id, [Entry(index, key, event) for index, (_, event) in enumerate(line)])
    recorded = PlayableTape(store, store.end(recording.id, at_ns=market.now_ns(symbol)))
    assert len(line) > 100
    said = {speed: replayed(recorded, [key], speed) for speed in SPEEDS}
    assert all(found == (as_replayed(line), said[None][1]) for found in said.values())


def test_the_real_capture_is_replayed_as_it_was_and_a_strategy_says_the_same(tmp_path: Path) -> None:
    played = PlayableCapture(first_lines(capture(DEMO), 15_000, tmp_path), frame_readers()["binance"])
    with database(tmp_path) as store:
        tapes: list[Tape] = []

        def record(hub: Hub, keys: Sequence[FeedKey]) -> Tape:
            tapes.append(Tape(hub, store, ManualClock(START_NS), keys))
            return tapes[0]

        line, said = replayed(played, played.feeds, None, BookPressure, record)
        assert len(line) > 14_000
        assert all(signals > 0 for signals, _ in said)
        recorded = PlayableTape(store, store.end(tapes[0].recording.id, at_ns=played.end_ns))
        for speed in SPEEDS:
            again, said_again = replayed(recorded, recorded.feeds, speed, BookPressure)
            assert said_again == said
            assert [event for _, event in again[: len(line)]] == [event for _, event in line]


@contextmanager
def database(folder: Path) -> Iterator[Store]:
    store = open_store(f"duckdb:///{folder / 'tape.duckdb'}")
    try:
        yield store
    finally:
        store.close()


def first_lines(path: Path, count: int, folder: Path) -> Path:
    """The beginning of a capture."""
    part = folder / "part.jsonl"
    with gzip.open(path, "rt", encoding="utf-8") as whole:
        part.write_text("".join(islice(whole, count)), encoding="utf-8")
    return part
