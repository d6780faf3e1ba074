"""One clock for stamps and ages: UTC nanoseconds that never run backwards.

`received_ns` stamps must be comparable with the venue's wall clock and, for ages and timeouts, must follow the
monotonic clock. Both wishes are met by anchoring the monotonic clock to UTC once, and again only after a real jump
(a suspended laptop, a corrected date).
"""

from __future__ import annotations

import time
from typing import Protocol

JUMP_NS = 1_000_000_000


class Clock(Protocol):
    """Anything that tells the time; tests and replays pass their own."""

    def now_ns(self) -> int:
        """UTC in integer nanoseconds, never decreasing between two jumps."""


class SystemClock:
    """UTC that advances with the monotonic clock."""

    __slots__ = ("_offset_ns", "jumps")

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self.jumps = 0

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns

    def correct(self) -> int:
        """Follow the wall clock after a jump of more than a second; returns the jump in ns (0 for none)."""
        drift = time.time_ns() - self.now_ns()
        if abs(drift) <= JUMP_NS:
            return 0
        self._offset_ns += drift
        self.jumps += 1
        return drift


class ManualClock:
    """A clock that moves only when told: for tests and for playing files."""

    __slots__ = ("_now_ns",)

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def set(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)


SYSTEM_CLOCK = SystemClock()
