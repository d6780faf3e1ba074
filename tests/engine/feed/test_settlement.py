"""What is done after an update: cut the book to what the venue keeps, compare checksums."""

from __future__ import annotations

from msgspec.structs import replace

from engine.feed.quality import FeedQuality
from engine.feed.settlement import Settlement
from engine.market.book import Book
from tests.engine.support import delta, snapshot

BIDS = ((100.0, 1.0), (99.0, 2.0), (98.0, 3.0))
ASKS = ((101.0, 1.0), (102.0, 2.0))


def begun(depth: int | None) -> tuple[Settlement, Book]:
    book = Book()
    settlement = Settlement(None, book, FeedQuality())
    first = replace(snapshot(1, BIDS, ASKS), depth=depth)
    settlement.begin(first)
    book.replace(first.bids, first.asks)
    return settlement, book


def test_most_venues_leave_nothing_to_do() -> None:
    settlement, _ = begun(None)

    assert not settlement.needed
    assert settlement.said is None
    assert settlement.written(BIDS, ASKS) is None


def test_levels_beyond_what_the_venue_keeps_go() -> None:
    settlement, book = begun(2)

    assert settlement.needed
    assert settlement.settle(delta(2)) == ""
    assert book.bids() == BIDS[:2]
    assert book.asks() == ASKS


def test_a_book_from_elsewhere_is_not_cut() -> None:
    settlement, book = begun(2)
    settlement.forget()

    assert settlement.kept_depth is None
    assert settlement.settle(delta(2)) == ""
    assert book.bids() == BIDS
