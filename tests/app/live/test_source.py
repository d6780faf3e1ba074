from __future__ import annotations

from app.live.source import SIGNALS_WAITING, HubSource
from engine.clock import ManualClock
from engine.connector import Callback, Capabilities
from engine.feed.feed import Feed
from engine.feed.sync import WholeBooks
from engine.hub import Hub
from engine.market.events import BookSnapshot
from engine.market.instrument import Instrument
from engine.market.signal import Signal
from tests.app.live.reading import KEY


class HandStream:
    def __init__(self, symbol: str, callback: Callback, clock: ManualClock) -> None:
        self.symbol = symbol
        self.feed = Feed("mock", symbol, WholeBooks(), clock=clock)
        self.callback = callback
        self.clock = clock

    def book(self, bid: float) -> None:
        now = self.clock.now_ns()
        event = BookSnapshot("mock", self.symbol, ((bid, 1.0),), ((bid + 1, 1.0),), None, now, now, "mock")
        for published in self.feed.push(event):
            self.callback(published)

    def stop(self) -> None:
        self.callback = lambda event: None


class HandConnector:
    name = "mock"
    capabilities = Capabilities(True, True, 1, True, source="mock")

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.streams: dict[str, HandStream] = {}

    def start_stream(self, symbol: str, callback: Callback) -> HandStream:
        stream = self.streams[symbol] = HandStream(symbol, callback, self.clock)
        return stream

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> HandStream:
        return self.start_stream(symbol, callback)

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        return None

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        raise NotImplementedError

    def instruments(self) -> list[Instrument]:
        return []

    def close(self) -> None:
        self.streams.clear()


def signal(number: int) -> Signal:
    return Signal("pressure", "mock", "BTCUSDT", "buy", 0.5, 100.0, number, "")


def test_the_hub_is_read_like_by_any_other_reader() -> None:
    connector = HandConnector()
    hub = Hub({"mock": connector}, clock=connector.clock, linger_s=0.0)
    try:
        source = HubSource(hub, tick_of=lambda key: 0.5, clock=connector.clock)
        source.watch([KEY])
        first = connector.clock.now_ns()
        connector.streams["BTCUSDT"].book(100.0)
        connector.clock.advance(0.06)
        connector.streams["BTCUSDT"].book(101.0)
        source.add_signal(signal(1))
        [news] = source.drain()
        assert news.oldest_ns == first
        assert news.newest_ns == connector.clock.now_ns()
        assert [point.bid for point in news.points] == [100.0, 101.0]
        assert len(news.signals) == 1
        assert source.drain() == []
        assert source.tick(KEY) == 0.5
        feed = source.feed(KEY)
        assert feed is connector.streams["BTCUSDT"].feed
        source.close()
        assert hub.running().get(KEY, 0) == 0
    finally:
        hub.close()


def test_signals_go_to_the_feed_they_were_read_from_and_their_number_is_bounded() -> None:
    connector = HandConnector()
    hub = Hub({"mock": connector}, clock=connector.clock)
    polled = ("mock", "BTCUSDT", "poll:1")
    try:
        source = HubSource(hub, clock=connector.clock)
        source.watch([KEY, polled])
        source.drain()
        source.add_signal(signal(1), polled)
        [news] = source.drain()
        assert news.key == polled
        for number in range(SIGNALS_WAITING + 3):
            source.add_signal(signal(number), KEY)
        [news] = source.drain()
        assert len(news.signals) == SIGNALS_WAITING
        assert source.dropped == 3
    finally:
        hub.close()
