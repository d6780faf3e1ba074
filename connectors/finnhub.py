"""Finnhub: trades of American shares, currencies and coins. There is no book, and none is made up.

Documentation: Finnhub API (finnhub-python 2.4.29; rate limits as of 2026). A free key is needed (FINNHUB_API_KEY).
* wss://ws.finnhub.io?token=KEY, one symbol per message, no acknowledgement, no numbers: a gap cannot be seen.
* One connection per key: a second one ends both, so a second connector with the same key is refused here.
* Fifty symbols on the free plan; the surplus stays silent, so the fifty-first is refused here.
* Symbols: `AAPL`, `OANDA:EUR_USD`, `BINANCE:BTCUSDT`. Currencies come with volume 0: a price without an amount.
* In the polling mode, and while the stream is away, REST gives bid and ask (`/stock/bidask`, paid plans) or else the
  last price (`/quote`): a trade without an amount. A price of 0 made at 0 means that there is no such share.
* American shares rest at night and at week-ends, currencies at week-ends: silence is no fault then.

{"data":[{"c":["1","24","12"],"p":146.76,"s":"AAPL","t":1628238530221,"v":43}],"type":"trade"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from connectors.base import Control, Limits, Link, Request, StreamingConnector
from connectors.base.books import take_turn
from connectors.base.market_hours import currencies_rest, shares_rest
from connectors.base.refusal import RESTRICTED
from connectors.base.stamps import unix_ns
from connectors.base.transport.connection import Connection
from connectors.base.transport.keyed_link import KeyedLink
from connectors.base.transport.redaction import Redactor
from engine.connector import Callback, Capabilities, Stream
from engine.errors import Blocked, DecodeError, FeedError, InvalidSymbol, RateLimited
from engine.feed.sync import NoBook
from engine.market.events import UNKNOWN_SIDE, BookSnapshot, MarketEvent, Quote, Source, Trade
from engine.market.instrument import Instrument

SYMBOLS = 50
LISTS = ("stock/symbol?exchange=US", "forex/symbol?exchange=oanda", "crypto/symbol?exchange=binance")
CURRENCIES = frozenset({"OANDA", "FXCM", "FXPRO", "FOREX", "IC MARKETS", "PEPPERSTONE", "PEPPERSTONEUK", "ICM"})
"""What comes before the colon in the symbols of currencies."""
KEY_HINT = "Set FINNHUB_API_KEY in .env; a key is free at finnhub.io."


class _Print(Struct, gc=False):
    s: str
    p: float
    t: int
    v: float = 0.0


class _Frame(Struct, gc=False):
    type: str
    data: list[_Print] = []
    msg: str = ""


class _BidAsk(Struct):
    a: float | None = None
    av: float | None = None
    b: float | None = None
    bv: float | None = None
    t: int | None = None


class _Price(Struct):
    c: float | None = None
    t: int | None = None


class _Row(Struct):
    symbol: str
    displaySymbol: str = ""
    currency: str = ""


_frame = msgspec.json.Decoder(_Frame).decode
_price = msgspec.json.Decoder(_Price).decode
_bid_ask = msgspec.json.Decoder(_BidAsk).decode
_rows = msgspec.json.Decoder(list[_Row]).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_owners: WeakValueDictionary[str, FinnhubConnector] = WeakValueDictionary()
"""Which connector uses a key, in this process."""
_owners_lock = Lock()


class _NotInPlan(Blocked):
    """The key is good, but not for this."""


class _NoQuote(FeedError):
    """There is no bid or no ask now."""


class FinnhubConnector(StreamingConnector):
    """Finnhub: every print of up to fifty symbols; no depth."""

    name = "finnhub"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=0,
        trades=True,
        gap_detection="none: its trades carry no numbers",
        key_needed=True,
        test_network="none",
        note=(
            "No depth: trades; by polling the last price, on paid plans bid and ask. One connection and 50 symbols per "
            "free key."
        ),
    )
    location_hint = "Finnhub does not serve this place: choose another venue."
    key_hint = KEY_HINT
    continuity = NoBook()
    limits = Limits(
        silence_s=120.0,
        one_connection=True,
        ping_interval_s=20.0,
        stale_after_s=60.0,
        connect_per_s=0.1,
        connect_burst=2,
        messages_per_s=8.0,
        symbols_per_connection=SYMBOLS,
        rest_per_s=1.0,
        rest_burst=10,
        backoff_cap_s=60.0,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._websocket = self.setting("WS_URL", "wss://ws.finnhub.io").rstrip("/")
        self._rest = self.setting("REST_URL", "https://finnhub.io").rstrip("/")
        self._key = self.setting("API_KEY", "")
        self._redactor = Redactor([self._key])
        self._has_bid_ask = True
        """Until the venue says that the key's plan does not include them."""

    def make_link(self) -> Link:
        self._need_key()
        return KeyedLink(self._key)

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        self._need_key()
        with _owners_lock:
            if _owners.setdefault(self._key, self) is not self:
                raise Blocked(
                    "another finnhub connector of this process uses the same key",
                    hint="Finnhub ends both when a key is used twice: close the other one, or use a key of its own.",
                )
        return super().start_stream(symbol, callback)

    def close(self) -> None:
        super().close()
        with _owners_lock:
            if _owners.get(self._key) is self:
                del _owners[self._key]

    def addresses(self) -> Sequence[str]:
        return (self._websocket, self._rest)

    def stream_url(self, symbols: Sequence[str]) -> str:
        return self._websocket

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"type": "subscribe", "symbol": symbol}) for symbol in symbols]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"type": "unsubscribe", "symbol": symbol}) for symbol in symbols]

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            message = _frame(frame)
        except _UNREADABLE as error:
            raise DecodeError(f"finnhub frame: {error}") from error
        if message.type == "trade":
            return [_trade(one, received_ns) for one in message.data]
        if message.type == "ping":
            return (Control("heartbeat"),)
        if message.type != "error":
            return ()
        if "api key" in message.msg.lower():
            return (Control("blocked", reason="finnhub does not accept the key: check FINNHUB_API_KEY"),)
        return (Control("refused", reason=self._redactor.text(message.msg) or "an error without words"),)

    def fetch(self, request: Request, timeout_s: float) -> bytes:
        try:
            return super().fetch(request, timeout_s)
        except FeedError as error:
            raise self._redactor.error(error) from None

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        return self._request(f"stock/bidask?symbol={quote(symbol, safe='')}")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        raise FeedError("finnhub has no depth", hint="Stream its trades, or poll its bid and ask.")

    def book(self, symbol: str, depth: int, source: Source) -> Quote | Trade:
        """The best bid and ask where the plan has them, else the last price: there are no books. Raises FeedError."""
        if self._has_bid_ask:
            try:
                body = self.fetch(self.snapshot_request(symbol, depth), self.patience.fetch_s)
                return self.decode_quote(symbol, body, self.runtime.clock.now_ns(), source)
            except (_NotInPlan, _NoQuote) as error:
                self._has_bid_ask = not isinstance(error, _NotInPlan)
            take_turn(self, self._closed, 1.0)
        body = self.fetch(self._request(f"quote?symbol={quote(symbol, safe='')}"), self.patience.fetch_s)
        return self.decode_price(symbol, body, self.runtime.clock.now_ns(), source)

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        return self.decode_snapshot(symbol, b"", 0, "poll")

    def decode_quote(self, symbol: str, body: bytes, received_ns: int, source: Source) -> Quote:
        """The quote in the body of a bid-and-ask response.

        Raises:
            DecodeError: the body cannot be read.
            FeedError: there is no bid or no ask.
        """
        try:
            found = _bid_ask(body)
        except _UNREADABLE as error:
            raise DecodeError(f"finnhub bid and ask of {symbol}: {error}") from error
        if not (found.b and found.a):
            raise _NoQuote(
                f"finnhub has no bid and ask for {symbol} now", hint="Is the symbol right and its market open?"
            )
        exchange_ns = unix_ns(found.t) if found.t else None
        return Quote(
            self.name,
            symbol,
            found.b,
            found.bv or 0.0,
            found.a,
            found.av or 0.0,
            None,
            exchange_ns,
            received_ns,
            source,
        )

    def decode_price(self, symbol: str, body: bytes, received_ns: int, source: Source) -> Trade:
        """The last price in the body of a quote response, as a trade without an amount.

        Raises:
            DecodeError: the body cannot be read.
            InvalidSymbol: the venue knows no price of this share, and has sent no trade either.
            FeedError: it knows no price of something else.
        """
        try:
            found = _price(body)
        except _UNREADABLE as error:
            raise DecodeError(f"finnhub quote of {symbol}: {error}") from error
        if not found.c or not found.t:
            # Only of shares is it certain that there is none: other markets may be missing from this call.
            if ":" in symbol or self._has_traded(symbol):
                raise FeedError(f"finnhub has no last price of {symbol} by REST", hint="Its trades come by the stream.")
            raise InvalidSymbol(f"finnhub knows no price of {symbol}")
        return Trade(
            self.name, symbol, found.c, 0.0, UNKNOWN_SIDE, None, unix_ns(found.t * 1_000), received_ns, source
        )  # fmt: skip

    def rests(self, symbol: str, now_ns: int) -> str:
        exchange, colon, _ = symbol.partition(":")
        if not colon and "." not in symbol and shares_rest(now_ns):
            return "the American market is closed now (open Monday to Friday, 4:00 to 20:00 in New York)"
        if colon and exchange in CURRENCIES and currencies_rest(now_ns):
            return "the currency market is closed now (from Friday to Sunday, 17:00 in New York)"
        return ""

    def instruments_request(self) -> Request:
        return self._request(LISTS[0])

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        try:
            rows = _rows(body)
        except _UNREADABLE as error:
            raise DecodeError(f"finnhub symbols: {error}") from error
        return [_instrument(row) for row in rows]

    def instruments(self) -> Sequence[Instrument]:
        """American shares, currencies and coins: as many of the three lists as the key may read."""
        if self._listed is None:
            found: list[Instrument] = []
            refused: Blocked | None = None
            try:
                for path in LISTS:
                    try:
                        take_turn(self, self._closed, 1.0)
                        found += self.decode_instruments(self.fetch(self._request(path), self.patience.fetch_s))
                    except Blocked as error:
                        refused = error
            finally:
                self.release_calls()
            if not found and refused is not None:
                raise refused
            self._listed = found
        return self._listed

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        if status == 401:
            return Blocked("finnhub does not accept the key", hint=KEY_HINT)
        if status == 403 and not RESTRICTED.search(body):
            return _NotInPlan(
                "this is not part of the finnhub key's plan", hint="It needs a paid plan; stream trades instead."
            )
        reset = headers.get("x-ratelimit-reset", "")
        if status == 429 and reset.isdecimal():
            wait_s = max(1.0, int(reset) - self.runtime.clock.now_ns() / 1e9)
            return RateLimited(
                "finnhub's calls per minute are used up", retry_after_s=wait_s, hint="It goes on by itself."
            )
        return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:  # not an address at all
            return False
        return host in ("ws.finnhub.io", "finnhub.io", "api.finnhub.io")

    def _request(self, path: str) -> Request:
        self._need_key()
        return Request(f"{self._rest}/api/v1/{path}", headers=(("X-Finnhub-Token", self._key),))

    def _has_traded(self, symbol: str) -> bool:
        channels = [one.channels.get(symbol) for one in self._connections]
        return any(channel is not None and channel.feed.quality.trades for channel in channels)

    def _need_key(self) -> None:
        if not self._key:
            raise Blocked("finnhub needs a key", hint=KEY_HINT)

    def _new_connection(self) -> Connection:
        if sum([len(one.channels) for one in self._connections]) >= SYMBOLS:
            raise FeedError(
                f"finnhub carries {SYMBOLS} symbols per key", hint="Stop watching another finnhub symbol first."
            )
        return super()._new_connection()


def _trade(one: _Print, received_ns: int) -> Trade:
    at_ns = unix_ns(one.t)
    if at_ns is None:
        raise DecodeError(f"finnhub frame: the time of a print of {one.s} is none")
    return Trade("finnhub", one.s, one.p, one.v, UNKNOWN_SIDE, None, at_ns, received_ns, "stream")


def _instrument(row: _Row) -> Instrument:
    base, _, other = row.displaySymbol.partition("/")
    if other:
        return Instrument("finnhub", row.symbol, base, other)
    return Instrument("finnhub", row.symbol, row.displaySymbol or row.symbol, row.currency or "USD")
