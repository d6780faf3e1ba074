"""What OpenD says, as frames: whole books, prints, notices. Read from its messages, and read again by `Decoder`.

The library speaks protocol buffers over a socket of its own; what it pushes is copied into small JSON frames at once,
so that the connection is read like any other, and its frames without the library. Rules:
1. Each book message (3013) is the whole visible book. Sides are best first; empty places (price or size 0) are left
   out.
2. Times are UTC seconds where OpenD gives them, else text in the market's own time zone; zero means unknown.
3. Books have no numbers. One whose two times both lie behind what this connection said before is old: left out.
4. A print (3011) has a number per code. It is told once, whatever connection it comes by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from connectors.base.venue import Control
from engine.errors import DecodeError
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookSnapshot, Levels, MarketEvent, Source, Trade

TOLD_KEPT = 2_000
"""Numbers of prints that are remembered per symbol; OpenD repeats at most the last thousand."""
REALTIME, MADE_UP_FOR, REPEATED = 1, 2, 3
"""Why a print is pushed: it happened now; OpenD had lost its own line; it was asked for by subscribing."""
DIRECTIONS = {1: BUY, 2: SELL}

_LONGEST_S = 1 << 33


class Market(Struct, frozen=True):
    """One market: the prefix of its codes, its currency, its clock."""

    prefix: str
    currency: str
    zone: str


MARKETS = {
    1: Market("HK", "HKD", "Asia/Hong_Kong"),
    2: Market("HK_FUTURE", "HKD", "Asia/Hong_Kong"),
    11: Market("US", "USD", "America/New_York"),
    21: Market("SH", "CNY", "Asia/Shanghai"),
    22: Market("SZ", "CNY", "Asia/Shanghai"),
    31: Market("SG", "SGD", "Asia/Singapore"),
    41: Market("JP", "JPY", "Asia/Tokyo"),
    51: Market("AU", "AUD", "Australia/Sydney"),
    61: Market("MY", "MYR", "Asia/Kuala_Lumpur"),
    71: Market("CA", "CAD", "America/Toronto"),
}
"""By the protocol's number."""
BY_PREFIX = {market.prefix: market for market in MARKETS.values()}

Row = tuple[float, float, int, int, int | None, int]
"""Price, size, direction, number, UTC ns, why it is pushed."""


class BookFrame(Struct, frozen=True, gc=False, tag="book", tag_field="k"):
    """`tb` and `ta`: when the two sides left the exchange, UTC ns, None for unknown."""

    s: str
    b: Levels
    a: Levels
    tb: int | None
    ta: int | None


class TicksFrame(Struct, frozen=True, gc=False, tag="ticks", tag_field="k"):
    s: str
    t: tuple[Row, ...]


class NoticeFrame(Struct, frozen=True, gc=False, tag="notice", tag_field="k"):
    """`kind` is a `Control`'s, or `unreadable` for a message that OpenD or the network has spoilt."""

    kind: str
    s: str = ""
    reason: str = ""


Frame = BookFrame | TicksFrame | NoticeFrame

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Frame).decode


# ---- from the library's messages


def symbol_of(security: Any) -> str:
    """`HK.00700` from the protocol's market number and code; empty for a market that is not known here."""
    market = MARKETS.get(security.market)
    return f"{market.prefix}.{security.code}" if market is not None and security.code else ""


def book_frame(said: Any) -> BookFrame | NoticeFrame:
    """A book message (3013)."""
    content = _content(said, "book")
    if isinstance(content, NoticeFrame):
        return content
    market = MARKETS[content.security.market]
    return BookFrame(
        symbol_of(content.security), _levels(content.orderBookBidList), _levels(content.orderBookAskList),
        stamp_ns(content.svrRecvTimeBidTimestamp, content.svrRecvTimeBid, market),
        stamp_ns(content.svrRecvTimeAskTimestamp, content.svrRecvTimeAsk, market),
    )  # fmt: skip


def ticks_frame(said: Any) -> TicksFrame | NoticeFrame:
    """A message of prints (3011)."""
    content = _content(said, "prints")
    if isinstance(content, NoticeFrame):
        return content
    market = MARKETS[content.security.market]
    rows = [
        (one.price, _size(one), one.dir, one.sequence, stamp_ns(one.timestamp, one.time, market), one.pushDataType)
        for one in content.tickerList
    ]
    return TicksFrame(symbol_of(content.security), tuple([row for row in rows if _tradable(row[0], row[1])]))


def levels(side: Iterable[Sequence[Any]]) -> Levels:
    """One side of a book that the library has read itself: price, size, and more that is of no use here."""
    return tuple([(float(row[0]), float(row[1])) for row in side if _tradable(row[0], row[1])])


def stamp_ns(seconds: float, text: str, market: Market) -> int | None:
    """UTC ns from UTC seconds, or from the market's own time where there are none; None where both are zero."""
    if 0 < seconds < _LONGEST_S:
        return round(seconds * 1e6) * 1_000  # a double of today's seconds holds microseconds, no more
    return local_ns(text, market)


def local_ns(text: str, market: Market) -> int | None:
    """UTC ns from `2026-08-09 09:30:00.123` in the market's time zone; None for no time, or one that cannot be read."""
    zone = _zone(market.zone)
    if zone is None or len(text) < 19 or text.startswith("0000"):
        return None
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        return None
    elapsed = local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    return microseconds * 1_000 if microseconds > 0 else None


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:  # a machine without the time zone data base
        return None


def _content(said: Any, what: str) -> Any:
    """The content of a push, or why it cannot be used."""
    if said.retType != 0 or not said.HasField("s2c"):
        return NoticeFrame("unreadable", "", f"a message of {what} without content: {said.retMsg or said.retType}")
    if not symbol_of(said.s2c.security):
        return NoticeFrame("unreadable", "", f"{what} of a market that is not known: {said.s2c.security.market}")
    return said.s2c


def _levels(side: Any) -> Levels:
    return tuple([(one.price, size) for one in side if _tradable(one.price, size := _size(one))])


def _size(one: Any) -> float:
    return float(one.hpVolume if one.HasField("hpVolume") else one.volume)


def _tradable(price: float, size: float) -> bool:
    return price > 0 and size > 0 and isfinite(price) and isfinite(size)


# ---- and back


class Told:
    """The numbers of the prints that were told of each symbol last, whatever connection they came by."""

    def __init__(self) -> None:
        self._numbers: dict[str, tuple[deque[int], set[int]]] = {}

    def is_news(self, symbol: str, number: int) -> bool:
        """Whether a print was not told yet; it counts as told from now on."""
        order, known = self._numbers.setdefault(symbol, (deque(), set()))
        if number in known:
            return False
        known.add(number)
        order.append(number)
        if len(order) > TOLD_KEPT:
            known.discard(order.popleft())
        return True


class Decoder:
    """Reads the frames of one connection."""

    def __init__(self, venue: str, told: Told) -> None:
        self._venue = venue
        self._told = told
        self._times: dict[str, tuple[int, int]] = {}
        """When the two sides of each symbol's last book left the exchange, where that is known."""

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        """What a frame says. Raises DecodeError."""
        try:
            said = _decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(f"{self._venue} frame: {error}") from error
        if isinstance(said, BookFrame):
            return () if self._is_old(said) else (snapshot(self._venue, said, received_ns, "stream"),)
        if isinstance(said, TicksFrame):
            return self._trades(said, received_ns)
        if said.kind == "unreadable":
            raise DecodeError(f"{self._venue}: {said.reason}")
        return (Control(said.kind, said.s, said.reason),)  # type: ignore[arg-type]

    def _is_old(self, said: BookFrame) -> bool:
        """Whether this book was overtaken by one that this connection brought before."""
        if said.tb is None or said.ta is None:
            return False
        now = (said.tb, said.ta)
        last = self._times.get(said.s)
        if last is not None and now != last and now[0] <= last[0] and now[1] <= last[1]:
            return True
        self._times[said.s] = now
        return False

    def _trades(self, said: TicksFrame, received_ns: int) -> Sequence[Trade]:
        return [
            Trade(
                self._venue, said.s, price, size, DIRECTIONS.get(direction, UNKNOWN_SIDE), number, at_ns, received_ns,
                "stream", why == REPEATED,
            )
            for price, size, direction, number, at_ns, why in said.t
            if self._told.is_news(said.s, number)
        ]  # fmt: skip


def snapshot(venue: str, said: BookFrame, received_ns: int, source: Source) -> BookSnapshot:
    """The book in a frame; its time is that of the side that changed last."""
    times = [at_ns for at_ns in (said.tb, said.ta) if at_ns is not None]
    return BookSnapshot(venue, said.s, said.b, said.a, None, max(times, default=None), received_ns, source)
