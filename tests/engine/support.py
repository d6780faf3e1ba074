"""Short ways to say events, and fakes that the tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Lock

from engine.clock import Clock, ManualClock
from engine.connector import Callback, Capabilities, Stream
from engine.errors import FeedError, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.sync import Continuity, RangeContinuity
from engine.market.events import BUY, BookDelta, BookSnapshot, Levels, MarketEvent, Quote, Source, Trade
from engine.market.instrument import Instrument

DEADLINE_S = 5.0
START_NS = 1_700_000_000_000_000_000
BIDS: Levels = ((100.0, 1.0), (99.0, 2.0))
ASKS: Levels = ((101.0, 1.0), (102.0, 2.0))


def snapshot(
    sequence: int | None,
    bids: Levels = BIDS,
    asks: Levels = ASKS,
    *,
    source: Source = "stream",
    at_ns: int = START_NS,
    exchange_ns: int | None = None,
    symbol: str = "BTCUSDT",
) -> BookSnapshot:
    return BookSnapshot("binance", symbol, bids, asks, sequence, exchange_ns, at_ns, source)


def delta(
    first: int | None,
    last: int | None = None,
    bids: Levels = (),
    asks: Levels = (),
    *,
    at_ns: int = START_NS,
    exchange_ns: int | None = None,
    symbol: str = "BTCUSDT",
) -> BookDelta:
    return BookDelta(
        "binance", symbol, bids, asks, first, first if last is None else last, exchange_ns, at_ns, "stream"
    )


def quote(
    sequence: int | None, bid: float = 100.0, ask: float = 101.0, size: float = 1.0, *, at_ns: int = START_NS
) -> Quote:
    return Quote("binance", "BTCUSDT", bid, size, ask, size, sequence, None, at_ns, "stream")


def trade(
    identifier: int | str | None,
    price: float = 100.5,
    size: float = 1.0,
    *,
    at_ns: int = START_NS,
    backfill: bool = False,
    symbol: str = "BTCUSDT",
) -> Trade:
    return Trade("binance", symbol, price, size, BUY, identifier, None, at_ns, "stream", backfill)


def make_feed(clock: Clock | None = None, *, rule: Continuity | None = None, symbol: str = "BTCUSDT") -> Feed:
    return Feed("binance", symbol, rule or RangeContinuity(), clock=clock or ManualClock(START_NS))


def live_feed(sequence: int = 100, clock: Clock | None = None) -> Feed:
    """A feed whose book is whole at `sequence`."""
    feed = make_feed(clock)
    feed.push(snapshot(sequence))
    return feed


def push_all(feed: Feed, events: Sequence[MarketEvent]) -> list[MarketEvent]:
    """What a feed publishes for these events, in order."""
    return [published for event in events for published in feed.push(event)]


class FakeStream:
    """One started delivery; `stopped` is set when the hub lets go of it."""

    def __init__(self, symbol: str, feed: Feed, callback: Callback) -> None:
        self.symbol = symbol
        self.feed = feed
        self.callback = callback
        self.stopped = Event()

    def say(self, event: MarketEvent) -> None:
        """What the connector's thread does with each event of the venue."""
        for published in self.feed.push(event):
            self.callback(published)

    def stop(self) -> None:
        self.stopped.set()


class FakeConnector:
    """A venue that says what the test wants; it counts how often it was started."""

    capabilities = Capabilities(streaming=True, polling=True, depth=50, trades=True)

    def __init__(self, name: str = "binance", clock: Clock | None = None) -> None:
        self.name = name
        self.clock = clock or ManualClock(START_NS)
        self.streams: list[FakeStream] = []
        self.polls: list[tuple[str, float]] = []
        self.refusal: Exception | None = None
        self.closed = Event()
        self.on_start: Callable[[FakeStream], None] = lambda stream: None
        self._lock = Lock()

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        if self.refusal is not None:
            raise self.refusal
        return self._start(symbol, callback)

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        if self.refusal is not None and not isinstance(self.refusal, StreamUnsupported):
            raise self.refusal
        self.polls.append((symbol, interval_s))
        return self._start(symbol, callback)

    def _start(self, symbol: str, callback: Callback) -> FakeStream:
        stream = FakeStream(symbol, Feed(self.name, symbol, RangeContinuity(), clock=self.clock), callback)
        with self._lock:
            self.streams.append(stream)
        self.on_start(stream)
        return stream

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        return self.streams[-1].feed.snapshot() if self.streams else None

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        raise FeedError("this fake has no REST")

    def instruments(self) -> Sequence[Instrument]:
        return [Instrument(self.name, "BTCUSDT", "BTC", "USDT")]

    def close(self) -> None:
        self.closed.set()
