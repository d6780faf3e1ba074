"""How a book stands, and what that means for what is measured on it."""

from __future__ import annotations

from enum import StrEnum


class BookState(StrEnum):
    """Judged after every book event.

    OK: all is measured. LOCKED (bid = ask): spread 0, not added to its history. CROSSED: only the raw spread is given;
    normal before an auction. EMPTY_*: the depth of the empty side is 0, nothing that needs both sides is known. STALE:
    the last values, with their age. RESYNC (a gap until the next snapshot): nothing is known. HALTED: only when the
    venue says so. Signals are allowed in OK alone.
    """

    OK = "ok"
    LOCKED = "locked"
    CROSSED = "crossed"
    EMPTY_BID = "empty_bid"
    EMPTY_ASK = "empty_ask"
    EMPTY = "empty"
    STALE = "stale"
    RESYNC = "resync"
    HALTED = "halted"

    @property
    def two_sided(self) -> bool:
        """Whether there is a mid."""
        return self in (BookState.OK, BookState.LOCKED, BookState.STALE, BookState.HALTED)


def state_of(bid: float | None, ask: float | None) -> BookState:
    """The state by the best prices alone; None for a side without a level."""
    if bid is None:
        return BookState.EMPTY if ask is None else BookState.EMPTY_BID
    if ask is None:
        return BookState.EMPTY_ASK
    if bid < ask:
        return BookState.OK
    return BookState.LOCKED if bid == ask else BookState.CROSSED
