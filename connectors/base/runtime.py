"""Time, chance and threads as the transport uses them; tests pass a world of their own in which time is virtual."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Protocol

from msgspec import Struct

from connectors.base.backoff import TokenBucket
from engine.clock import SYSTEM_CLOCK, Clock


class Patience(Struct, frozen=True):
    """How long the transport waits before it thinks again, in seconds and counts; the same for all venues.

    `fallback_s` / `fallback_attempts`: a lost stream is replaced by polling after so long or so many failed attempts,
    whichever comes first. `hold_s` … `hold_cap_s`: how long polling stays when the stream broke again within
    `healthy_s` of its return (doubling). `healthy_s` of data forgives past failures.
    """

    connect_s: float = 10.0
    login_s: float = 10.0
    read_s: float = 0.25
    fetch_s: float = 10.0
    fallback_s: float = 10.0
    fallback_attempts: int = 3
    hold_s: float = 10.0
    hold_cap_s: float = 300.0
    storm_hold_s: float = 60.0
    healthy_s: float = 30.0
    no_data_s: float = 30.0
    probe_s: float = 2.0
    ack_s: float = 5.0
    resubscribe_s: float = 10.0
    resyncs_per_minute: int = 5
    restarts_per_10_minutes: int = 3
    decode_errors_per_minute: int = 10
    stale_snapshots: int = 8
    handover_s: float = 30.0
    rotate_again_s: float = 60.0
    clock_every_s: float = 600.0
    stop_s: float = 1.5


class Runtime(Protocol):
    """The only way in which the transport waits, throws dice or starts a thread."""

    clock: Clock

    def random(self) -> float:
        """Uniform in 0 ≤ x < 1."""

    def wait(self, event: Event, seconds: float) -> bool:
        """Wait until `event` is set, at most `seconds`; whether it is set."""

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Run `target` on a daemon thread of that name."""

    def connect_budget(self, host: str, rate: float, burst: int) -> TokenBucket:
        """The connection attempts to `host` that the whole process shares."""


class SystemRuntime:
    """Real time, real threads."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self.random = random.random
        self._budgets: dict[str, TokenBucket] = {}
        self._lock = Lock()

    def wait(self, event: Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))

    def start(self, name: str, target: Callable[[], None]) -> None:
        Thread(target=target, name=name, daemon=True).start()

    def connect_budget(self, host: str, rate: float, burst: int) -> TokenBucket:
        with self._lock:
            budget = self._budgets.get(host)
            if budget is None:
                budget = self._budgets[host] = TokenBucket(rate, burst)
            return budget


SYSTEM_RUNTIME = SystemRuntime()
