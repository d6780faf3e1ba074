"""From a score to single signals, and from a score to its strength among its own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import Literal

Said = Literal["on", "off", "expired", "cancelled"]

SECOND_NS = 1_000_000_000
LEAST_SCORES = 200
SCORES_KEPT = 2_000
NEVER = -(1 << 62)
NEVER_DUE = 1 << 62
_INFINITY = float("inf")


class ScoreHistory:
    """The trailing distribution of the size of one score; its percentile is what strength means."""

    __slots__ = ("_capacity", "_ordered", "_recent")

    def __init__(self, capacity: int = SCORES_KEPT) -> None:
        self._capacity = capacity
        self._recent: deque[float] = deque()
        self._ordered: list[float] = []

    def __len__(self) -> int:
        return len(self._recent)

    def clear(self) -> None:
        self._recent.clear()
        self._ordered.clear()

    def add(self, score: float) -> None:
        """Take a score; its sign does not count."""
        size = abs(score)
        if len(self._recent) == self._capacity:
            del self._ordered[bisect_left(self._ordered, self._recent.popleft())]
        self._recent.append(size)
        insort(self._ordered, size)

    def percentile(self, score: float) -> float | None:
        """The share of the history that is at most this large, 0 … 1; None below 200 scores."""
        count = len(self._ordered)
        return bisect_right(self._ordered, abs(score)) / count if count >= LEAST_SCORES else None


class Hysteresis:
    """One type and direction: off, rising, on, or spent until the score falls.

    `step` answers "on", "off", "expired", "cancelled" at the event that causes it, else None. One ON per episode; after
    an expiry the score has to fall below `off` first. A cooldown counts from the last ON.
    """

    __slots__ = ("_cooldown_ns", "_expiry_ns", "_hold_ns", "_off", "_on", "_since", "_spent", "active", "last_on_ns")

    def __init__(self, on: float, off: float, hold_s: float, cooldown_s: float, expiry_s: float | None = None) -> None:
        self._on, self._off = on, off
        self._hold_ns = round(hold_s * SECOND_NS)
        self._cooldown_ns = round(cooldown_s * SECOND_NS)
        self._expiry_ns = round(expiry_s * SECOND_NS) if expiry_s is not None else NEVER_DUE
        self._since: int | None = None
        """Since when the score has been at least `on`."""
        self._spent = False
        self.active = False
        self.last_on_ns = NEVER

    @property
    def next_ns(self) -> int:
        """When it would next speak if the score stayed on its side of both thresholds."""
        if self.active:
            return self.last_on_ns + self._expiry_ns
        if self._since is None or self._spent:
            return NEVER_DUE
        return max(self._since + self._hold_ns, self.last_on_ns + self._cooldown_ns)

    @property
    def idle(self) -> bool:
        """Whether a score below `on` would change nothing."""
        return self._since is None and not self.active and not self._spent

    @property
    def bounds(self) -> tuple[float, float]:
        """While the score stays strictly between these, `step` changes nothing before `next_ns`."""
        if self.active or self._spent:
            return self._off, _INFINITY
        return (-_INFINITY, self._on) if self._since is None else (self._on, _INFINITY)

    def step(self, t_ns: int, score: float | None) -> Said | None:
        """Take the score at a moment; None where the book is not valid."""
        if score is None:
            self._since, self._spent = None, False
            return self._end("cancelled") if self.active else None
        if score < self._on:
            self._since = None
        elif self._since is None:
            self._since = t_ns
        if score < self._off:
            self._spent = False
            return self._end("off") if self.active else None
        if self.active:
            if t_ns - self.last_on_ns < self._expiry_ns:
                return None
            self._spent = True
            return self._end("expired")
        held = self._since is not None and t_ns - self._since >= self._hold_ns
        if held and not self._spent and t_ns - self.last_on_ns >= self._cooldown_ns:
            self.active = True
            self.last_on_ns = t_ns
            return "on"
        return None

    def fire(self, t_ns: int) -> bool:
        """A single occurrence: whether it may speak, cooldown over."""
        if t_ns - self.last_on_ns < self._cooldown_ns:
            return False
        self.active = True
        self.last_on_ns = t_ns
        return True

    def lapse(self, t_ns: int) -> bool:
        """Whether an occurrence has now reached the end of its horizon."""
        if self.active and t_ns - self.last_on_ns >= self._expiry_ns:
            self.active = False
            return True
        return False

    def _end(self, how: Said) -> Said:
        self.active = False
        return how
