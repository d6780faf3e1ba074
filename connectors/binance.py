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

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from connectors.base import Control, Limits
from connectors.base.binance.candles import TIMEFRAMES
from connectors.base.binance.frames import (
    MICROSECONDS_FROM,
    SYMBOLS_PER_FRAME,
    UNREADABLE,
    Listed,
    control_of,
    host_of,
)
from connectors.base.binance.frames import stamp_ns as _ns
from connectors.base.binance.market import BinanceMarket
from engine.connector import Capabilities
from engine.errors import DecodeError
from engine.feed.sync import RangeContinuity
from engine.market.events import BUY, SELL, BookDelta, Levels, MarketEvent, Quote, Trade
from engine.market.instrument import Instrument

__all__ = ["STREAMS", "SYMBOLS_PER_FRAME", "BinanceConnector"]

STREAMS = ("depth@100ms", "trade", "bookTicker")
QUOTE_ENDING, TRADE_ENDING, BOOK_ENDING = b'"e]'


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


_ticker = msgspec.json.Decoder(_TickerFrame, strict=False).decode
_depth = msgspec.json.Decoder(_DepthFrame, strict=False).decode
_trade = msgspec.json.Decoder(_TradeFrame, strict=False).decode
_aggregate_trade = msgspec.json.Decoder(_AggregateTradeFrame, strict=False).decode


class BinanceConnector(BinanceMarket):
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
        note="The hosts for market data alone (*.binance.vision) are the default; binance.us has hosts of its own.",
        candles=TIMEFRAMES,
    )
    location_hint = (
        "In the United States set BINANCE_WS_URL=wss://stream.binance.us:9443 and "
        "BINANCE_REST_URL=https://api.binance.us; elsewhere choose another venue, such as kraken or coinbase."
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

    default_ws_url = "wss://data-stream.binance.vision"
    default_rest_url = "https://data-api.binance.vision"
    rest_path = "/api/v3"
    streams = STREAMS
    depth_weights = ((100, 5), (500, 25), (1000, 50), (5000, 250))
    any_depth = True
    listing_weight = 20
    candle_weights = ((1000, 2),)

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
            if ending == TRADE_ENDING:
                return _on_trade(frame, received_ns)
            if ending == BOOK_ENDING:
                return _on_depth(frame, received_ns)
            return self._decode_other(frame, received_ns)
        except (msgspec.ValidationError, IndexError):
            return self._decode_other(frame, received_ns)
        except UNREADABLE as error:
            raise DecodeError(f"binance frame: {error}") from error

    def instrument(self, listed: Listed) -> Instrument:
        return Instrument(self.name, listed.symbol, listed.baseAsset, listed.quoteAsset, listed.tick, listed.lot)

    @classmethod
    def recognises(cls, url: str) -> bool:
        host = host_of(url)
        return host.split(".")[0] not in ("fstream", "fapi", "dstream", "dapi") and (
            host.endswith((".binance.com", ".binance.vision", ".binance.us")) and "/fapi/" not in url
        )

    def _decode_other(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            return _decode_other(frame, received_ns)
        except UNREADABLE as error:
            raise DecodeError(f"binance frame: {error}") from error


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
    stamp = data.T
    exchange_ns = stamp * 1_000_000 if stamp < MICROSECONDS_FROM else _ns(stamp)
    return (Trade("binance", data.s, data.p, data.q, side, data.t, exchange_ns, received_ns, "stream"),)


def _on_aggregate_trade(frame: bytes, received_ns: int) -> tuple[MarketEvent, ...]:
    data = _aggregate_trade(frame).data
    side = SELL if data.m else BUY
    return (Trade("binance", data.s, data.p, data.q, side, data.a, _ns(data.T), received_ns, "stream"),)


_RAW = {b"depthUpdate": _on_depth, b"trade": _on_trade, b"aggTrade": _on_aggregate_trade}


def _decode_other(frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
    """Frames that are not wrapped market data: acknowledgements, errors, notices, raw streams, other channels."""
    message = msgspec.json.decode(frame)
    if not isinstance(message, dict):
        raise DecodeError(f"binance frame: expected an object, got {type(message).__name__}")
    said = control_of(message)
    if said:
        return said
    data = message.get("data") if "stream" in message else message
    if not isinstance(data, dict):
        raise DecodeError("binance frame: a stream without data")
    return _decode_raw(data, received_ns)


def _decode_raw(data: dict[str, Any], received_ns: int) -> Sequence[MarketEvent]:
    kind = data.get("e")
    if kind is None and {"u", "s", "b", "B", "a", "A"} <= data.keys():
        handler = _on_ticker
    elif isinstance(kind, str) and kind.encode() in _RAW:
        handler = _RAW[kind.encode()]
    else:
        return ()
    return handler(msgspec.json.encode({"data": data}), received_ns)
