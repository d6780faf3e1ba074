"""Latencies by the microsecond, in memory that does not grow."""

from __future__ import annotations

from array import array

SLOTS = 50_000
"""One per microsecond; later ones are counted together."""


class Histogram:
    """Counts latencies; used by one thread."""

    def __init__(self) -> None:
        self.slots = array("q", bytes(8 * (SLOTS + 1)))
        self.count = 0
        self.worst_ns = 0

    def add(self, latency_ns: int) -> None:
        self.slots[min(max(latency_ns, 0) // 1000, SLOTS)] += 1
        self.count += 1
        if latency_ns > self.worst_ns:
            self.worst_ns = latency_ns

    def ms(self, share: float) -> float:
        """The latency in ms that `share` (0 … 1) of all stay below or reach."""
        left = share * self.count
        for slot, count in enumerate(self.slots[:SLOTS]):
            left -= count
            if left <= 0:
                return slot / 1000
        return self.worst_ns / 1e6

    def row(self) -> tuple[float, float, float, float]:
        """p50, p99, p99.9 and the worst in ms."""
        return self.ms(0.50), self.ms(0.99), self.ms(0.999), self.worst_ns / 1e6
