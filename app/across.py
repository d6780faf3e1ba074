"""What a tab wants to see of several venues at once, and the consolidated book of it. No drawing here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.hub import STREAM
from engine.market.consolidated import ConsolidatedBook, ConsolidatedView, Member, Said
from engine.market.events import FeedState


class AcrossView(Struct, frozen=True):
    """One instrument (`name`, unified) at several venues; everything of it stands in the URL.

    `off` are venues whose levels do not count although they are read; `fees` are takers' fees in bps by venue, None
    where nobody said; `step` groups the levels, None for prices as they are quoted.
    """

    name: str
    members: tuple[Member, ...]
    off: frozenset[str]
    fees: Mapping[str, float | None]
    step: float | None
    running: bool

    @property
    def keys(self) -> list[FeedKey]:
        """The feeds to read; none while stopped."""
        return [key_of(member) for member in self.members] if self.running else []


def key_of(member: Member) -> FeedKey:
    """The feed of a member: its stream, the same that every other page and tab reads."""
    return (member.venue, member.symbol, STREAM)


def look(view: AcrossView, feed_of: Callable[[FeedKey], Feed | None], now_ns: int) -> ConsolidatedView:
    """All members as they stand at `now_ns`, by exact prices: only the ladder groups levels, in the browser."""
    book = ConsolidatedBook(view.members)
    for member in view.members:
        book.take(member, said(feed_of(key_of(member)), now_ns))
        book.include(member, member.venue not in view.off)
    return book.read(now_ns)


def said(feed: Feed | None, now_ns: int) -> Said:
    """What a feed says of itself; its age is taken by its own clock, which for a recording is not ours."""
    if feed is None:
        return Said(reason="starting")
    age_s = feed.quality.age_s(feed.clock.now_ns())
    status = feed.status
    reason = status.reason if status is not None else ""
    hint = f" → {status.hint}" if status is not None and status.hint else ""
    return Said(
        feed.view,
        feed.state if status is not None else FeedState.CONNECTING,
        None if age_s is None else now_ns - round(age_s * 1e9),
        feed.stale_after_s,
        f"{reason}{hint}",
        status.source if status is not None else "stream",
    )
