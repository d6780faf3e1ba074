"""Plays a recording of the tape: what the line published then, event for event, and its gaps as gaps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from engine.clock import Clock
from engine.feed.feed import Feed
from engine.feed.feed_copy import FeedCopy
from engine.feed.mailbox import FeedKey
from engine.market.events import BookSnapshot, FeedState, FeedStatus, MarketEvent, Quote, Trade
from engine.market.orders import Fill, OrderUpdate
from engine.market.signal import Signal
from engine.store.base import Entry, Gap, Recording, Store, time_ns
from engine.store.playable import About, Published

LOOKED_AT = 1_000
"""Entries that show what a recording holds."""
LACKS = (
    "Quotes that the book had overtaken when they came were not recorded: figures of order flow that count every quote "
    "may differ a little from those of that time."
)
NOT_OF_THE_MARKET = (Signal, OrderUpdate, Fill)
"""What somebody thought or did at that time. It is not said again, and no order of the past goes anywhere."""


class _Hole(Struct, frozen=True):
    """A gap of one feed, where it stands in the line."""

    key: FeedKey
    gap: Gap


class PlayableTape:
    """One recording in a store. Signals, orders and fills that it holds are not played: strategies speak again.

    `owned`: the store was opened for this alone, and is closed with it.
    """

    def __init__(self, store: Store, recording: Recording, *, owned: bool = False) -> None:
        self.store = store
        self._owned = owned
        self.recording = recording
        self.title = recording.note or recording.id
        self.feeds = recording.feeds
        self.start_ns, self.end_ns = self._span()

    def about(self, venue: str) -> About:
        """As its first entries show it."""
        keys = [key for key in self.feeds if key[0] == venue]
        depth, trades = 0, False
        for entry in islice(self.store.read(self.recording.id, keys=keys), LOOKED_AT):
            event = entry.event
            if type(event) is BookSnapshot:
                depth = max(depth, len(event.bids), len(event.asks))
            trades = trades or type(event) is Trade
        return About(depth, trades, "as recorded: gaps are told", LACKS)

    def _span(self) -> tuple[int, int]:
        """When it begins and ends: by this machine's clock, or, where a replay was recorded, by the replay's."""
        recording = self.recording
        first = next(self._said_by_the_market(0), None)
        if first is None or first.source != "replay":
            return recording.started_ns, recording.ended_ns or recording.started_ns
        # As many as there are, they have at least such numbers.
        last = self._said_by_the_market(max(0, recording.events - LOOKED_AT))
        return first.received_ns, max([event.received_ns for event in last], default=first.received_ns)

    def _said_by_the_market(self, from_index: int) -> Iterator[MarketEvent]:
        for entry in self.store.read(self.recording.id, from_index=from_index):
            if type(entry.event) not in NOT_OF_THE_MARKET:
                yield entry.event  # type: ignore[misc]

    def make_feed(self, key: FeedKey, clock: Clock) -> Feed:
        return FeedCopy(key[0], key[1], clock=clock, source="replay")

    def close(self) -> None:
        if self._owned:
            self.store.close()

    def begin(self, feed_of: Callable[[FeedKey], Feed]) -> TapePass:
        return TapePass(self, feed_of)

    def signals(self) -> Iterator[tuple[FeedKey, Signal]]:
        """What strategies said while it was recorded, in order."""
        for entry in self.store.read(self.recording.id):
            if type(entry.event) is Signal:
                yield entry.key, entry.event


class TapePass:
    """One way through a recording.

    A gap is told in the line as a status that drops the book. What the feed had last said of itself is told again
    before the snapshot with which it begins anew, for the recording need not hold that twice.
    """

    def __init__(self, playable: PlayableTape, feed_of: Callable[[FeedKey], Feed]) -> None:
        self._playable = playable
        self._feed_of = feed_of
        self._feeds: dict[FeedKey, Feed] = {}
        self._statuses: dict[FeedKey, FeedStatus] = {}
        self._had_book: set[FeedKey] = set()
        self._torn: set[FeedKey] = set()
        self._gaps = 0

    def moments(self) -> Iterator[tuple[int, Entry | _Hole]]:
        store, recording = self._playable.store, self._playable.recording
        holes = _Holes(store.gaps(recording.id))
        newest_ns = 0
        for entry in store.read(recording.id):
            event = entry.event
            if isinstance(event, NOT_OF_THE_MARKET):
                continue
            at_ns = time_ns(event)
            if at_ns > newest_ns:
                newest_ns = at_ns
            if holes.left:
                for hole in holes.before(entry.key, at_ns):
                    yield newest_ns, hole
            yield newest_ns, entry
        for hole in holes.left:
            yield max(newest_ns, hole.gap.from_ns), hole

    def take(self, moment: Entry | _Hole) -> Published:
        key = moment.key
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = self._feed_of(key)
        if type(moment) is _Hole:
            return self._tear(key, feed, moment.gap)
        event: MarketEvent = moment.event  # type: ignore[union-attr, assignment]
        kind = type(event)
        if kind is FeedStatus:
            self._statuses[key] = event  # type: ignore[assignment]
            self._torn.discard(key)
        elif kind is BookSnapshot:
            self._had_book.add(key)
        if self._torn and self._begins_anew(key, kind):
            return [(key, said) for said in (*feed.push(self._statuses[key]), *feed.push(event))]
        return [(key, said) for said in feed.push(event)]

    def _begins_anew(self, key: FeedKey, kind: type) -> bool:
        """Whether a gap ends with this event, and what the feed had said of itself has to be told again."""
        if key not in self._torn or key not in self._statuses:
            return False
        if kind is not BookSnapshot and (key in self._had_book or kind not in (Trade, Quote)):
            return False
        self._torn.discard(key)
        return True

    def losses(self) -> str:
        return f"{self._gaps} gap{'s' if self._gaps > 1 else ''}" if self._gaps else ""

    def _tear(self, key: FeedKey, feed: Feed, gap: Gap) -> Published:
        self._gaps += 1
        self._torn.add(key)
        feed.quality.gaps += 1
        lost = f", {gap.lost:,} events lost" if gap.lost else ""
        reason = f"gap in the recording: {gap.reason}{lost}"
        status = FeedStatus(
            feed.venue, feed.symbol, FeedState.SYNCING, reason, "", 0, None, gap.from_ns, "replay"
        )  # fmt: skip
        return [(key, published) for published in feed.push(status)]


class _Holes:
    """The gaps that the line has not come to yet.

    Left out are those of no feed, in which nothing of the market is missing: lost signals, a clock that jumped.
    """

    def __init__(self, gaps: list[Gap]) -> None:
        self.left: deque[_Hole] = deque()
        ends: dict[FeedKey, int] = {}
        for gap in sorted(gaps, key=lambda gap: gap.to_ns):
            if gap.key is None:
                continue
            # What was lost first may bear an old stamp (a status told again), but not be older than the last gap.
            from_ns = max(gap.from_ns, ends.get(gap.key, 0))
            self.left.append(_Hole(gap.key, replace(gap, from_ns=from_ns)))
            ends[gap.key] = gap.to_ns

    def before(self, key: FeedKey, at_ns: int) -> list[_Hole]:
        """Those that stand before an event of this feed at this time."""
        due = [
            hole
            for hole in self.left
            if at_ns > hole.gap.from_ns and (hole.key == key or at_ns > hole.gap.to_ns)
        ]  # fmt: skip
        for hole in due:
            self.left.remove(hole)
        return due
