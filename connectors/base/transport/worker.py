"""One thread for the calls that must not hold up the reading: snapshots, the venue's clock."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from itertools import count
from threading import Event, Lock, get_ident

from connectors.base.books import Books

log = logging.getLogger(__name__)

CAPACITY = 1_000
IDLE_S = 60.0

Job = Callable[[], None]


class Worker:
    """Runs jobs one after another when they are due. The thread starts with the first job and ends with `stop`."""

    def __init__(self, name: str, books: Books) -> None:
        self.dropped = 0
        self.stopping = Event()
        self._name = name
        self._books = books
        self._runtime = books.runtime
        self.finished = Event()
        self.finished.set()
        self._jobs: list[tuple[int, int, Job]] = []
        self._numbers = count()
        self._lock = Lock()
        self._wake = Event()
        self._running = False
        self._thread = 0

    def at(self, due_ns: int, job: Job) -> bool:
        """Have `job` run at `due_ns`; False when there is no room, or no worker any more."""
        with self._lock:
            if self.stopping.is_set():
                return False
            if len(self._jobs) >= CAPACITY:
                self.dropped += 1
                return False
            heapq.heappush(self._jobs, (due_ns, next(self._numbers), job))
            start = not self._running
            self._running = True
            if start:
                self.finished.clear()
        self._wake.set()
        if start:
            self._runtime.start(self._name, self._run)
        return True

    def pause(self, seconds: float) -> bool:
        """Wait within a job; False when the worker is to stop."""
        return not self._runtime.wait(self.stopping, seconds)

    def stop(self) -> None:
        """End the thread; what its job still brings is discarded by the job itself."""
        self.stopping.set()
        self._wake.set()
        with self._lock:
            self._jobs.clear()
            thread = self._thread
        if thread:
            self._books.abort_calls(thread)

    def _run(self) -> None:
        self._thread = get_ident()
        try:
            while not self.stopping.is_set():
                job = self._next()
                if job is not None:
                    job()
        except Exception:
            log.exception("%s: ended by an error that nobody foresaw", self._name)
            with self._lock:
                self._running = False
        finally:
            self._books.release_calls()
            self.finished.set()

    def _next(self) -> Job | None:
        self._wake.clear()
        with self._lock:
            if self._jobs:
                wait_s = (self._jobs[0][0] - self._runtime.clock.now_ns()) / 1e9
                if wait_s <= 0:
                    return heapq.heappop(self._jobs)[2]
            else:
                wait_s = IDLE_S
        self._runtime.wait(self._wake, wait_s)
        return None
