"""Walls: resting sizes far above what stands around them, that last."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import neg

from engine.flow.detectors.detection import Detection
from engine.flow.readings import Quality

TIMES_MEDIAN = 8.0
WITHIN_BPS = 50.0
ALIVE_NS = 3_000_000_000
FEW = 5
"""Below so many levels there is no usual size to compare with."""


class Walls:
    """Looks at the book once a second. A wall is a level within 50 bp of the mid whose size is at least 8 times the
    median there, seen so for 3 s without a break; reported once. `standing` are those there now: price → since when.

    `side` is +1 for a bid, -1 for an ask. Quality is partial while the levels given end before 50 bp.
    """

    __slots__ = ("_reported", "_since")

    def __init__(self) -> None:
        self._since: dict[tuple[int, float], int] = {}
        self._reported: set[tuple[int, float]] = set()

    @property
    def standing(self) -> dict[float, int]:
        """Walls that were reported and still stand, price → first seen."""
        return {price: self._since[side, price] for side, price in self._reported}

    def on_second(
        self, t_ns: int, mid: float | None,
        bids: tuple[Sequence[float], Sequence[float]], asks: tuple[Sequence[float], Sequence[float]],
    ) -> list[Detection]:  # fmt: skip
        """Take the columns of the book (prices and sizes of each side, best first; prices in the unit of the mid)."""
        if mid is None:
            self.on_reset()
            return []
        reach = mid * WITHIN_BPS / 1e4
        (bid_prices, bid_sizes), (ask_prices, ask_sizes) = bids, asks
        near_bids = bid_sizes[: bisect_right(bid_prices, reach - mid, key=neg)]
        near_asks = ask_sizes[: bisect_right(ask_prices, mid + reach)]
        partial = len(near_bids) == len(bid_prices) or len(near_asks) == len(ask_prices)
        sizes = sorted([*near_bids, *near_asks])
        usual = (sizes[(len(sizes) - 1) // 2] + sizes[len(sizes) // 2]) / 2 if len(sizes) >= FEW else 0.0
        least = TIMES_MEDIAN * usual
        seen: dict[tuple[int, float], float] = {}
        if usual and sizes[-1] >= least:
            seen = {(1, price): size for price, size in zip(bid_prices, near_bids, strict=False) if size >= least}
            seen |= {(-1, price): size for price, size in zip(ask_prices, near_asks, strict=False) if size >= least}
        return self._compare(t_ns, seen, usual, Quality.PARTIAL if partial else Quality.EXACT)

    def on_reset(self) -> None:
        """The book is unknown: nothing was seen to last."""
        self._since.clear()
        self._reported.clear()

    def _compare(
        self, t_ns: int, seen: dict[tuple[int, float], float], usual: float, quality: Quality
    ) -> list[Detection]:
        self._since = {key: self._since.get(key, t_ns) for key in seen}
        self._reported &= seen.keys()
        found = []
        for (side, price), since in self._since.items():
            if t_ns - since >= ALIVE_NS and (side, price) not in self._reported:
                self._reported.add((side, price))
                size = seen[side, price]
                evidence = {"times_median": size / usual, "alive_s": (t_ns - since) / 1e9}
                found.append(Detection("wall", t_ns, side, size, price, evidence, quality))
        return found
