"""One connection's life: a supervisor thread that connects, reads, loses, waits and returns, for ever.

While the stream is away the poller carries the channels; while a connection grows old a second one takes over
(handover.py). What happens on one link is in session.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Event, Lock, get_ident
from typing import Protocol
from urllib.parse import urlsplit

from connectors.base.backoff import Backoff, Window
from connectors.base.books import Books, did_you_mean
from connectors.base.transport.channel import Channel
from connectors.base.transport.clock_check import ClockCheck
from connectors.base.transport.fallback import Fallback
from connectors.base.transport.handover import Rotation
from connectors.base.transport.link import Link, PlannedClose
from connectors.base.transport.polling import Poller
from connectors.base.transport.repair import Repair
from connectors.base.transport.session import Session, Untrusted
from connectors.base.transport.tapping import TRANSLATED, ConnectionTap
from connectors.base.transport.worker import Worker
from connectors.base.venue import Venue
from engine.connector import FrameTap
from engine.errors import Blocked, Disconnected, FeedError, RateLimited, StreamUnsupported
from engine.market.events import FeedState

log = logging.getLogger(__name__)


class Carrier(Books, Protocol):
    """What a connection needs of its connector."""

    @property
    def venue(self) -> Venue: ...

    tap: FrameTap | None
    """Where raw frames go; None while nobody records."""

    @property
    def frames(self) -> str:
        """Empty when the frames of its links are those of the wire."""

    def make_link(self) -> Link:
        """A new, unopened link."""

    def clock_offset_ns(self) -> int | None:
        """Our clock minus the venue's, measured now; None where the venue has none. Raises FeedError."""


class Connection:
    """Up to `limits.symbols_per_connection` symbols on one socket (two during a handover)."""

    def __init__(
        self, name: str, carrier: Carrier, poller: Poller | None, poll_interval_s: float,
        on_empty: Callable[[Connection], None],
    ) -> None:  # fmt: skip
        self.name = name
        self.channels: Mapping[str, Channel] = {}
        """The channels that are wanted; replaced, never changed, so that a session sees a change by identity."""
        self.given_up: FeedError | None = None
        self._carrier = carrier
        self._venue = carrier.venue
        self._runtime = carrier.runtime
        self._patience = carrier.patience
        self._on_empty = on_empty
        self._lock = Lock()
        self._stopping = Event()
        self._links: set[Link] = set()
        self._threads: dict[int, Event] = {}
        self._session: Session | None = None
        self._rotation: Rotation | None = None
        self._rotate_ns = 0
        self._rotations = 0
        self._wire = self._first_wire = name.rpartition(" ")[2]
        """The name of the present link in a recording of raw frames."""
        limits = self._venue.limits
        self._backoff = Backoff(limits.backoff_base_s, limits.backoff_cap_s, self._runtime.random)
        self._failures = 0
        self._planned = False
        self._restarts = Window(600.0)
        self._worker = Worker(f"{name} errands", carrier)
        self._fallback = Fallback(poller, self._runtime, self._patience, poll_interval_s)
        self._clock_check = ClockCheck(carrier.clock_offset_ns, self._worker, self._patience.clock_every_s)

    # Called by the connector, from any thread

    def add(self, channel: Channel) -> bool:
        """Carry one more symbol; False when there is no room."""
        with self._lock:
            if self._stopping.is_set() or len(self.channels) >= self._venue.limits.symbols_per_connection:
                return False
            first = not self.channels
            self.channels = {**self.channels, channel.symbol: channel}
            given_up = self.given_up
        if given_up is not None:
            self._fallback.give_up([channel], given_up)
        else:
            self._fallback.stand_by([channel], "connecting takes long")
        if first:
            self._start(self.name, self._supervise)
        return True

    def start_again(self) -> None:
        """Try once more what the venue refused for good; what is polled stays so until the stream delivers."""
        with self._lock:
            if self._stopping.is_set():
                return
            failure, self.given_up = self.given_up, None
            refused = [one for one in self.channels.values() if one.dead and one.feed.state is FeedState.BLOCKED]
            for channel in refused:
                channel.dead = False
            if failure is None and not refused:
                return
            self.channels = dict(self.channels)
            channels = list(self.channels.values()) if failure is not None else refused
        log.info("%s: trying again what was refused", self.name)
        for channel in refused:
            channel.tell(FeedState.CONNECTING, "trying again what was refused")
        self._fallback.try_again(channels)
        if failure is not None:
            self._forgive()
            self._start(self.name, self._supervise)

    def leave(self, channel: Channel) -> None:
        """A channel has no listener left; the last one takes the connection with it."""
        with self._lock:
            if self.channels.get(channel.symbol) is channel:
                self.channels = {symbol: one for symbol, one in self.channels.items() if one is not channel}
            empty = not self.channels
            if empty:
                self._stopping.set()  # nobody may move in any more
        self._fallback.drop([channel])
        if empty:
            self._on_empty(self)
            self.stop()
            self.wait_stopped()

    def close(self) -> None:
        """The connector closes: cut every listener off and begin to stop."""
        for channel in list(self.channels.values()):
            channel.shut()
        self.stop()

    def stop(self) -> None:
        """Begin to end every thread of this connection, whatever it does."""
        self._stopping.set()
        self._worker.stop()
        self._fallback.drop(self.channels.values())
        with self._lock:
            links = list(self._links)
        for link in links:
            link.abort()

    def wait_stopped(self) -> None:
        """Wait, at most `stop_s`, until the threads have ended."""
        with self._lock:
            threads = {**self._threads, 0: self._worker.finished}
        for thread, finished in threads.items():
            if thread != get_ident() and not self._runtime.wait(finished, self._patience.stop_s):
                log.warning("%s: a thread did not end in time; what it still brings is discarded", self.name)

    # The supervisor's thread

    def _start(self, name: str, target: Callable[[], None]) -> None:
        finished = Event()

        def body() -> None:
            thread = get_ident()
            with self._lock:
                self._threads[thread] = finished
            try:
                target()
            finally:
                with self._lock:
                    del self._threads[thread]
                finished.set()

        self._runtime.start(name, body)

    def _supervise(self, session: Session | None = None) -> None:
        """Connect (or carry on with `session`), read, and after every end begin again."""
        while not self._stopping.is_set():
            try:
                if session is None:
                    session = self._connect()
                session.run()
                self._note_end(session, None)
                return
            except FeedError as error:
                failure = self._venue.advise(error)
                self._note_end(session, failure)
            except Exception as error:
                log.exception("%s: an error that nobody foresaw", self.name)
                failure = Disconnected(f"internal error: {type(error).__name__}: {error}")
                self._note_end(session, failure)
            finally:
                self._dispose(session)
            if self._stopping.is_set() or not self._is_mine(session, failure):
                return
            delay_s = self._after(failure, session)
            session = None
            if delay_s is None:
                return
            self._runtime.wait(self._stopping, delay_s)

    def _is_mine(self, session: Session | None, failure: FeedError) -> bool:
        """Whether this thread still has the say: not once it was retired, nor when its handover came to nothing."""
        with self._lock:
            if session is not None and session.retired:
                return False
            rotation, self._rotation = self._rotation, None
        if rotation is None:
            return True
        rotation.abandon()
        if rotation.session is not session or session is None:
            return True
        log.warning("%s: the second connection failed, the first goes on: %s", self.name, failure)
        return False

    def _connect(self) -> Session:
        url = self._venue.stream_url(list(self.channels))
        limits = self._venue.limits
        budget = self._runtime.connect_budget(urlsplit(url).netloc, limits.connect_per_s, limits.connect_burst)
        if self._runtime.wait(self._stopping, budget.reserve(self._runtime.clock.now_ns())):
            raise Disconnected("stopped")
        for channel in self.channels.values():
            if channel.feed.status is None:
                channel.tell(FeedState.CONNECTING, f"connecting to {urlsplit(url).hostname}")
        session = self._open(url, lambda: self.channels, self._check, self._wire)
        with self._lock:
            self._session = session
        log.info("%s: connected", self.name)
        return session

    def _open(
        self, url: str, wanted: Callable[[], Mapping[str, Channel]], on_check: Callable[[Session, int], None], wire: str
    ) -> Session:
        link = self._carrier.make_link()
        with self._lock:
            self._links.add(link)
        try:
            if self._stopping.is_set():
                raise Disconnected("stopped")
            link.open(url, self._patience.connect_s)
        except BaseException:
            self._forget(link)
            raise
        session = Session(
            self._venue, link, self._runtime, self._patience, wanted, self._repair, on_check, self._on_invalid
        )
        session.tap = self._new_tap(wire)
        if session.tap is not None:
            session.tap.opened(session.opened_ns)
        return session

    def _dispose(self, session: Session | None) -> None:
        if session is not None:
            self._forget(session.link)
            session.finished.set()

    def _forget(self, link: Link) -> None:
        link.close()
        with self._lock:
            self._links.discard(link)

    def _after(self, failure: FeedError, session: Session | None) -> float | None:
        """Tell the channels what happened; the seconds to the next attempt, None when there is none to be made."""
        now_ns = self._runtime.clock.now_ns()
        channels = list(self.channels.values())
        if session is not None:
            if session.healthy(now_ns):
                self._forgive()
            if session.data_ns is not None:
                self._failures = -1  # it worked: the end of a connection is no failed attempt
            for channel in channels:
                with channel.lock:
                    channel.begin()
                    channel.feed.connection_lost()
                    channel.feed.quality.reconnects += 1
        if isinstance(failure, Blocked | StreamUnsupported):
            log.warning("%s: no stream: %s", self.name, failure)
            self._fallback.give_up(channels, failure)
            with self._lock:
                self.given_up = failure
                late = [one for one in self.channels.values() if one not in channels]
            self._fallback.give_up(late, failure)
            return None
        delay_s = self._delay_s(failure, now_ns)
        delay_s = max(delay_s, self._fallback.lost(channels, failure, self._failures, session is not None, now_ns))
        if self._is_storm(failure, now_ns):
            delay_s = max(delay_s, self._fallback.storm(channels, failure, now_ns))
        log.info("%s: %s; next attempt in %.1f s", self.name, failure, delay_s)
        next_try_ns = now_ns + round(delay_s * 1e9)
        for channel in channels:
            self._fallback.tell(channel, str(failure), failure.hint, self._backoff.attempts, next_try_ns)
        return delay_s

    def _delay_s(self, failure: FeedError, now_ns: int) -> float:
        self._failures += 1
        if isinstance(failure, PlannedClose) and not self._planned:
            # Once at once; a venue that goes on closing is treated like any other.
            self._planned = True
            return 0.0
        delay_s = self._backoff.next_delay_s()
        if isinstance(failure, RateLimited):
            delay_s += failure.retry_after_s or self._venue.limits.backoff_base_s
        return delay_s

    def _is_storm(self, failure: FeedError, now_ns: int) -> bool:
        return isinstance(failure, Untrusted) and self._restarts.add(now_ns) > self._patience.restarts_per_10_minutes

    def _forgive(self) -> None:
        self._backoff.reset()
        self._failures = 0
        self._planned = False

    def _check(self, session: Session, now_ns: int) -> None:
        """Now and then while a link is read: hand back from polling, forgive, measure the clock, rotate."""
        if self._stopping.is_set():
            session.retire()
            return
        self._fallback.hand_back(now_ns)
        if session.healthy(now_ns):
            self._forgive()
        self._clock_check.consider(self.channels, now_ns)
        self._mind_tap(session, now_ns)
        if self._rotation is None and self._is_old(session, now_ns):
            self._rotate_ns = now_ns + round(self._patience.rotate_again_s * 1e9)
            self._begin_rotation(now_ns)

    def _is_old(self, session: Session, now_ns: int) -> bool:
        limit_s = self._venue.limits.rotate_after_s
        if limit_s is None or now_ns < self._rotate_ns:
            return False
        return bool(session.shutdown_announced) or now_ns - session.opened_ns >= limit_s * 1e9

    # Recording raw frames

    def _new_tap(self, wire: str) -> ConnectionTap | None:
        tap = self._carrier.tap
        if tap is None:
            return None
        # What is no frame of the venue's must not be taken for one.
        name = self._venue.name
        url = f"{TRANSLATED}//{name}" if self._carrier.frames else self._venue.stream_url(list(self.channels))
        return ConnectionTap(tap, wire, url)

    def _mind_tap(self, session: Session, now_ns: int) -> None:
        """A recording began or ended while the link is up: see `RawSource.record_frames`."""
        wanted, present = self._carrier.tap, session.tap
        if (None if present is None else present.tap) is wanted:
            return
        if wanted is None:
            session.tap = None
        elif self._venue.limits.one_connection:
            session.tap = self._new_tap(self._wire)
            if session.tap is not None:
                session.tap.note({"begun": "in the middle of the connection"}, now_ns)
        elif self._rotation is None and now_ns >= self._rotate_ns:
            self._rotate_ns = now_ns + round(self._patience.rotate_again_s * 1e9)
            self._begin_rotation(now_ns)

    def _note_end(self, session: Session | None, failure: FeedError | None) -> None:
        """Why a link ended, or (without a session) was not made."""
        tap = self._new_tap(self._wire) if session is None else session.tap
        if tap is not None:
            why = "not needed any more" if failure is None else str(failure)
            tap.note({"ended" if session is not None else "failed": why}, self._runtime.clock.now_ns())

    def _repair(self, channel: Channel, session: Session, due_ns: int) -> None:
        def still_wanted() -> bool:
            rotation = self._rotation
            return session is self._session or (rotation is not None and session is rotation.session)

        waiting = sum([not one.synced for one in session.channels.values()])
        depth = self._venue.snapshot_levels(waiting)
        Repair(channel, self._carrier, self._worker, depth, still_wanted).begin(due_ns)

    def _on_invalid(self, channel: Channel, reason: str) -> None:
        channel.dead = True
        self._fallback.drop([channel])
        self._worker.at(
            self._runtime.clock.now_ns(),
            lambda: channel.tell(FeedState.INVALID, reason, hint=did_you_mean(self._carrier.near(channel.symbol))),
        )

    # Make before break

    def _begin_rotation(self, now_ns: int) -> None:
        log.info("%s: a second connection is made to take over", self.name)
        rotation = self._rotation = Rotation(self.channels, self._venue, now_ns, self._patience.handover_s)
        self._rotations += 1
        self._start(f"{self.name} rotation {self._rotations}", lambda: self._rotate(rotation))

    def _rotate(self, rotation: Rotation) -> None:
        """The successor's thread: it becomes the supervisor when the handover succeeds."""
        try:
            url = self._venue.stream_url(list(rotation.mirrored))
            wire = f"{self._first_wire}.{self._rotations}"
            session = self._open(url, lambda: rotation.mirrored, self._watch_successor, wire)
            if session.tap is not None:
                session.tap.note({"beside": self._wire}, session.opened_ns)
        except FeedError as error:
            log.warning("%s: no second connection: %s", self.name, error)
            with self._lock:
                if self._rotation is rotation:
                    self._rotation = None
            rotation.abandon()
            return
        with self._lock:
            rotation.session = session
            if self._rotation is not rotation:
                session.retired = True
        self._supervise(session)

    def _watch_successor(self, session: Session, now_ns: int) -> None:
        """While the successor reads: take over as soon as every book is whole."""
        rotation = self._rotation
        if self._stopping.is_set() or rotation is None or rotation.session is not session:
            session.retire()
        elif rotation.ready(now_ns):
            self._take_over(rotation, session)
        elif now_ns >= rotation.deadline_ns:
            raise Disconnected(f"its books were not whole within {self._patience.handover_s:.0f} s")

    def _take_over(self, rotation: Rotation, session: Session) -> None:
        with self._lock:
            old = self._session
            if old is None or old.retired or self._rotation is not rotation:
                session.retired = True
                return
            old.retired = True
            # From here on this thread has the say.
            self._session, self._rotation = session, None
        old.link.abort()
        self._runtime.wait(old.finished, self._patience.stop_s)
        session.take(rotation.take_over(), lambda: self.channels, self._check)
        before, self._wire = self._wire, f"{self._first_wire}.{self._rotations}"
        if session.tap is not None:
            session.tap.note({"takes over": before}, self._runtime.clock.now_ns())
        log.info("%s: the second connection has taken over", self.name)
