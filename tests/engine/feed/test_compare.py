"""Small questions about books and quotes."""

from __future__ import annotations

from engine.feed.compare import changes, same_levels, sound
from engine.market.book import Book
from tests.engine.support import ASKS, BIDS, START_NS, snapshot


def test_changes_turn_one_side_into_the_other() -> None:
    new = ((100.5, 3.0), (100.0, 1.0), (97.0, 4.0))
    book = Book()
    book.replace(BIDS, ())
    book.apply(changes(BIDS, new), ())

    assert book.bids() == new
    assert set(changes(BIDS, new)) == {(99.0, 0.0), (100.5, 3.0), (97.0, 4.0)}
    assert changes(BIDS, BIDS) == ()


def test_books_are_the_same_whenever_they_were_seen() -> None:
    assert same_levels(snapshot(1), snapshot(2, at_ns=START_NS + 1))
    assert not same_levels(snapshot(1), snapshot(1, ASKS, BIDS))


def test_prices_are_above_zero_and_finite_and_may_be_crossed() -> None:
    assert sound(2.0, 1.0)
    assert not sound(0.0, 1.0)
    assert not sound(1.0, float("inf"))
    assert not sound(float("nan"), 1.0)
