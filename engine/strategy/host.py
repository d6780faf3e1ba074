"""Runs strategies in the engine, on every update, one thread each: a closed tab or a slow redraw never costs a tick."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Lock, Thread

from msgspec import Struct

from engine.analysis.flow_desk import FlowDesk
from engine.errors import ConfigError
from engine.feed.mailbox import EventQueue, FeedKey
from engine.hub import Hub
from engine.market.events import MarketEvent
from engine.market.signal import Signal
from engine.strategy.hooks import uses
from engine.strategy.params import build, parameters
from engine.strategy.runner import Runner, StrategyLike
from engine.strategy.signal_stream import SignalDigest

SIGNALS_KEPT = 2_000
WAIT_S = 0.25

log = logging.getLogger(__name__)


class RunReport(Struct, frozen=True):
    """How a run stands: counts since it started; `error` is empty while it works.

    `digest` is the SHA-256 of all of its signals (see `engine/strategy/signal_stream.py`).
    """

    strategy: str
    key: FeedKey
    updates: int
    signals: int
    dropped: int
    error: str
    readings: dict[str, float]
    digest: str = ""


class Run:
    """One strategy on one feed. Signals are kept, the newest 2,000, each with its running number.

    The order flow is kept up for it while it runs, if it listens to that and there is a `flow`.
    """

    def __init__(
        self,
        hub: Hub,
        name: str,
        strategy: StrategyLike,
        again: Callable[[], StrategyLike],
        key: FeedKey,
        tell: Callable[[FeedKey, Signal], None],
        flow: FlowDesk | None = None,
    ) -> None:
        self.name = name
        self.key = key
        self.leases = 0
        self.error = ""
        self._runner = Runner(strategy, again)
        self._digest = SignalDigest()
        self._tell = tell
        self._signals: deque[Signal] = deque(maxlen=SIGNALS_KEPT)
        self._readings: dict[str, float] = {}
        self._count = 0
        self._lock = Lock()
        self._queue = EventQueue(views=False, quotes=False)
        self._stopping = False
        self._thread = Thread(target=self._work, name=f"strategy-{name}-{key[0]}-{key[1]}", daemon=True)
        self._subscription = hub.subscribe([key], self._queue)
        self._flow = flow if uses(strategy, "on_flow") else None
        self._picture = 0
        """The number of the last picture of the order flow that the strategy was shown."""
        if self._flow is not None:
            self._flow.acquire(key)
        self._thread.start()

    def since(self, position: int) -> tuple[list[Signal], int]:
        """The signals after `position` that are still kept, and the new position; begin with 0."""
        with self._lock:
            new = min(self._count - position, len(self._signals))
            items = list(self._signals)[len(self._signals) - new :] if new > 0 else []
            return items, self._count

    @property
    def updates(self) -> int:
        """How many books and trades the strategy was told."""
        return self._runner.updates

    def report(self) -> RunReport:
        readings = self._readings if not self.error else {}
        with self._lock:
            count, found = self._count, self._digest.hexdigest()
        return RunReport(self.name, self.key, self.updates, count, self._queue.dropped, self.error, readings, found)

    def stop(self) -> None:
        """End the run; returns within 2 s."""
        self._stopping = True
        self._subscription.close()
        self._thread.join(timeout=2.0)
        self._leave_flow()

    def _work(self) -> None:
        try:
            while not self._stopping:
                for update in self._queue.drain(WAIT_S):
                    self._take(update.event)
                self._take_flow()
                # Asked for here, on the strategy's own thread: what it raises must not reach who reports.
                self._readings = dict(self._runner.strategy.readings())
        except Exception as error:  # the border: whatever a stranger's strategy raises ends this run only
            self.error = f"{type(error).__name__}: {error}"
            log.exception("strategy %s on %s stopped", self.name, self.key)
            self._subscription.close()
            self._leave_flow()

    def _leave_flow(self) -> None:
        """Give the order flow back, once."""
        with self._lock:
            flow, self._flow = self._flow, None
        if flow is not None:
            flow.release(self.key)

    def _take_flow(self) -> None:
        """Show the strategy the order flow, if there is a newer picture of it."""
        flow = self._flow
        picture = flow.picture(self.key) if flow is not None else None
        if picture is None or picture.number == self._picture:
            return
        self._picture = picture.number
        self._say(self._runner.strategy.on_flow(picture.metrics))

    def _take(self, event: MarketEvent) -> None:
        self._say(self._runner.take(event))

    def _say(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            with self._lock:
                self._signals.append(signal)
                self._count += 1
                self._digest.add(signal)
            self._tell(self.key, signal)


class StrategyHost:
    """All runs of the process, shared: the same strategy with the same parameters on the same feed runs once.

    Without a `flow`, strategies are told nothing of the order flow.
    """

    def __init__(self, hub: Hub, classes: Mapping[str, type], flow: FlowDesk | None = None) -> None:
        self.classes = dict(classes)
        self._hub = hub
        self._flow = flow
        self._listeners: tuple[Callable[[FeedKey, Signal], None], ...] = ()
        self._runs: dict[tuple[str, FeedKey, tuple[tuple[str, float], ...]], Run] = {}
        self._lock = Lock()

    def acquire(self, name: str, key: FeedKey, values: Mapping[str, float] | None = None) -> Run:
        """A running strategy; call `release` when you no longer look at it.

        Raises:
            ConfigError: no such strategy, or a parameter that is wrong.
        """
        cls = self.classes.get(name)
        if cls is None:
            raise ConfigError(f"no strategy named {name!r}", hint=f"There are: {', '.join(sorted(self.classes))}.")
        values = dict(values or {})
        strategy = build(cls, values)
        identity = (name, key, tuple([(item.name, getattr(strategy, item.name)) for item in parameters(cls)]))
        with self._lock:
            run = self._runs.get(identity)
            if run is None:
                again = partial(build, cls, values)
                run = self._runs[identity] = Run(self._hub, name, strategy, again, key, self._tell, self._flow)
            run.leases += 1
            return run

    def release(self, run: Run) -> None:
        """Give a run back; the last one to do so ends it."""
        with self._lock:
            run.leases -= 1
            if run.leases > 0:
                return
            self._runs = {identity: other for identity, other in self._runs.items() if other is not run}
        run.stop()

    def listen(self, listener: Callable[[FeedKey, Signal], None]) -> Callable[[], None]:
        """Hear every signal at once, on the strategy's own thread; must not block. Call what is returned to end it."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def end() -> None:
            with self._lock:
                self._listeners = tuple([other for other in self._listeners if other is not listener])

        return end

    def _tell(self, key: FeedKey, signal: Signal) -> None:
        for listener in self._listeners:
            listener(key, signal)

    def runs(self) -> list[Run]:
        with self._lock:
            return list(self._runs.values())

    def close(self) -> None:
        with self._lock:
            runs, self._runs = list(self._runs.values()), {}
        for run in runs:
            run.stop()
