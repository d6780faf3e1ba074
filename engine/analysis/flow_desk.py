"""Order flow for whoever asks: one line per feed, shared, alive while somebody holds it and a minute longer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Protocol

from engine.analysis.correlation_line import CorrelationLine
from engine.analysis.flow_line import FlowLine, FlowPicture
from engine.clock import Clock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Receiver
from engine.flow.ticks import TickFinder
from engine.market.terms import Terms

PERIOD_S = 0.25
LINGER_NS = 60_000_000_000
QUOTES_WITHIN = 4
"""After so many looks without a best quote, the top of the book stands for it."""

log = logging.getLogger(__name__)


def _unknown_tick(key: FeedKey) -> float | None:
    return None


def _plain_terms(key: FeedKey) -> Terms:
    return Terms()


class Feeds(Protocol):
    """What the desk asks of the hub."""

    @property
    def clock(self) -> Clock:
        """What the feeds are stamped with, but those of recordings."""

    def feed(self, key: FeedKey) -> Feed | None:
        """The feed behind a key; None while nobody reads it."""

    def attach(self, key: FeedKey, receiver: Receiver) -> None:
        """Read a feed."""

    def detach(self, key: FeedKey, receiver: Receiver) -> None:
        """Read it no more."""


class FlowDesk:
    """Puts analyzers on feeds that run, follows them when they are started anew, and takes a picture 4 times a second.

    It starts no feed: whoever wants order flow reads the feed as well. `tick_of` names a symbol's price step; where it
    is not known, it is found from the prices of the first book. `terms_of` says what a trade costs and is worth there.
    """

    def __init__(self, feeds: Feeds, tick_of: Callable[[FeedKey], float | None] = _unknown_tick) -> None:
        self.tick_of = tick_of
        self.terms_of: Callable[[FeedKey], Terms] = _plain_terms
        self._feeds = feeds
        self._lines: dict[FeedKey, FlowLine] = {}
        self._together: dict[tuple[FeedKey, ...], CorrelationLine] = {}
        self._looks: dict[FeedKey, int] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None

    def acquire(self, key: FeedKey) -> FlowLine:
        """The line of a feed; call `release` when it is no longer wanted."""
        with self._lock:
            line = self._lines.setdefault(key, FlowLine(key))
            line.leases += 1
            line.idle_since_ns = None
            self._begin()
            return line

    def correlation(self, keys: Sequence[FeedKey]) -> CorrelationLine:
        """How these feeds move together, measured from the first call on and for a minute after the last one."""
        wanted = tuple(keys)
        with self._lock:
            line = self._together.get(wanted)
            created = line is None
            if line is None:
                line = self._together[wanted] = CorrelationLine(wanted)
            line.asked_ns = self._feeds.clock.now_ns()
            self._begin()
        if created:
            for key in wanted:
                self._feeds.attach(key, line)
        return line

    def release(self, key: FeedKey) -> None:
        """Give a line back."""
        with self._lock:
            line = self._lines.get(key)
            if line is not None:
                line.leases -= 1
                if line.leases <= 0:
                    line.idle_since_ns = self._feeds.clock.now_ns()

    def picture(self, key: FeedKey) -> FlowPicture | None:
        """The newest of a feed; None while there is none."""
        line = self._lines.get(key)
        return line.picture if line is not None else None

    def look(self) -> None:
        """Follow all feeds and take their pictures; the desk's own thread calls this four times a second."""
        now_ns = self._feeds.clock.now_ns()
        with self._lock:
            lines = list(self._lines.values())
        for line in lines:
            if line.idle_since_ns is not None and now_ns - line.idle_since_ns > LINGER_NS:
                self._forget(line)
                continue
            self._follow(line)
            line.look(self._feeds.clock)
        self._look_together(now_ns)

    def close(self) -> None:
        """Leave all feeds; returns within 2 s."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        with self._lock:
            lines, self._lines = list(self._lines.values()), {}
            together, self._together = list(self._together.values()), {}
        for line in lines:
            line.detach()
        for reader in together:
            self._leave(reader)

    def _begin(self) -> None:
        if self._thread is None and not self._stopping.is_set():
            self._thread = Thread(target=self._work, name="flow-desk", daemon=True)
            self._thread.start()

    def _look_together(self, now_ns: int) -> None:
        with self._lock:
            lines = list(self._together.items())
        for keys, line in lines:
            if now_ns - line.asked_ns > LINGER_NS:
                with self._lock:
                    self._together.pop(keys, None)
                self._leave(line)
            else:
                line.look(now_ns, {key: self._feeds.feed(key) for key in keys})

    def _leave(self, line: CorrelationLine) -> None:
        line.close()
        for key in line.keys:
            self._feeds.detach(key, line)

    def _follow(self, line: FlowLine) -> None:
        feed = self._feeds.feed(line.key)
        if feed is line.feed and (feed is None or feed.observer is not None):
            return  # a feed that has started over has let its observer go
        line.detach()
        if feed is None or feed.view is None:
            return
        looks = self._looks[line.key] = self._looks.get(line.key, 0) + 1
        if feed.quote is None and looks < QUOTES_WITHIN:
            return
        self._looks.pop(line.key, None)
        tick = self.tick_of(line.key) or _tick_in(feed)
        if tick is not None:
            line.attach(feed, tick, derive_quotes=feed.quote is None, terms=self.terms_of(line.key))

    def _forget(self, line: FlowLine) -> None:
        with self._lock:
            if line.leases > 0:
                return
            self._lines.pop(line.key, None)
        line.detach()

    def _work(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            try:
                self.look()
            except Exception:  # the border: top of a thread
                log.exception("order flow could not be read; the next look follows")


def _tick_in(feed: Feed) -> float | None:
    """The price step that the book's prices show."""
    snapshot = feed.snapshot(200)
    finder = TickFinder()
    if snapshot is not None:
        finder.add_all([price for price, _ in (*snapshot.bids, *snapshot.asks)])
    return finder.tick
