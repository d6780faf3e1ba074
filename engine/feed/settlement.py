"""What is left to do after an update, at venues that drop levels without a word or send checksums."""

from __future__ import annotations

from engine.feed.checksum import Checksum, Digits
from engine.feed.quality import FeedQuality
from engine.market.book import Book
from engine.market.events import BookDelta, BookSnapshot, Levels, Wire


class Settlement:
    """Cuts a book to what the venue keeps, then compares checksums. `needed` tells whether there is anything to do."""

    __slots__ = ("_book", "_digits", "_quality", "kept_depth", "needed")

    def __init__(self, checksum: Checksum | None, book: Book, quality: FeedQuality) -> None:
        self._book = book
        self._quality = quality
        self._digits = Digits(checksum) if checksum is not None else None
        self.kept_depth: int | None = None
        """How many levels a side the venue keeps; None where it tells of every level that goes."""
        self.needed = self._digits is not None

    def begin(self, snapshot: BookSnapshot) -> None:
        """A book begins with this snapshot."""
        self.kept_depth = snapshot.depth
        self.needed = self._digits is not None or snapshot.depth is not None

    def forget(self) -> None:
        """The book is gone, or came from elsewhere: its digits are not known."""
        self.kept_depth = None
        if self._digits is not None:
            self._digits.clear()

    def settle(self, event: BookSnapshot | BookDelta) -> str:
        """Finish what the book was just told; what is wrong with it, or nothing."""
        digits = self._digits
        if digits is not None:
            digits.take(event)
        if self.kept_depth is not None:
            bids, asks = self._book.truncate(self.kept_depth)
            if digits is not None and (bids or asks):
                digits.forget(bids, asks)
        if digits is None or event.checksum is None:
            return ""
        found = digits.checksum(self._book)
        if found is None:
            return ""
        if found == event.checksum:
            self._quality.checksums_ok += 1
            return ""
        self._quality.checksums_bad += 1
        return f"the book's checksum is {found}, the venue's {event.checksum}: an update is missing or wrong"

    def settle_whole(self, snapshot: BookSnapshot) -> str:
        """Finish a book that begins anew, and may stand alone: a venue of whole books, or a poll."""
        self.forget()
        return self.settle(snapshot) if self._digits is not None and snapshot.wire is not None else ""

    def written(self, bids: Levels, asks: Levels) -> Wire | None:
        """These levels as the venue wrote them; None where it does not matter or some digits are unknown."""
        return self._digits.written(bids, asks) if self._digits is not None else None

    @property
    def said(self) -> int | None:
        """The venue's last checksum."""
        return self._digits.said if self._digits is not None else None
