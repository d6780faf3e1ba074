"""What a detector reports."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from engine.flow.readings import Quality


class Detection(Struct, frozen=True):
    """One event. `kind` is the detector's word for it; `side` is +1, -1, or 0 where there is none.

    `size` is in base units, `price` in quote units (None where the event has none). `evidence` holds the figures that
    made it one, by name.
    """

    kind: str
    t_ns: int
    side: int
    size: float
    price: float | None
    evidence: Mapping[str, float]
    quality: Quality = Quality.EXACT
