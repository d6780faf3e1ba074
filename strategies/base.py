"""The class to inherit for a strategy. Its fields are its parameters; no I/O, no clock, no orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from engine.flow.analyzer import FlowMetrics
from engine.market.book import BookView
from engine.market.events import FeedStatus, Trade
from engine.market.signal import Signal
from engine.strategy.hooks import unused
from engine.strategy.params import param

__all__ = ["FlowMetrics", "Strategy", "param"]


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

    @unused
    def on_flow(self, flow: FlowMetrics) -> Iterable[Signal]:
        """The order flow as it stands, up to four times a second: `flow["imbalance_10"]` is None while not known.

        It is worked out only for strategies that write this.
        """
        return ()

    def on_status(self, status: FeedStatus) -> None:
        """The feed's state changed: forget here what a gap poisons."""

    def readings(self) -> Mapping[str, float]:
        """Numbers of yours to show beside the chart."""
        return {}
