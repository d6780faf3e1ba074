"""Binance USD-M futures, public market data.

Documentation: Binance USD-M Futures docs (2026), with the routed stream addresses of 2026-03-06 (the old ones ended on
2026-04-23). Book rule:
1. Keep the depth updates of the stream and fetch the book by REST, which is as of `lastUpdateId`.
2. Drop kept updates with `u < lastUpdateId`; the first other must have `U <= lastUpdateId <= u`.
3. From then on `pu` must be the previous `u`: numbers are counted over all symbols, so `U` tells nothing. If it is not,
   updates are missing: begin again.

`/public` serves depth, best quotes and single trades over one connection; aggregated trades would need a second one, to
`/market`. Recordings of those are read all the same.

{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":157,"u":160,
"pu":149,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}}
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from connectors.base import Control, Limits
from connectors.base.binance.candles import TIMEFRAMES
from connectors.base.binance.frames import UNREADABLE, Listed, control_of, host_of, stamp_ns
from connectors.base.binance.market import BinanceMarket
from engine.connector import Capabilities
from engine.errors import DecodeError
from engine.feed.sync import ChainedContinuity
from engine.market.events import BUY, SELL, BookDelta, Levels, MarketEvent, Quote, Trade
from engine.market.instrument import Instrument

ON_THE_MARKET = "MARKET"
"""Other kinds of trade (the insurance fund's, deleveraging) are no prints of the book."""
PERPETUAL = "PERPETUAL"


class _Depth(Struct, tag_field="e", tag="depthUpdate", gc=False):
    E: int
    s: str
    U: int
    u: int
    pu: int
    b: Levels
    a: Levels


class _Ticker(Struct, tag_field="e", tag="bookTicker", gc=False):
    E: int
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float


class _Trade(Struct, tag_field="e", tag="trade", gc=False):
    T: int
    s: str
    t: int
    p: float
    q: float
    m: bool
    X: str = ON_THE_MARKET


class _AggregateTrade(Struct, tag_field="e", tag="aggTrade", gc=False):
    T: int
    s: str
    a: int
    p: float
    q: float
    m: bool


_Data = _Depth | _Ticker | _Trade | _AggregateTrade


class _Frame(Struct, gc=False):
    data: _Data


_frame = msgspec.json.Decoder(_Frame, strict=False).decode
_data = msgspec.json.Decoder(_Data, strict=False).decode


class BinanceUsdmConnector(BinanceMarket):
    """Binance USD-M futures: books every 100 ms, every trade, every change of the best quote; no key needed."""

    name = "binance_usdm"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=1000,
        trades=True,
        gap_detection="each update names the one before",
        test_network="testnet and demo (set BINANCE_USDM_WS_URL and BINANCE_USDM_REST_URL)",
        regions_blocked="the United States and other restricted locations (HTTP 451)",
        note="Futures: prices are those of contracts, not of the coins.",
        candles=TIMEFRAMES,
    )
    location_hint = "Binance has no other host for futures: choose another venue; kraken and coinbase have the coins."
    continuity = ChainedContinuity()
    limits = Limits(
        silence_s=45.0,
        rotate_after_s=23 * 3600.0,
        connect_per_s=1.0,
        connect_burst=5,
        messages_per_s=4.0,
        symbols_per_connection=300,
        rest_per_s=32.0,
        rest_burst=400,
    )
    default_ws_url = "wss://fstream.binance.com/public"
    default_rest_url = "https://fapi.binance.com"
    rest_path = "/fapi/v1"
    streams = ("depth@100ms", "trade", "bookTicker")
    depth_weights = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))
    any_depth = False
    listing_weight = 1
    candle_weights = ((99, 1), (499, 2), (1000, 5), (1500, 10))

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            return _events(_frame(frame).data, received_ns)
        except msgspec.ValidationError as error:
            return _decode_other(frame, received_ns, error)
        except UNREADABLE as error:
            raise DecodeError(f"binance_usdm frame: {error}") from error

    def instrument(self, listed: Listed) -> Instrument:
        ends = datetime.fromtimestamp(listed.deliveryDate / 1000, UTC)
        contract = listed.marginAsset if listed.contractType == PERPETUAL else f"{listed.marginAsset}-{ends:%y%m%d}"
        return Instrument(
            self.name, listed.symbol, listed.baseAsset, listed.quoteAsset, listed.tick, listed.lot, contract
        )

    @classmethod
    def recognises(cls, url: str) -> bool:
        return host_of(url) in ("fstream.binance.com", "fapi.binance.com", "fstream-auth.binance.com")


def _events(data: _Data, received_ns: int) -> Sequence[MarketEvent]:
    if isinstance(data, _Depth):
        return (
            BookDelta(
                "binance_usdm", data.s, data.b, data.a, data.U, data.u, stamp_ns(data.E), received_ns, "stream", data.pu
            ),
        )
    if isinstance(data, _Ticker):
        return (
            Quote(
                "binance_usdm", data.s, data.b, data.B, data.a, data.A, data.u, stamp_ns(data.E), received_ns, "stream"
            ),
        )
    if isinstance(data, _Trade) and data.X != ON_THE_MARKET:
        return ()
    # `m` says that the buyer was the maker: then the seller took.
    number = data.t if isinstance(data, _Trade) else data.a
    side = SELL if data.m else BUY
    return (Trade("binance_usdm", data.s, data.p, data.q, side, number, stamp_ns(data.T), received_ns, "stream"),)


def _decode_other(frame: bytes, received_ns: int, failure: Exception) -> Sequence[MarketEvent | Control]:
    """Frames that are not wrapped market data: acknowledgements, errors, notices, raw streams, other channels."""
    try:
        message: Any = msgspec.json.decode(frame)
        if not isinstance(message, dict):
            raise DecodeError(f"binance_usdm frame: expected an object, got {type(message).__name__}")
        said = control_of(message)
        data = message.get("data") if "stream" in message else message
        if said:
            return said
        if not isinstance(data, dict):
            raise DecodeError("binance_usdm frame: a stream without data")
        if data.get("e") not in ("depthUpdate", "bookTicker", "trade", "aggTrade"):
            return ()
        return _events(_data(msgspec.json.encode(data)), received_ns)
    except UNREADABLE as error:
        raise DecodeError(f"binance_usdm frame: {failure}") from error
