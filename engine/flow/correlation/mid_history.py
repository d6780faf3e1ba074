"""The mids of one symbol as they changed, newest kept: what correlation by any horizon is made of."""

from __future__ import annotations

from array import array

import numpy as np

from engine.flow.correlation.asynchronous import Ticks, distinct

CAPACITY = 20_000


class MidHistory:
    """A ring of (time, mid) pairs, one per change; `dropped` counts those that fell out."""

    __slots__ = ("_capacity", "_count", "_last", "_mids", "_times", "moments")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._mids = array("d", bytes(8 * capacity))
        self._times = array("q", bytes(8 * capacity))
        self.clear()

    def clear(self) -> None:
        self._count = 0
        self._last = 0.0

    @property
    def dropped(self) -> int:
        return max(self._count - self._capacity, 0)

    def add(self, t_ns: int, mid: float) -> None:
        """Take a mid; one that did not change is ignored."""
        if mid == self._last:
            return
        self._last = mid
        place = self._count % self._capacity
        self._times[place] = t_ns
        self._mids[place] = mid
        self._count += 1

    def ticks(self) -> Ticks:
        """What is kept, oldest first."""
        kept, capacity = min(self._count, self._capacity), self._capacity
        times, mids = np.array(self._times), np.array(self._mids)
        if self._count > capacity:
            turn = self._count % capacity
            times, mids = np.roll(times, -turn), np.roll(mids, -turn)
        return distinct(times[:kept], mids[:kept])
