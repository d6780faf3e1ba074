"""Small questions about books and quotes."""

from __future__ import annotations

from engine.flow.section import Changes
from engine.market.book import Book
from engine.market.events import BookSnapshot, Levels

_INFINITY = float("inf")


def sound(bid: float, ask: float) -> bool:
    """Whether both are prices, crossed or not."""
    return 0.0 < bid < _INFINITY and 0.0 < ask < _INFINITY


def changes(old: Levels, new: Levels) -> Levels:
    """The levels that turn one side of a book into another: size 0 for those that go."""
    before, after = dict(old), dict(new)
    gone = [(price, 0.0) for price in before if price not in after]
    return (*gone, *[level for level in new if before.get(level[0]) != level[1]])


def changes_of(held: tuple[Levels, Levels], book: Book) -> Changes:
    """What turns the levels that stood (bids, asks) into the book as it is."""
    bids, asks = changes(held[0], book.bids()), changes(held[1], book.asks())
    before = dict(held[0]), dict(held[1])
    return Changes(
        bids, asks, [before[0].get(price, 0.0) for price, _ in bids], [before[1].get(price, 0.0) for price, _ in asks]
    )


def same_levels(one: BookSnapshot, other: BookSnapshot) -> bool:
    """Whether two books hold the same, whenever they were seen."""
    return one.bids == other.bids and one.asks == other.asks
