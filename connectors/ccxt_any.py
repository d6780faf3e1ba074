"""Any exchange that ccxt knows, under the name `ccxt:<id>` (CCXT_VENUES=bybit,okx). The only door to ccxt here.

Documentation: ccxt 4.5 manual and ccxt.pro manual; what follows was tried against 4.5.90. Book rule:
1. A venue's stream is watched through ccxt.pro, which joins snapshot and updates itself; what it gives is a whole book,
   one living object per symbol. Each change is copied as a book of its own (100 levels a side); there is no numbering.
2. ccxt checks update numbers or checksums at some venues only. Where it notices a gap it raises InvalidNonce: the book
   is shown no more, and the next watch begins with a new snapshot. Elsewhere a gap cannot be seen.
3. A stream that falls silent raises nothing: after two waits in vain with no frame at all the exchange object is closed
   and made anew. So it is after every other end of a connection, and once a day.
4. Venues that ccxt.pro does not know are polled: whole books by REST.

ccxt passes the maker's side on as a trade's side at coinbase; everywhere else it is the taker's.
Importing ccxt takes a second or more: it happens on a connection's thread, never while the program starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from threading import Lock, get_ident
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from connectors.base import Control, Limits, Link, Request, StreamingConnector
from connectors.base.books import take_turn
from connectors.base.transport.dial import proxy_for
from connectors.base.unified.coroutines import OwnLoop
from connectors.base.unified.errors import kinds, translate
from connectors.base.unified.link import TRADES_KEPT, UnifiedLink
from connectors.base.unified.listing import Listing, first_rest, first_websocket, redirect
from connectors.base.unified.recorded import HOSTS, RecordedExchange, Translation
from connectors.base.unified.wire import Told, decode, events, levels, stamp_ns
from connectors.base.unified.wiretap import as_bytes, listen
from engine.connector import Callback, Capabilities, Stream
from engine.errors import ConfigError, DecodeError, Disconnected, FeedError, StreamUnsupported
from engine.feed.sync import WholeBooks
from engine.market.events import BookSnapshot, MarketEvent, Source
from engine.market.instrument import Instrument, nearest_symbols

MAKER_SIDE = frozenset({"coinbase"})
KEEP_ALIVE_MS = 20_000
MARKETS_S = 30.0
BLOCKED_IN = {
    "binance": "the United States and other restricted locations (HTTP 451)",
    "binanceusdm": "the United States and other restricted locations (HTTP 451)",
    "bybit": "the United States and other restricted locations (HTTP 403)",
}
DEPTH = 100
OWN_MESSAGES = "own"
"""The name under which the exchange's own messages are recorded."""


class CcxtConnector(StreamingConnector):
    """One exchange behind ccxt. `variants` makes a class of this kind for every exchange that is asked for."""

    name = "ccxt"
    exchange_id: ClassVar[str] = ""
    capabilities = Capabilities(streaming=True, polling=True, depth=DEPTH, trades=True)
    continuity = WholeBooks()
    frames = "what ccxt made of the venue's messages; those stand beside it, REST answers are not recorded"
    wait_s: ClassVar[float] = 15.0
    """How long ccxt may say nothing of a symbol before we look whether its connection is still alive."""
    limits = Limits(
        silence_s=45.0,
        rotate_after_s=23 * 3600.0,
        connect_per_s=0.5,
        connect_burst=3,
        messages_per_s=20.0,
        symbols_per_connection=50,
        rest_per_s=2.0,
        rest_burst=4,
    )

    @classmethod
    def variants(cls, settings: Mapping[str, str]) -> dict[str, Callable[[Mapping[str, str]], Any]]:
        """The exchanges named in CCXT_VENUES, each under its name. A wrong one raises ConfigError when it is made."""
        wanted = [name.strip().lower() for name in settings.get("CCXT_VENUES", "").split(",") if name.strip()]
        return {f"ccxt:{name}": partial(_connector, cls, name) for name in dict.fromkeys(wanted)}

    @classmethod
    def variant(cls, name: str) -> Callable[[Mapping[str, str]], Any] | None:
        """The maker of `ccxt:<id>`, listed in CCXT_VENUES or not; None for a name of another form."""
        prefix, _, exchange = name.partition(":")
        return partial(_connector, cls, exchange.lower()) if prefix == "ccxt" and exchange else None

    @classmethod
    def frame_readers(cls) -> dict[str, Any]:
        """What reads recordings of these exchanges through ccxt's own message handlers, by name."""
        found = {f"ccxt:{name}": RecordedExchange(name, partial(_recorded, name), name in MAKER_SIDE) for name in HOSTS}
        return {**found, "ccxt": Translation()}

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._listing: Listing | None = None
        self._told = Told()
        self._desks: dict[int, _Calls] = {}
        self._desks_lock = Lock()
        self._address = self.setting("WS_URL", f"ccxt://{self.exchange_id or 'exchange'}")

    def setting(self, key: str, default: str) -> str:
        """The value of `CCXT_<ID>_<KEY>` (CCXT_BYBIT_WS_URL …), else `default`."""
        return self._settings.get(f"CCXT_{self.exchange_id.upper()}_{key}", "") or default

    def addresses(self) -> Sequence[str]:
        """The exchange's own hosts as ccxt knows them; loads ccxt, touches no network."""
        exchange = self._make()
        found = [first_rest(exchange.urls["api"])]
        if self.capabilities.streaming:
            found.insert(0, first_websocket(exchange.urls["api"]))
        return [exchange.implode_hostname(url) for url in found if url]

    # The stream

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        if not self.capabilities.streaming:
            raise StreamUnsupported(
                f"ccxt knows no stream of {self.exchange_id}, only its REST", hint="Its books are polled."
            )
        return super().start_stream(symbol, callback)

    def make_link(self) -> Link:
        maker = self.exchange_id in MAKER_SIDE
        return UnifiedLink(
            self.name, self._open_exchange, self.runtime.clock, self._told,
            wait_s=self.wait_s, open_s=MARKETS_S, maker=maker,
        )  # fmt: skip

    def stream_url(self, symbols: Sequence[str]) -> str:
        """Where ccxt connects to; known once it was loaded."""
        return self._address

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"do": "watch", "symbols": list(symbols)})]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"do": "leave", "symbols": list(symbols)})]

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            return events(decode(frame), self.name, received_ns)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"{self.name} frame: {error}") from error

    # REST

    def book_cost(self, symbol: str, depth: int) -> float:
        return 1.0

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot:
        book, own = self._calls().book(symbol, depth)
        bids, asks = levels(book["bids"], depth), levels(book["asks"], depth)
        if not bids and not asks:
            # What ccxt cannot read it gives as nothing.
            raise DecodeError(f"{self.name}: no book of {symbol} in the answer")
        now_ns = self.runtime.clock.now_ns()
        return BookSnapshot(self.name, own, bids, asks, None, stamp_ns(book.get("timestamp")), now_ns, source)

    def instruments(self) -> Sequence[Instrument]:
        if self._listing is None:
            try:
                take_turn(self, self._closed, 1.0)
                self._calls().load()
            finally:
                self.release_calls()
        return self._listing.instruments if self._listing is not None else []

    def release_calls(self) -> None:
        with self._desks_lock:
            desk = self._desks.pop(get_ident(), None)
        if desk is not None:
            desk.close()

    def abort_calls(self, thread: int) -> None:
        with self._desks_lock:
            desk = self._desks.get(thread)
        if desk is not None:
            desk.abort()

    def close(self) -> None:
        self._closed.set()
        for thread in list(self._desks):
            self.abort_calls(thread)
        super().close()

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        return Request(f"ccxt://{self.exchange_id}/{symbol}")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        raise DecodeError(f"{self.name}: ccxt asks for books itself")

    def instruments_request(self) -> Request:
        return Request(f"ccxt://{self.exchange_id}/markets")

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        raise DecodeError(f"{self.name}: ccxt asks for its markets itself")

    def _record_message(self, direction: Literal["send", "recv"], url: str, message: Any) -> None:
        tap = self.tap
        if tap is not None:
            tap.frame("ws", direction, url, OWN_MESSAGES, as_bytes(message), self.runtime.clock.now_ns())

    def _calls(self) -> _Calls:
        """This thread's own exchange object, for ccxt's are not to be shared."""
        with self._desks_lock:
            if self._closed.is_set():
                raise Disconnected(f"the {self.name} connector is closed")
            desk = self._desks.get(get_ident())
            if desk is None:
                desk = self._desks[get_ident()] = _Calls(self._translate, self._open_exchange, self.patience.fetch_s)
            return desk

    def _translate(self, error: BaseException) -> FeedError:
        return self.advise(translate(error, self.name))

    def _make(self) -> Any:
        """A new exchange object, its addresses replaced where the settings say so."""
        exchange = _make(self.exchange_id, self.patience.fetch_s)
        exchange.urls["api"] = redirect(exchange.urls["api"], self.setting("WS_URL", ""), self.setting("REST_URL", ""))
        return exchange

    async def _open_exchange(self) -> tuple[Any, Listing]:
        """A new exchange object that knows its markets; it must be closed."""
        exchange = self._make()
        self._address = exchange.implode_hostname(first_websocket(exchange.urls["api"])) or self._address
        _set_proxy(exchange, self._address)
        listen(exchange, self._record_message)
        try:
            listing = self._listing
            if listing is None:
                await exchange.load_markets()
                listing = self._listing = Listing(self.name, exchange)
            else:
                exchange.set_markets(listing.markets, listing.currencies)
        except BaseException:
            await exchange.close()
            raise
        return exchange, listing


class _Calls:
    """REST calls of one thread, on an exchange object and a loop of its own."""

    def __init__(
        self, translation: Callable[[BaseException], FeedError], open_exchange: Callable[[], Any], timeout_s: float
    ) -> None:
        self._open_exchange = open_exchange
        self._timeout_s = timeout_s
        self._loop = OwnLoop(translation, lambda error, message: None)
        self._opened: tuple[Any, Listing] | None = None
        self._limited = True
        """Whether the venue takes a number of levels that is ours, not one of its own few."""

    def load(self) -> tuple[Any, Listing]:
        """The exchange with its markets. Raises FeedError."""
        if self._opened is None:
            self._opened = self._loop.run(self._open_exchange(), MARKETS_S)
        return self._opened

    def book(self, symbol: str, depth: int) -> tuple[Mapping[str, Any], str]:
        """A book and the name it goes by. Raises FeedError."""
        exchange, listing = self.load()
        return self._loop.run(self._fetch(exchange, listing.unified(symbol) or symbol, depth), self._timeout_s), symbol

    def abort(self) -> None:
        self._loop.abort()

    def close(self) -> None:
        opened = self._opened
        self._loop.close(opened[0].close if opened is not None else None, 1.0)

    async def _fetch(self, exchange: Any, unified: str, depth: int) -> Mapping[str, Any]:
        if self._limited:
            try:
                book: Mapping[str, Any] = await exchange.fetch_order_book(unified, depth)
                return book
            except _library().ExchangeError as error:
                if "BadSymbol" in kinds(error) or "AuthenticationError" in kinds(error):
                    raise
                self._limited = False
        book = await exchange.fetch_order_book(unified)
        return book


def _connector(base: type[CcxtConnector], name: str, settings: Mapping[str, str]) -> CcxtConnector:
    """A connector for one exchange; its card is written without importing ccxt.

    Raises:
        ConfigError: ccxt is not installed, or knows no exchange of that name.
    """
    kinds_of = _exchanges()
    if name not in kinds_of:
        near = ", ".join(nearest_symbols(name, kinds_of))
        hint = f"Did you mean {near}?" if near else "See ccxt's list of exchanges."
        raise ConfigError(f"CCXT_VENUES: ccxt knows no exchange {name!r}", hint=hint)
    streams = kinds_of[name]
    own_hosts = f"CCXT_{name.upper()}_WS_URL and CCXT_{name.upper()}_REST_URL"
    card = Capabilities(
        streaming=streams,
        polling=True,
        depth=DEPTH,
        trades=streams,
        gap_detection="only where ccxt checks numbers or checksums",
        test_network=f"where {name} has one: set {own_hosts}",
        regions_blocked=BLOCKED_IN.get(name, "not known"),
        note="Through ccxt: whole books of 100 levels a side. Sizes of contract markets are in contracts.",
    )
    location_hint = f"If {name} has other hosts for this place, set {own_hosts}; else choose another venue."
    own: type[CcxtConnector] = type(
        f"Ccxt_{name}",
        (base,),
        {"name": f"ccxt:{name}", "exchange_id": name, "capabilities": card, "location_hint": location_hint},
    )
    return own(settings)


@cache
def _exchanges() -> dict[str, bool]:
    """The exchanges of the installed ccxt by id and whether it can stream them: read from its folders, not imported."""
    found = find_spec("ccxt")
    if found is None or not found.submodule_search_locations:
        raise ConfigError("CCXT_VENUES is set, but ccxt is not installed", hint="pip install ccxt")
    folder = Path(found.submodule_search_locations[0])
    streaming = {path.stem for path in (folder / "pro").glob("*.py")}
    polled = {path.stem for path in (folder / "async_support").glob("*.py")}
    return {name: name in streaming for name in sorted(polled | streaming) if not name.startswith("_")}


def _library() -> Any:
    import ccxt.pro

    return ccxt.pro


def _make(name: str, timeout_s: float) -> Any:
    """A new exchange object of ccxt."""
    import ccxt.async_support

    kind = getattr(_library(), name, None) or getattr(ccxt.async_support, name)
    exchange = _mended(kind({"enableRateLimit": True, "timeout": round(timeout_s * 1000)}))
    exchange.options["tradesLimit"] = TRADES_KEPT
    exchange.has["fetchCurrencies"] = False  # many more requests, and nothing that a book needs
    if name == "binance":
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
    streaming = exchange.streaming
    if getattr(exchange, "ping", None) is None and streaming.get("keepAlive", 0) > KEEP_ALIVE_MS:
        streaming["keepAlive"] = KEEP_ALIVE_MS
    return exchange


def _recorded(name: str) -> tuple[Any, type[Exception]]:
    """An exchange object that is only fed (no loop, no socket), and the class of all of ccxt's errors."""
    return _mended(getattr(_library(), name)({"enableRateLimit": False})), _library().BaseError


def _mended(exchange: Any) -> Any:
    """What ccxt 4.5.90 gets wrong: of Bitstamp's kept updates it drops those that are newer than the snapshot, too."""
    if exchange.id == "bitstamp":
        exchange.get_cache_index = _first_newer
    return exchange


def _first_newer(snapshot: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]) -> int:
    """Where the kept updates go on after a snapshot; -1 when it is older than them all, and another is needed."""
    number, numbers = snapshot["nonce"], [int(update["microtimestamp"]) for update in kept]
    if not numbers or number is None or number < numbers[0]:
        return -1
    return sum(1 for one in numbers if one <= number)


def _set_proxy(exchange: Any, address: str) -> None:
    """The proxy that the environment names, as for every other venue."""
    proxy = proxy_for(urlsplit(address).hostname or "", tls=True)
    if proxy is not None:
        exchange.httpsProxy = exchange.wssProxy = proxy.geturl()
