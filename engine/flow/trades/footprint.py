"""Footprint bars: what was bought and sold in each bin of prices while a bar lasted."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10

from engine.flow.statistics.windows import SortedWindow

BINS = 10_000
"""Bins away from a bar's first price at most; a print further out is counted in `dropped`."""
DIAGONAL = 3.0
STACK = 3


def nice_bin(mid_ticks: float, share: float = 1e-4) -> int:
    """How many ticks a bin spans: of 1, 2, 5, 10, 20, 50 … the nearest to `share` (one basis point) of the price."""
    wanted = mid_ticks * share
    if wanted <= 1.0:
        return 1
    power: int = 10 ** floor(log10(wanted))
    return min((power, 2 * power, 5 * power, 10 * power), key=lambda step: abs(step - wanted))


class Cell:
    """One bin of a bar: volume by side, and how many trades."""

    __slots__ = ("buy", "sell", "trades", "unsigned")

    def __init__(self) -> None:
        self.sell = self.buy = self.unsigned = 0.0
        self.trades = 0

    @property
    def total(self) -> float:
        return self.sell + self.buy + self.unsigned


class Footprint:
    """One bar, or a whole session: bin → cell, bin = floor(price in ticks / `bin_ticks`)."""

    __slots__ = (
        "_anchor", "_cell", "_price", "bin_ticks", "cells", "delta", "dropped", "high_delta", "low_delta",
    )  # fmt: skip

    def __init__(self, bin_ticks: int) -> None:
        self.bin_ticks = bin_ticks
        self.cells: dict[int, Cell] = {}
        self.delta = 0.0
        """Bought minus sold so far; `high_delta` and `low_delta` are how far it ran on the way."""
        self.high_delta = self.low_delta = 0.0
        self.dropped = 0
        self._anchor: int | None = None
        self._price = -1.0
        self._cell: Cell | None = None
        """The cell of the last price: fills come in runs."""

    def add(self, price: float, size: float, side: int) -> None:
        """Take a trade; price in ticks."""
        cell = self._cell if price == self._price else self._cell_at(price)
        if cell is None:
            self.dropped += 1
            return
        cell.trades += 1
        if side > 0:
            cell.buy += size
            self.delta = delta = self.delta + size
            if delta > self.high_delta:
                self.high_delta = delta
        elif side:
            cell.sell += size
            self.delta = delta = self.delta - size
            if delta < self.low_delta:
                self.low_delta = delta
        else:
            cell.unsigned += size

    def _cell_at(self, price: float) -> Cell | None:
        """The cell of a price, a new one for a new bin; None too far out."""
        place = int(price // self.bin_ticks)
        cell = self.cells.get(place)
        if cell is None:
            if self._anchor is None:
                self._anchor = place
            if abs(place - self._anchor) <= BINS:
                cell = self.cells[place] = Cell()
        self._price, self._cell = price, cell
        return cell

    @property
    def point_of_control(self) -> int | None:
        """The bin with most volume, the lowest of equals; None before the first trade."""
        return min(self.cells, key=lambda place: (-self.cells[place].total, place)) if self.cells else None

    def imbalances(self, times: float = DIAGONAL) -> dict[int, int]:
        """Bins whose buyers outweigh the sellers one bin below (+1), or whose sellers the buyers one bin above (-1).

        Compared diagonally, because both took from the same spread; only bins whose volume reaches the bar's 75 %
        quantile count.
        """
        sizes = SortedWindow(max(len(self.cells), 1))
        for cell in self.cells.values():
            sizes.add(cell.total)
        least = sizes.quantile(0.75)
        found: dict[int, int] = {}
        if least is None:
            return found
        for place, cell in self.cells.items():
            below, above = self.cells.get(place - 1), self.cells.get(place + 1)
            if cell.total < least:
                continue
            if cell.buy >= times * (below.sell if below else 0.0) and cell.buy > 0.0:
                found[place] = 1
            elif cell.sell >= times * (above.buy if above else 0.0) and cell.sell > 0.0:
                found[place] = -1
        return found

    def stacked(self) -> list[tuple[int, int, int]]:
        """(lowest bin, highest bin, side) of every run of three or more imbalanced bins in a row."""
        return stacks(self.imbalances())


def stacks(imbalances: Mapping[int, int], least: int = STACK) -> list[tuple[int, int, int]]:
    """Runs of `least` or more neighbouring bins of one side, lowest first: (lowest, highest, side)."""
    runs: list[tuple[int, int, int]] = []
    for place in sorted(imbalances):
        side = imbalances[place]
        if runs and runs[-1][1] == place - 1 and runs[-1][2] == side:
            runs[-1] = (runs[-1][0], place, side)
        else:
            runs.append((place, place, side))
    return [run for run in runs if run[1] - run[0] + 1 >= least]
