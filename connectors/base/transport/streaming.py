"""What the author of a streaming venue inherits: everything but the venue itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import count
from threading import Event, Lock
from typing import ClassVar
from urllib.parse import urlsplit

from connectors.base.backoff import TokenBucket
from connectors.base.books import did_you_mean, take_turn
from connectors.base.refusal import FIREWALL_HINT, is_web_page, refusal
from connectors.base.runtime import SYSTEM_RUNTIME, Patience, Runtime
from connectors.base.transport.channel import Channel, SymbolStream
from connectors.base.transport.connection import Connection
from connectors.base.transport.link import Link, WebSocketLink
from connectors.base.transport.polling import PollDesk, Poller, newest_snapshot
from connectors.base.transport.redaction import Redactor, secrets_of
from connectors.base.transport.rest import Response, RestClient
from connectors.base.venue import Request, Venue
from engine.connector import Callback, FrameTap, Stream
from engine.errors import Disconnected, FeedError, InvalidSymbol, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.sync import NoBook, WholeBooks
from engine.market.candle import Candle
from engine.market.events import BookSnapshot, Quote, Source, Trade
from engine.market.instrument import Instrument, nearest_symbols

log = logging.getLogger(__name__)

FALLBACK_INTERVAL_S = 1.0
CLOCK_SAMPLES = 3
REFUSAL_BYTES = 4_096
"""So much of a refusal is recorded."""


class StreamingConnector(Venue):
    """A `Connector` made of a `Venue`: threads, sockets, watchdogs, backoff, pacing, resync, polling and the way back.

    `runtime` and `patience` are for tests. A connector without a wire overrides `make_link` and `fetch`. It is a
    `RawSource`.
    """

    frames: ClassVar[str] = ""
    """Empty where the links give the wire's own frames; else in words what they give."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        runtime: Runtime = SYSTEM_RUNTIME,
        patience: Patience | None = None,
        fallback_interval_s: float = FALLBACK_INTERVAL_S,
    ) -> None:
        super().__init__(settings)
        self.runtime = runtime
        self.patience = patience or Patience()
        self.rest_budget = TokenBucket(self.limits.rest_per_s, self.limits.rest_burst)
        self._rest_client = RestClient()
        self._poller = Poller(self)
        rule = self.continuity if isinstance(self.continuity, NoBook) else WholeBooks()
        self._desk = PollDesk(self._poller, self.name, runtime, rule)
        self._fallback_interval_s = fallback_interval_s
        self._connections: list[Connection] = []
        self._numbers = count(1)
        self._listed: list[Instrument] | None = None
        self.tap: FrameTap | None = None
        self._secrets = Redactor(secrets_of(self._settings, self.name))
        self._lock = Lock()
        self._closed = Event()

    # What a connector without a wire overrides

    def make_link(self) -> Link:
        """A new, unopened link to the venue's stream."""
        return WebSocketLink()

    def fetch(self, request: Request, timeout_s: float) -> bytes:
        """The body of one GET or POST.

        Raises:
            FeedError: not reachable, or refused: of the kind that says what to do about it.
        """
        response = self._rest_client.get(request, timeout_s)
        if self.tap is not None:
            self.record_answer(request, response)
        what = f"{urlsplit(request.url).hostname}"
        if 200 <= response.status < 300:
            if is_web_page(response.body, response.headers):
                raise Disconnected(f"{what} answered with a web page instead of data", hint=FIREWALL_HINT)
            return response.body
        own = self.rest_error(response.status, response.body, response.headers)
        raise own or self.advise(refusal(response.status, response.body, response.headers, what))

    # The RawSource

    def record_frames(self, tap: FrameTap | None) -> None:
        self.tap = tap  # every connection looks at it many times a second

    def redact(self, text: str) -> str:
        return self._secrets.text(text)

    def record_answer(self, request: Request, response: Response) -> None:
        """One call and what came back, for whoever records it; only a good answer is an answer of the market."""
        tap, now_ns = self.tap, self.runtime.clock.now_ns()
        if tap is None:
            return
        if request.body is not None:
            tap.frame("http", "send", request.url, "", request.body, now_ns)
        if 200 <= response.status < 300 and not is_web_page(response.body, response.headers):
            tap.frame("http", "resp", request.url, "", response.body, now_ns)
        else:
            words = response.body[:REFUSAL_BYTES].decode("utf-8", "replace")
            tap.note(request.url, "", {"status": response.status, "body": words}, now_ns)

    # The Connector

    def fresh(self) -> Venue:
        # What is learned from a recording (depths, precisions, ids) is not true of the live venue.
        return type(self)(self._settings)

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        if not self.capabilities.streaming:
            raise StreamUnsupported(f"{self.name} connector does not support WebSocket streaming")
        # Somebody wants to see something: a moment to try what was given up for good. Listeners are told of it, so
        # no lock is held.
        self.start_again()
        with self._lock:
            self._refuse_when_closed()
            for connection in self._connections:
                channel = connection.channels.get(symbol)
                if channel is not None and channel.attach(callback):
                    return SymbolStream(channel, callback, connection)
            feed = Feed(
                self.name,
                symbol,
                self.continuity,
                clock=self.runtime.clock,
                stale_after_s=self.limits.stale_after_s,
                crossed_allowed=self.crossed_allowed,
            )
            channel = Channel(feed, callback)
            for connection in self._connections:
                if connection.add(channel):
                    return SymbolStream(channel, callback, connection)
            connection = self._new_connection()
            connection.add(channel)
            return SymbolStream(channel, callback, connection)

    def start_again(self) -> None:
        """Try once more what was given up for good: somebody wants to, or what was in the way has changed."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.start_again()

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        self._refuse_when_closed()
        return self._desk.open(symbol, callback, interval_s)

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        with self._lock:
            streamed = [channel.feed for one in self._connections for channel in one.channels.values()]
        return newest_snapshot(streamed + self._desk.feeds(), symbol)

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        try:
            take_turn(self, self._closed, self.book_cost(symbol, depth))
            found = self.book(symbol, depth, "poll")
        except InvalidSymbol as error:
            error.hint = did_you_mean(self.near(symbol))
            raise
        finally:
            self.release_calls()
        if not isinstance(found, BookSnapshot):
            raise FeedError(f"{self.name} has no depth")
        return found

    def instruments(self) -> Sequence[Instrument]:
        listed = self._listed
        if listed is None:
            try:
                request = self.instruments_request()
                take_turn(self, self._closed, request.cost)
                listed = self.decode_instruments(self.fetch(request, self.patience.fetch_s))
            finally:
                self.release_calls()
            self._listed = listed
        return listed

    def fetch_candles(self, symbol: str, timeframe: str, count: int = 500) -> list[Candle]:
        """See `CandleSource`."""
        self._need_timeframe(timeframe)
        try:
            request = self.candles_request(symbol, timeframe, max(count, 1))
            take_turn(self, self._closed, request.cost)
            body = self.fetch(request, self.patience.fetch_s)
            return self.decode_candles(symbol, timeframe, body, self.runtime.clock.now_ns())[-max(count, 1) :]
        except InvalidSymbol as error:
            error.hint = did_you_mean(self.near(symbol))
            raise
        finally:
            self.release_calls()

    def close(self) -> None:
        self._closed.set()
        self._rest_client.close()
        with self._lock:
            connections, self._connections = self._connections, []
        self._desk.close()
        for connection in connections:
            connection.close()
        self._poller.stop(self.patience.stop_s)
        for connection in connections:
            connection.wait_stopped()

    # What the transport asks of the connector

    @property
    def venue(self) -> Venue:
        return self

    def book_cost(self, symbol: str, depth: int) -> float:
        return self.snapshot_request(symbol, depth).cost

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot | Quote | Trade:
        body = self.fetch(self.snapshot_request(symbol, depth), self.patience.fetch_s)
        return self.decode_snapshot(symbol, body, self.runtime.clock.now_ns(), source)

    def near(self, symbol: str) -> list[str]:
        try:
            return nearest_symbols(symbol, [instrument.symbol for instrument in self.instruments()])
        except FeedError:
            return []

    def release_calls(self) -> None:
        self._rest_client.forget()

    def abort_calls(self, thread: int) -> None:
        self._rest_client.abort(thread)

    def clock_offset_ns(self) -> int | None:
        """Our clock minus the venue's: of three questions the one with the quickest answer, taken to be half-way."""
        request = self.server_time_request()
        if request is None:
            return None
        best: tuple[int, int] | None = None
        for _ in range(CLOCK_SAMPLES):
            take_turn(self, self._closed, request.cost)
            asked_ns = self.runtime.clock.now_ns()
            body = self.fetch(request, self.patience.fetch_s)
            answered_ns = self.runtime.clock.now_ns()
            sample = (answered_ns - asked_ns, (asked_ns + answered_ns) // 2 - self.decode_server_time(body))
            best = sample if best is None else min(best, sample)
        return best[1] if best is not None else None

    def _new_connection(self) -> Connection:
        poller = self._poller if self.capabilities.polling else None
        name = f"{self.name} stream {next(self._numbers)}"
        connection = Connection(name, self, poller, self._fallback_interval_s, self._remove)
        self._connections.append(connection)
        return connection

    def _remove(self, connection: Connection) -> None:
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)

    def _need_timeframe(self, timeframe: str) -> None:
        offered = self.capabilities.candles
        if timeframe not in offered:
            there = f"There are: {', '.join(offered)}." if offered else "This venue gives none."
            raise FeedError(f"{self.name} has no candles of {timeframe!r}", hint=there)

    def _refuse_when_closed(self) -> None:
        if self._closed.is_set():
            raise Disconnected(f"the {self.name} connector is closed")
