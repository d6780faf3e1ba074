"""Long work on threads of its own: how far it is, what came of it, and how it is called off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Literal, Protocol

from msgspec import Struct

from engine.errors import EngineError, StoreError

MOST_AT_ONCE = 3
MOST_KEPT = 10
STOP_S = 1.5

log = logging.getLogger(__name__)


class Cancelled(StoreError):
    """The person called it off; nothing of it is left."""


class ProgressCall(Protocol):
    """How a task tells how far it is, and learns that it is to end."""

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """`done` of `total` (0: nobody knows of how many), and what is being done.

        Raises:
            Cancelled: the task is to end and to leave nothing behind.
        """


def unwatched(done: int, total: int, words: str = "") -> None:
    """A `ProgressCall` that nobody looks at."""


class Outcome(Struct, frozen=True):
    """What a task made: in words, and the file (None: there is none) or the id of the recording."""

    words: str
    path: Path | None = None
    recording: str = ""


class WorkReport(Struct, frozen=True):
    """A task at one moment. `outcome` only when `done`, `error` and `hint` only when `failed`."""

    number: int
    title: str
    state: Literal["running", "done", "failed", "cancelled"]
    done: int
    total: int
    words: str
    seconds: float
    outcome: Outcome | None = None
    error: str = ""
    hint: str = ""


class _Work:
    """One task and its thread."""

    def __init__(self, number: int, title: str, task: Callable[[ProgressCall], Outcome]) -> None:
        self.number, self.title = number, title
        self.cancel = Event()
        self._task = task
        self._begun = monotonic()
        self._progress = (0, 0, "")
        self._end: WorkReport | None = None
        self.thread = Thread(target=self._run, name=f"work-{number}", daemon=True)

    def report(self) -> WorkReport:
        return self._end or self._report("running")

    def _report(
        self, state: Literal["running", "done", "failed", "cancelled"], outcome: Outcome | None = None,
        error: str = "", hint: str = "",
    ) -> WorkReport:  # fmt: skip
        done, total, words = self._progress
        passed = monotonic() - self._begun
        return WorkReport(self.number, self.title, state, done, total, words, passed, outcome, error, hint)

    def _tell(self, done: int, total: int, words: str = "") -> None:
        self._progress = (done, total, words or self._progress[2])
        if self.cancel.is_set():
            raise Cancelled("called off")

    def _run(self) -> None:
        try:
            outcome = self._task(self._tell)
        except Cancelled:
            self._end = self._report("cancelled")
        except EngineError as error:
            self._end = self._report("failed", error=str(error), hint=error.hint)
        except Exception as error:  # the border: the top of a thread
            log.exception("%s failed", self.title)
            self._end = self._report("failed", error=f"{type(error).__name__}: {error}", hint="The log says more.")
        else:
            self._end = self._report("done", outcome)


class WorkDesk:
    """At most three tasks at once; the last ten that ended are kept for whoever asks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._works: dict[int, _Work] = {}
        self._numbers = 0
        self._closed = False

    def start(self, title: str, task: Callable[[ProgressCall], Outcome]) -> int:
        """Begin a task; its number.

        Raises:
            StoreError: three are running already, or the desk is closed.
        """
        with self._lock:
            running = [work for work in self._works.values() if work.report().state == "running"]
            if self._closed or len(running) >= MOST_AT_ONCE:
                raise StoreError(
                    f"{len(running)} tasks are running already", hint="Wait for one of them, or call it off."
                )
            self._numbers += 1
            work = self._works[self._numbers] = _Work(self._numbers, title, task)
            ended = [number for number, one in self._works.items() if one is not work and one not in running]
            for number in ended[: max(0, len(ended) - MOST_KEPT)]:
                del self._works[number]
            work.thread.start()
        return work.number

    def reports(self) -> list[WorkReport]:
        """How all of them stand, newest first."""
        with self._lock:
            works = list(self._works.values())
        return [work.report() for work in reversed(works)]

    def report(self, number: int) -> WorkReport | None:
        """How one of them stands; None when it is not kept any more."""
        with self._lock:
            work = self._works.get(number)
        return work.report() if work is not None else None

    def cancel(self, number: int) -> None:
        """Call a task off; it ends at its next step."""
        with self._lock:
            work = self._works.get(number)
        if work is not None:
            work.cancel.set()

    def forget(self, number: int) -> None:
        """Keep a task's end no longer; one that runs stays."""
        with self._lock:
            work = self._works.get(number)
            if work is not None and work.report().state != "running":
                del self._works[number]

    def close(self) -> None:
        """Call everything off and wait for it, 1.5 s at most."""
        with self._lock:
            self._closed = True
            works = list(self._works.values())
        for work in works:
            work.cancel.set()
        ends = monotonic() + STOP_S
        for work in works:
            work.thread.join(max(0.0, ends - monotonic()))
