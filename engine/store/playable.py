"""What can be played again, whatever it is kept in: what a player needs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import Struct

from engine.clock import Clock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import MarketEvent


class About(Struct, frozen=True):
    """What a recording holds of a venue: levels a side (0: no book), whether trades, how gaps were noticed.

    `lacks` says what of the live market is not in it, in a sentence; empty where nothing is known to be missing.
    """

    depth: int
    trades: bool
    gap_detection: str
    lacks: str = ""


Published = Sequence[tuple[FeedKey, MarketEvent]]
"""What the line said, in order, and whose feed it was."""


class Pass(Protocol):
    """One way through a recording, from its beginning. One thread drives it."""

    def moments(self) -> Iterator[tuple[int, Any]]:
        """When something happened (UTC ns, never falling) and what; it takes effect when `take` is given it."""

    def take(self, moment: Any) -> Published:
        """Let it happen: the feeds change, and this is what they publish."""

    def losses(self) -> str:
        """What could not be played so far, in words; empty when everything was."""


class Playable(Protocol):
    """A recording of any kind. It may be played several times, by one player at a time.

    `title` names it for people, without a path; `start_ns` and `end_ns` are its first and last moment; `feeds` are
    those that are known before it is played.
    """

    title: str
    feeds: tuple[FeedKey, ...]
    start_ns: int
    end_ns: int

    def about(self, venue: str) -> About:
        """What it holds of one of its venues."""

    def make_feed(self, key: FeedKey, clock: Clock) -> Feed:
        """The feed that this key's events will be pushed into; everything that it publishes says `replay`."""

    def close(self) -> None:
        """Let go of what it was opened with, where it was opened for playing alone."""

    def begin(self, feed_of: Callable[[FeedKey], Feed]) -> Pass:
        """A pass from the beginning. `feed_of` gives the feed of a key: as new, and always the same one.

        Raises:
            StoreError: it cannot be opened (any more).
        """
