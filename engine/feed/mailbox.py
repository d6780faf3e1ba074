"""The bounded queue between the line and one reader. The line never waits: what does not fit is dropped and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from threading import Condition, Lock
from typing import Protocol

from msgspec import Struct

from engine.feed.feed import Feed
from engine.market.book import BookView
from engine.market.events import FeedStatus, MarketEvent, Quote, Trade

FeedKey = tuple[str, str, str]
"""Venue, symbol, mode (`stream` or `poll:<seconds>`)."""

STATUSES_KEPT = 100


class Receiver(Protocol):
    """What the hub delivers to. `lost` names the feeds that must open anew after a drop."""

    @property
    def lost(self) -> Collection[FeedKey]: ...

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        """Take one event at once; never blocks."""

    def reopen(self, key: FeedKey) -> None:
        """The hub begins this feed again: a snapshot follows."""

    def close(self) -> None:
        """Take nothing any more and wake whoever waits."""


class Point(Struct, frozen=True, gc=False):
    """Best bid and ask at one moment, for charts."""

    received_ns: int
    bid: float
    ask: float
    source: str


class Update(Struct, frozen=True, gc=False):
    """One published event with the picture of the book after it (None while there is no book to believe).

    Events that are published together (a snapshot and the updates that were kept for it) come with the picture after
    the last of them; the view is None, too, where the reader wanted none.
    """

    key: FeedKey
    event: MarketEvent
    view: BookView | None


class Mail(Struct):
    """What lay in a mailbox for one feed, oldest first; `newest_ns` is the latest `received_ns` among it."""

    key: FeedKey
    view: BookView | None
    points: list[Point]
    trades: list[Trade]
    statuses: list[FeedStatus]
    events: int
    newest_ns: int | None


class EventQueue:
    """Every event in order, for strategies and recorders.

    When the reader is too slow the whole queue is dropped and counted; every feed in it then opens anew with a
    snapshot, so that what is read never has a hole that is not announced. `views`: whether a picture of the book is
    drawn with each event, which costs the line its time; `quotes`: whether quotes are taken at all.
    """

    def __init__(self, capacity: int = 20_000, *, views: bool = True, quotes: bool = True) -> None:
        self.capacity = capacity
        self.views = views
        self.quotes = quotes
        self.dropped = 0
        self.lost: set[FeedKey] = set()
        self._items: deque[Update] = deque()
        self._ready = Condition(Lock())
        self._closed = False

    @property
    def fullness(self) -> float:
        """How full it is, 0 … 1."""
        return len(self._items) / self.capacity

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        if type(event) is Quote and not self.quotes:
            return
        with self._ready:
            if self._closed:
                return
            items = self._items
            if len(items) >= self.capacity:
                self.dropped += len(items)
                self.lost.update([item.key for item in items])
                self.lost.add(key)
                items.clear()
            if self.lost and key in self.lost and type(event) is not FeedStatus:
                self.dropped += 1
                return
            items.append(Update(key, event, feed.view if self.views else None))
            if len(items) == 1:
                self._ready.notify()

    def reopen(self, key: FeedKey) -> None:
        with self._ready:
            self.lost.discard(key)

    def drain(self, timeout_s: float = 0.0) -> list[Update]:
        """Everything that waits; blocks up to `timeout_s` for the first. Empty on timeout or after `close`."""
        with self._ready:
            if not self._items and timeout_s > 0 and not self._closed:
                self._ready.wait(timeout_s)
            items, self._items = self._items, deque()
        return list(items)

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._items.clear()
            self._ready.notify_all()


class _Box:
    """What waits for one feed."""

    __slots__ = ("events", "feed", "last_point_ns", "newest_ns", "points", "statuses", "trades")

    def __init__(self, points: int, trades: int) -> None:
        self.feed: Feed | None = None
        """Whose newest picture is to be taken out; None while no book came."""
        self.points: deque[Point] = deque(maxlen=points)
        self.trades: deque[Trade] = deque(maxlen=trades)
        self.statuses: deque[FeedStatus] = deque(maxlen=STATUSES_KEPT)
        self.events = 0
        self.newest_ns: int | None = None
        self.last_point_ns = 0


class Mailbox:
    """The newest book, and bounded runs of quotes, trades and statuses per feed, for screens.

    Latest book wins. At most one price point per `point_every_ms` is kept (0: every one). What is pushed out unread is
    counted in `dropped`, books that were replaced unread in `conflated`.
    """

    lost: Collection[FeedKey] = frozenset()

    def __init__(self, *, points: int = 1000, trades: int = 1000, point_every_ms: int = 50) -> None:
        self.dropped = 0
        self.conflated = 0
        self._points = points
        self._trades = trades
        self._every_ns = point_every_ms * 1_000_000
        self._boxes: dict[FeedKey, _Box] = {}
        self._lock = Lock()
        self._closed = False

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        with self._lock:
            if self._closed:
                return
            box = self._boxes.get(key)
            if box is None:
                box = self._boxes[key] = _Box(self._points, self._trades)
            box.events += 1
            received_ns = event.received_ns
            kind = type(event)
            if kind is Quote:
                if not 0 <= received_ns - box.last_point_ns < self._every_ns:
                    self._add_point(box, Point(received_ns, event.bid, event.ask, event.source))  # type: ignore[union-attr]
            elif kind is Trade:
                if len(box.trades) == self._trades:
                    self.dropped += 1
                box.trades.append(event)  # type: ignore[arg-type]
            elif kind is FeedStatus:
                if len(box.statuses) == STATUSES_KEPT:
                    self.dropped += 1
                box.statuses.append(event)  # type: ignore[arg-type]
                if box.feed is None:
                    box.feed = feed
                return
            else:
                self._take_book(box, feed, received_ns)
            box.newest_ns = received_ns

    def _take_book(self, box: _Box, feed: Feed, received_ns: int) -> None:
        if box.feed is not None:
            self.conflated += 1
        # Only noted here: the picture is drawn when the reader comes, not for every update that it will not see.
        box.feed = feed
        if 0 <= received_ns - box.last_point_ns < self._every_ns:
            return
        view = feed.view
        if view is None:
            return
        bid, ask = view.best_bid, view.best_ask
        if bid is None or ask is None:
            return
        quote = feed.quote
        # Quotes run ahead of the book: a point from an older book would make the line jump back.
        if quote is None or (view.sequence or 0) >= (quote.sequence or 0):
            self._add_point(box, Point(received_ns, bid, ask, view.source))

    def _add_point(self, box: _Box, point: Point) -> None:
        if len(box.points) == self._points:
            self.dropped += 1
        box.points.append(point)
        box.last_point_ns = point.received_ns

    def reopen(self, key: FeedKey) -> None:
        """Nothing to begin again: the latest book always wins."""

    def drain(self) -> list[Mail]:
        """What came since the last drain, one `Mail` per feed that had anything."""
        with self._lock:
            taken = [(box.feed, _empty(key, box)) for key, box in self._boxes.items() if box.events]
        # Pictures are drawn here, on the reader's thread and without the lock: the line does not wait for them.
        for feed, mail in taken:
            if feed is not None:
                mail.view = feed.view
        return [mail for _, mail in taken]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._boxes.clear()


def _empty(key: FeedKey, box: _Box) -> Mail:
    mail = Mail(key, None, list(box.points), list(box.trades), list(box.statuses), box.events, box.newest_ns)
    box.feed = box.newest_ns = None
    box.points.clear()
    box.trades.clear()
    box.statuses.clear()
    box.events = 0
    return mail
