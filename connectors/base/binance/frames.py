"""What Binance's markets have in common beside their data frames: control frames, REST bodies, time stamps, errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from json import dumps, loads
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from connectors.base.venue import Control
from engine.errors import DecodeError, FeedError, InvalidSymbol
from engine.market.events import BookSnapshot, Levels, Source

SYMBOLS_PER_FRAME = 60
MICROSECONDS_UNTIL = 9 * 10**15
MICROSECONDS_FROM = 10**14
"""Time stamps from here on are microseconds: milliseconds reach this only in the year 5138."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Snapshot(Struct):
    lastUpdateId: int
    bids: Levels
    asks: Levels
    E: int | None = None


class _Filter(Struct):
    filterType: str
    tickSize: float | None = None
    stepSize: float | None = None


class Listed(Struct):
    """One symbol as `exchangeInfo` lists it; the last three only with futures."""

    symbol: str
    baseAsset: str
    quoteAsset: str
    status: str = "TRADING"
    filters: list[_Filter] = []
    contractType: str = ""
    marginAsset: str = ""
    deliveryDate: int = 0

    @property
    def tick(self) -> float | None:
        """The price step."""
        return next((one.tickSize for one in self.filters if one.filterType == "PRICE_FILTER"), None)

    @property
    def lot(self) -> float | None:
        """The size step."""
        return next((one.stepSize for one in self.filters if one.filterType == "LOT_SIZE"), None)


class _ExchangeInfo(Struct):
    symbols: list[Listed]


class _ServerTime(Struct):
    serverTime: int


_snapshot = msgspec.json.Decoder(_Snapshot, strict=False).decode
_exchange_info = msgspec.json.Decoder(_ExchangeInfo, strict=False).decode
_server_time = msgspec.json.Decoder(_ServerTime).decode


def stamp_ns(stamp: int) -> int:
    """A venue's time stamp (milliseconds, or microseconds where asked for) in nanoseconds.

    Raises:
        DecodeError: it is no time.
    """
    if stamp < MICROSECONDS_FROM:
        return stamp * 1_000_000
    if stamp >= MICROSECONDS_UNTIL:
        raise DecodeError(f"binance: {stamp} is no time stamp")
    return stamp * 1_000


def subscription_frames(
    method: str, symbols: Sequence[str], streams: Sequence[str], numbers: Iterator[int]
) -> list[str]:
    """`SUBSCRIBE` or `UNSUBSCRIBE`, sixty symbols a frame."""
    frames = []
    for start in range(0, len(symbols), SYMBOLS_PER_FRAME):
        chunk = symbols[start : start + SYMBOLS_PER_FRAME]
        names = [f"{symbol.lower()}@{stream}" for symbol in chunk for stream in streams]
        frames.append(dumps({"method": method, "params": names, "id": next(numbers)}))
    return frames


def awaited_answer(frame: str) -> tuple[int, list[str]] | None:
    """The number of one of our `SUBSCRIBE` frames and its symbols; None for any other frame."""
    message = loads(frame)
    if message.get("method") != "SUBSCRIBE":
        return None
    return message["id"], list(dict.fromkeys([name.partition("@")[0].upper() for name in message["params"]]))


def control_of(message: dict[str, Any]) -> tuple[Control, ...]:
    """What a frame says about the connection (acknowledgements, errors, notices); nothing when it is data."""
    data = message.get("data") if "stream" in message else message
    if isinstance(data, dict) and data.get("e") == "serverShutdown":
        return (Control("shutdown", reason="the venue announces a restart"),)
    if "stream" in message:
        return ()
    identifier = message.get("id")
    number = identifier if isinstance(identifier, int) else None
    if "code" in message or "error" in message:
        nested = message.get("error")
        error = nested if isinstance(nested, dict) else message
        return (Control("refused", reason=f"{error.get('msg', error)} (code {error.get('code')})", id=number),)
    return (Control("ack", id=number),) if "result" in message else ()


def decode_book(venue: str, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
    """The book in the body of a depth response.

    Raises:
        DecodeError: the body cannot be read.
    """
    try:
        book = _snapshot(body)
    except UNREADABLE as error:
        raise DecodeError(f"{venue} depth of {symbol}: {error}") from error
    exchange_ns = stamp_ns(book.E) if book.E is not None else None
    return BookSnapshot(venue, symbol, book.bids, book.asks, book.lastUpdateId, exchange_ns, received_ns, source)


def decode_listed(venue: str, body: bytes) -> list[Listed]:
    """What is traded now, of the body of an `exchangeInfo` response.

    Raises:
        DecodeError: the body cannot be read.
    """
    try:
        return [one for one in _exchange_info(body).symbols if one.status == "TRADING"]
    except UNREADABLE as error:
        raise DecodeError(f"{venue} exchangeInfo: {error}") from error


def decode_time(venue: str, body: bytes) -> int:
    """The venue's clock in nanoseconds.

    Raises:
        DecodeError: the body cannot be read.
    """
    try:
        return stamp_ns(_server_time(body).serverTime)
    except UNREADABLE as error:
        raise DecodeError(f"{venue} time: {error}") from error


def refused(venue: str, status: int, body: bytes) -> FeedError | None:
    """The venue's own reading of a failed response; None for what is the same at all venues."""
    if status == 400 and b"-1121" in body:
        return InvalidSymbol(f"{venue} does not list this symbol", hint="Search the venue's own list of instruments.")
    return None


def depth_symbol(venue: str, url: str) -> str | None:
    """The symbol of a recorded depth request; None for a request of another kind.

    Raises:
        DecodeError: the address cannot be read.
    """
    try:
        address = urlsplit(url)
    except ValueError as error:
        raise DecodeError(f"{venue}: {url!r} is no address") from error
    if not address.path.endswith("/depth"):
        return None
    symbol = parse_qs(address.query).get("symbol", [""])[0]
    if not symbol:
        raise DecodeError(f"{venue} depth without a symbol: {url}")
    return symbol


def host_of(url: str) -> str:
    """The host of an address; empty for what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
