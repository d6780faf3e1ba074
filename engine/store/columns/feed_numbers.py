"""The feeds of one recording and the numbers under which its tables know them."""

from __future__ import annotations

from engine.feed.mailbox import FeedKey
from engine.store.columns.entries import FeedName

EVERY_FEED = -1


class FeedNumbers:
    """Numbers in the order in which the feeds were met; `new` are those that no table knows yet."""

    def __init__(self, known: dict[FeedName, int] | None = None) -> None:
        self.known = known or {}
        self.new: list[FeedName] = []

    def number(self, name: FeedName) -> int:
        """The number of a feed, a new one when it is met for the first time."""
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = len(self.known)
            self.new.append(name)
        return found

    def of_key(self, key: FeedKey | None) -> int:
        """The number under which gaps and quality of a key stand."""
        return EVERY_FEED if key is None else self.number((key, key[0], key[1]))

    def copy(self) -> FeedNumbers:
        """One that can be thrown away when what it numbers could not be written."""
        return FeedNumbers(dict(self.known))
