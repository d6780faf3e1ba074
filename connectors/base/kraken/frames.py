"""Kraken's WebSocket v2: what its frames are made of, and those that can be read without knowing anything else.

Documentation: see connectors/kraken.py. Numbers that a checksum may need are kept as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from connectors.base.venue import Control
from engine.errors import DecodeError
from engine.market.events import BUY, SELL, MarketEvent, Quote, Trade

LONGEST_EXPONENT = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Stamp = Annotated[datetime, Meta(tz=True)]


class Level(Struct, gc=False):
    """Price and quantity as written."""

    price: Raw
    qty: Raw


class _Book(Struct, gc=False):
    symbol: str
    bids: list[Level] = []
    asks: list[Level] = []
    checksum: int | None = None
    timestamp: Stamp | None = None


class _Trade(Struct, gc=False):
    symbol: str
    side: Literal["buy", "sell"]
    price: float
    qty: Raw
    trade_id: int
    timestamp: Stamp


class _Ticker(Struct, gc=False):
    symbol: str
    bid: float | None = None
    bid_qty: float | None = None
    ask: float | None = None
    ask_qty: float | None = None
    timestamp: Stamp | None = None


class BookFrame(Struct, gc=False):
    """Whole books, or changed levels."""

    type: Literal["snapshot", "update"]
    data: list[_Book]


class _TradeFrame(Struct, gc=False):
    type: Literal["snapshot", "update"]
    data: list[_Trade]


class _TickerFrame(Struct, gc=False):
    data: list[_Ticker]


class Pair(Struct):
    """One instrument of the stream's list."""

    symbol: str
    base: str
    quote: str
    price_precision: int
    qty_precision: int
    status: str = "online"
    price_increment: float | None = None
    qty_increment: float | None = None


class _Pairs(Struct):
    pairs: list[Pair] = []


class InstrumentFrame(Struct):
    """The list of instruments (`snapshot`), or what changed in it."""

    type: str
    data: _Pairs


class _Status(Struct):
    system: str = "online"


class _StatusFrame(Struct):
    data: list[_Status]


class _Result(Struct, frozen=True):
    channel: str = ""
    symbol: str = ""
    depth: int | None = None


class Head(Struct):
    """What tells frames apart; of answers to requests, everything."""

    channel: str = ""
    method: str = ""
    success: bool = True
    error: str = ""
    Error: str = ""
    symbol: str = ""
    req_id: int | None = None
    result: _Result = _Result()


decode_head = msgspec.json.Decoder(Head).decode
decode_book = msgspec.json.Decoder(BookFrame).decode
_trades = msgspec.json.Decoder(_TradeFrame).decode
_ticker = msgspec.json.Decoder(_TickerFrame).decode
decode_instruments = msgspec.json.Decoder(InstrumentFrame).decode
_status = msgspec.json.Decoder(_StatusFrame).decode


def read_trades(frame: bytes, received_ns: int) -> list[MarketEvent]:
    """The trades of a frame, with their exact size where a double cannot hold it."""
    message = _trades(frame)
    backfill = message.type == "snapshot"
    events: list[MarketEvent] = []
    for one in message.data:
        text = str(one.qty, "ascii")
        size = float(text)
        exact = None if Decimal(repr(size)) == Decimal(text) else plain(text, None)
        side = BUY if one.side == "buy" else SELL
        stamp = stamp_ns(one.timestamp)
        events.append(
            Trade(
                "kraken", one.symbol, one.price, size, side, one.trade_id, stamp, received_ns, "stream", backfill, exact
            )
        )
    return events


def read_ticker(frame: bytes, received_ns: int) -> list[MarketEvent]:
    """The best quotes of a frame; one-sided ones are left out."""
    return [
        Quote(
            "kraken", one.symbol, one.bid, one.bid_qty, one.ask, one.ask_qty, None, stamp_ns(one.timestamp),
            received_ns, "stream",
        )
        for one in _ticker(frame).data
        if one.bid is not None and one.bid_qty is not None and one.ask is not None and one.ask_qty is not None
    ]  # fmt: skip


def read_status(frame: bytes) -> Sequence[Control]:
    """Whether the venue is at work."""
    system = "".join([one.system for one in _status(frame).data[:1]])
    if system == "maintenance":
        return (Control("refused", reason="kraken is in maintenance; data return when it is online again"),)
    return (Control("heartbeat", reason=f"trading is {system}"),)


def stamp_ns(stamp: datetime | None) -> int | None:
    """UTC nanoseconds of a time stamp, which has microseconds."""
    return (stamp - _EPOCH) // _MICROSECOND * 1_000 if stamp is not None else None


def plain(text: str, places: int | None) -> str:
    """A number without exponent, with the instrument's decimal places where they are known.

    Raises:
        DecodeError: it is far too large or small to be a price or quantity.
    """
    if "e" not in text and "E" not in text:
        return text
    number = Decimal(text)
    if not -LONGEST_EXPONENT < number.adjusted() < LONGEST_EXPONENT:
        raise DecodeError(f"kraken frame: {text} is no price or quantity")
    return format(number, "f") if places is None else f"{number:.{places}f}"
