"""Whether a book is the venue's, by the venue's own checksum over the digits that it wrote.

Some venues number nothing and send, with every message, a checksum over the best levels of the book as it then stands.
It covers the very digits ("0.10000000", not 0.1), which doubles do not keep, so they are kept here beside the book.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.market.book import Book
from engine.market.events import BookDelta, BookSnapshot, Levels, Wire, Written


class Checksum(Protocol):
    """How one venue computes it. Pure.

    `levels` is how many of the best levels per side it covers.
    """

    levels: int

    def piece(self, price: str, size: str) -> str:
        """One level's share, from what the venue wrote; made once, when the level comes."""

    def value(self, bids: Sequence[str], asks: Sequence[str]) -> int:
        """The checksum of these pieces, best first on both sides; at most `levels` of each."""


_Kept = dict[float, tuple[str, str, str]]


class Digits:
    """A book's levels as the venue wrote them: by price, the price's and the size's text and their checksum piece."""

    def __init__(self, rule: Checksum) -> None:
        self._rule = rule
        self.clear()

    def clear(self) -> None:
        """The book is gone, or is one whose digits nobody knows."""
        self._bids: _Kept = {}
        self._asks: _Kept = {}
        self._complete = False
        self.said: int | None = None
        """The checksum that came with the last event."""

    def take(self, event: BookSnapshot | BookDelta) -> None:
        """Follow an event that the book has followed."""
        whole = type(event) is BookSnapshot
        if whole:
            self.clear()
        wire = event.wire
        if wire is None:
            if whole or event.bids or event.asks:
                self.clear()
            return
        self._complete = whole or self._complete
        self.said = event.checksum
        if not (self._follow(self._bids, event.bids, wire[0]) and self._follow(self._asks, event.asks, wire[1])):
            self.clear()

    def forget(self, bids: Sequence[float], asks: Sequence[float]) -> None:
        """These prices left the book."""
        if self._complete:
            for price in bids:
                del self._bids[price]
            for price in asks:
                del self._asks[price]

    def checksum(self, book: Book) -> int | None:
        """The checksum of the book; None where some of its digits are unknown."""
        if not self._complete:
            return None
        bids, asks, levels = self._bids, self._asks, self._rule.levels
        return self._rule.value(
            [bids[price][2] for price in book.best_bids(levels)], [asks[price][2] for price in book.best_asks(levels)]
        )

    def written(self, bids: Levels, asks: Levels) -> Wire | None:
        """These levels of the book as the venue wrote them; None where some digits are unknown."""
        if not self._complete:
            return None
        return _written(self._bids, bids), _written(self._asks, asks)

    def _follow(self, kept: _Kept, levels: Levels, written: Written) -> bool:
        """Take over changed levels; False when the digits do not belong to them."""
        if len(levels) != len(written):
            return False
        piece = self._rule.piece
        for (price, size), (price_text, size_text) in zip(levels, written, strict=True):
            if size:
                kept[price] = price_text, size_text, piece(price_text, size_text)
            else:
                kept.pop(price, None)
        return True


def _written(kept: _Kept, levels: Levels) -> Written:
    return tuple([kept[price][:2] for price, _ in levels])
