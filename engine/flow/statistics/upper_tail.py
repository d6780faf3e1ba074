"""High quantiles of the last numbers, at little cost for each."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import ceil

TAIL_KEPT = 250
TAIL_LEAST = 125
"""How many the tail is cut to, and below how many it is made anew: enough for the 0.95 quantile of the memory."""


class UpperTail:
    """The last `capacity` numbers, of which only the largest are kept in order: high quantiles at little cost, since
    most numbers neither enter nor leave the tail."""

    __slots__ = ("_arrived", "_tail", "capacity", "floor")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrived: deque[float] = deque()
        self._tail: list[float] = []
        self.floor = float("-inf")
        """Every number that is not below this is in the tail."""

    def __len__(self) -> int:
        return len(self._arrived)

    def add(self, value: float) -> None:
        """Take a number; beyond the capacity the oldest goes."""
        arrived, tail, floor = self._arrived, self._tail, self.floor
        if len(arrived) == self.capacity:
            gone = arrived.popleft()
            if gone >= floor:
                del tail[bisect_left(tail, gone)]
                if len(tail) < TAIL_LEAST and len(arrived) > len(tail):
                    self._tail = tail = sorted(arrived)
                    self.floor = floor = float("-inf")
        arrived.append(value)
        if value >= floor:
            insort(tail, value)
            if len(tail) > 2 * TAIL_KEPT:
                self._shorten()

    def quantile(self, share: float) -> float | None:
        """The smallest number that at least this share do not exceed; None while empty."""
        n = len(self._arrived)
        if not n:
            return None
        # The product may come out a hair above the whole number that it is.
        larger = n - max(ceil(share * n - 1e-9), 1)
        if larger >= len(self._tail):
            self._tail, self.floor = sorted(self._arrived), float("-inf")
        found = self._tail[-1 - larger]
        if len(self._tail) > 2 * TAIL_KEPT:
            self._shorten()
        return found

    def serves(self, share: float) -> bool:
        """Whether this quantile always lies in the tail: then it is never below the tail's floor."""
        return (1.0 - share) * self.capacity + 1.0 <= TAIL_LEAST

    def _shorten(self) -> None:
        """Keep the largest, with all that equal the least of them."""
        self.floor = self._tail[-TAIL_KEPT]
        del self._tail[: bisect_left(self._tail, self.floor)]
