"""OKX's checksum of a book, which the library no longer looks at: with it a recording's books are proven, not believed.

1. The best 25 levels, bids and asks by turns, `price:size` as the venue wrote them, joined by colons. 2. Where one side
is shorter, the other goes on alone. 3. CRC32 as a signed number of 32 bits.
Source: OKX API v5, "Order book channel", section on the checksum (it is 0 or missing in messages of today).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any
from zlib import crc32

from msgspec.structs import replace

from engine.feed.checksum import Checksum
from engine.feed.sync import WholeBooks
from engine.market.events import BookSnapshot, Levels, MarketEvent, Written

CHANNEL = "books"


class OkxChecksum:
    """The rule; `value` is signed."""

    levels = 25

    def piece(self, price: str, size: str) -> str:
        return f"{price}:{size}"

    def value(self, bids: Sequence[str], asks: Sequence[str]) -> int:
        parts = [piece for pair in zip_longest(bids, asks) for piece in pair if piece is not None]
        unsigned = crc32(":".join(parts).encode())
        return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


class CheckedBooks(WholeBooks):
    """Whole books, each with the venue's checksum where it sends one."""

    checksum: Checksum | None = OkxChecksum()


def with_checksums(events: Sequence[MarketEvent], message: Any) -> Sequence[MarketEvent]:
    """The books that the library made of a message, each with the checksum that came in its row of the message."""
    said = _said(message)
    return [_checked(one, next(said, None)) if isinstance(one, BookSnapshot) else one for one in events]


def _said(message: Any) -> Iterator[int | None]:
    if not isinstance(message, Mapping) or message.get("arg", {}).get("channel") != CHANNEL:
        return iter(())
    return iter([row.get("checksum") or None for row in message.get("data", [])])


def _checked(book: BookSnapshot, checksum: int | None) -> BookSnapshot:
    if checksum is None:
        return book
    return replace(book, checksum=checksum, wire=(_written(book.bids), _written(book.asks)))


def _written(levels: Levels) -> Written:
    """The digits of doubles: OKX writes neither an exponent nor trailing zeros."""
    return tuple([(_digits(price), _digits(size)) for price, size in levels])


def _digits(number: float) -> str:
    text = repr(number)
    if "e" in text:
        text = f"{number:.12f}".rstrip("0")
    return text.removesuffix(".0").rstrip(".")
