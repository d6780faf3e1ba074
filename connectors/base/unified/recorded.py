"""Recorded frames through the unified library's own message handlers: what it would have made of them, live.

Nothing is awaited and nothing is sent. A REST answer that the library would fetch is taken from the recording, at the
moment when it came. What the library would hand to whoever watches is what becomes an event here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.base.transport.tapping import TRANSLATED
from connectors.base.unified.errors import is_lost_book
from connectors.base.unified.listing import Listing
from connectors.base.unified.okx_checksum import CheckedBooks, with_checksums
from connectors.base.unified.wire import decode, events, picture, prints
from connectors.base.venue import Decode
from engine.connector import Capabilities
from engine.errors import DecodeError
from engine.feed.sync import Continuity, WholeBooks
from engine.market.events import MarketEvent

HOSTS: Mapping[str, tuple[str, ...]] = {
    "okx": ("okx.com",),
    "bybit": ("bybit.com",),
    "gemini": ("gemini.com",),
    "kucoin": ("kucoin.com",),
    "bitstamp": ("bitstamp.net",),
    "coinbaseexchange": ("pro.coinbase.com", "exchange.coinbase.com"),
    "coinbase": (),
}
"""The exchanges whose recordings can be read this way, and by which hosts they are known; without one, only by name."""


class Translation:
    """A reader of what the library had made of frames when it was recorded, for any exchange."""

    name = "ccxt"
    continuity = WholeBooks()
    crossed_allowed = False

    def fresh(self) -> Translation:
        return self

    def recognises(self, url: str) -> bool:
        """Recordings of this kind name their connector themselves."""
        return False

    def unreadable(self, url: str) -> str:
        """The exchange's own messages may stand beside them."""
        return ""

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent]:
        """The events of one recorded message. Raises DecodeError."""
        try:
            return [one for one in events(decode(frame), self.name, received_ns) if isinstance(one, MarketEvent)]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"{self.name} frame: {error}") from error

    def recorded_decoder(self, url: str, connection: str) -> Decode:
        return self.decode if url.startswith(TRANSLATED) else lambda frame, received_ns: ()

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        return ()


class RecordedExchange:
    """A reader of recordings for `engine verify` and playback: one object, one pass.

    `make` gives an exchange object of the library and the class of all its errors; `maker`: what the library gives as
    a trade's side is the maker's.
    """

    crossed_allowed = False

    def __init__(self, exchange_id: str, make: Callable[[], tuple[Any, type[Exception]]], maker: bool) -> None:
        self.name = f"ccxt:{exchange_id}"
        self.capabilities = Capabilities(
            streaming=True, polling=False, depth=100, trades=True, note="Read through ccxt's own message handlers."
        )
        self.continuity: Continuity = CheckedBooks() if exchange_id == "okx" else WholeBooks()
        self._id = exchange_id
        self._make = make
        self._maker = maker
        self._exchange: Any = None
        self._listing: Listing | None = None
        self._fault: type[Exception] = ValueError
        self._markets: dict[str, Any] = {}
        self._clients: dict[str, _Client] = {}
        self._books: dict[str, Any] = {}
        self._wanted: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {}
        self._out: list[MarketEvent] = []
        self._traded: dict[str, Any] = {}
        self._spoke: set[str] = set()
        self._first_ns: int | None = None
        self._now_ns = 0

    def unreadable(self, url: str) -> str:
        """Every address that is recognised can be read."""
        return ""

    def fresh(self) -> RecordedExchange:
        """A reader that has read nothing yet."""
        return RecordedExchange(self._id, self._make, self._maker)

    def recognises(self, url: str) -> bool:
        """Whether a recorded URL is this exchange's."""
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        return any(host == known or host.endswith(f".{known}") for known in HOSTS[self._id])

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent]:
        return self.decode_recorded("", "", frame, received_ns)

    def recorded_decoder(self, url: str, connection: str) -> Decode:
        return lambda frame, received_ns: self.decode_recorded(url, connection, frame, received_ns)

    def decode_recorded(self, url: str, connection: str, frame: bytes, received_ns: int) -> Sequence[MarketEvent]:
        """What the library tells its watchers on this frame.

        Raises:
            DecodeError: it cannot be read, or the library found an update missing.
        """
        self._now_ns = received_ns
        exchange = self._ready()
        client = self._clients.get(url)
        if client is None:
            client = self._clients[url] = _Client(url, self._note, exchange.milliseconds)
            self._first_ns = self._first_ns or received_ns
        try:
            message: Any = json.loads(frame) if frame[:1] in (b"{", b"[") else frame.decode()
            exchange.handle_message(client, message)
            for symbol in list(self._wanted):  # as a task would: not before the handler has kept this message
                self._synchronise(symbol)
            return with_checksums(self._take(), message) if self._id == "okx" else self._take()
        except DecodeError:
            raise
        except (self._fault, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DecodeError(f"{self.name} frame: {type(error).__name__}: {error}") from error

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        """What a recorded REST answer gives: markets, or the snapshot that the library waits for."""
        self._now_ns = received_ns
        address = urlsplit(url)
        try:
            if address.path.rstrip("/").endswith(_LISTS[self._id]) or "/symbols/details/" in address.path:
                found = _MARKETS[self._id](self._new(), url, json.loads(body))
                self._markets |= {one["symbol"]: one for one in found}
                self._listing = None
            elif "order" in address.path and "book" in address.path:
                return self._take_book(_symbol_of(address.path, address.query), json.loads(body))
        except DecodeError:
            raise
        except (self._fault, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DecodeError(f"{self.name} response: {type(error).__name__}: {error}") from error
        return ()

    def _new(self) -> Any:
        if self._exchange is None:
            self._exchange, self._fault = self._make()
            self._exchange.spawn = self._spawn
        return self._exchange

    def _ready(self) -> Any:
        exchange = self._new()
        if self._listing is None:
            exchange.set_markets(list(self._markets.values()))
            self._listing = Listing(self.name, exchange)
        return exchange

    def _take(self) -> Sequence[MarketEvent]:
        out, self._out = self._out, []
        traded, self._traded = self._traded, {}
        for symbol, trades in traded.items():
            out += self._told(symbol, trades)
        return out

    def _note(self, result: Any, error: BaseException | None) -> None:
        """What the library would have handed to a watcher: a book, trades, or something of no interest here."""
        assert self._listing is not None
        if error is not None:
            what = "an update is missing" if is_lost_book(error) else type(error).__name__
            raise DecodeError(f"{self.name}: {what}: {error}")
        if isinstance(result, dict) and "bids" in result and "asks" in result and hasattr(result, "limit"):
            self._out += events(picture(self._own(result), result.limit()), self.name, self._now_ns)  # type: ignore[arg-type]
        elif hasattr(result, "getLimit") and len(result) and isinstance(result[-1], dict) and "price" in result[-1]:
            self._traded[result[-1]["symbol"]] = result

    def _told(self, symbol: str, trades: Any) -> Sequence[Any]:
        """The trades of one message, however often the library woke their watchers over it."""
        fresh = trades.getLimit(symbol, None) or 0
        subscribed_ns = None if symbol in self._spoke else self._first_ns
        self._spoke.add(symbol)
        news = trades[-fresh:] if fresh else []
        told = prints(self._name(symbol), news, maker=self._maker, subscribed_ns=subscribed_ns)
        return events(told, self.name, self._now_ns)

    def _own(self, book: Any) -> str:
        symbol = book.get("symbol")
        if symbol is None:
            symbol = next(name for name, one in self._exchange.orderbooks.items() if one is book)
        return self._name(symbol)

    def _name(self, unified: str) -> str:
        """The symbol as the recorded frames spell it: Gemini's are in capitals, of which the library knows nothing."""
        assert self._listing is not None
        own = self._listing.own(unified)
        return own.upper() if self._id == "gemini" else own

    # Snapshots that the library fetches: it asks once some updates are kept, the recording answers when it did

    def _spawn(self, method: Any, *arguments: Any) -> None:
        """The library starts a task: it can only be the fetching of a snapshot."""
        self._wanted[arguments[2]] = lambda: method(*arguments)

    def _take_book(self, own: str, body: Any) -> Sequence[MarketEvent]:
        self._ready()
        assert self._listing is not None
        symbol = self._listing.unified(own) or own
        self._books[symbol] = body
        self._synchronise(symbol)
        return self._take()

    def _synchronise(self, symbol: str) -> None:
        if symbol not in self._wanted or symbol not in self._books:
            return
        body, wanted = self._books[symbol], self._wanted.pop(symbol)

        async def answer(*arguments: Any, **options: Any) -> Any:
            return body

        self._exchange.fetch = answer
        coroutine = wanted()
        try:
            coroutine.send(None)  # everything that it awaits is there already
        except StopIteration:
            return
        coroutine.close()
        raise DecodeError(f"{self.name}: the snapshot of {symbol} needs more than the recording holds")


class _Subscriptions(dict[str, Any]):
    """Everything is subscribed: the recording's client did it."""

    def __contains__(self, name: object) -> bool:
        return True

    def __delitem__(self, name: str) -> None:
        self.pop(name, None)


class _Client:
    """What the library's handlers need of a connection."""

    def __init__(
        self, url: str, note: Callable[[Any, BaseException | None], None], milliseconds: Callable[[], int]
    ) -> None:
        self.url = url
        self.subscriptions = _Subscriptions()
        self.futures: dict[str, Any] = {}
        self.lastPong = milliseconds()
        self.keepAlive = 0
        self.error: BaseException | None = None
        self._note = note

    def resolve(self, result: Any, message_hash: str | None = None) -> Any:
        self._note(result, None)
        return result

    def reject(self, error: BaseException, message_hash: str | None = None) -> BaseException:
        self._note(None, error)
        return error


def _symbol_of(path: str, query: str) -> str:
    asked = parse_qs(query).get("symbol")
    return asked[0] if asked else path.rstrip("/").rsplit("/", 1)[-1]


def _plain(exchange: Any, identifier: str, base: str, quote: str, settle: str = "") -> Any:
    """A market as the library describes one, from the little that a recording's list tells."""
    base, quote = exchange.safe_currency_code(base), exchange.safe_currency_code(quote)
    contract = bool(settle)
    kind = "swap" if contract else "spot"
    return exchange.safe_market_structure(
        {
            "id": identifier, "symbol": f"{base}/{quote}" + (f":{settle}" if contract else ""),
            "base": base, "quote": quote, "settle": settle or None, "baseId": base, "quoteId": quote,
            "type": kind, "spot": not contract, "swap": contract, "future": False, "option": False, "margin": False,
            "contract": contract, "linear": contract or None, "inverse": False if contract else None, "active": True,
            "precision": {"price": None, "amount": None},
        }
    )  # fmt: skip


def _okx(exchange: Any, url: str, body: Any) -> list[Any]:
    return [] if "OPTION" in url else [exchange.parse_market(one) for one in body["data"]]


def _bybit(exchange: Any, url: str, body: Any) -> list[Any]:
    listed = body["result"]
    contract = listed["category"] != "spot"
    return [
        _plain(exchange, one["symbol"], one["baseCoin"], one["quoteCoin"], one["settleCoin"] if contract else "")
        for one in listed["list"]
        if not contract or one["contractType"] == "LinearPerpetual"
    ]


def _gemini(exchange: Any, url: str, body: Any) -> list[Any]:
    if not isinstance(body, dict):
        return []
    return [_plain(exchange, body["symbol"].lower(), body["base_currency"], body["quote_currency"])]


def _kucoin(exchange: Any, url: str, body: Any) -> list[Any]:
    return [_plain(exchange, one["symbol"], one["baseCurrency"], one["quoteCurrency"]) for one in body["data"]]


def _bitstamp(exchange: Any, url: str, body: Any) -> list[Any]:
    return [_plain(exchange, one["url_symbol"], *one["name"].split("/")) for one in body]


def _coinbaseexchange(exchange: Any, url: str, body: Any) -> list[Any]:
    return [_plain(exchange, one["id"], one["base_currency"], one["quote_currency"]) for one in body]


def _coinbase(exchange: Any, url: str, body: Any) -> list[Any]:
    return [
        _plain(exchange, one["product_id"], one["base_currency_id"], one["quote_currency_id"])
        for one in body["products"]
        if one.get("product_type", "SPOT") == "SPOT"
    ]


_LISTS = {
    "okx": "/public/instruments", "bybit": "/instruments-info", "gemini": "/v1/symbols", "kucoin": "/symbols",
    "bitstamp": "/trading-pairs-info", "coinbaseexchange": "/products", "coinbase": "/market/products",
}  # fmt: skip
_MARKETS: Mapping[str, Callable[[Any, str, Any], list[Any]]] = {
    "okx": _okx, "bybit": _bybit, "gemini": _gemini, "kucoin": _kucoin,
    "bitstamp": _bitstamp, "coinbaseexchange": _coinbaseexchange, "coinbase": _coinbase,
}  # fmt: skip
