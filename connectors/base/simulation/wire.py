"""The language of the simulated exchange: JSON objects whose `t` says what they are.

{"t":"delta","s":"BTC/USDT","U":7,"u":8,"E":1700000000000000000,"b":[[64250.0,0.25]],"a":[]} and so on; `E` is the
exchange's time in nanoseconds, sizes are absolute, 0 removes. The mock connector reads it, the exchange writes it.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from engine.market.candle import Candle
from engine.market.events import BookDelta, Levels, Quote, Trade


class WireDelta(Struct, gc=False, tag_field="t", tag="delta"):
    s: str
    U: int
    u: int
    E: int
    b: Levels
    a: Levels


class WireTrade(Struct, gc=False, tag_field="t", tag="trade"):
    """`m` is the side of the taker: 1 bought, -1 sold."""

    s: str
    i: int
    p: float
    q: float
    m: int
    E: int


class WireQuote(Struct, gc=False, tag_field="t", tag="quote"):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    E: int


class WireNotice(Struct, gc=False, tag_field="t", tag="notice"):
    """About the connection: `kind` is one of those of `Control`."""

    kind: Literal["ack", "refused", "invalid_symbol", "heartbeat", "shutdown"]
    s: str = ""
    reason: str = ""
    id: int | None = None


class WireCommand(Struct, tag_field="t", tag="command"):
    """What a client says: `op` is `subscribe` or `unsubscribe`."""

    op: str
    symbols: list[str]
    id: int


class WireBook(Struct, tag_field="t", tag="book"):
    """The answer to GET /book."""

    s: str
    u: int
    E: int
    bids: Levels
    asks: Levels


class WireInstrument(Struct):
    s: str
    base: str
    quote: str
    tick: float
    lot: float


class WireInstruments(Struct, tag_field="t", tag="instruments"):
    """The answer to GET /instruments."""

    listed: list[WireInstrument]


class WireCandles(Struct, tag_field="t", tag="candles"):
    """The answer to GET /candles, oldest first."""

    candles: list[Candle]


class WireTime(Struct, tag_field="t", tag="time"):
    """The answer to GET /time."""

    E: int


WireFrame = WireDelta | WireTrade | WireQuote | WireNotice

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
decode_frame = msgspec.json.Decoder(WireFrame).decode
decode_command = msgspec.json.Decoder(WireCommand).decode
decode_book = msgspec.json.Decoder(WireBook).decode
decode_candles = msgspec.json.Decoder(WireCandles).decode
decode_instruments = msgspec.json.Decoder(WireInstruments).decode
decode_time = msgspec.json.Decoder(WireTime).decode


def encode_fact(fact: Trade | BookDelta | Quote, skew_ns: int = 0) -> bytes:
    """The frame that says `fact`; `skew_ns` is how far the exchange's clock runs ahead."""
    stamp = (fact.exchange_ns or 0) + skew_ns
    wire: WireFrame
    if type(fact) is BookDelta:
        wire = WireDelta(fact.symbol, fact.first_sequence or 0, fact.last_sequence or 0, stamp, fact.bids, fact.asks)
    elif type(fact) is Quote:
        wire = WireQuote(fact.symbol, fact.sequence or 0, fact.bid, fact.bid_size, fact.ask, fact.ask_size, stamp)
    else:
        assert type(fact) is Trade
        assert type(fact.trade_id) is int
        wire = WireTrade(fact.symbol, fact.trade_id, fact.price, fact.size, fact.aggressor, stamp)
    return _encoder.encode(wire)
