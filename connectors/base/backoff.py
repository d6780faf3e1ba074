"""How often anything may be tried: full jitter, token buckets, cooldowns, counts in a window. Pure: time is passed in.

Sources: M. Brooker, "Exponential backoff and jitter" (2015), the "full jitter" variant; the venues' published limits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

SECOND_NS = 1_000_000_000
EPSILON = 1e-9
SHORTEST_WAIT_S = 1e-4
"""Rounding must not make anyone wait for nothing, again and again."""
THROTTLE_MEMORY_NS = 600 * SECOND_NS
"""A bucket that was throttled returns to its full rate after so long without another complaint."""


class Backoff:
    """Delays that grow: uniform in 0 … min(cap, base · 2ⁿ), n counted up with every call until `reset`."""

    def __init__(self, base_s: float, cap_s: float, random: Callable[[], float]) -> None:
        self.attempts = 0
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random

    def next_delay_s(self) -> float:
        ceiling = min(self._cap_s, self._base_s * 2.0 ** min(self.attempts, 60))
        self.attempts += 1
        return self._random() * ceiling

    def reset(self) -> None:
        self.attempts = 0


class TokenBucket:
    """At most `burst` at once and `rate` per second in the long run; safe to share between threads.

    `reserve` always takes a token and answers how long to wait before using it, so that callers queue fairly.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self.full_rate = self.rate = rate
        self.burst = float(max(1, burst))
        self._tokens = self.burst
        self._filled_ns: int | None = None
        self._held_until_ns = 0
        self._throttled_ns: int | None = None
        self._lock = Lock()

    def try_take(self, now_ns: int, cost: float = 1.0) -> bool:
        """Take `cost` tokens if they are there now; what costs more than the whole burst waits for a full bucket."""
        with self._lock:
            self._fill(now_ns)
            if self._tokens < min(cost, self.burst) - EPSILON or now_ns < self._held_until_ns:
                return False
            self._tokens -= cost
            return True

    def wait_s(self, now_ns: int, cost: float = 1.0) -> float:
        """Seconds until `cost` tokens could be taken; takes none."""
        with self._lock:
            self._fill(now_ns)
            return self._wait_s(now_ns, min(cost, self.burst) - self._tokens)

    def reserve(self, now_ns: int) -> float:
        """Take the next token, even a future one; the seconds to wait until it is due."""
        with self._lock:
            self._fill(now_ns)
            self._tokens -= 1.0
            return self._wait_s(now_ns, -self._tokens)

    def give_back(self) -> None:
        """Return a reserved token that was not used."""
        with self._lock:
            self._tokens = min(self.burst, self._tokens + 1.0)

    def spend(self, now_ns: int) -> None:
        """Count something that was sent without asking (a pong); the bucket may go into debt."""
        with self._lock:
            self._fill(now_ns)
            self._tokens -= 1.0

    def throttle(self, now_ns: int, retry_after_s: float) -> None:
        """The other side complained: nothing for `retry_after_s`, and half the rate for ten minutes."""
        with self._lock:
            self._fill(now_ns)
            self._held_until_ns = max(self._held_until_ns, now_ns + round(retry_after_s * SECOND_NS))
            self._throttled_ns = now_ns
            self.rate = max(self.rate / 2.0, self.full_rate / 16.0)
            self._tokens = min(self._tokens, 1.0)

    def _wait_s(self, now_ns: int, missing: float) -> float:
        held_s = (self._held_until_ns - now_ns) / SECOND_NS
        wait_s = max(held_s, missing / self.rate)
        return max(wait_s, SHORTEST_WAIT_S) if wait_s > 0.0 else 0.0

    def _fill(self, now_ns: int) -> None:
        filled_ns = self._filled_ns
        self._filled_ns = now_ns
        if filled_ns is None:
            return
        if self._throttled_ns is not None and now_ns - self._throttled_ns >= THROTTLE_MEMORY_NS:
            self._throttled_ns = None
            self.rate = self.full_rate
        elapsed_s = max(0, now_ns - filled_ns) / SECOND_NS
        self._tokens = min(self.burst, self._tokens + elapsed_s * self.rate)


class Cooldown:
    """How long to wait before the next repair: 0, 1, 2, 4 … 60 s, forgiven after 30 s without trouble."""

    def __init__(self, base_s: float = 1.0, cap_s: float = 60.0, forgive_s: float = 30.0) -> None:
        self.troubles = 0
        self._base_s = base_s
        self._cap_s = cap_s
        self._forgive_ns = round(forgive_s * SECOND_NS)
        self._due_ns: int | None = None

    def next_due_ns(self, now_ns: int) -> int:
        """Count one more trouble; when its repair may begin."""
        due_ns = self._due_ns
        if due_ns is None or now_ns - due_ns >= self._forgive_ns:
            self.troubles = 0
            due_ns = now_ns
        else:
            pause_s = min(self._cap_s, self._base_s * 2.0 ** (self.troubles - 1))
            due_ns = max(now_ns, due_ns + round(pause_s * SECOND_NS))
        self.troubles += 1
        self._due_ns = due_ns
        return due_ns


class Window:
    """How often something happened within the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._span_ns = round(seconds * SECOND_NS)
        self._times: deque[int] = deque(maxlen=1_000)

    def add(self, now_ns: int) -> int:
        """Note one occurrence; the count including it."""
        self._times.append(now_ns)
        return self.count(now_ns)

    def count(self, now_ns: int) -> int:
        times = self._times
        while times and now_ns - times[0] >= self._span_ns:
            times.popleft()
        return len(times)

    def clear(self) -> None:
        self._times.clear()
