"""Resting size over time and price: a column for each second, a cell the mean by time of what stood in its prices."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import floor, log10

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.flow.section import SECOND_NS, Changes, Section
from engine.market.book import Book
from engine.market.events import Levels

REACH_BPS = 25.0
ROWS = 250
COLUMNS = 600
WATCHED_NS = 60 * SECOND_NS
SAMPLE_NS = 5 * SECOND_NS
ROWS_REMEMBERED = 20_000


def nice_ticks(ticks: float) -> int:
    """The whole number of the form 1, 2 or 5 times a power of ten that is nearest to `ticks` in proportion."""
    if ticks <= 1.0:
        return 1
    power = int(10 ** floor(log10(ticks)))
    return min([n * power for n in (1, 2, 5, 10)], key=lambda n: max(n / ticks, ticks / n))


class Column(Struct, frozen=True):
    """One column: `sizes` from bin `lowest` upward, NaN throughout where the book was not known.

    `exact`: the mean by time over the column; otherwise what stood at its beginning.
    """

    begin_ns: int
    end_ns: int
    lowest: int
    sizes: NDArray[np.float32]
    exact: bool = True


class Picture(Struct, frozen=True):
    """Columns side by side, not all equally long, and with holes where nothing was known.

    `cells[row][column]`; row 0 begins at `lowest · bin_ticks` ticks; NaN: unknown.
    """

    lowest: int
    bin_ticks: int
    begin_ns: Sequence[int]
    end_ns: Sequence[int]
    exact: Sequence[bool]
    cells: NDArray[np.float32]


class Heatmap(Section):
    """A book around its mid over time, in bounded memory; the present column is not in it yet.

    While somebody looks (and for a minute after), a column is a second and its cells are exact. Otherwise it is a
    sample of the book every five seconds: what nobody sees must not cost what every update costs.
    """

    __slots__ = (
        "_area", "_begin_ns", "_end_ns", "_exact", "_known_ns", "_live", "_lowest", "_next_ns", "_reach", "_row_of",
        "_sizes", "_watched_ns", "bin_ticks", "column_ns", "columns", "rows", "tick",
    )  # fmt: skip

    def __init__(
        self, tick: float, *, column_ns: int = SECOND_NS, columns: int = COLUMNS, rows: int = ROWS, bin_ticks: int = 0
    ) -> None:
        """`bin_ticks` 0: chosen at the first book, so that about `rows` bins cover 25 bps either way."""
        self.tick = tick
        self.column_ns = column_ns
        self.rows = rows
        self.bin_ticks = bin_ticks
        self.columns: deque[Column] = deque(maxlen=columns)
        self._row_of: dict[float, int] = {}
        self._lowest = 0
        self._sizes = [0.0] * rows
        self._area = [0.0] * rows
        """Size times the time that is left of the column when it came (less that of what went)."""
        self._begin_ns = self._end_ns = self._known_ns = 0
        self._live = self._exact = False
        self._watched_ns = self._next_ns = 0
        """Until when somebody looks, and when the next sample is due if nobody does."""
        self._reach = (0.0, 0.0)
        """The prices between which the best bid may move before the picture follows it."""

    def watch(self, t_ns: int) -> None:
        """Somebody looks at `t_ns`: from the next update on columns are exact. From any thread."""
        self._watched_ns = max(self._watched_ns, t_ns + WATCHED_NS)
        if not self._exact:
            self._next_ns = 0

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        if not self._exact:
            if t_ns < self._next_ns:
                return
            if t_ns >= self._watched_ns:
                self._sample(t_ns, book)
                return
            self._exact = True
        if t_ns >= self._end_ns:
            self._turn(t_ns)
            if not self._exact:
                return
        touch = book.touch
        if touch is None or touch[0] > touch[1]:
            self.on_reset(t_ns, "no mid")
            return
        if changes is None or not self._live:
            self._begin(t_ns, book, touch[0])
            return
        if not self._reach[0] <= touch[0] <= self._reach[1]:
            self._recentre(t_ns, book, touch[0])
            return
        self._take(changes.bids, changes.bids_before, self._end_ns - t_ns)
        self._take(changes.asks, changes.asks_before, self._end_ns - t_ns)

    def on_reset(self, t_ns: int, reason: str) -> None:
        if self._live:
            if t_ns >= self._end_ns:
                self._turn(t_ns)
            self._weigh(t_ns, -1.0)
            self._live = False

    def on_timer(self, t_ns: int) -> None:
        if self._exact and self._end_ns and t_ns >= self._end_ns:
            self._turn(t_ns)

    def picture(self) -> Picture | None:
        """All columns, brought to the prices of the newest; None before the first. Counts as looking."""
        self.watch(max(self._end_ns, self._next_ns))
        columns = list(self.columns)
        if not columns:
            return None
        lowest = columns[-1].lowest
        cells = np.full((self.rows, len(columns)), np.nan, dtype=np.float32)
        for place, column in enumerate(columns):
            shift = column.lowest - lowest
            begin, end = max(shift, 0), min(self.rows + shift, self.rows)
            if begin < end:
                cells[begin:end, place] = column.sizes[begin - shift : end - shift]
        begins, ends = [column.begin_ns for column in columns], [column.end_ns for column in columns]
        return Picture(lowest, self.bin_ticks, begins, ends, [column.exact for column in columns], cells)

    def _sample(self, t_ns: int, book: Book) -> None:
        """Add a column of what stands now."""
        self._next_ns = (t_ns // SAMPLE_NS + 1) * SAMPLE_NS
        touch = book.touch
        if touch is None or touch[0] > touch[1]:
            return
        self._centre(touch[0])
        sizes = np.array(self._stands(book), dtype=np.float32)
        self.columns.append(Column(t_ns, self._next_ns, self._lowest, sizes, exact=False))

    def _take(self, levels: Levels, before: Sequence[float], left_ns: int) -> None:
        sizes, area, row_of = self._sizes, self._area, self._row_of.get
        for (price, size), known in zip(levels, before, strict=True):
            row = row_of(price)
            if row is None:
                row = self._row(price)
            if row >= 0:
                change = size - known
                sizes[row] += change
                area[row] += change * left_ns

    def _row(self, price: float) -> int:
        """The row of a price, -1 for one that is out of the picture; remembered until the picture moves."""
        row = round(price / self.tick) // self.bin_ticks - self._lowest
        row = self._row_of[price] = row if 0 <= row < self.rows else -1
        return row

    def _begin(self, t_ns: int, book: Book, best: float) -> None:
        """The book is known from here on."""
        if self._live:
            self._weigh(t_ns, -1.0)
        self._centre(best)
        self._fill(book)
        self._weigh(t_ns, 1.0)
        self._live = True

    def _recentre(self, t_ns: int, book: Book, best: float) -> None:
        """Follow the market: the column so far is shifted, and rows that come into view are known from now on."""
        lowest = self._lowest
        self._weigh(t_ns, -1.0)
        self._centre(best)
        shift = self._lowest - lowest
        area = np.zeros(self.rows)
        begin, end = max(shift, 0), min(self.rows + shift, self.rows)
        if begin < end:
            area[begin - shift : end - shift] = np.array(self._area)[begin:end]
        self._area = area.tolist()
        self._fill(book)
        self._weigh(t_ns, 1.0)

    def _centre(self, best: float) -> None:
        ticks = round(best / self.tick)
        if not self.bin_ticks:
            self.bin_ticks = nice_ticks(2 * REACH_BPS / 1e4 * ticks / self.rows)
        self._lowest = ticks // self.bin_ticks - self.rows // 2
        self._row_of.clear()
        quarter = self.rows / 4 * self.bin_ticks * self.tick
        self._reach = best - quarter, best + quarter

    def _fill(self, book: Book) -> None:
        """Take over the sizes as they stand."""
        self._sizes = self._stands(book)

    def _stands(self, book: Book) -> list[float]:
        """By row, what stands now."""
        half = self.tick / 2
        bottom, width = self._lowest * self.bin_ticks * self.tick - half, self.bin_ticks * self.tick
        prices, sizes = book.between(bottom, bottom + self.rows * width)
        rows = ((np.array(prices) - bottom) / width).astype(np.int64)
        found: list[float] = np.bincount(rows, weights=sizes, minlength=self.rows)[: self.rows].tolist()
        return found

    def _weigh(self, t_ns: int, sign: float) -> None:
        """Count the present sizes for what is left of the column, or take that back."""
        left = sign * (self._end_ns - t_ns)
        self._known_ns += int(left)
        self._area = [area + left * size for area, size in zip(self._area, self._sizes, strict=True)]

    def _turn(self, t_ns: int) -> None:
        """End the column, and begin the one that `t_ns` is in."""
        if self._end_ns and self._known_ns > 0:
            sizes = (np.array(self._area) / self._known_ns).astype(np.float32)
            np.maximum(sizes, 0.0, out=sizes)
        else:
            sizes = np.full(self.rows, np.nan, dtype=np.float32)
        if self._end_ns:
            self.columns.append(Column(self._begin_ns, self._end_ns, self._lowest, sizes))
        if t_ns >= self._watched_ns:
            # Nobody looks any more.
            self._exact = self._live = False
            self._end_ns, self._next_ns = 0, t_ns
            return
        width = self.column_ns
        self._begin_ns = t_ns // width * width
        self._end_ns = self._begin_ns + width
        self._known_ns = width if self._live else 0
        scale = float(width) if self._live else 0.0
        self._area = [size * scale for size in self._sizes]
        if len(self._row_of) > ROWS_REMEMBERED:
            self._row_of.clear()
