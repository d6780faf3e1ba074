"""What waits to be written: every event of some feeds in one order. The line never waits for the disk."""

from __future__ import annotations

from collections import deque
from threading import Event, Lock

from msgspec import Struct

from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import BookDelta, BookSnapshot, FeedStatus, MarketEvent
from engine.market.orders import ExecutionReport, Fill, OrderUpdate
from engine.market.signal import Signal
from engine.store.base import Entered, Gap, time_ns

TOO_SLOW = "more came than could be written"
SIGNALS_LOST, REPORTS_LOST = "signals that found no room", "orders and fills that found no room"
MOST_REPORTS = 10_000
"""So many orders and fills may wait beside the events of the market."""


class _Hole(Struct):
    """What a feed has lost since a moment (UTC ns)."""

    from_ns: int
    lost: int
    reason: str
    status: FeedStatus | None = None
    """The last that the feed said of itself meanwhile."""


class RecordingQueue:
    """A receiver of the hub that keeps everything, until `capacity` events wait: then all of them are dropped.

    Each feed that lost something begins again with a snapshot, and the hole is told as a gap: of a feed with a book up
    to that snapshot, of any other up to its next event. While nothing can be written (`pause`) a queue that was full
    stays shut, so that this is one gap and not many. Pictures of books are never drawn here.

    Orders and fills have room of their own and do not fall with the market's events: what was bought stays bought.
    """

    def __init__(self, capacity: int, *, wake: Event | None = None) -> None:
        """`wake` is set when a fifth of the capacity waits."""
        self.capacity = capacity
        self.dropped = 0
        self._why = TOO_SLOW
        """The reason that the next hole will name."""
        self._shut = self._paused = False
        self.lost: set[FeedKey] = set()
        self._items: deque[tuple[FeedKey, Entered]] = deque()
        self._holes: dict[FeedKey, _Hole] = {}
        self._gaps: list[Gap] = []
        self._reports = 0
        """How many of the items are orders and fills."""
        self._lost_beside: dict[str, tuple[int, int]] = {}
        """Signals and reports, by what a gap says of them: since when (UTC ns) and how many; no feed has a hole."""
        self._with_books: set[FeedKey] = set()
        self._wake, self._wake_at = wake, max(1, capacity // 5)
        self._lock = Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def fullness(self) -> float:
        """How full it is, 0 … 1: a replay that is recorded waits."""
        return len(self._items) / self.capacity

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        with self._lock:
            if self._closed:
                return
            kind = type(event)
            if kind is BookSnapshot:
                self._with_books.add(key)
            items = self._items
            if len(items) - self._reports >= self.capacity:
                self._shut = self._paused
                self._drop_events(self._why)
                self._tear(key, event, 0, self._why)
            if self._shut:
                self._tear(key, event, 1, self._why)
                return
            if self._holes and key in self._holes:
                if kind is BookDelta:
                    self._tear(key, event, 1, self._why)
                    return
                if kind is BookSnapshot or key not in self._with_books:
                    self._mend(key, event)
            items.append((key, event))
            if len(items) == self._wake_at and self._wake is not None:
                self._wake.set()

    def put_signal(self, key: FeedKey, signal: Signal) -> None:
        """Take a strategy's signal at once; it stands among the events in the order in which it came."""
        with self._lock:
            if self._closed:
                return
            if self._shut or len(self._items) - self._reports >= self.capacity:
                self._lose_beside(SIGNALS_LOST, signal.at_ns)
                return
            self._items.append((key, signal))

    def put_report(self, key: FeedKey, report: ExecutionReport) -> None:
        """Take what became of an order at once, also while the market's events find no room."""
        with self._lock:
            if self._closed:
                return
            if self._reports >= MOST_REPORTS:
                self._lose_beside(REPORTS_LOST, report.received_ns)
                return
            self._items.append((key, report))
            self._reports += 1

    def pause(self, why: str) -> None:
        """Nothing can be written at the moment."""
        with self._lock:
            self._paused, self._why = True, why

    def resume(self) -> None:
        """Writing works again: feeds that have a hole begin anew with their next event."""
        with self._lock:
            self._paused = self._shut = False
            self._why = TOO_SLOW
            self.lost.update([key for key in self._holes if key in self._with_books])

    def reopen(self, key: FeedKey) -> None:
        """A snapshot follows; the hole ends with it."""

    def lose(self, taken: list[tuple[FeedKey, Entered]], reason: str) -> None:
        """What was taken out could not be written; what waits behind it cannot stand alone and goes with it."""
        with self._lock:
            self._drop(taken, reason)
            self._drop_events(reason)

    def drain(self) -> tuple[list[tuple[FeedKey, Entered]], list[Gap]]:
        """Everything that waits, and the gaps that have ended."""
        with self._lock:
            items, self._items, self._reports = self._items, deque(), 0
            gaps, self._gaps = self._gaps, []
            gaps += [Gap(None, at_ns, at_ns, count, why) for why, (at_ns, count) in self._lost_beside.items()]
            self._lost_beside = {}
        return list(items), gaps

    def close(self) -> None:
        """Take nothing any more; what waits can still be drained."""
        with self._lock:
            self._closed = True

    def end_holes(self, at_ns: int) -> list[Gap]:
        """Holes that are still open when the recording ends."""
        with self._lock:
            holes, self._holes = self._holes, {}
            self.lost.clear()
            return [Gap(key, one.from_ns, max(at_ns, one.from_ns), one.lost, one.reason) for key, one in holes.items()]

    def _lose_beside(self, why: str, at_ns: int) -> None:
        first_ns, count = self._lost_beside.get(why, (at_ns, 0))
        self._lost_beside[why] = first_ns, count + 1
        self.dropped += 1

    def _drop_events(self, reason: str) -> None:
        """Let go of what waits, but for orders and fills."""
        items = list(self._items)
        self._drop([item for item in items if not isinstance(item[1], OrderUpdate | Fill)], reason)
        self._items.clear()
        self._items += [item for item in items if isinstance(item[1], OrderUpdate | Fill)]

    def _drop(self, items: list[tuple[FeedKey, Entered]], reason: str) -> None:
        for key, event in items:
            self._tear(key, event, 1, reason)

    def _tear(self, key: FeedKey, event: Entered, count: int, reason: str) -> None:
        hole = self._holes.get(key)
        if hole is None:
            hole = self._holes[key] = _Hole(time_ns(event), 0, reason)
        if key in self._with_books and not self._shut:
            self.lost.add(key)
        if type(event) is FeedStatus:
            hole.status = event
        hole.lost += count
        self.dropped += count

    def _mend(self, key: FeedKey, event: MarketEvent) -> None:
        hole = self._holes.pop(key)
        if hole.status is not None and key not in self._with_books:
            # The hub begins feeds with books anew, status first; the others go on in the middle.
            self._items.append((key, hole.status))
            hole.lost -= 1
            self.dropped -= 1
        self.lost.discard(key)
        self._gaps.append(Gap(key, hole.from_ns, max(event.received_ns, hole.from_ns), hole.lost, hole.reason))
