"""Binance spot, public market data.

Documentation: Binance Spot API docs (binance-spot-api-docs, 2026-07-21). Book rule of 2025-11-12:
1. Keep the depth updates of the stream; remember the first one's `U`.
2. GET /api/v3/depth; a snapshot whose `lastUpdateId` is older than that `U - 1` is fetched again.
3. Drop kept updates with `u <= lastUpdateId`; the first other must have `U <= lastUpdateId + 1 <= u`.
4. From then on `U` may not exceed the previous `u + 1`; if it does, updates are missing: begin again.

Frames come wrapped: {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC",
"U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}}. Acknowledgements and errors do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from json import dumps
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from msgspec import Struct

from connectors.base import Control, Limits, Request, StreamingConnector
from engine.connector import Capabilities
from engine.errors import Blocked, DecodeError, InvalidSymbol
from engine.feed.sync import RangeContinuity
from engine.market.events import BUY, SELL, BookDelta, BookSnapshot, Levels, MarketEvent, Quote, Source, Trade
from engine.market.instrument import Instrument

STREAMS = ("depth@100ms", "trade", "bookTicker")
SYMBOLS_PER_FRAME = 60
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
"""Levels asked for at most, and what that weighs against the venue's 6,000 a minute."""
QUOTE_ENDING = ord('"')
MICROSECONDS_UNTIL = 9 * 10**15
MICROSECONDS_FROM = 10**14
"""Time stamps from here on are microseconds: milliseconds reach this only in the year 5138."""


class _Ticker(Struct, gc=False):
    u: int
    s: str
    b: float
    B: float
    a: float
    A: float


class _Depth(Struct, gc=False):
    E: int
    s: str
    U: int
    u: int
    b: Levels
    a: Levels


class _Trade(Struct, gc=False, tag_field="e", tag="trade"):
    # The tag keeps negotiated block trades out: they look the same and are numbered on their own.
    s: str
    t: int
    p: float
    q: float
    T: int
    m: bool


class _AggregateTrade(Struct, gc=False):
    s: str
    a: int
    p: float
    q: float
    T: int
    m: bool


class _TickerFrame(Struct, gc=False):
    data: _Ticker


class _DepthFrame(Struct, gc=False):
    data: _Depth


class _TradeFrame(Struct, gc=False):
    data: _Trade


class _AggregateTradeFrame(Struct, gc=False):
    data: _AggregateTrade


class _Snapshot(Struct):
    lastUpdateId: int
    bids: Levels
    asks: Levels


class _Filter(Struct):
    filterType: str
    tickSize: float | None = None
    stepSize: float | None = None


class _Symbol(Struct):
    symbol: str
    baseAsset: str
    quoteAsset: str
    status: str = "TRADING"
    filters: list[_Filter] = []


class _ExchangeInfo(Struct):
    symbols: list[_Symbol]


class _ServerTime(Struct):
    serverTime: int


_ticker = msgspec.json.Decoder(_TickerFrame, strict=False).decode
_depth = msgspec.json.Decoder(_DepthFrame, strict=False).decode
_trade = msgspec.json.Decoder(_TradeFrame, strict=False).decode
_aggregate_trade = msgspec.json.Decoder(_AggregateTradeFrame, strict=False).decode
_snapshot = msgspec.json.Decoder(_Snapshot, strict=False).decode
_exchange_info = msgspec.json.Decoder(_ExchangeInfo, strict=False).decode
_server_time = msgspec.json.Decoder(_ServerTime).decode


def _ns(stamp: int) -> int:
    if stamp < MICROSECONDS_FROM:
        return stamp * 1_000_000
    if stamp >= MICROSECONDS_UNTIL:
        raise DecodeError(f"binance: {stamp} is no time stamp")
    return stamp * 1_000


class BinanceConnector(StreamingConnector):
    """Binance spot: books every 100 ms, every trade, every change of the best quote; no key needed."""

    name = "binance"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=1000,
        trades=True,
        gap_detection="update numbers",
        test_network="testnet and demo (set BINANCE_WS_URL and BINANCE_REST_URL)",
        regions_blocked="the United States and other restricted locations (HTTP 451)",
        note="Market-data hosts without account access are the default.",
    )
    continuity = RangeContinuity()
    limits = Limits(
        silence_s=45.0,
        rotate_after_s=23 * 3600.0,
        connect_per_s=1.0,
        connect_burst=5,
        messages_per_s=4.0,
        symbols_per_connection=300,
        rest_per_s=80.0,
        rest_burst=1000,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._websocket = self.setting("WS_URL", "wss://data-stream.binance.vision").rstrip("/")
        self._rest = self.setting("REST_URL", "https://data-api.binance.vision").rstrip("/")
        self._requests = count(1)

    def stream_url(self, symbols: Sequence[str]) -> str:
        return f"{self._websocket}/stream"

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return self._frames("SUBSCRIBE", symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return self._frames("UNSUBSCRIBE", symbols)

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            # How a wrapped frame ends tells the stream apart, and so the typed decoder, without a first parse:
            # `…"1.5"}}` a quote, `…"2"]]}}` a book update, `…"M":true}}` a trade. What only looks so fails to decode.
            ending = frame[-3]
            if ending == QUOTE_ENDING:
                data = _ticker(frame).data
                return (
                    Quote("binance", data.s, data.b, data.B, data.a, data.A, data.u, None, received_ns, "stream"),
                )  # fmt: skip
            handler = _BY_ENDING.get(ending)
            if handler is not None:
                return handler(frame, received_ns)
            return self._decode_other(frame, received_ns)
        except (msgspec.ValidationError, IndexError):
            return self._decode_other(frame, received_ns)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"binance frame: {error}") from error

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        limit = min(max(depth, 1), 5000)
        cost = next(weight for most, weight in DEPTH_WEIGHTS if limit <= most)
        return Request(f"{self._rest}/api/v3/depth?symbol={quote(symbol)}&limit={limit}", cost=cost)

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        try:
            snapshot = _snapshot(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"binance depth of {symbol}: {error}") from error
        return BookSnapshot(
            self.name, symbol, snapshot.bids, snapshot.asks, snapshot.lastUpdateId, None, received_ns, source
        )

    def instruments_request(self) -> Request:
        return Request(f"{self._rest}/api/v3/exchangeInfo", cost=20)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        try:
            info = _exchange_info(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"binance exchangeInfo: {error}") from error
        return [_instrument(symbol) for symbol in info.symbols if symbol.status == "TRADING"]

    def server_time_request(self) -> Request | None:
        return Request(f"{self._rest}/api/v3/time")

    def decode_server_time(self, body: bytes) -> int:
        try:
            return _ns(_server_time(body).serverTime)
        except msgspec.DecodeError as error:
            raise DecodeError(f"binance time: {error}") from error

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        if status == 400 and b"-1121" in body:
            return InvalidSymbol(
                "binance does not list this symbol", hint="Search the venue's own list of instruments."
            )
        if status == 451:
            return Blocked(
                "binance refuses this location (HTTP 451)",
                hint="Set BINANCE_WS_URL and BINANCE_REST_URL to hosts that serve your region, or pick another venue.",
            )
        return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:  # not an address at all
            return False
        return host.split(".")[0] not in ("fstream", "fapi", "dstream", "dapi") and (
            host.endswith((".binance.com", ".binance.vision", ".binance.us")) and "/fapi/" not in url
        )

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        try:
            address = urlsplit(url)
        except ValueError as error:
            raise DecodeError(f"binance: {url!r} is no address") from error
        if not address.path.endswith("/depth"):
            return ()
        symbol = parse_qs(address.query).get("symbol", [""])[0]
        if not symbol:
            raise DecodeError(f"binance depth without a symbol: {url}")
        return (self.decode_snapshot(symbol, body, received_ns, "stream"),)

    def _decode_other(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            return _decode_other(frame, received_ns)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"binance frame: {error}") from error

    def _frames(self, method: str, symbols: Sequence[str]) -> list[str]:
        frames = []
        for start in range(0, len(symbols), SYMBOLS_PER_FRAME):
            chunk = symbols[start : start + SYMBOLS_PER_FRAME]
            streams = [f"{symbol.lower()}@{stream}" for symbol in chunk for stream in STREAMS]
            frames.append(dumps({"method": method, "params": streams, "id": next(self._requests)}))
        return frames


def _instrument(symbol: _Symbol) -> Instrument:
    steps = {item.filterType: item for item in symbol.filters}
    price, lot = steps.get("PRICE_FILTER"), steps.get("LOT_SIZE")
    return Instrument(
        "binance",
        symbol.symbol,
        symbol.baseAsset,
        symbol.quoteAsset,
        price.tickSize if price else None,
        lot.stepSize if lot else None,
    )


def _on_ticker(frame: bytes, received_ns: int) -> tuple[MarketEvent, ...]:
    data = _ticker(frame).data
    return (
        Quote("binance", data.s, data.b, data.B, data.a, data.A, data.u, None, received_ns, "stream"),
    )  # fmt: skip


def _on_depth(frame: bytes, received_ns: int) -> tuple[MarketEvent, ...]:
    data = _depth(frame).data
    return (
        BookDelta("binance", data.s, data.b, data.a, data.U, data.u, _ns(data.E), received_ns, "stream"),
    )  # fmt: skip


def _on_trade(frame: bytes, received_ns: int) -> tuple[MarketEvent, ...]:
    data = _trade(frame).data
    # `m` says that the buyer was the maker: then the seller took.
    side = SELL if data.m else BUY
    return (Trade("binance", data.s, data.p, data.q, side, data.t, _ns(data.T), received_ns, "stream"),)


def _on_aggregate_trade(frame: bytes, received_ns: int) -> tuple[MarketEvent, ...]:
    data = _aggregate_trade(frame).data
    side = SELL if data.m else BUY
    return (Trade("binance", data.s, data.p, data.q, side, data.a, _ns(data.T), received_ns, "stream"),)


_BY_ENDING = {ord("]"): _on_depth, ord("e"): _on_trade}
_RAW = {b"depthUpdate": _on_depth, b"trade": _on_trade, b"aggTrade": _on_aggregate_trade}


def _decode_other(frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
    """Frames that are not wrapped market data: acknowledgements, errors, notices, raw streams, other channels."""
    message = msgspec.json.decode(frame)
    if not isinstance(message, dict):
        raise DecodeError(f"binance frame: expected an object, got {type(message).__name__}")
    if "stream" in message:
        data = message.get("data")
        if not isinstance(data, dict):
            raise DecodeError("binance frame: a stream without data")
        if data.get("e") == "serverShutdown":
            return (Control("shutdown", reason="the venue announces a restart"),)
        return _decode_raw(data, received_ns)
    if "code" in message or "error" in message:
        nested = message.get("error")
        error = nested if isinstance(nested, dict) else message
        return (Control("refused", reason=f"{error.get('msg', error)} (code {error.get('code')})", id=_id(message)),)
    if "result" in message:
        return (Control("ack", id=_id(message)),)
    if message.get("e") == "serverShutdown":
        return (Control("shutdown", reason="the venue announces a restart"),)
    return _decode_raw(message, received_ns)


def _decode_raw(data: dict[str, Any], received_ns: int) -> Sequence[MarketEvent]:
    kind = data.get("e")
    if kind is None and {"u", "s", "b", "B", "a", "A"} <= data.keys():
        handler = _on_ticker
    elif isinstance(kind, str) and kind.encode() in _RAW:
        handler = _RAW[kind.encode()]
    else:
        return ()
    return handler(msgspec.json.encode({"data": data}), received_ns)


def _id(message: dict[str, Any]) -> int | None:
    identifier = message.get("id")
    return identifier if isinstance(identifier, int) else None
