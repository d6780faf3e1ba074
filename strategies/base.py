"""The class to inherit for a strategy. Its fields are its parameters; no I/O, no clock, no orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from engine.market.book import BookView
from engine.market.events import FeedStatus, Trade
from engine.market.signal import Signal
from engine.strategy.params import param

__all__ = ["Strategy", "param"]


@dataclass
class Strategy:
    """Override what you need; `yield Signal(...)` is speaking.

    Called by the engine on every update, in order, on one thread. State lives in fields with `field(init=False)`.
    """

    name: ClassVar[str]

    def on_book(self, book: BookView) -> Iterable[Signal]:
        """The book changed; `book` holds its best 50 levels per side."""
        return ()

    def on_trade(self, trade: Trade) -> Iterable[Signal]:
        """Somebody traded."""
        return ()

    def on_status(self, status: FeedStatus) -> None:
        """The feed's state changed: forget here what a gap poisons."""

    def readings(self) -> Mapping[str, float]:
        """Numbers of yours to show beside the chart."""
        return {}
