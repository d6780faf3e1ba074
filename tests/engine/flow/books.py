"""Short ways to say books and quotes to a section, the way a feed does."""

from __future__ import annotations

from collections.abc import Sequence

from engine.flow.section import SECOND_NS, Changes, Section
from engine.market.book import Book
from engine.market.events import Level

START_NS = 1_700_000_000 * SECOND_NS


def at(seconds: float) -> int:
    """So many seconds after the beginning of the test, in ns."""
    return START_NS + round(seconds * SECOND_NS)


def quote(section: Section, seconds: float, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
    section.on_bbo(at(seconds), bid, bid_size, ask, ask_size)


class BookTeller:
    """A book whose snapshots and updates are told to sections in turn."""

    def __init__(self, *sections: Section) -> None:
        self.book = Book()
        self.sections = sections

    def snapshot(self, seconds: float, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        self.book.replace(bids, asks)
        for section in self.sections:
            section.on_book(at(seconds), self.book, None)

    def update(self, seconds: float, bids: Sequence[Level] = (), asks: Sequence[Level] = ()) -> None:
        before = self.book.sizes_of(bids, asks)
        self.book.apply(bids, asks)
        for section in self.sections:
            section.on_book(at(seconds), self.book, Changes(tuple(bids), tuple(asks), *before))
