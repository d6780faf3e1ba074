"""Coinbase Advanced Trade, public market data, no key.

Documentation: Coinbase Developer Platform, Advanced Trade WebSocket (AsyncAPI, 2026) and REST. Book rule:
1. Subscribe to `level2`, one channel per message; it arrives as `l2_data`. The first event of a product is its whole
   book (5 MB for BTC-USD), the next ones carry new absolute sizes, 0 removes. The ask side is called `offer`.
2. `sequence_num` counts the frames of a connection over all channels. When it does not grow by one, anything may be
   missing: every book of the connection is thrown away and the connection made anew.
3. `heartbeats` comes every second, so a connection that says nothing for eight is dead.

{"channel":"l2_data","timestamp":"2026-04-07T14:30:00.123456789Z","sequence_num":1,"events":[{"type":"update",
"product_id":"BTC-USD","updates":[{"side":"offer","event_time":"…","price_level":"68901.00","new_quantity":"0"}]}]}
A trade's `side` is the maker's, so the aggressor is the other one; trades come newest first, and the first event
repeats old ones. `X-USDC` is mostly another name of `X-USD`: one book, whose frames carry the latter's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import dumps
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from connectors.base import Control, Decode, Limits, Request, StreamingConnector
from connectors.base.stamps import rfc3339_ns
from engine.connector import Capabilities
from engine.errors import DecodeError, InvalidSymbol
from engine.feed.sync import Unnumbered
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookDelta, BookSnapshot, Level, MarketEvent, Source, Trade
from engine.market.instrument import Instrument

CHANNELS = ("market_trades", "level2")
# The book comes last: once it is there the trades flow, so that a second connection takes over without losing one.
PRODUCTS_PER_FRAME = 30
AGGRESSORS = {"BUY": SELL, "SELL": BUY}
"""By the maker's side, which is what the venue tells; `UNKNOWN_ORDER_SIDE` and whatever else may come is unknown."""
OWN_BOOKS = frozenset({"USDT-USDC", "EURC-USDC", "XSGD-USDC", "TGBP-USDC", "AUDD-USDC"})
"""Products in USDC that are no other name of one in USD, until the venue's own list says so (list of 2026-08-09)."""


class _Change(Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: float
    new_quantity: float


class _BookEvent(Struct, gc=False):
    type: str
    product_id: str
    updates: list[_Change]


class _Print(Struct, gc=False):
    trade_id: int | str
    product_id: str
    price: float
    size: float
    time: str
    side: str = ""


class _TradesEvent(Struct, gc=False):
    type: str
    trades: list[_Print]


class _ListEvent(Struct, gc=False):
    subscriptions: dict[str, list[str]] = {}


class _Frame(Struct, tag_field="channel", gc=False):
    timestamp: str
    sequence_num: int | None = None


class _Book(_Frame, tag="l2_data", gc=False):
    events: list[_BookEvent] = []


class _Trades(_Frame, tag="market_trades", gc=False):
    events: list[_TradesEvent] = []


class _Heartbeat(_Frame, tag="heartbeats", gc=False):
    """The venue lives."""


class _Subscriptions(_Frame, tag="subscriptions", gc=False):
    events: list[_ListEvent] = []


class _Other(Struct, gc=False):
    """Any frame: a channel that nobody asked for, or an error."""

    channel: str = ""
    sequence_num: int | None = None
    type: str = ""
    message: str = ""


class _Row(Struct, gc=False):
    price: float
    size: float


class _PriceBook(Struct):
    bids: list[_Row]
    asks: list[_Row]
    time: str = ""


class _ProductBook(Struct):
    pricebook: _PriceBook


class _Product(Struct):
    product_id: str
    base_currency_id: str
    quote_currency_id: str
    price_increment: float | None = None
    base_increment: float | None = None
    trading_disabled: bool = False
    is_disabled: bool = False
    alias: str = ""


class _Products(Struct):
    products: list[_Product]


_frame = msgspec.json.Decoder(_Book | _Trades | _Heartbeat | _Subscriptions, strict=False).decode
_other = msgspec.json.Decoder(_Other).decode
_product_book = msgspec.json.Decoder(_ProductBook, strict=False).decode
_products = msgspec.json.Decoder(_Products, strict=False).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)

Items = list[MarketEvent | Control]


class CoinbaseConnector(StreamingConnector):
    """Coinbase Advanced Trade: whole books in real time and every trade; no key needed."""

    name = "coinbase"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=50_000,
        trades=True,
        gap_detection="numbers of a connection's frames",
        test_network="none: the sandbox plays orders only",
        regions_blocked="some dollar products outside the United States",
        note="The whole book of every product; the first frame of a big one is 5 MB.",
    )
    location_hint = "Coinbase does not serve this place: choose another venue, such as kraken or binance."
    continuity = Unnumbered(recovery="resubscribe")
    limits = Limits(
        silence_s=8.0,
        connect_per_s=1.0,
        connect_burst=5,
        messages_per_s=4.0,
        symbols_per_connection=PRODUCTS_PER_FRAME,
        rest_per_s=8.0,
        rest_burst=10,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._websocket = self.setting("WS_URL", "wss://advanced-trade-ws.coinbase.com").rstrip("/")
        self._rest = self.setting("REST_URL", "https://api.coinbase.com").rstrip("/")
        self._aliases: dict[str, str] | None = None
        """By product, the one whose name its frames carry; None until the venue's list was read."""
        self._asked: dict[str, tuple[str, ...]] = {}
        """By the name that frames carry, the products that were asked for under another one."""

    def stream_url(self, symbols: Sequence[str]) -> str:
        return self._websocket

    def opening(self) -> list[str]:
        return [dumps({"type": "subscribe", "channel": "heartbeats"})]

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        for symbol in symbols:
            label, known = self._label(symbol), self._asked.get(self._label(symbol), ())
            if label != symbol and symbol not in known:
                self._asked[label] = (*known, symbol)
        return _frames("subscribe", CHANNELS, symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return _frames("unsubscribe", CHANNELS, symbols)

    def resubscribe(self, symbols: Sequence[str]) -> list[str]:
        book = CHANNELS[-1:]
        return [*_frames("unsubscribe", book, symbols), *_frames("subscribe", book, symbols)]

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        return self._read(frame, received_ns)[1]

    def new_decoder(self) -> Decode:
        expected: int | None = None

        def decode(frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
            nonlocal expected
            number, items = self._read(frame, received_ns)
            if number is None:
                return items
            awaited, expected = expected, number + 1
            if awaited is None or number == awaited:
                return items
            return (Control("restart", reason=f"gap: expected frame {awaited}, received {number}"),)

        return decode

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        path = f"product_book?product_id={quote(symbol, safe='')}&limit={max(depth, 1)}"
        return Request(f"{self._rest}/api/v3/brokerage/market/{path}")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        try:
            book = _product_book(body).pricebook
            exchange_ns = rfc3339_ns(book.time) if book.time else None
        except _UNREADABLE as error:
            raise DecodeError(f"coinbase book of {symbol}: {error}") from error
        bids, asks = [[(row.price, row.size) for row in side if row.size] for side in (book.bids, book.asks)]
        return BookSnapshot(self.name, symbol, tuple(bids), tuple(asks), None, exchange_ns, received_ns, source)

    def instruments_request(self) -> Request:
        return Request(f"{self._rest}/api/v3/brokerage/market/products")

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        try:
            products = _products(body).products
        except _UNREADABLE as error:
            raise DecodeError(f"coinbase products: {error}") from error
        self._aliases = {one.product_id: one.alias for one in products if one.alias}
        return [
            Instrument(
                self.name, one.product_id, one.base_currency_id, one.quote_currency_id,
                one.price_increment, one.base_increment,
            )
            for one in products
            if not (one.trading_disabled or one.is_disabled)
        ]  # fmt: skip

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        if status == 404 or (status == 400 and b"product" in body.lower()):
            return InvalidSymbol(
                "coinbase does not list this product", hint="Search the venue's own list of instruments."
            )
        return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        try:
            address = urlsplit(url)
        except ValueError:  # not an address at all
            return False
        advanced = address.path.startswith("/api/v3/brokerage/")
        return address.hostname in ("advanced-trade-ws.coinbase.com", "advanced-trade-ws-user.coinbase.com") or (
            address.hostname == "api.coinbase.com" and advanced
        )

    def _label(self, symbol: str) -> str:
        """The name that the frames of a product carry."""
        if self._aliases is not None:
            return self._aliases.get(symbol, symbol)
        other_name = symbol.endswith("-USDC") and symbol not in OWN_BOOKS
        return symbol.removesuffix("C") if other_name else symbol

    def _names(self, label: str) -> tuple[str, ...]:
        """The products that a frame with this name is about."""
        return (label, *self._asked.get(label, ()))

    def _read(self, frame: bytes, received_ns: int) -> tuple[int | None, Sequence[MarketEvent | Control]]:
        """The frame's number, where it has one, and what it says."""
        try:
            message = _frame(frame)
            items: Items = []
            if type(message) is _Book:
                self._read_book(message, received_ns, items)
            elif type(message) is _Trades:
                self._read_trades(message, received_ns, items)
            elif type(message) is _Subscriptions:
                self._read_list(message, items)
            else:
                items.append(Control("heartbeat"))
            return message.sequence_num, items
        except msgspec.ValidationError as error:
            return _read_other(frame, error)
        except _UNREADABLE as error:
            raise DecodeError(f"coinbase frame: {error}") from error

    def _read_book(self, message: _Book, received_ns: int, items: Items) -> None:
        exchange_ns = rfc3339_ns(message.timestamp)
        for event in message.events:
            bids: list[Level] = []
            asks: list[Level] = []
            for change in event.updates:
                side = bids if change.side == "bid" else asks
                side.append((change.price_level, change.new_quantity))
            for name in self._names(event.product_id):
                if event.type == "snapshot":
                    items.append(_snapshot(name, bids, asks, exchange_ns, received_ns))
                else:
                    items.append(
                        BookDelta(
                            "coinbase", name, tuple(bids), tuple(asks), None, None, exchange_ns, received_ns, "stream"
                        )
                    )

    def _read_trades(self, message: _Trades, received_ns: int, items: Items) -> None:
        for event in message.events:
            old = event.type == "snapshot"
            for one in reversed(event.trades):
                side = AGGRESSORS.get(one.side, UNKNOWN_SIDE)
                number = str(one.trade_id)
                identifier = int(number) if number.isdecimal() else number
                at_ns = rfc3339_ns(one.time)
                for name in self._names(one.product_id):
                    items.append(
                        Trade(
                            "coinbase", name, one.price, one.size, side, identifier, at_ns, received_ns, "stream", old
                        )
                    )

    def _read_list(self, message: _Subscriptions, items: Items) -> None:
        """Every answer lists all that the connection carries; a product that the venue does not know is left out."""
        carried: dict[str, None] = {}
        for event in message.events:
            for products in event.subscriptions.values():
                for product in products:
                    carried.update(dict.fromkeys(self._names(product)))
        items += [Control("ack"), Control("carries", symbols=tuple(carried))]


def _snapshot(name: str, bids: list[Level], asks: list[Level], exchange_ns: int, received_ns: int) -> BookSnapshot:
    best_bids = tuple(sorted([level for level in bids if level[1]], reverse=True))
    best_asks = tuple(sorted([level for level in asks if level[1]]))
    return BookSnapshot("coinbase", name, best_bids, best_asks, None, exchange_ns, received_ns, "stream")


def _read_other(frame: bytes, failure: Exception) -> tuple[int | None, Sequence[MarketEvent | Control]]:
    """Channels that nobody asked for, and errors; what only looks like one of ours cannot be read."""
    try:
        message = _other(frame)
    except _UNREADABLE:
        raise DecodeError(f"coinbase frame: {failure}") from failure
    if message.type == "error":
        reason = message.message or "an error without words"
        throttled = "rate" in reason.lower() or "too many" in reason.lower()
        return message.sequence_num, (Control("throttled" if throttled else "refused", reason=reason),)
    if not message.channel or message.channel in ("l2_data", "market_trades", "heartbeats", "subscriptions"):
        raise DecodeError(f"coinbase frame: {failure}")
    return message.sequence_num, ()


def _frames(kind: str, channels: Sequence[str], symbols: Sequence[str]) -> list[str]:
    """One message per channel: the venue takes no more than one in each."""
    chunks = [list(symbols[start : start + PRODUCTS_PER_FRAME]) for start in range(0, len(symbols), PRODUCTS_PER_FRAME)]
    return [dumps({"type": kind, "channel": channel, "product_ids": chunk}) for chunk in chunks for channel in channels]
