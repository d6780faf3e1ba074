"""How a figure is handed out: with the moment it is of, how far to trust it, and how the book stood."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from engine.flow.state import BookState


class Quality(StrEnum):
    """`estimated`: a side, a split of volume or a cancellation was inferred. `partial`: less was there than asked."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    PARTIAL = "partial"


class Reading(Struct, frozen=True):
    """One figure. `value` None means not known, never zero; `as_of_ns` is the last event that it rests on.

    `warm` is how far its window is filled, in 0 … 1.
    """

    value: float | None
    as_of_ns: int
    quality: Quality = Quality.EXACT
    warm: float = 1.0
    state: BookState = BookState.OK
