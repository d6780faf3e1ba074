"""Large taker orders: as large as the largest hundredth of the orders before."""

from __future__ import annotations

from engine.flow.detectors.detection import Detection
from engine.flow.readings import Quality
from engine.flow.statistics.upper_tail import UpperTail
from engine.flow.trades.taker_orders import TakerOrder

QUANTILE = 0.99
MEMORY = 2_000
WARM = 200


class LargeOrders:
    """An order counts when it is not below the 0.99 quantile of the last 2000 (at least 200) before it, and not below
    `floor` in quote units. The order itself is never part of its own threshold."""

    __slots__ = ("_sizes", "_tail_serves", "floor", "quantile", "seen", "tick", "warm_after")

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
        self._tail_serves = self._sizes.serves(quantile)

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
        sizes, size = self._sizes, order.size
        # Most orders are far below: a quantile that lies in the tail is never below the tail's floor.
        threshold = self.threshold if size >= sizes.floor or not self._tail_serves else None
        sizes.add(size)
        self.seen += 1
        if threshold is None or order.size < threshold or order.size * order.vwap * self.tick < self.floor:
            return None
        evidence = {"threshold": threshold, "fills": float(order.fills), "levels": float(order.levels)}
        return Detection("large_order", order.t_ns, order.side, order.size, order.vwap * self.tick, evidence, quality)
