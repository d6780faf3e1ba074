"""What OpenD pushes, as frames: whole books, prints, notices.

The library speaks protocol buffers over a socket of its own; what it pushes is copied into small JSON frames at once,
so that the connection is read like any other, and its frames without the library. Rules:
1. Each book message (3013) is the whole visible book. Sides are best first; empty places (price or size 0) are left
   out. A message with an impossible price or size is unreadable as a whole.
2. Sizes are the precise ones where OpenD gives them.
3. Times are UTC seconds where OpenD gives them, else text in the market's own time zone; zero means unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from math import inf
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from engine.market.events import Levels

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
decode = msgspec.json.Decoder(Frame).decode


def symbol_of(security: Any) -> str:
    """`HK.00700` from the protocol's market number and code; empty for a market or a code that is none."""
    market, code = MARKETS.get(security.market), security.code
    # What is no UTF-8 is handed out as bytes.
    return f"{market.prefix}.{code}" if market is not None and code and isinstance(code, str) else ""


def book_frame(said: Any) -> BookFrame | NoticeFrame:
    """A book message (3013)."""
    content = _content(said, "book")
    if isinstance(content, NoticeFrame):
        return content
    market = MARKETS[content.security.market]
    for one in (*content.orderBookBidList, *content.orderBookAskList):
        if _is_impossible(one):
            return _impossible("book", one)
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
    for one in content.tickerList:
        if _is_impossible(one):
            return _impossible("print", one)
    rows = [
        (one.price, _size(one), one.dir, one.sequence, stamp_ns(one.timestamp, one.time, market), one.pushDataType)
        for one in content.tickerList
    ]
    return TicksFrame(symbol_of(content.security), tuple([row for row in rows if row[0] and row[1]]))


def levels(side: Iterable[Sequence[Any]]) -> Levels:
    """One side of a book that the library has read itself: price, size, and more that is of no use here."""
    return tuple([(float(row[0]), float(row[1])) for row in side if row[0] and row[1]])


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
        security = said.s2c.security
        return NoticeFrame("unreadable", "", f"{what} of an unknown market or code: {security.market} {security.code}")
    return said.s2c


def _levels(side: Any) -> Levels:
    return tuple([(one.price, size) for one in side if (size := _size(one)) and one.price])


def _size(one: Any) -> float:
    return float(one.hpVolume if one.HasField("hpVolume") else one.volume)


def _is_impossible(one: Any) -> bool:
    return not (0 <= one.price < inf and 0 <= _size(one) < inf)


def _impossible(what: str, one: Any) -> NoticeFrame:
    return NoticeFrame("unreadable", "", f"a {what} with the price {one.price} and the size {_size(one)}")
