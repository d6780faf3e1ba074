"""A strategy's opinion. It is not an order: only the risk gate turns wishes into orders."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Direction = Literal["buy", "sell", "flat"]


class Signal(Struct, frozen=True, gc=False, tag="signal"):
    """What a strategy thinks of a symbol at one moment.

    `strength` and `confidence` lie in 0 … 1 (`confidence` None while nobody has measured it); `price` is the mid at
    that moment in quote units; `at_ns` is the `received_ns` of the event that caused it.
    """

    strategy: str
    venue: str
    symbol: str
    direction: Direction
    strength: float
    price: float
    at_ns: int
    reason: str
    confidence: float | None = None
    source: str = "stream"
