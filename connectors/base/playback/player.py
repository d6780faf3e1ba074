"""Plays a recording to whoever listens: one thread, one clock for all of its venues, the controls of a tape deck."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import closing
from threading import Condition, Lock, Thread, current_thread

from connectors.base.playback.clock import OurPace, Pace, ReplayClock
from connectors.base.playback.controls import ReplayState, Step
from engine.connector import Callback
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent
from engine.store.playable import Playable, Published

STOP_S = 2.0
COMPANIONS_S = 0.1
"""Symbols that are asked for within so long of each other begin together."""
LOOK_EVERY = 200
"""Moments between two looks at how far behind the readers are."""
BREATH_EVERY = 5_000
"""Moments between two short rests when nothing else makes the player wait."""
BREATH_S = 0.0005
FULL = 0.25
"""A reader's queue that is fuller than this share is waited for."""
PATIENCE_S = 5.0
"""A reader that takes nothing for so long is not waited for any more."""

log = logging.getLogger(__name__)


class ReplayStream:
    """One feed of a recording that somebody reads."""

    def __init__(self, player: Player, key: FeedKey, symbol: str, feed: Feed, callback: Callback) -> None:
        self.key = key
        self.symbol = symbol
        self.feed = feed
        self.callback: Callback | None = callback
        self._player = player

    def stop(self) -> None:
        self.callback = None
        self._player.remove(self)


class Player:
    """The first stream starts it, the last one that stops ends and rewinds it. See `ReplayControls` for the rest.

    What it adds to the recording are statuses: one when it is moved to another place (all books are dropped, and what
    remembers begins anew), and one at the end. A reader whose queue fills is waited for, at every speed.
    """

    def __init__(
        self, playable: Playable, speed: float | None = 1.0, *, paused: bool = False, pace: Pace | None = None
    ) -> None:
        self.playable = playable
        self._pressures: tuple[Callable[[], float], ...] = ()
        self._pace = pace if pace is not None else OurPace()
        self.clock = ReplayClock(playable.start_ns, speed, self._pace)
        self._paused = paused
        self._loop = False
        self._step: Step | None = None
        self._wish_ns: int | None = None
        self._seeking = self._ended = self._stopping = False
        self._error = self._losses = ""
        self._attention = True
        """Something besides the next moment may have to be looked at."""
        self._feeds: dict[FeedKey, Feed] = {}
        self._streams: dict[FeedKey, tuple[ReplayStream, ...]] = {}
        self._callbacks: dict[FeedKey, tuple[Callback, ...]] = {}
        self._newcomers: deque[ReplayStream] = deque()
        self._asked = 0
        self._changed = Condition(Lock())
        self._thread: Thread | None = None
        self._ending: Thread | None = None
        """The thread before, which may still be on its way out."""
        self._moments = 0
        self._renewed: dict[FeedKey, FeedStatus] = {}
        """What was said when a feed was last begun anew."""

    # What readers do.

    def add(self, key: FeedKey, symbol: str, callback: Callback) -> ReplayStream:
        """Begin to tell somebody a feed; who comes late is first told how it stands."""
        with self._changed:
            if self._thread is None:
                self._feeds, self._streams, self._callbacks = {}, {}, {}
                self._newcomers.clear()
            stream = ReplayStream(self, key, symbol, self._feed(key), callback)
            self._set_streams(key, (*self._streams.get(key, ()), stream))
            self._newcomers.append(stream)
            self._asked += 1
            self._wake()
            if self._thread is None:
                name = f"replay-{self.playable.title}"
                self._thread = Thread(target=self._work, args=(self._ending,), name=name, daemon=True)
                self._thread.start()
        return stream

    def remove(self, stream: ReplayStream) -> None:
        """A stream has ended; the player stops with the last one, within 2 s."""
        with self._changed:
            left = tuple([other for other in self._streams.get(stream.key, ()) if other is not stream])
            self._set_streams(stream.key, left)
            if any(self._streams.values()):
                return
            thread, self._thread = self._thread, None
            self._ending, self._stopping = thread, True
            self._wake()
        if thread is not None and thread is not current_thread():
            thread.join(timeout=STOP_S)
        self.clock.reach(self.playable.start_ns)

    def _set_streams(self, key: FeedKey, streams: tuple[ReplayStream, ...]) -> None:
        self._streams[key] = streams
        self._callbacks[key] = tuple([stream.callback for stream in streams if stream.callback is not None])

    def heed(self, pressure: Callable[[], float]) -> None:
        """Wait for these readers, too: `pressure` says how full the fullest of their queues is, 0 … 1."""
        self._pressures = (*self._pressures, pressure)

    def close(self) -> None:
        """Stop every stream."""
        for stream in [stream for streams in list(self._streams.values()) for stream in streams]:
            stream.stop()

    def find(self, key: FeedKey) -> Feed | None:
        """The feed of a key, while it is played."""
        return self._feeds.get(key) if self._thread is not None else None

    # The controls.

    def state(self) -> ReplayState:
        playable = self.playable
        return ReplayState(
            playable.title, playable.start_ns, playable.end_ns, self.clock.now_ns(), self.clock.speed, self._paused,
            self._loop, self._seeking or self._wish_ns is not None, self._ended, self._error,
        )  # fmt: skip

    def set_speed(self, speed: float | None) -> None:
        """1 is the time of the recording; None: as fast as the readers can."""
        with self._changed:
            self.clock.turn(speed)
            self._wake()

    def pause(self) -> None:
        with self._changed:
            self._paused = True
            self.clock.stop()
            self._wake()

    def resume(self) -> None:
        with self._changed:
            self._paused, self._step = False, None
            self._wake()

    def step(self, what: Step = "event") -> None:
        """Pause, and let the next event (or the next change of a book) happen."""
        with self._changed:
            self._paused, self._step = True, what
            self._wake()

    def seek(self, at_ns: int) -> None:
        """Go to a moment of the recording (UTC ns; the nearest one that it has)."""
        with self._changed:
            self._wish_ns = min(max(at_ns, self.playable.start_ns), self.playable.end_ns)
            self._wake()

    def set_loop(self, loop: bool) -> None:
        """Whether the end is followed by the beginning."""
        with self._changed:
            self._loop = loop
            self._wake()

    def _wake(self) -> None:
        self._attention = True
        self._changed.notify_all()

    # What follows runs on the player's own thread.

    def _work(self, before: Thread | None) -> None:
        try:
            if before is not None:
                before.join()
            with self._changed:
                self._stopping = self._thread is not current_thread()
                self._ended, self._error = False, ""
            self._await_companions()
            wish_ns, reason = self._take_wish()
            while not self._stopping:
                if self._pass(wish_ns, reason):
                    self._finish()
                wish_ns, reason = self._take_wish()
        except Exception as error:  # the border: top of a thread
            log.exception("playing %s failed", self.playable.title)
            self._error = f"{type(error).__name__}: {error}"
            self._say(FeedState.FAILED, self._error)

    def _await_companions(self) -> None:
        with self._changed:
            asked = 0
            while asked != self._asked and not self._stopping:
                asked = self._asked
                self._pace.wait(self._changed, COMPANIONS_S)
            self._newcomers.clear()  # nothing has happened that they would have to be told

    def _take_wish(self) -> tuple[int | None, str]:
        """Where to go next, and why."""
        with self._changed:
            wish_ns, self._wish_ns = self._wish_ns, None
            self._seeking = wish_ns is not None
            if wish_ns is not None:
                # What was recorded first may bear an older stamp than the recording's beginning.
                return 0 if wish_ns <= self.playable.start_ns else wish_ns, "the replay was moved to another place"
            return (0, "the recording begins again") if self._ended else (None, "")

    def _pass(self, wish_ns: int | None, reason: str) -> bool:
        """Play from `wish_ns` (None: for the first time, from the beginning); True at the end, False before it."""
        self._ended = False
        if wish_ns is not None:
            self.clock.reach(max(wish_ns, self.playable.start_ns))
            self._start_over(reason)
        way = self.playable.begin(self._feed)
        take = way.take
        with closing(way.moments()) as moments:  # type: ignore[type-var]
            for at_ns, moment in moments:
                if wish_ns is not None:
                    if at_ns < wish_ns:
                        self.clock.reach(at_ns)
                        way.take(moment)
                        if self._disturbed():
                            return False
                        continue
                    self._arrive(wish_ns)
                    wish_ns = None
                self._moments += 1
                if self._moments % LOOK_EVERY == 0:
                    self._wait_for_readers()
                if (self._attention or self.clock.wait_s(at_ns) > 0.0) and not self._may_play(at_ns):
                    return False
                published = take(moment)
                if published:
                    self._tell(published)
                if self._step is not None:
                    self._stepped(published)
        if wish_ns is not None:
            self._arrive(wish_ns)
        self._losses = way.losses()
        return True

    def _disturbed(self) -> bool:
        return self._attention and (self._stopping or self._wish_ns is not None)

    def _may_play(self, at_ns: int) -> bool:
        """Wait until this moment is due; False when something else is to be done first."""
        while True:
            with self._changed:
                while not self._newcomers:
                    if self._stopping or self._wish_ns is not None:
                        return False
                    if self._step is not None:
                        self.clock.reach(at_ns)
                        return True
                    if self._paused:
                        self._pace.wait(self._changed, None)
                        continue
                    wait_s = self.clock.wait_s(at_ns)
                    if wait_s <= 0.0:
                        self._attention = False
                        return True
                    self._pace.wait(self._changed, wait_s)
            self._welcome()

    def _wait_for_readers(self) -> None:
        """Let slower readers catch up, so that nothing is dropped; and others have a turn at all."""
        if self._pressure() <= FULL:
            if self._moments % BREATH_EVERY == 0:
                self._rest()
            return
        begun_ns, before = self._pace.monotonic_ns(), 1.0
        while not self._attention:
            pressure = self._pressure()
            if pressure <= FULL:
                return
            if pressure < before:
                begun_ns, before = self._pace.monotonic_ns(), pressure
            elif (self._pace.monotonic_ns() - begun_ns) / 1e9 > PATIENCE_S:
                return
            self._rest()

    def _pressure(self) -> float:
        return max([pressure() for pressure in self._pressures], default=0.0)

    def _rest(self) -> None:
        with self._changed:
            self._pace.wait(self._changed, BREATH_S)

    def _stepped(self, published: Published) -> None:
        books = self._step == "book"
        if any(not books or type(event) in (BookDelta, BookSnapshot) for _, event in published):
            self._step = None

    def _welcome(self) -> None:
        """Tell those who came late how their feed stands."""
        while self._newcomers:
            stream = self._newcomers.popleft()
            for event in _opening(stream.feed):
                if stream.callback is not None:
                    stream.callback(event)

    def _start_over(self, reason: str) -> None:
        """Nothing continues from here: every feed begins as new."""
        now_ns = self.clock.now_ns()
        for key, feed in list(self._feeds.items()):
            feed.start_over()
            status = FeedStatus(
                feed.venue, feed.symbol, FeedState.CONNECTING, reason, "", 0, None, now_ns, "replay"
            )  # fmt: skip
            self._tell([(key, event) for event in feed.push(status)])
            if feed.status is not None:
                self._renewed[key] = feed.status

    def _arrive(self, wish_ns: int) -> None:
        """The wish is reached: tell everybody how the feeds stand there."""
        self.clock.reach(max(wish_ns, self.playable.start_ns))
        self._seeking = False
        for key, feed in list(self._feeds.items()):
            if feed.status is not self._renewed.get(key):
                self._tell([(key, event) for event in _opening(feed)])

    def _finish(self) -> None:
        """Say that this was all, and wait for another wish."""
        with self._changed:
            self._ended = True
            if self._loop:
                return
        for key in self.playable.feeds:
            self._feed(key)  # who comes later to one that never spoke is told of the end, too
        losses = f" ({self._losses})" if self._losses else ""
        hint = "Move it back, or stop and start again, to play it once more."
        self._say(FeedState.STOPPED, f"the recording has ended{losses}", hint)
        while True:
            with self._changed:
                while not self._newcomers:
                    if self._stopping or self._wish_ns is not None or self._loop:
                        return
                    self._step = None
                    self._pace.wait(self._changed, None)
            self._welcome()

    def _say(self, state: FeedState, reason: str, hint: str = "") -> None:
        for key, feed in list(self._feeds.items()):
            said = feed.set_state(state, reason, hint=hint, source="replay")
            self._tell([(key, event) for event in said])

    def _tell(self, published: Published) -> None:
        if self._stopping:
            return
        callbacks = self._callbacks
        for key, event in published:
            for callback in callbacks.get(key, ()):
                callback(event)

    def _feed(self, key: FeedKey) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds.setdefault(key, self.playable.make_feed(key, self.clock))
        return feed


def _opening(feed: Feed) -> list[MarketEvent]:
    """How a feed stands, for who comes now."""
    status, opening = feed.status, feed.opening()
    events: list[MarketEvent] = [status] if status is not None else []
    return [*events, opening[0]] if opening is not None else events
