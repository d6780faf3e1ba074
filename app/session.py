"""One browser tab: what it watches, its mailbox, and the bounded buffers that the page draws from."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

from msgspec import Struct

from app.live.history import BACK_NS
from app.live.pipe import FramePipe
from engine.engine import Engine
from engine.errors import EngineError
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mail, Mailbox, Point
from engine.hub import Subscription
from engine.market.book import BookView
from engine.market.events import FeedStatus, Trade
from engine.market.signal import Signal
from engine.strategy.host import Run, RunReport

POINTS_KEPT = 1000
TRADES_KEPT = 500
STATUSES_KEPT = 100
SIGNALS_KEPT = 500
FIRST_DATA_LOOK_S = 0.02


class SymbolBuffer:
    """The last of everything that one feed said to this tab; every run is bounded. `events` counts market data."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=POINTS_KEPT)
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.statuses: deque[FeedStatus] = deque(maxlen=STATUSES_KEPT)
        self.view: BookView | None = None
        self.events = 0

    def add(self, mail: Mail) -> None:
        if mail.points and self.points and mail.points[-1].received_ns < self.points[-1].received_ns - BACK_NS:
            # A recording is played from another place: what was known lies in the future now.
            self.points.clear()
            self.trades.clear()
        self.points.extend(mail.points)
        self.trades.extend(mail.trades)
        self.statuses.extend(mail.statuses)
        self.events += mail.events - len(mail.statuses)
        if mail.view is not None:
            self.view = mail.view


class StrategyChoice(Struct, frozen=True):
    """A strategy that the tab wants to run, with its parameters."""

    name: str
    values: tuple[tuple[str, float], ...] = ()


class LiveSession:
    """What a tab holds on to. Made by the tab's script, closed when its socket closes."""

    def __init__(self, engine: Engine) -> None:
        self.id = secrets.token_urlsafe(12)
        self.engine = engine
        self.mailbox = Mailbox()
        self.buffers: dict[FeedKey, SymbolBuffer] = {}
        self.signals: deque[Signal] = deque(maxlen=SIGNALS_KEPT)
        self.error: EngineError | None = None
        self.drains = 0
        self.drained_at: float | None = None
        """When the mailbox was last emptied, by the monotonic clock; None before the first time."""
        self._subscription = Subscription(engine.hub, self.mailbox)
        self._runs: dict[FeedKey, tuple[StrategyChoice, Run, int]] = {}
        self._closed = False
        self._awaited: tuple[FeedKey, ...] = ()
        self._pipe: FramePipe | None = None

    @property
    def keys(self) -> tuple[FeedKey, ...]:
        return self._subscription.keys

    def watch(self, keys: Sequence[FeedKey], strategy: StrategyChoice | None) -> None:
        """Watch exactly these feeds and run `strategy` on each; what stays is not interrupted.

        What cannot be started is kept in `error`, in words, and the rest goes on.
        """
        self.error = None
        try:
            self._subscription.watch(keys)
            self._run(strategy)
        except EngineError as error:
            self.error = error
        for key in list(self.buffers):
            if key not in self.keys:
                del self.buffers[key]
        for key in self.keys:
            self.buffers.setdefault(key, SymbolBuffer())

    def drain(self) -> list[FeedStatus]:
        """Take what lies in the mailbox into the buffers; the status changes among it.

        Called in exactly one place per rerun.
        """
        self.drains += 1
        self.drained_at = monotonic()
        now = self.engine.clock.now_ns()
        changes: list[FeedStatus] = []
        for mail in self.mailbox.drain():
            buffer = self.buffers.get(mail.key)
            if buffer is None:
                continue
            buffer.add(mail)
            changes += mail.statuses
            feed = self.feed(mail.key)
            if feed is not None and mail.newest_ns is not None and feed.clock is self.engine.clock:
                feed.quality.drained.add(now - mail.newest_ns)
        for key, (choice, run, position) in list(self._runs.items()):
            signals, position = run.since(position)
            self.signals.extend(signals)
            self._runs[key] = (choice, run, position)
        return changes

    def await_first_data(self, most_s: float) -> None:
        """Wait a moment for every feed to be live or polled; only before the first drain after a change of feeds."""
        if self._awaited == self.keys:
            return
        self._awaited = self.keys
        ends, pause = monotonic() + most_s, Event()
        while monotonic() < ends and not all(map(self._has_data, self.keys)):
            pause.wait(FIRST_DATA_LOOK_S)

    def _has_data(self, key: FeedKey) -> bool:
        feed = self.feed(key)
        return feed is not None and feed.state.has_data

    def feed(self, key: FeedKey) -> Feed | None:
        return self.engine.hub.feed(key)

    def notice(self, key: FeedKey) -> str:
        return self.engine.hub.notice(key)

    def reports(self) -> list[RunReport]:
        """How the tab's strategies stand."""
        return [run.report() for _, run, _ in self._runs.values()]

    def frame_pipe(self, make: Callable[[], FramePipe]) -> FramePipe:
        """This tab's own frames, for pages without a data socket; made on the first call."""
        if self._pipe is None:
            self._pipe = make()
        return self._pipe

    def release(self) -> None:
        """Let go of everything; returns at once, the rest happens on a thread of its own."""
        if not self._closed:
            self._closed = True
            Thread(target=self._close, name=f"tab-{self.id}-release", daemon=True).start()

    def _close(self) -> None:
        self._run(None)
        self._subscription.close()
        if self._pipe is not None:
            self._pipe.close()

    def _run(self, strategy: StrategyChoice | None) -> None:
        host = self.engine.strategies
        for key, (choice, run, _) in list(self._runs.items()):
            if strategy is None or key not in self.keys or choice != strategy or self._closed:
                del self._runs[key]
                host.release(run)
        if strategy is None or self._closed:
            return
        for key in self.keys:
            if key not in self._runs:
                self._runs[key] = (strategy, host.acquire(strategy.name, key, dict(strategy.values)), 0)
