"""Shares each upstream among any number of readers and never waits for any of them.

The first reader of a feed starts it, the last one leaves it running for `linger_s`, then it stops. Every reader's line
opens with the feed's status and a snapshot, whenever it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from threading import Event, Lock, Thread

from engine.clock import SYSTEM_CLOCK, Clock, SystemClock
from engine.connector import Connector, Stream
from engine.errors import ConfigError, FeedError, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Receiver
from engine.feed.sync import WholeBooks
from engine.market.events import BookDelta, FeedState, MarketEvent

LINGER_S = 10.0
DEFAULT_POLL_S = 1.0
KEEPER_PERIOD_S = 0.25

log = logging.getLogger(__name__)


class _Reader:
    """One receiver of one feed and up to which update its opening snapshot already went."""

    __slots__ = ("opened_at", "receiver")

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.opened_at: int | None = None


class Upstream:
    """One feed that runs, and who reads it."""

    def __init__(self, key: FeedKey) -> None:
        self.key = key
        self.lock = Lock()
        self.stream: Stream | None = None
        self.feed: Feed | None = None
        self.notice = ""
        """Why this is not what was asked for (a venue that cannot stream); empty otherwise."""
        self.idle_since_ns: int | None = None
        self._readers: tuple[_Reader, ...] = ()

    @property
    def readers(self) -> int:
        return len(self._readers)

    def publish(self, event: MarketEvent) -> None:
        """Called by the connector's thread with each event that the feed let through."""
        with self.lock:
            feed = self.feed
            if feed is None:
                return
            for reader in self._readers:
                opened_at = reader.opened_at
                if opened_at is not None and type(event) is BookDelta:
                    last = event.last_sequence
                    if last is not None and last <= opened_at:
                        continue
                    reader.opened_at = None
                receiver = reader.receiver
                receiver.put(self.key, event, feed)
                if receiver.lost and self.key in receiver.lost:
                    self._open(reader, feed)

    def add(self, receiver: Receiver) -> None:
        with self.lock:
            reader = _Reader(receiver)
            self._readers = (*self._readers, reader)
            self.idle_since_ns = None
            if self.feed is not None:
                self._open(reader, self.feed)

    def remove(self, receiver: Receiver, now_ns: int) -> None:
        with self.lock:
            self._readers = tuple([reader for reader in self._readers if reader.receiver is not receiver])
            if not self._readers:
                self.idle_since_ns = now_ns

    def _open(self, reader: _Reader, feed: Feed) -> None:
        receiver = reader.receiver
        if feed.status is not None:
            receiver.put(self.key, feed.status, feed)
        snapshot = feed.snapshot()
        if snapshot is not None:
            receiver.reopen(self.key)
            receiver.put(self.key, snapshot, feed)
            reader.opened_at = snapshot.sequence


class Subscription:
    """A reader's hold on some feeds. Close it, or the feeds run on."""

    def __init__(self, hub: Hub, receiver: Receiver) -> None:
        self._hub = hub
        self.receiver = receiver
        self.keys: tuple[FeedKey, ...] = ()

    def watch(self, keys: Iterable[FeedKey]) -> None:
        """Read exactly these feeds from now on; those that stay are not interrupted."""
        wanted = tuple(dict.fromkeys(keys))
        for key in wanted:
            if key not in self.keys:
                self._hub.attach(key, self.receiver)
        for key in self.keys:
            if key not in wanted:
                self._hub.detach(key, self.receiver)
        self.keys = wanted

    def close(self) -> None:
        self.watch(())
        self.receiver.close()


class Hub:
    """All feeds of the process."""

    def __init__(
        self, connectors: Mapping[str, Connector], *, clock: Clock = SYSTEM_CLOCK, linger_s: float = LINGER_S
    ) -> None:
        self.connectors = dict(connectors)
        self.clock = clock
        self.linger_s = linger_s
        self._upstreams: dict[FeedKey, Upstream] = {}
        self._lock = Lock()
        self._stopping = Event()
        self._keeper = Thread(target=self._keep, name="hub-keeper", daemon=True)
        self._keeper.start()

    def subscribe(self, keys: Iterable[FeedKey], receiver: Receiver) -> Subscription:
        """Begin to deliver these feeds to `receiver`.

        Raises:
            ConfigError: no connector of that name.
        """
        subscription = Subscription(self, receiver)
        subscription.watch(keys)
        return subscription

    def add_connector(self, connector: Connector) -> None:
        """Offer one more venue (a capture that somebody opened); one of the same name is left as it is."""
        with self._lock:
            self.connectors.setdefault(connector.name, connector)

    def attach(self, key: FeedKey, receiver: Receiver) -> None:
        venue = key[0]
        connector = self.connectors.get(venue)
        if connector is None:
            raise ConfigError(f"no connector named {venue!r}", hint=f"There are: {', '.join(sorted(self.connectors))}.")
        with self._lock:
            upstream = self._upstreams.get(key)
            created = upstream is None
            if upstream is None:
                upstream = self._upstreams[key] = Upstream(key)
            upstream.add(receiver)
        if created:
            self._start(upstream, connector)

    def detach(self, key: FeedKey, receiver: Receiver) -> None:
        with self._lock:
            upstream = self._upstreams.get(key)
            if upstream is not None:
                upstream.remove(receiver, self.clock.now_ns())

    def feed(self, key: FeedKey) -> Feed | None:
        """The feed behind a key; None while nobody reads it."""
        upstream = self._upstreams.get(key)
        return upstream.feed if upstream is not None else None

    def notice(self, key: FeedKey) -> str:
        """Why a feed is not what was asked for; empty when it is."""
        upstream = self._upstreams.get(key)
        return upstream.notice if upstream is not None else ""

    def running(self) -> dict[FeedKey, int]:
        """Every running feed and its number of readers (0 while it lingers)."""
        with self._lock:
            return {key: upstream.readers for key, upstream in self._upstreams.items()}

    def close(self) -> None:
        """Stop every feed, within 2 s each."""
        self._stopping.set()
        self._keeper.join(timeout=2.0)
        with self._lock:
            upstreams = list(self._upstreams.values())
            self._upstreams.clear()
        for upstream in upstreams:
            _stop(upstream)
        for connector in self.connectors.values():
            connector.close()

    def _start(self, upstream: Upstream, connector: Connector) -> None:
        venue, symbol, mode = upstream.key
        # The lock holds back the first events until the feed that they belong to is known.
        with upstream.lock:
            try:
                upstream.stream = self._open(connector, symbol, mode, upstream)
                upstream.feed = upstream.stream.feed
                return
            except FeedError as error:
                failure = error
        feed = upstream.feed = Feed(venue, symbol, WholeBooks(), clock=self.clock)
        for event in feed.set_state(FeedState.FAILED, str(failure), hint=failure.hint):
            upstream.publish(event)

    def _open(self, connector: Connector, symbol: str, mode: str, upstream: Upstream) -> Stream:
        if mode.startswith("poll:"):
            return connector.start_polling(symbol, upstream.publish, float(mode[5:]))
        try:
            return connector.start_stream(symbol, upstream.publish)
        except StreamUnsupported as error:
            upstream.notice = str(error)
            log.info("%s %s: %s; polling instead", connector.name, symbol, error)
            return connector.start_polling(symbol, upstream.publish, DEFAULT_POLL_S)

    def _keep(self) -> None:
        """Stop feeds that nobody has read for `linger_s`."""
        while not self._stopping.wait(KEEPER_PERIOD_S):
            self._correct_clock()
            now_ns = self.clock.now_ns()
            with self._lock:
                idle = [
                    key
                    for key, upstream in self._upstreams.items()
                    if upstream.idle_since_ns is not None and (now_ns - upstream.idle_since_ns) / 1e9 >= self.linger_s
                ]
                expired = [self._upstreams.pop(key) for key in idle]
            for upstream in expired:
                _stop(upstream)

    def _correct_clock(self) -> None:
        if isinstance(self.clock, SystemClock):
            jump_ns = self.clock.correct()
            if jump_ns:
                log.warning("this machine's clock jumped by %.1f s (sleep, or a corrected date)", jump_ns / 1e9)


def _stop(upstream: Upstream) -> None:
    if upstream.stream is not None:
        upstream.stream.stop()
