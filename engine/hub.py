"""Shares each upstream among any number of readers and never waits for any of them.

The first reader of a feed starts it, the last one leaves it running for `linger_s`, then it stops. Every reader's line
opens with the feed's status and a snapshot, whenever it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Event, Lock, Thread

from engine.clock import SYSTEM_CLOCK, Clock, SystemClock
from engine.connector import Connector, Restarting, Stream, Unhurried
from engine.errors import ConfigError, EngineError, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Receiver
from engine.feed.sync import WholeBooks
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent

STREAM = "stream"
POLL = "poll:"
LINGER_S = 10.0
DEFAULT_POLL_S = 1.0
KEEPER_PERIOD_S = 0.25
ENDED = frozenset({FeedState.BLOCKED, FeedState.INVALID, FeedState.FAILED, FeedState.STOPPED})
"""States that a feed does not leave by itself."""

log = logging.getLogger(__name__)


def poll_interval_s(mode: str) -> float:
    """The seconds in a mode `poll:<seconds>`.

    Raises:
        ConfigError: the mode is not of that form, or the seconds are not above zero and finite.
    """
    try:
        interval_s = float(mode[len(POLL) :]) if mode.startswith(POLL) else 0.0
    except ValueError:
        interval_s = 0.0
    if not 0.0 < interval_s < float("inf"):
        raise ConfigError(f"no mode {mode!r}", hint="Use 'stream', or 'poll:' and a number of seconds.")
    return interval_s


class _Reader:
    """One receiver of one feed, and how far its opening snapshot already went: an update's number, or the update."""

    __slots__ = ("opened_at", "receiver")

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.opened_at: int | BookSnapshot | BookDelta | None = None

    def knows(self, event: MarketEvent) -> bool:
        """Whether the opening snapshot, which ran ahead of what is being published, holds this event already."""
        kind = type(event)
        if kind is BookDelta:
            number = event.last_sequence  # type: ignore[union-attr]
        elif kind is BookSnapshot:
            number = event.sequence  # type: ignore[union-attr]
        else:
            if kind is FeedStatus and not event.state.has_data:  # type: ignore[union-attr]
                self.opened_at = None  # the book is dropped: the next one may be numbered anew
            return False
        opened_at = self.opened_at
        if isinstance(opened_at, int):
            if number is not None and number <= opened_at:
                return True
            self.opened_at = None
            return False
        # Without numbers the opening may hold the one book event that is being published now, and no other.
        self.opened_at = None
        return event is opened_at


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

    @property
    def pressure(self) -> float:
        """How full the fullest queue of its readers is, 0 … 1."""
        return max([getattr(reader.receiver, "fullness", 0.0) for reader in self._readers], default=0.0)

    @property
    def worth_keeping(self) -> bool:
        """Whether a new reader is better off with this than with a fresh start: not when it has given up its stream."""
        return bool(self._readers) or not self.given_up

    @property
    def given_up(self) -> bool:
        """Whether it brings nothing any more, or polls although a stream was asked for."""
        if self.feed is None:
            return False
        on_purpose = bool(self.notice) or self.key[2] != "stream"
        return self.feed.state in ENDED or (not on_purpose and self.feed.state is FeedState.POLLING)

    def publish(self, event: MarketEvent) -> None:
        """Called by the connector's thread with each event that the feed let through."""
        with self.lock:
            feed = self.feed
            if feed is None:
                return
            for reader in self._readers:
                if reader.opened_at is not None and reader.knows(event):
                    continue
                receiver = reader.receiver
                try:
                    receiver.put(self.key, event, feed)
                except Exception:  # the border: one reader's fault ends its reading only
                    log.exception("%s: a receiver failed and is let go", self.key)
                    self._readers = tuple([other for other in self._readers if other is not reader])
                    continue
                if receiver.lost and self.key in receiver.lost:
                    self._open(reader, feed, again=True)

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

    def _open(self, reader: _Reader, feed: Feed, *, again: bool = False) -> None:
        """Begin a reader's line (`again`: it lost its place): the status and, if there is a book, a snapshot."""
        receiver = reader.receiver
        opening = feed.opening()
        if feed.status is not None:
            receiver.put(self.key, feed.status, feed)
        if opening is None:
            if again:  # without a book there is none to begin with: trades go on, and a book begins with a snapshot
                receiver.reopen(self.key)
            return
        snapshot, newest = opening
        receiver.reopen(self.key)
        receiver.put(self.key, snapshot, feed)
        reader.opened_at = snapshot.sequence if snapshot.sequence is not None else newest


class Subscription:
    """A reader's hold on some feeds. Close it, or the feeds run on."""

    def __init__(self, hub: Hub, receiver: Receiver) -> None:
        self._hub = hub
        self.receiver = receiver
        self.keys: tuple[FeedKey, ...] = ()

    def watch(self, keys: Iterable[FeedKey]) -> None:
        """Read exactly these feeds from now on; those that stay are not interrupted.

        Raises:
            ConfigError: no connector of that name, or no such mode; then nothing has changed.
        """
        wanted = tuple(dict.fromkeys(keys))
        for key in wanted:
            self._hub.check(key)
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
        for connector in self.connectors.values():
            self._heed(connector)

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
            added = self.connectors.setdefault(connector.name, connector) is connector
        if added:
            self._heed(connector)

    def _heed(self, connector: Connector) -> None:
        """A connector that can wait for its readers is told how they keep up."""
        if isinstance(connector, Unhurried):
            connector.heed(partial(self.pressure, connector.name))

    def pressure(self, venue: str) -> float:
        """How full the fullest queue of the readers of this connector's feeds is, 0 … 1."""
        with self._lock:
            return max([upstream.pressure for key, upstream in self._upstreams.items() if key[0] == venue], default=0.0)

    def check(self, key: FeedKey) -> Connector:
        """The connector of a key.

        Raises:
            ConfigError: no connector of that name, or no such mode.
        """
        venue, _, mode = key
        connector = self.connectors.get(venue)
        if connector is None:
            raise ConfigError(f"no connector named {venue!r}", hint=f"There are: {', '.join(sorted(self.connectors))}.")
        if mode != STREAM:
            poll_interval_s(mode)
        return connector

    def attach(self, key: FeedKey, receiver: Receiver) -> None:
        connector = self.check(key)
        with self._lock:
            if self._stopping.is_set():
                raise ConfigError("the engine is stopping: no feed can be started any more")
            upstream = self._upstreams.get(key)
            forsaken = upstream if upstream is not None and not upstream.worth_keeping else None
            created = upstream is None or forsaken is not None
            if upstream is None or forsaken is not None:
                upstream = self._upstreams[key] = Upstream(key)
            upstream.add(receiver)
        if forsaken is not None:
            _stop(forsaken)
        if created:
            self._start(upstream, connector)
        elif upstream.given_up and isinstance(connector, Restarting):
            # Others read it and saw it fail; who comes now wants it tried once more.
            connector.start_again()

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
        """Stop every feed, within 2 s a connector; what is attached later is refused."""
        self._stopping.set()
        self._keeper.join(timeout=2.0)
        with self._lock:
            upstreams = list(self._upstreams.values())
            self._upstreams.clear()
        # A connector ends all of its streams at once; after that each stream has nothing left to wait for.
        ends: list[Callable[[], object]] = [one.close for one in self.connectors.values()]
        ends += [partial(_stop, one) for one in upstreams]
        for end in ends:
            try:
                end()
            except Exception:  # the border: one connector's fault keeps no other from ending
                log.exception("a connector or its feed could not be closed")

    def _start(self, upstream: Upstream, connector: Connector) -> None:
        venue, symbol, mode = upstream.key
        # The lock holds back the first events until the feed that they belong to is known.
        with upstream.lock:
            try:
                upstream.stream = self._open(connector, symbol, mode, upstream)
                upstream.feed = upstream.stream.feed
                return
            except EngineError as error:
                failure, hint = str(error), error.hint
            except Exception as error:  # the border: whatever a stranger's connector raises ends this feed only
                log.exception("%s could not be started", upstream.key)
                failure, hint = f"{type(error).__name__}: {error}", f"Mend the connector {venue} and restart."
        feed = upstream.feed = Feed(venue, symbol, WholeBooks(), clock=self.clock)
        for event in feed.set_state(FeedState.FAILED, failure, hint=hint):
            upstream.publish(event)

    def _open(self, connector: Connector, symbol: str, mode: str, upstream: Upstream) -> Stream:
        if mode != STREAM:
            return connector.start_polling(symbol, upstream.publish, poll_interval_s(mode))
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
            try:
                self.sweep()
            except Exception:  # the border: the keeper outlives a stream that cannot be stopped
                log.exception("a feed could not be stopped")

    def sweep(self) -> None:
        """Stop feeds that nobody has read for `linger_s`; the keeper calls this several times a second."""
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
