"""The recordings of a process: one store, one recording at a time, and what is to be said about them."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Sequence
from threading import Lock
from time import monotonic

from msgspec import Struct

from engine.clock import SYSTEM_CLOCK, Clock
from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.hub import Hub
from engine.market.orders import ExecutionReport
from engine.store.base import Recording, Store
from engine.store.opening import is_archive, open_store, there_is_one
from engine.store.recording.options import RecordOptions
from engine.store.recording.recorder import CHECK_EVERY_S, Listen, Recorder
from engine.store.recording.retention import enforce, forecast, outgrown

REMOVED_KEPT = 20
CLOSE_S = 5.0
"""How long a slow disk may take to write the end of a recording when the program ends."""

log = logging.getLogger(__name__)


class RecordingState(Struct, frozen=True):
    """What a page shows of the recording that runs; `recording` is None while none does.

    `seconds` since it began, `rate` in events a second, `bytes` of the whole store (None while nothing runs), `waiting`
    not yet written, `dropped` for good. `error` and `hint` say what is wrong and what to do, also of the last recording
    if it ended by itself. `found` are recordings that were cut off (seen when the store was opened), `removed` says
    what was deleted for its age or size.
    """

    recording: Recording | None
    seconds: float
    events: int
    rate: float
    bytes: int | None
    waiting: int
    dropped: int
    gaps: int
    error: str
    hint: str
    found: tuple[Recording, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class RecordingDesk:
    """Starts and stops recordings, opens the store when it is first needed, and keeps to the limits of age and size."""

    def __init__(
        self,
        hub: Hub,
        options: RecordOptions | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        listen: Listen | None = None,
    ) -> None:
        self.options = options or RecordOptions()
        self._hub, self._clock, self._listen = hub, clock, listen
        self._store: Store | None = None
        self._recorder: Recorder | None = None
        self._last: Recorder | None = None
        """The one that was stopped last; on a slow disk it may still be writing."""
        self._began_s = 0.0
        self._error = self._hint = ""
        self._removed: deque[str] = deque(maxlen=REMOVED_KEPT)
        self._warnings: tuple[str, ...] = ()
        self._lock = Lock()
        self._store_lock = Lock()

    def store(self) -> Store:
        """The store, opened (and tidied) on the first call.

        Raises:
            StoreError: it cannot be opened; asked for again, it is tried again.
        """
        with self._store_lock:
            if self._store is None:
                self._store = open_store(self.options.store_url)
                self._error = self._hint = ""  # what kept it from being opened is over
                self._keep_limits(self._store)
            return self._store

    def look_back(self) -> None:
        """Open the store if there is one already, so that what was cut off is found when the program starts."""
        if there_is_one(self.options.store_url):
            try:
                self.store()
            except StoreError as error:
                log.error("recordings: %s. %s", str(error).rstrip("."), error.hint)
                self._error, self._hint = str(error), error.hint

    def start(self, keys: Sequence[FeedKey], note: str = "") -> Recording:
        """Record these feeds from now on.

        Raises:
            StoreError: one runs already, or the store does not take it.
            ConfigError: no such connector or mode.
        """
        with self._lock:
            if self._recorder is not None and self._recorder.running:
                raise StoreError(
                    f"recording {self._recorder.recording.id} runs already", hint="Stop it, then start a new one."
                )
            if not keys:
                raise StoreError("nothing to record was chosen", hint="Choose at least one feed.")
            self._check_clocks(keys)
            store = self.store()
            recorder = Recorder(
                store, self._hub, tuple(dict.fromkeys(keys)), options=self.options, clock=self._clock, note=note,
                check_every_s=CHECK_EVERY_S,
            )  # fmt: skip
            recorder.check = lambda: self._tidy(store)
            recorder.start(self._listen)
            self._recorder, self._began_s = recorder, monotonic()
            self._error = self._hint = ""
            log.info("recording %s of %d feeds into %s", recorder.recording.id, len(keys), store.place)
            return recorder.recording

    def _check_clocks(self, keys: Sequence[FeedKey]) -> None:
        """Feeds that stand at different times have no order in which they could be played again."""
        venues = {key[0] for key in keys if key[0] in self._hub.connectors}
        replays = {name for name in venues if self._hub.connectors[name].capabilities.source == "replay"}
        clocks = {name.partition("/")[0] if name in replays else "" for name in venues}
        if len(clocks) > 1:
            raise StoreError(
                f"{', '.join(sorted(venues))} run by different clocks",
                hint="Record what is live by itself, and of recordings that are played one at a time.",
            )

    def stop(self) -> Recording | None:
        """End the recording that runs, within 2 s; what it became, None where none ran."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
            self._last = recorder or self._last
        if recorder is None:
            return None
        recording = recorder.stop()
        said = recorder.progress()
        self._error, self._hint = said.error, said.hint
        log.info("recording %s ended with %d events", recording.id, said.events)
        return recording

    def note(self, key: FeedKey, report: ExecutionReport) -> None:
        """Take an order's change or a fill into the recording that runs, if one does and has this feed.

        Whoever trades calls this for each, once, from any thread; it neither waits nor fails.
        """
        recorder = self._recorder
        if recorder is not None:
            recorder.note(key, report)

    def finished(self, seconds: float = CLOSE_S) -> Recording | None:
        """The recording that was stopped last, once its end is written; waits for that so many seconds at most."""
        if self._last is None:
            return None
        self._last.wait(seconds)
        said = self._last.progress()
        self._error, self._hint = said.error, said.hint
        return self._last.recording

    def state(self) -> RecordingState:
        """How things stand; never waits for the disk for long."""
        recorder = self._recorder
        found = tuple(self._store.found_cut_off) if self._store is not None else ()
        if recorder is None:
            return RecordingState(
                None, 0.0, 0, 0.0, None, 0, 0, 0, self._error, self._hint, found, tuple(self._removed), self._warnings,
            )  # fmt: skip
        said = recorder.progress()
        return RecordingState(
            recorder.recording if recorder.running else None, monotonic() - self._began_s, said.events, said.rate,
            said.bytes, said.waiting, said.dropped, said.gaps, said.error, said.hint, found, tuple(self._removed),
            self._warnings,
        )  # fmt: skip

    def _tidy(self, store: Store) -> str:
        """Keep to the limits; why the running recording must end, empty when it need not."""
        self._keep_limits(store)
        return outgrown(store, self.options, self._clock.now_ns())

    def _keep_limits(self, store: Store) -> None:
        """Delete what has to go, and say what will be next; an archive is left as it is."""
        if is_archive(self.options.store_url):
            return
        now_ns = self._clock.now_ns()
        self._removed += enforce(store, self.options, now_ns)
        self.look_ahead(store)

    def look_ahead(self, store: Store) -> tuple[str, ...]:
        """What will be deleted before long; logged when it changes, in more than the figures.

        Raises:
            StoreError: the store cannot be asked.
        """
        if is_archive(self.options.store_url):
            return ()
        before, self._warnings = self._warnings, tuple(forecast(store, self.options, self._clock.now_ns()))
        known = {_without_figures(line) for line in before}
        for line in self._warnings:
            if _without_figures(line) not in known:
                log.warning("%s", line)
        return self._warnings

    def close(self) -> None:
        """End the recording, if one runs, and let go of the store."""
        self.stop()
        if self._last is not None and not self._last.wait(CLOSE_S):
            log.error("recording %s is closed before its end was written", self._last.recording.id)
        with self._store_lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()


def _without_figures(line: str) -> str:
    return re.sub(r"[\d.,]+ (?=bytes|[kMG]B)", "", line)
