"""cTrader brokers by the Open API: best prices and the broker's market depth; there is no public tape.

Documentation: cTrader Open API, JSON over WebSocket on port 5036, messages of 2025-07-16. How one logs in and
subscribes is in connectors/base/ctrader/login.py. Book rule:
1. 2155 carries quotes by id; the first one after subscribing carries all of them (connectors/base/ctrader/book.py).
2. What stands at one price is added up. A later 2155 gives the new sizes of the prices that it touches.
3. There are no numbers and no checksums. When the best quotes stay more than three ticks away from the best prices
   (2131) for two seconds, the book is asked for anew.
4. Several liquidity providers may cross each other: shown as it is.
5. After a depth message that cannot be read the symbol's book (every book, if it does not even say which) is asked for
   anew, for nothing else would show that it is incomplete.

{"payloadType":2131,"payload":{"symbolId":1,"bid":108541,"timestamp":1700000000000}}: a side that is missing has not
changed. {"payloadType":2155,"payload":{"symbolId":1,"newQuotes":[{"id":"9","size":"100000000","bid":"108541"}],
"deletedQuotes":["4"]}}: 1 000 000 units at 1.08541.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Control, Conversation, Limits, Link, StreamingConnector
from connectors.base.backoff import TokenBucket
from connectors.base.books import did_you_mean
from connectors.base.ctrader import wire
from connectors.base.ctrader.book import QuoteMap
from connectors.base.ctrader.candles import MOST, PERIODS, REQUESTS_PER_S, CandleDesk, candle
from connectors.base.ctrader.login import Keys, Listing, Login
from connectors.base.ctrader.tokens import TokenPair, TokenStore
from connectors.base.stamps import unix_ns
from connectors.base.transport.redaction import DiscreetLink, Redactor
from engine.connector import Callback, Capabilities, Stream
from engine.errors import ConfigError, DecodeError, Disconnected, FeedError, InvalidSymbol, StreamUnsupported
from engine.feed.sync import Recovery, Verdict
from engine.market.candle import Candle
from engine.market.events import BookDelta, BookSnapshot, MarketEvent, Quote, Source
from engine.market.instrument import Instrument

HOSTS = ("demo", "live")
TOKEN_FILE = "data/ctrader_tokens.json"
DEPTH_MARK, SYMBOL_MARK = re.compile(rb'"payloadType"\s*:\s*"?2155\b'), re.compile(rb'"symbolId"\s*:\s*"?(\d{1,18})\b')
"""How a depth message and its symbol are known although the whole cannot be read."""
WANTED = ("CLIENT_ID", "CLIENT_SECRET", "ACCESS_TOKEN")
KEYS_HINT = (
    "Register an application at openapi.ctrader.com, then set CTRADER_CLIENT_ID, CTRADER_CLIENT_SECRET, "
    "CTRADER_ACCESS_TOKEN, CTRADER_REFRESH_TOKEN and CTRADER_ACCOUNT_ID."
)


class QuoteMapContinuity:
    """Updates without numbers: each continues the one before. A lost book comes back with a new subscription."""

    recovery: Recovery = "resubscribe"

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        return Verdict.APPLY

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        return Verdict.APPLY


class CtraderConnector(StreamingConnector):
    """One account at one broker. Settings: CTRADER_CLIENT_ID, …_CLIENT_SECRET, …_ACCESS_TOKEN, …_REFRESH_TOKEN,
    …_ACCOUNT_ID, …_HOST (`demo` or `live`), …_TOKEN_FILE, …_WS_URL.
    """

    name = "ctrader"
    capabilities = Capabilities(
        streaming=True,
        polling=False,
        depth=100,
        trades=False,
        gap_detection="best quotes against best prices",
        key_needed=True,
        test_network="demo accounts (CTRADER_HOST=demo, the default)",
        regions_blocked="depends on the broker",
        note="How deep the book is depends on the broker; some show one level. Over-the-counter: no public trades.",
        candles=tuple(PERIODS),
    )
    location_hint = "cTrader's hosts refuse this place: ask the broker, or choose another venue."
    key_hint = "Check CTRADER_CLIENT_ID, CTRADER_CLIENT_SECRET and CTRADER_ACCESS_TOKEN."
    continuity = QuoteMapContinuity()
    crossed_allowed = True
    limits = Limits(
        silence_s=45.0,
        one_connection=True,
        ping_interval_s=20.0,
        heartbeat_interval_s=10.0,
        connect_per_s=0.5,
        connect_burst=2,
        messages_per_s=40.0,
        symbols_per_connection=1_000,
        backoff_cap_s=60.0,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        host = self.setting("HOST", HOSTS[0])
        if host not in HOSTS:
            raise ConfigError(f"CTRADER_HOST is {host!r}: it must be demo or live")
        account = self.setting("ACCOUNT_ID", "0")
        if not account.isdigit():
            raise ConfigError("CTRADER_ACCOUNT_ID must be a whole number")
        self._url = self.setting("WS_URL", f"wss://{host}.ctraderapi.com:5036")
        self._keys = Keys(
            self.setting("CLIENT_ID", ""), self.setting("CLIENT_SECRET", ""), int(account), host == "live"
        )
        pair = TokenPair(self.setting("ACCESS_TOKEN", ""), self.setting("REFRESH_TOKEN", ""))
        self._tokens = TokenStore(Path(self.setting("TOKEN_FILE", TOKEN_FILE)), pair)
        self._redactor = Redactor([self._keys.client_id, self._keys.client_secret, pair.access, pair.refresh])
        self._listing = Listing()
        self._candles = CandleDesk()
        self._history_budget = TokenBucket(REQUESTS_PER_S, 1)
        self._maps: dict[int, QuoteMap] = {}
        self._doubted: set[str] = set()
        """Symbols of which an update could not be read."""
        self._talk = self._new_login()
        self._errand: Link | None = None
        self._errand_lock = Lock()

    # The Connector

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        self._need_keys()
        return super().start_stream(symbol, callback)

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        raise StreamUnsupported("cTrader cannot be polled", hint="Choose streaming.")

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot:
        """The book of a running stream: there is no other way to have one."""
        snapshot = self.latest_snapshot(symbol)
        if snapshot is None:
            raise FeedError(f"cTrader gives no single books, and {symbol} is not streaming", hint="Start its stream.")
        return snapshot

    def book_cost(self, symbol: str, depth: int) -> float:
        return 1.0

    def instruments(self) -> Sequence[Instrument]:
        """What the account can watch; asks on a connection of its own while nothing streams."""
        self._need_keys()
        self._obtain(self._listing.told, "the list of symbols")
        return self._listing.instruments(self.name)

    def fetch_candles(self, symbol: str, timeframe: str, count: int = 500) -> list[Candle]:
        """See `CandleSource`; from memory while the symbol streams and the venue keeps its candles up."""
        self._need_keys()
        self._need_timeframe(timeframe)
        self._obtain(self._listing.told, "the list of symbols")
        identifier = self._listing.identifiers.get(symbol)
        if identifier is None:
            raise InvalidSymbol(f"cTrader does not list {symbol}", hint=did_you_mean(self.near(symbol)))
        series, most = (identifier, timeframe), min(max(count, 1), MOST)
        bars = self._candles.newest(series, most)
        if bars is None:
            bars = self._ask_for_bars(series, most)
        now_ns = self.runtime.clock.now_ns()
        return [candle(self.name, symbol, timeframe, bar, now_ns) for bar in bars]

    def make_link(self) -> Link:
        # The venue allows an application one connection per host: the stream's is the one that counts.
        errand = self._errand
        if errand is not None:
            errand.abort()
        return DiscreetLink(self._redactor)

    def redact(self, text: str) -> str:
        return self._redactor.text(text)

    def close(self) -> None:
        self._closed.set()
        errand = self._errand
        if errand is not None:
            errand.abort()
        super().close()

    # The Venue

    def stream_url(self, symbols: Sequence[str]) -> str:
        return self._url

    def converse(self) -> Conversation:
        self._talk = self._new_login()
        return self._talk

    def unlisted(self, symbols: Sequence[str]) -> Sequence[str]:
        return [symbol for symbol in symbols if symbol not in self._listing.identifiers]

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return self._talk.subscribe(self._identifiers(symbols))

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return self._talk.unsubscribe(self._identifiers(symbols))

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            said = self._decode(frame, received_ns)
        except DecodeError:
            if DEPTH_MARK.search(frame):
                self._doubted |= self._symbols_in(frame)
            raise
        if not self._doubted:
            return said
        doubts = [Control("lost", symbol, "an update could not be read") for symbol in sorted(self._doubted)]
        self._doubted.clear()
        return (*doubts, *said)

    @classmethod
    def recognises(cls, url: str) -> bool:
        try:
            return (urlsplit(url).hostname or "").endswith(".ctraderapi.com")
        except ValueError:  # not an address at all
            return False

    def _decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        message = wire.read_message(frame)
        kind = message.payloadType
        if kind == wire.SPOT:
            return self._on_spot(wire.read_payload(message, wire.Spot), received_ns)
        if kind == wire.DEPTH:
            return self._on_depth(wire.read_payload(message, wire.Depth), received_ns)
        if kind == wire.HEARTBEAT:
            return (Control("heartbeat"),)
        if kind == wire.ACCOUNT_AUTHORISED:
            self._maps.clear()  # a new session: what the one before said does not continue
            self._doubted.clear()
        self._listing.learn(message)
        return (Control("talk", frame=frame),)

    def _symbols_in(self, frame: bytes) -> set[str]:
        """The symbol that a broken depth message is about; all of those that have a depth when it does not say."""
        named = SYMBOL_MARK.search(frame)
        identifiers = [int(named[1])] if named is not None else list(self._maps)
        found = [self._listing.symbols.get(identifier) for identifier in identifiers]
        return {one.symbolName for one in found if one is not None}

    def _on_spot(self, spot: wire.Spot, received_ns: int) -> Sequence[MarketEvent | Control]:
        listed, depth = self._listing.symbols.get(spot.symbolId), self._map(spot.symbolId)
        if spot.trendbar:
            self._candles.note(spot.symbolId, spot.trendbar)
        if listed is None or not depth.note(spot):
            return ()
        bid, ask = depth.bid or 0, depth.ask or 0
        stamp = unix_ns(spot.timestamp) if spot.timestamp is not None else None
        quote = Quote(
            "ctrader", listed.symbolName, bid / wire.PRICE_UNIT, depth.size_at(True, bid), ask / wire.PRICE_UNIT,
            depth.size_at(False, ask), None, stamp, received_ns, "stream",
        )  # fmt: skip
        return (quote, *self._doubts(spot.symbolId, listed.symbolName, depth, received_ns))

    def _on_depth(self, said: wire.Depth, received_ns: int) -> Sequence[MarketEvent | Control]:
        listed, depth = self._listing.symbols.get(said.symbolId), self._map(said.symbolId)
        if listed is None:
            return ()
        change, symbol = depth.apply(said), listed.symbolName
        if change is None:
            return ()
        doubts = self._doubts(said.symbolId, symbol, depth, received_ns)
        if change.whole:
            book = BookSnapshot("ctrader", symbol, change.bids, change.asks, None, None, received_ns, "stream")
            return (book, *doubts)
        delta = BookDelta("ctrader", symbol, change.bids, change.asks, None, None, None, received_ns, "stream")
        return (delta, *doubts)

    def _doubts(self, identifier: int, symbol: str, depth: QuoteMap, received_ns: int) -> Sequence[Control]:
        if depth.disagrees(self._listing.tick(identifier), received_ns):
            return (Control("lost", symbol, "the depth does not agree with the best prices"),)
        return ()

    def _map(self, identifier: int) -> QuoteMap:
        found = self._maps.get(identifier)
        if found is None:
            found = self._maps[identifier] = QuoteMap()
        return found

    def _begin_depth(self, identifiers: Sequence[int]) -> None:
        for identifier in identifiers:
            self._map(identifier).begin()

    def _identifiers(self, symbols: Sequence[str]) -> list[int]:
        known = self._listing.identifiers
        return [known[symbol] for symbol in symbols if symbol in known]

    def _new_login(self) -> Login:
        return Login(self._keys, self._tokens, self._listing, self._candles, self._redactor, self._begin_depth)

    def _need_keys(self) -> None:
        missing = [f"CTRADER_{name}" for name in WANTED if not self.setting(name, "")]
        if missing:
            raise ConfigError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set", hint=KEYS_HINT)

    # What is asked beside a stream, or without one

    def _ask_for_bars(self, series: tuple[int, str], most: int) -> list[wire.Trendbar]:
        wait_s = self._history_budget.reserve(self.runtime.clock.now_ns())
        if self.runtime.wait(self._closed, wait_s):
            raise Disconnected("stopped")
        question = self._candles.ask(series, most)
        try:
            self._obtain(question.answered, "the candles")
        finally:
            self._candles.withdraw(question)
        if question.error is not None:
            raise question.error
        return question.bars

    def _obtain(self, told: Event, what: str) -> None:
        """Wait for an answer: on the stream's connection where there is one, else on one of our own.

        Raises:
            FeedError: it did not come.
        """
        with self._errand_lock:
            try:
                if not self._connections and not told.is_set():
                    self._run_errand(told, what)
            except Disconnected:
                if not self._connections:
                    raise
        clock = self.runtime.clock
        ends_ns = clock.now_ns() + round((self.patience.connect_s + self.patience.login_s) * 1e9)
        while not self.runtime.wait(told, self.patience.read_s):
            given_up = next((one.given_up for one in self._connections if one.given_up is not None), None)
            if given_up is not None:
                raise given_up
            if self._closed.is_set() or clock.now_ns() >= ends_ns:
                raise Disconnected(f"{what} did not come", hint="Is the connection up? Ask again.")

    def _run_errand(self, told: Event, what: str) -> None:
        """Log in, ask, leave."""
        budget = self.runtime.connect_budget(
            urlsplit(self._url).netloc, self.limits.connect_per_s, self.limits.connect_burst
        )
        if self.runtime.wait(self._closed, budget.reserve(self.runtime.clock.now_ns())):
            raise Disconnected("stopped")
        link, login = DiscreetLink(self._redactor), self._new_login()
        self._errand = link
        try:
            link.open(self._url, self.patience.connect_s)
            self._talk_until(told, link, login, what)
        finally:
            self._errand = None
            link.close()

    def _talk_until(self, told: Event, link: Link, login: Login, what: str) -> None:
        clock = self.runtime.clock
        ends_ns = clock.now_ns() + round(self.patience.login_s * 1e9)
        outbox: deque[str | Control] = deque(login.open())
        while not (login.ready and told.is_set()):
            if login.ready:
                outbox.extend(login.errands(clock.now_ns()))
            while outbox:
                said = outbox.popleft()
                if isinstance(said, str):
                    link.send(said)
            frame = link.receive(self.patience.read_s)
            if frame:
                self._listing.learn(wire.read_message(frame))
                outbox.extend(login.hear(frame, clock.now_ns()))
            if clock.now_ns() >= ends_ns and not told.is_set():
                late = f"{what} did not come" if login.ready else "the log-in was not finished"
                raise Disconnected(f"{late} within {self.patience.login_s:.0f} s")
