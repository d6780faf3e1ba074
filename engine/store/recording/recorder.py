"""Writes what some feeds publish into a store, on a thread of its own, in batches: the line never waits for the disk.

While the store refuses, what has come stays in memory and is tried again; beyond the queue's capacity everything is
dropped, counted, and written down as a gap once the store takes it. The live feeds go on either way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from random import uniform
from threading import Event, Thread
from time import monotonic

from msgspec import Struct

from engine.clock import Clock
from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.hub import Hub
from engine.market.orders import ExecutionReport
from engine.market.signal import Signal
from engine.store.base import Recording, Store, Unwritable
from engine.store.recording.collector import Batch, Collector, Rhythm
from engine.store.recording.options import RecordOptions
from engine.store.recording.recording_queue import RecordingQueue

Listen = Callable[[Callable[[FeedKey, Signal], None]], Callable[[], None]]
"""How signals are heard: takes who listens, gives what ends it (`StrategyHost.listen`)."""
STOP_S = 2.0
LONGEST_RETRY_S = 10.0
CHECK_EVERY_S = 15.0
SIZE_EVERY_S = 5.0
RATE_WEIGHT = 0.3
"""How much the newest flush counts in the rate that is shown."""

log = logging.getLogger(__name__)


class Progress(Struct, frozen=True):
    """How a recording goes: counts since it began.

    `rate` is of events a second, `waiting` how many are not written yet, `dropped` how many had to be let go; `bytes`
    is the size of the whole store as last asked for. `error` is empty while writing works; else it says what is wrong,
    and `hint` what to do.
    """

    events: int
    rate: float
    waiting: int
    dropped: int
    gaps: int
    bytes: int | None
    error: str
    hint: str


class Recorder:
    """One recording that runs, from `start` until `stop`."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        keys: Sequence[FeedKey],
        *,
        options: RecordOptions,
        clock: Clock,
        note: str = "",
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        """Make the recording.

        Raises:
            StoreError: the store does not take one.
            ConfigError: no connector of that name.
        """
        for key in keys:
            hub.check(key)
        self.recording: Recording = store.begin(keys, at_ns=clock.now_ns(), note=note)
        self.check: Callable[[], str] = str
        """Called every `check_every_s` on the recorder's thread; what it says, if anything, ends the recording."""
        self._store, self._hub, self._clock, self._options = store, hub, clock, options
        self._wake, self._stopping = Event(), Event()
        self._queue = RecordingQueue(options.capacity, wake=self._wake)
        self._collector = Collector(hub, self.recording, self._queue, options, clock)
        self._pending: Batch | None = None
        self._events = self._gaps = self._failures = 0
        self._rate, self._written_s = 0.0, monotonic()
        self._error = self._hint = ""
        self._bytes: int | None = None
        self._sizes, self._checks = Rhythm(SIZE_EVERY_S), Rhythm(check_every_s)
        self._leave: list[Callable[[], None]] = []
        self._thread = Thread(target=self._work, name=f"recorder-{self.recording.id}", daemon=True)

    def start(self, listen: Listen | None = None) -> None:
        """Begin to write; `listen` brings signals."""
        if listen is not None:
            self._leave.append(listen(self._hear))
        self._thread.start()
        self._leave.append(self._hub.subscribe(self.recording.feeds, self._queue).close)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def progress(self) -> Progress:
        """How it goes, without touching the store."""
        pending = self._pending
        waiting = len(self._queue) + (len(pending.entries) if pending is not None else 0)
        return Progress(
            self._events, self._rate, waiting, self._queue.dropped, self._gaps, self._bytes, self._error,
            self._hint,
        )  # fmt: skip

    def stop(self) -> Recording:
        """Write what waits and end the recording; returns within 2 s (a slow disk may take longer behind it)."""
        self._let_go()
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=STOP_S)
        return self.recording

    def wait(self, seconds: float) -> bool:
        """Whether everything is written, after so many seconds at most."""
        self._thread.join(timeout=seconds)
        return not self._thread.is_alive()

    def _let_go(self) -> None:
        leave, self._leave = self._leave, []
        for end in leave:
            end()
        self._queue.close()

    def note(self, key: FeedKey, report: ExecutionReport) -> None:
        """Write down what became of an order, where it came among the events, if its feed is recorded here."""
        if key in self.recording.feeds:
            self._queue.put_report(key, report)

    def _hear(self, key: FeedKey, signal: Signal) -> None:
        if key in self.recording.feeds:
            self._queue.put_signal(key, signal)

    def _work(self) -> None:
        try:
            self._write_on()
            self._finish()
        except Exception as error:  # the border: the feeds go on, and the page says what happened
            log.exception("recording %s stopped", self.recording.id)
            self._error, self._hint = f"{type(error).__name__}: {error}", "The log has more."
            self._queue.close()

    def _write_on(self) -> None:
        while True:
            self._wake.wait(self._pause_s())
            self._wake.clear()
            if self._stopping.is_set():
                return
            self._flush()
            if self._checks.due() and (why := self._checked()):
                log.error("recording %s ends: %s", self.recording.id, why)
                self._error = why
                self._let_go()
                return

    def _checked(self) -> str:
        try:
            return self.check()
        except StoreError as error:
            self._fail(error)
            return ""

    def _pause_s(self) -> float:
        flush_s = self._options.flush_s
        if not self._failures:
            return flush_s
        return min(LONGEST_RETRY_S, flush_s * 2.0 ** min(self._failures - 1, 10)) * uniform(0.5, 1.0)

    def _flush(self, *, last: bool = False) -> None:
        """Write what waits, or again what could not be written the last time."""
        if self._pending is None:
            self._pending = self._collector.collect(last=last)
        batch = self._pending
        try:
            self._store.append(
                self.recording.id, batch.entries, gaps=batch.gaps, depth=batch.depth, bars=batch.bars,
                quality=batch.quality,
            )  # fmt: skip
        except Unwritable as error:
            log.error("recording %s: %s", self.recording.id, error)
            self._pending = None
            self._queue.lose(batch.taken, str(error))
        except StoreError as error:
            self._fail(error)
        else:
            self._pending = None
            self._written(batch)
            if self._bytes is None or self._sizes.due():
                self._bytes = self._sized()

    def _written(self, batch: Batch) -> None:
        if self._failures:
            log.warning("recording %s goes on", self.recording.id)
            self._failures, self._error, self._hint = 0, "", ""
            self._queue.resume()
        for gap in batch.gaps:
            log.warning("recording %s lacks %s of %s: %s", self.recording.id, gap.lost, gap.key, gap.reason)
        self._events += len(batch.entries)
        self._gaps += len(batch.gaps)
        took_s, self._written_s = monotonic() - self._written_s, monotonic()
        self._rate += RATE_WEIGHT * (len(batch.entries) / max(took_s, 1e-3) - self._rate)

    def _sized(self) -> int | None:
        try:
            return self._store.size()
        except StoreError as error:
            log.debug("recording %s: %s", self.recording.id, error)
            return None

    def _fail(self, error: StoreError) -> None:
        self._failures += 1
        said = str(error)
        if said != self._error:
            log.error("recording %s cannot be written: %s. %s", self.recording.id, said.rstrip("."), error.hint)
        self._error, self._hint = said, error.hint
        self._queue.pause(f"it could not be written: {said}")

    def _finish(self) -> None:
        """Write the rest and the end; what cannot be written now is lost, and the log says how much."""
        if self._pending is not None:
            self._flush()
        if self._pending is None:
            self._flush(last=True)
        if self._pending is not None:
            lost = len(self._pending.entries) + len(self._queue)
            log.error("recording %s ends without its last %d events: %s", self.recording.id, lost, self._error)
            return
        try:
            self.recording = self._store.end(self.recording.id, at_ns=self._clock.now_ns())
        except StoreError as error:
            self._fail(error)
