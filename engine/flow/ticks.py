"""The price step of a market, where nobody names it."""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

SCALE = 10**9


class TickFinder:
    """The largest step that all prices are multiples of: the true one after a few hundred different prices."""

    __slots__ = ("_step", "prices")

    def __init__(self) -> None:
        self.prices = 0
        self._step = 0

    def add(self, price: float) -> None:
        self.prices += 1
        self._step = gcd(self._step, round(price * SCALE))

    def add_all(self, prices: Iterable[float]) -> None:
        for price in prices:
            self.add(price)

    @property
    def tick(self) -> float | None:
        """In quote units; None before the first price."""
        return self._step / SCALE if self._step else None
