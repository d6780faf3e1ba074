"""One way out of the house, with its own bounded queue and thread: nobody waits for a slow one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from random import uniform
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from msgspec import Struct

from engine.errors import SendError

QUEUE = 200
TRIES = 5
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
TOO_OLD_S = 600.0
TOGETHER = 10
"""So many alerts at most go in one message when several wait."""
LEAST_PAUSE_S = 1.0
"""Between two messages of a channel: the messengers allow about one a second."""

log = logging.getLogger(__name__)


class Sender(Protocol):
    """One address out of the house. `service` and `address` may be shown: no secret is in them."""

    service: str
    address: str

    def send(self, title: str, body: str) -> None:
        """Send a message; takes some seconds at most.

        Raises:
            SendError: it did not go out.
        """


class ChannelReport(Struct, frozen=True):
    """How a channel stands. `last` says how the newest message went; `trouble` is empty while all is well."""

    name: str
    service: str
    address: str
    waiting: int
    sent: int
    failed: int
    dropped: int
    last: str
    trouble: str


class _Letter(Struct):
    """An alert on its way; `number` 0 is a test."""

    number: int
    title: str
    line: str
    written: float


Told = Callable[[int, str, str], None]
"""Told how the sending of an alert stands: its number, the channel, and the words."""


class Channel:
    """One way out, with its queue. A message that fails is tried five times with growing, jittered pauses."""

    def __init__(
        self,
        name: str,
        sender: Sender,
        told: Told = lambda number, channel, how: None,
        *,
        pause_s: Callable[[int], float] | None = None,
    ) -> None:
        """`pause_s` gives the wait after so many failures in a row (0: after a message that went out)."""
        self.name = name
        self.sent = self.failed = self.dropped = 0
        self._sender = sender
        self._told = told
        self._pause_s = pause_s or _pause_s
        self._letters: deque[_Letter] = deque()
        self._last = self._trouble = ""
        self._news = Condition()
        self._stopping = False
        self._thread: Thread | None = None

    def put(self, number: int, title: str, line: str) -> None:
        """Queue a message; returns at once. The oldest that waits gives way to it when the queue is full."""
        out: _Letter | None = None
        with self._news:
            if self._stopping:
                return
            if len(self._letters) >= QUEUE:
                out = self._letters.popleft()
                self.dropped += 1
            self._letters.append(_Letter(number, title, line, monotonic()))
            if self._thread is None:
                self._thread = Thread(target=self._work, name=f"alerts-{self.name}", daemon=True)
                self._thread.start()
            self._news.notify_all()
        if out is not None:
            self._tell([out], "not sent: too many were waiting")

    def report(self) -> ChannelReport:
        with self._news:
            return ChannelReport(
                self.name, self._sender.service, self._sender.address, len(self._letters), self.sent, self.failed,
                self.dropped, self._last, self._trouble,
            )  # fmt: skip

    def stop(self) -> None:
        """Send nothing more; returns at once."""
        with self._news:
            self._stopping = True
            self._news.notify_all()

    def join(self, deadline: float) -> bool:
        """Whether the thread has ended before the deadline on the monotonic clock."""
        if self._thread is None:
            return True
        self._thread.join(max(0.0, deadline - monotonic()))
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            while letters := self._next():
                self._deliver(letters)
        except Exception as error:  # the border: top of a thread
            log.exception("channel %s stopped", self.name)
            with self._news:
                self._trouble = f"stopped by a fault: {type(error).__name__}"

    def _next(self) -> list[_Letter]:
        """The next letters that go together; empty when it is time to end."""
        with self._news:
            self._news.wait_for(lambda: self._letters or self._stopping)
            if self._stopping:
                return []
            return [self._letters.popleft() for _ in range(min(len(self._letters), TOGETHER))]

    def _deliver(self, letters: list[_Letter]) -> None:
        title = letters[0].title if len(letters) == 1 else f"{len(letters)} alerts"
        body = "\n".join([letter.line for letter in letters])
        for tried in range(1, TRIES + 1):
            if monotonic() - letters[0].written > TOO_OLD_S:
                self._lost(letters, "not sent: older than ten minutes")
                return
            try:
                self._sender.send(title, body)
            except SendError as error:
                trouble = str(error)
            else:
                self._went(letters)
                self._wait(0)
                return
            if tried == TRIES:
                self._lost(letters, f"failed {TRIES} times: {trouble}")
                return
            self._tried(letters, f"try {tried} of {TRIES} failed: {trouble}")
            if not self._wait(tried):
                return

    def _went(self, letters: Sequence[_Letter]) -> None:
        with self._news:
            self.sent += len(letters)
            self._last, self._trouble = "sent", ""
        self._tell(letters, "sent")

    def _tried(self, letters: Sequence[_Letter], how: str, *, failed: int = 0) -> None:
        log.warning("alerts by %s: %s", self.name, how)
        with self._news:
            self.failed += failed
            self._last = self._trouble = how
        self._tell(letters, how)

    def _lost(self, letters: Sequence[_Letter], how: str) -> None:
        self._tried(letters, how, failed=len(letters))

    def _wait(self, failures: int) -> bool:
        """Pause; False when it is time to end."""
        with self._news:
            return not self._news.wait_for(lambda: self._stopping, self._pause_s(failures))

    def _tell(self, letters: Sequence[_Letter], how: str) -> None:
        for letter in letters:
            if letter.number:
                self._told(letter.number, self.name, how)


def _pause_s(failures: int) -> float:
    if not failures:
        return LEAST_PAUSE_S
    # Full jitter, but never at once: half the venues' servers come back together otherwise.
    return uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (failures - 1))
