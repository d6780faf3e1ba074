"""The time of a recording while it is played: as fast as it is told to go, and never ahead of the player."""

from __future__ import annotations

from threading import Condition
from time import monotonic_ns
from typing import Protocol

LAG_S = 0.5
"""Further behind (in our seconds) the player does not hurry after the clock: the clock waits for it."""
_FAR = 1 << 62


class Pace(Protocol):
    """Our own time as the player uses it; tests pass one that does not take as long."""

    def monotonic_ns(self) -> int:
        """A time that never runs back."""

    def wait(self, changed: Condition, seconds: float | None) -> None:
        """Wait until `changed` (held by the caller) is notified, or so long."""


class OurPace:
    """The machine's own time."""

    def monotonic_ns(self) -> int:
        return monotonic_ns()

    def wait(self, changed: Condition, seconds: float | None) -> None:
        changed.wait(seconds)


class ReplayClock:
    """The recorder's clock, running `speed` times as fast as ours; None for speed: it is where the player is.

    One thread plays (`wait_s`, `reach`), others turn and read it; `turn` calls come one at a time.
    """

    def __init__(self, at_ns: int, speed: float | None, pace: Pace) -> None:
        self._pace = pace
        self._set: tuple[int, int | None, float | None] = (at_ns, None, speed)
        """Where it stood, our time then (None: it stands still), and its speed."""
        self._limit_ns = _FAR

    @property
    def speed(self) -> float | None:
        return self._set[2]

    def now_ns(self) -> int:
        return min(self._raw_ns(), self._limit_ns)

    def wait_s(self, at_ns: int) -> float:
        """Seconds of our time until `at_ns`, the next moment; 0 when it is due. The clock does not pass it before."""
        self._limit_ns = at_ns
        _, since_ns, speed = self._set
        if speed is None:
            self._set = (at_ns, since_ns, None)
            return 0.0
        if since_ns is None:
            self._set = (self._set[0], self._pace.monotonic_ns(), speed)
        ahead_s = (at_ns - self._raw_ns()) / 1e9 / speed
        if ahead_s < -LAG_S:
            self._set = (at_ns, self._pace.monotonic_ns(), speed)
        return max(0.0, ahead_s)

    def reach(self, at_ns: int) -> None:
        """Stand still at this moment, until `wait_s` asks for the next one."""
        self._set = (at_ns, None, self._set[2])
        self._limit_ns = _FAR

    def stop(self) -> None:
        """Stand still."""
        self.reach(self.now_ns())

    def turn(self, speed: float | None) -> None:
        """Go on at another speed."""
        at_ns = self.now_ns()
        running = self._set[1] is not None
        self._set = (at_ns, self._pace.monotonic_ns() if running else None, speed)

    def _raw_ns(self) -> int:
        at_ns, since_ns, speed = self._set
        if since_ns is None or speed is None:
            return at_ns
        return at_ns + round((self._pace.monotonic_ns() - since_ns) * speed)
