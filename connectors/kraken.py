"""Kraken spot, public market data over WebSocket v2.

Documentation: docs.kraken.com, Spot WebSocket v2 (changelog to 2026-06-22). Book rule ("Book Checksum (v2)"):
1. Subscribe to `book`; its `snapshot` sets both sides.
2. `update`: quantity 0 removes a level (one that is not there: nothing), any other sets it, in the order given.
3. Cut each side to the subscribed depth: levels that fall out of it are not announced.
4. Then compare `checksum`: CRC-32 over the ten best asks and the ten best bids, each level being price and quantity as
   written, without the point and without leading zeros. There are no numbers: this alone shows a lost update, and one
   that touched only deeper levels shows when these come among the ten best.
5. If it differs: unsubscribe and subscribe the book of that symbol, ignore its updates until the next snapshot.

{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5657,"qty":1098.3947558}],"asks":[],
"checksum":2114181697,"timestamp":"2023-10-06T17:35:55.440295Z"}]}. Numbers keep their zeros (0.10000000), so they are
read as text. Symbols are BTC/USD here, XBT/USD in REST and in v1 (which is not read). Trade sides are the taker's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from json import dumps, loads
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

import msgspec

from connectors.base import Control, Limits, Request, StreamingConnector
from connectors.base.kraken.frames import (
    Head,
    InstrumentFrame,
    Level,
    Pair,
    decode_book,
    decode_head,
    decode_instruments,
    plain,
    read_status,
    read_ticker,
    read_trades,
    stamp_ns,
)
from connectors.base.kraken.rest import (
    complaint,
    decode_asset_pairs,
    decode_depth,
    decode_errors,
    instrument,
    new_symbol,
    old_name,
)
from engine.connector import Capabilities
from engine.errors import DecodeError
from engine.feed.sync import Unnumbered
from engine.market.events import (
    BookDelta,
    BookSnapshot,
    Levels,
    MarketEvent,
    Source,
    Written,
)
from engine.market.instrument import Instrument

DEPTH = 100
DEPTHS = (10, 25, 100, 500, 1000)
REST_DEPTH = 500
SYMBOLS_PER_FRAME = 50
BOOK: dict[str, Any] = {"channel": "book", "depth": DEPTH, "snapshot": True}
# The book comes last: once it is there the others flow, so that a second connection takes over without losing a trade.
CHANNELS: tuple[dict[str, Any], ...] = (
    {"channel": "trade", "snapshot": False},
    {"channel": "ticker", "event_trigger": "bbo", "snapshot": True},
    BOOK,
)
UNLISTED = ("delisted", "work_in_progress")


class KrakenChecksum:
    """CRC-32 over the digits of the ten best asks, then the ten best bids."""

    levels = 10

    def piece(self, price: str, size: str) -> str:
        return price.replace(".", "").lstrip("0") + size.replace(".", "").lstrip("0")

    def value(self, bids: Sequence[str], asks: Sequence[str]) -> int:
        return crc32(("".join(asks) + "".join(bids)).encode())


class KrakenConnector(StreamingConnector):
    """Kraken spot: checksummed books, every trade, every change of the best quote; no key needed."""

    name = "kraken"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=DEPTH,
        trades=True,
        gap_detection="CRC-32 over the ten best levels with every update",
        test_network="none for spot (a beta host on the production engine: wss://beta-ws.kraken.com/v2)",
        regions_blocked="some products per account and country; too many attempts are refused for about ten minutes",
        note="WebSocket v2. A lost change beyond the ten best levels shows once it comes among them.",
    )
    location_hint = (
        "Kraken does not serve this place or product here: choose another venue, such as coinbase or binance."
    )
    continuity = Unnumbered(KrakenChecksum(), "resubscribe")
    snapshot_depth = DEPTH
    limits = Limits(
        silence_s=8.0,
        connect_per_s=0.2,
        connect_burst=5,
        messages_per_s=10.0,
        symbols_per_connection=200,
        rest_per_s=1.0,
        rest_burst=2,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._websocket = self.setting("WS_URL", "wss://ws.kraken.com/v2").rstrip("/").removesuffix("/v2")
        self._rest = self.setting("REST_URL", "https://api.kraken.com").rstrip("/").removesuffix("/0")
        self._requests = count(1)
        # Replaced, never changed: each connection's thread decodes.
        self._depths: dict[str, int] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._pairs: dict[str, Pair] = {}
        self._rest_names: dict[str, str] = {}

    def stream_url(self, symbols: Sequence[str]) -> str:
        return f"{self._websocket}/v2"

    def opening(self) -> list[str]:
        return [self._frame("subscribe", {"channel": "instrument", "snapshot": True})]

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        self._depths = {**self._depths, **dict.fromkeys(symbols, DEPTH)}
        return self._frames("subscribe", CHANNELS, symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return self._frames("unsubscribe", CHANNELS, symbols)

    def resubscribe(self, symbols: Sequence[str]) -> list[str]:
        return [*self._frames("unsubscribe", (BOOK,), symbols), *self._frames("subscribe", (BOOK,), symbols)]

    def awaits(self, frame: str) -> tuple[int, Sequence[str]] | None:
        message = loads(frame)
        symbols = message["params"].get("symbol")
        # Each symbol of a frame is answered for itself.
        return (message["req_id"], symbols) if message["method"] == "subscribe" and symbols else None

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            # Nearly every frame begins with its channel; what does not is looked at closer.
            kind = frame[12:16]
            if kind == b"book" and frame[:12] == b'{"channel":"':
                return self._on_book(frame, received_ns)
            return self._on_other(frame, received_ns)
        except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
            raise DecodeError(f"kraken frame: {error}") from error

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        pair = self._rest_names.get(symbol) or "".join(old_name(leg) for leg in symbol.split("/"))
        return Request(f"{self._rest}/0/public/Depth?pair={pair}&count={min(max(depth, 1), REST_DEPTH)}")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        try:
            depth = decode_depth(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"kraken depth of {symbol}: {error}") from error
        if depth.error or len(depth.result) != 1:
            raise complaint(depth.error) or DecodeError(f"kraken depth of {symbol}: {len(depth.result)} books")
        [book] = depth.result.values()
        bids, asks = [tuple([level[:2] for level in side]) for side in (book.bids, book.asks)]
        return BookSnapshot(self.name, symbol, bids, asks, None, None, received_ns, source)

    def instruments_request(self) -> Request:
        return Request(f"{self._rest}/0/public/AssetPairs")

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        try:
            answer = decode_asset_pairs(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"kraken AssetPairs: {error}") from error
        if answer.error:
            raise complaint(answer.error) or DecodeError("kraken AssetPairs without a result")
        listed = [pair for pair in answer.result.values() if "/" in pair.wsname and pair.status not in UNLISTED]
        pairs = {new_symbol(pair.wsname): pair for pair in listed}
        self._rest_names = {symbol: pair.altname for symbol, pair in pairs.items()}
        self._places = {**self._places, **{s: (pair.pair_decimals, pair.lot_decimals) for s, pair in pairs.items()}}
        return [instrument(symbol, pair) for symbol, pair in pairs.items()]

    def instruments(self) -> Sequence[Instrument]:
        """What the stream's instrument channel listed; by REST where no stream runs."""
        pairs = self._pairs
        if not pairs:
            return super().instruments()
        return [
            Instrument("kraken", pair.symbol, pair.base, pair.quote, pair.price_increment, pair.qty_increment)
            for pair in pairs.values()
            if pair.status not in UNLISTED
        ]

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        try:
            return complaint(decode_errors(body).error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        return host.endswith(".kraken.com") and "futures" not in host

    @classmethod
    def unreadable(cls, url: str) -> str:
        if not cls.recognises(url) or not url.startswith("ws") or urlsplit(url).path.rstrip("/").endswith("/v2"):
            return ""
        return f"recorded from Kraken's WebSocket v1 ({url}); only WebSocket v2 (wss://ws.kraken.com/v2) is read"

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        address = urlsplit(url)
        pair = parse_qs(address.query).get("pair", [""])[0]
        if address.path.endswith("/AssetPairs"):
            self.decode_instruments(body)
        if not address.path.endswith("/Depth"):
            return ()
        symbol = next((one for one, name in self._rest_names.items() if name == pair), "")
        # A picture beside the stream, which no update of the stream continues.
        return (self.decode_snapshot(symbol, body, received_ns, "poll"),) if symbol else ()

    def _on_book(self, frame: bytes, received_ns: int) -> list[MarketEvent | Control]:
        message = decode_book(frame)
        events: list[MarketEvent | Control] = []
        for book in message.data:
            symbol, stamp = book.symbol, stamp_ns(book.timestamp)
            bids, bids_written = self._levels(symbol, book.bids)
            asks, asks_written = self._levels(symbol, book.asks)
            wire = bids_written, asks_written
            if message.type == "update":
                event: MarketEvent = BookDelta(
                    "kraken", symbol, bids, asks, None, None, stamp, received_ns, "stream", None, book.checksum, wire
                )
            else:
                # Without an acknowledgement (a recording that begins later) the depth is the least that fits.
                longest = max(len(bids), len(asks))
                depth = self._depths.get(symbol) or next((one for one in DEPTHS if one >= longest), None)
                event = BookSnapshot(
                    "kraken", symbol, bids, asks, None, stamp, received_ns, "stream", book.checksum, depth, wire
                )
            events.append(event)
        return events

    def _levels(self, symbol: str, levels: list[Level]) -> tuple[Levels, Written]:
        """The levels as numbers and as written."""
        written = tuple([(str(level.price, "ascii"), str(level.qty, "ascii")) for level in levels])
        if any("e" in price or "E" in price or "e" in size or "E" in size for price, size in written):
            price_places, size_places = self._places.get(symbol, (None, None))
            written = tuple([(plain(price, price_places), plain(size, size_places)) for price, size in written])
        return tuple([(float(price), float(size)) for price, size in written]), written

    def _on_other(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        head = decode_head(frame)
        channel = head.channel
        if channel == "trade":
            return read_trades(frame, received_ns)
        if channel == "ticker":
            return read_ticker(frame, received_ns)
        if channel == "book":
            return self._on_book(frame, received_ns)
        if channel == "heartbeat" or head.method == "pong":
            return (Control("heartbeat", id=head.req_id),)
        if channel == "status":
            return read_status(frame)
        if channel == "instrument":
            self._learn(decode_instruments(frame))
            return ()
        return self._on_answer(head) if head.method or head.error or head.Error else ()

    def _on_answer(self, head: Head) -> Sequence[Control]:
        """What the venue says to a request: one answer per symbol."""
        error, symbol, result = head.error or head.Error, head.symbol or head.result.symbol, head.result
        if head.success and not error:
            if head.method == "subscribe" and result.channel == "book" and result.depth is not None:
                self._depths = {**self._depths, symbol: result.depth}
            return (Control("ack", symbol, id=head.req_id),)
        lowered = error.lower()
        if "rate" in lowered or "too many" in lowered:
            return (Control("throttled", symbol, error, head.req_id),)
        if "not supported" in lowered and symbol and "depth" not in lowered:
            return (Control("invalid_symbol", symbol, f"kraken: {error}", head.req_id),)
        if head.method == "unsubscribe" or "already subscribed" in lowered or not symbol:
            # Nothing is missing for it: what was asked for is so already, or it concerns no symbol's data.
            return (Control("ack", symbol, error, head.req_id),)
        return (Control("refused", symbol, error, head.req_id),)

    def _learn(self, message: InstrumentFrame) -> None:
        """Take over the venue's list and its precisions. (A changed precision makes the next checksum fail.)"""
        said = {pair.symbol: pair for pair in message.data.pairs}
        if message.type == "snapshot" or self._pairs:
            self._pairs = {**self._pairs, **said}
        places = {symbol: (pair.price_precision, pair.qty_precision) for symbol, pair in said.items()}
        self._places = {**self._places, **places}

    def _frames(self, method: str, channels: Sequence[dict[str, Any]], symbols: Sequence[str]) -> list[str]:
        chunks = [symbols[start : start + SYMBOLS_PER_FRAME] for start in range(0, len(symbols), SYMBOLS_PER_FRAME)]
        return [self._frame(method, {**one, "symbol": list(chunk)}) for chunk in chunks for one in channels]

    def _frame(self, method: str, parameters: dict[str, Any]) -> str:
        kept = parameters if method == "subscribe" else {k: v for k, v in parameters.items() if k != "snapshot"}
        return dumps({"method": method, "params": kept, "req_id": next(self._requests)})
