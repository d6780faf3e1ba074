"""Large taker orders: as large as the largest hundredth of the orders before."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import ceil

from engine.flow.detectors.detection import Detection
from engine.flow.readings import Quality
from engine.flow.taker_orders import TakerOrder

QUANTILE = 0.99
MEMORY = 2_000
WARM = 200
TAIL_KEPT = 250
"""More than a tenth of the memory: the tail serves the 0.95 quantile too, and need not be made anew often."""


class UpperTail:
    """The last `capacity` numbers, of which only the largest are kept in order: high quantiles at little cost, since
    most numbers neither enter nor leave the tail."""

    __slots__ = ("_arrived", "_floor", "_tail", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrived: deque[float] = deque()
        self._tail: list[float] = []
        self._floor = float("-inf")
        """Every number that is not below this is in the tail."""

    def __len__(self) -> int:
        return len(self._arrived)

    def add(self, value: float) -> None:
        """Take a number; beyond the capacity the oldest goes."""
        arrived, tail, floor = self._arrived, self._tail, self._floor
        if len(arrived) == self.capacity:
            gone = arrived.popleft()
            if gone >= floor:
                del tail[bisect_left(tail, gone)]
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
            self._tail, self._floor = sorted(self._arrived), float("-inf")
        found = self._tail[-1 - larger]
        if len(self._tail) > 2 * TAIL_KEPT:
            self._shorten()
        return found

    def _shorten(self) -> None:
        """Keep the largest, with all that equal the least of them."""
        self._floor = self._tail[-TAIL_KEPT]
        del self._tail[: bisect_left(self._tail, self._floor)]


class LargeOrders:
    """An order counts when it is not below the 0.99 quantile of the last 2000 (at least 200) before it, and not below
    `floor` in quote units. The order itself is never part of its own threshold."""

    __slots__ = ("_sizes", "_threshold", "floor", "quantile", "seen", "tick", "warm_after")

    def __init__(
        self, tick: float = 1.0, quantile: float = QUANTILE, memory: int = MEMORY, warm_after: int = WARM,
        floor: float = 0.0,
    ) -> None:  # fmt: skip
        self.tick = tick
        self.quantile = quantile
        self.warm_after = warm_after
        self.floor = floor
        self.seen = 0
        self._sizes = UpperTail(memory)

    @property
    def warm(self) -> float:
        """How much of the orders it needs first has been seen, in 0 … 1."""
        return min(self.seen / self.warm_after, 1.0)

    @property
    def threshold(self) -> float | None:
        """The size in base units from which the next order is large; None while warming up."""
        return self.size_at(self.quantile)

    def size_at(self, share: float) -> float | None:
        """The size that this share of the orders do not exceed; None while warming up."""
        return self._sizes.quantile(share) if self.seen >= self.warm_after else None

    def on_order(self, order: TakerOrder, quality: Quality = Quality.EXACT) -> Detection | None:
        """Judge an order, then remember it."""
        threshold = self.threshold
        self._sizes.add(order.size)
        self.seen += 1
        if threshold is None or order.size < threshold or order.size * order.vwap * self.tick < self.floor:
            return None
        evidence = {"threshold": threshold, "fills": float(order.fills), "levels": float(order.levels)}
        return Detection("large_order", order.t_ns, order.side, order.size, order.vwap * self.tick, evidence, quality)
