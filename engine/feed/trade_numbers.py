"""Which trades are missing, came twice or out of order, where a venue numbers them one by one."""

from __future__ import annotations

from enum import IntEnum

MISSING_TRADES_KEPT = 2_000


class Place(IntEnum):
    """Where a trade stands among those before it."""

    NEXT = 0
    AFTER_GAP = 1
    LATE = 2
    """It was missing until now."""
    DUPLICATE = 3


class TradeNumbers:
    """The numbers of one symbol's trades. The oldest missing ones are forgotten beyond 2,000."""

    __slots__ = ("last", "lost", "missing")

    def __init__(self) -> None:
        self.last: int | None = None
        """The highest so far."""
        self.missing: dict[int, None] = {}
        self.lost = 0
        """How many are missing since the trade taken last; -1 when that was a missing one itself."""

    def take(self, number: int) -> Place:
        """Note a trade's number; where it stands."""
        last = self.last
        if last is None or number == last + 1:
            self.last = number
            return Place.NEXT
        if number > last:
            self.lost = number - last - 1
            self._note_missing(last + 1, number)
            self.last = number
            return Place.AFTER_GAP
        if number in self.missing:
            del self.missing[number]
            self.lost = -1
            return Place.LATE
        return Place.DUPLICATE

    def _note_missing(self, first: int, after: int) -> None:
        missing = self.missing
        for number in range(max(first, after - MISSING_TRADES_KEPT), after):
            missing[number] = None
        while len(missing) > MISSING_TRADES_KEPT:
            del missing[next(iter(missing))]
