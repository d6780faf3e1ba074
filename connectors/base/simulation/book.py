"""The simulator's own book: integer ticks and lots, with a memory of what it was at each update.

Both sides are kept in the same order: a level's `key` is its tick for asks and minus its tick for bids, so that the
best price is always the smallest key and `best + distance` lies away from the touch.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

from connectors.base.simulation.symbols import SimulatedInstrument
from engine.market.events import BookDelta, Level, Levels

SEGMENT = 256
"""Deltas between two remembered whole books."""


class Side:
    """One side of the book. `sizes` maps keys to lots, `keys` is ascending, `walls` are keys of big resting orders."""

    __slots__ = ("keys", "sign", "sizes", "walls")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.sizes: dict[int, int] = {}
        self.keys: list[int] = []
        self.walls: dict[int, int] = {}
        """When each wall will be pulled, in UTC nanoseconds, by key."""

    def set(self, key: int, lots: int) -> None:
        """Set the size at `key`; 0 removes the level."""
        sizes = self.sizes
        if lots:
            if key not in sizes:
                insort(self.keys, key)
            sizes[key] = lots
        elif key in sizes:
            del sizes[key]
            keys = self.keys
            del keys[bisect_left(keys, key)]


class Scale:
    """Ticks and lots to prices and sizes: the doubles nearest to the decimals, by one division of integers."""

    __slots__ = ("_lot", "_lot_unit", "_tick", "_tick_unit")

    def __init__(self, instrument: SimulatedInstrument) -> None:
        self._tick_unit: int = 10**instrument.price_decimals
        self._lot_unit: int = 10**instrument.size_decimals
        self._tick = int(instrument.tick.replace(".", ""))
        self._lot = int(instrument.lot.replace(".", ""))

    def price(self, key: int) -> float:
        return abs(key) * self._tick / self._tick_unit

    def size(self, lots: int) -> float:
        return lots * self._lot / self._lot_unit

    def lots(self, size: float) -> int:
        """The nearest whole number of lots, at least one."""
        return max(1, round(size * self._lot_unit / self._lot))

    def level(self, key: int, lots: int) -> Level:
        return abs(key) * self._tick / self._tick_unit, lots * self._lot / self._lot_unit

    def levels(self, side: Side, depth: int | None = None) -> Levels:
        """The best `depth` levels of a side (all for None), best first."""
        sizes = side.sizes
        return tuple([self.level(key, sizes[key]) for key in side.keys[:depth]])


class History:
    """What the book was after each of the last updates (at least `updates` of them, unless fewer happened)."""

    __slots__ = ("_open", "_segments")

    def __init__(self, updates: int) -> None:
        self._segments: deque[tuple[int, dict[float, float], dict[float, float], list[BookDelta]]] = deque(
            maxlen=updates // SEGMENT + 2
        )
        self._open: list[BookDelta] = []

    @property
    def full(self) -> bool:
        """Whether a whole book is due before the next delta."""
        return not self._segments or len(self._open) >= SEGMENT

    def begin(self, sequence: int, bids: Levels, asks: Levels) -> None:
        """Remember the whole book as it is after update `sequence`."""
        self._open = []
        self._segments.append((sequence, dict(bids), dict(asks), self._open))

    def add(self, delta: BookDelta) -> None:
        self._open.append(delta)

    def oldest(self) -> tuple[int, Levels, Levels] | None:
        """The first book that is remembered: its update, bids and asks; None before the first update."""
        if not self._segments:
            return None
        sequence, bids, asks, _ = self._segments[0]
        return sequence, tuple(bids.items()), tuple(asks.items())

    def at(self, sequence: int, depth: int | None) -> tuple[Levels, Levels] | None:
        """Bids and asks after update `sequence`; None if it is forgotten, not yet there or inside a delta."""
        for start, bids, asks, deltas in reversed(self._segments):
            if start > sequence:
                continue
            bids, asks, reached = bids.copy(), asks.copy(), start
            for delta in deltas:
                if reached == sequence:
                    break
                _patch(bids, delta.bids)
                _patch(asks, delta.asks)
                reached = delta.last_sequence or 0
            if reached != sequence:
                return None
            return tuple(sorted(bids.items(), reverse=True)[:depth]), tuple(sorted(asks.items())[:depth])
        return None


def _patch(side: dict[float, float], levels: Levels) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def conflate(deltas: Sequence[BookDelta]) -> BookDelta | None:
    """Consecutive deltas of one symbol as a single one (what a venue sends every 100 ms); None for none."""
    if not deltas:
        return None
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for delta in deltas:
        bids.update(delta.bids)
        asks.update(delta.asks)
    last = deltas[-1]
    return BookDelta(
        last.venue, last.symbol, tuple(bids.items()), tuple(asks.items()), deltas[0].first_sequence,
        last.last_sequence, last.exchange_ns, last.received_ns, last.source,
    )  # fmt: skip
