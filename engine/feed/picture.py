"""The picture of a book that everyone else sees, drawn when somebody looks.

Between two looks any number of updates may pass: only what they changed is noted. The feed's lock is held whenever a
method is called; the book belongs to the feed.
"""

from __future__ import annotations

from msgspec.structs import replace

from engine.market.book import Book, BookView
from engine.market.events import FeedState, Source


class Picture:
    """What stands for the book now; nothing (`exists` is False) while there is no book to believe."""

    __slots__ = ("_book", "_drawn", "_due", "_state", "_symbol", "_venue")

    def __init__(self, venue: str, symbol: str, book: Book) -> None:
        self._venue = venue
        self._symbol = symbol
        self._book = book
        self._state = FeedState.LIVE
        self._drawn: BookView | None = None
        self._due: tuple[int | None, int | None, int, Source] | None = None
        """Of the newest book: its number, both times, its source; None when that is drawn already."""

    @property
    def exists(self) -> bool:
        return self._due is not None or self._drawn is not None

    @property
    def current(self) -> bool:
        """Whether the last drawing shows the newest book (or there is none): then it may be had without the lock."""
        return self._due is None

    @property
    def drawn(self) -> BookView | None:
        """The last drawing."""
        return self._drawn

    def change(self, sequence: int | None, exchange_ns: int | None, received_ns: int, source: Source) -> None:
        """The book has changed: from now on the picture is of this update."""
        self._due = sequence, exchange_ns, received_ns, source

    def forget(self) -> None:
        """There is no book any more."""
        self._due = self._drawn = None

    def turn(self, state: FeedState) -> None:
        """The feed's state has changed."""
        self._state = state
        drawn = self._drawn
        if drawn is not None and drawn.state is not state:
            self._drawn = replace(drawn, state=state)

    def draw(self) -> BookView | None:
        """The picture of the book as it stands."""
        due = self._due
        if due is not None:
            sequence, exchange_ns, received_ns, source = due
            self._drawn = BookView(
                self._venue, self._symbol, *self._book.top_bids(), *self._book.top_asks(), sequence, exchange_ns,
                received_ns, source, self._state,
            )  # fmt: skip
            self._due = None
        return self._drawn
