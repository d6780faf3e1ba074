"""What a strategy hears: a run of events, and the book that those very events make.

The strategy's book is its own, built here from the events that it is told, and from nothing else. So what it says
depends on the events alone: not on how many of them reached the engine at once, not on how far behind its thread is,
and not on whether a venue or a recording brought them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from engine.feed.feed_copy import FeedCopy
from engine.flow.analyzer import FlowMetrics
from engine.market.book import BookView
from engine.market.events import BookDelta, BookSnapshot, FeedStatus, MarketEvent, Quote, Trade
from engine.market.signal import Signal

BACK_NS = 1_000_000_000
"""Time that runs back by more than this means that a recording is played from another place."""


class StrategyLike(Protocol):
    """What is called; `strategies/base.py` has the class to inherit."""

    def on_book(self, book: BookView) -> Iterable[Signal]: ...

    def on_trade(self, trade: Trade) -> Iterable[Signal]: ...

    def on_flow(self, flow: FlowMetrics) -> Iterable[Signal]: ...

    def on_status(self, status: FeedStatus) -> None: ...

    def readings(self) -> Mapping[str, float]: ...


class Runner:
    """One strategy on one feed, without a thread. Where time runs back (a replay was moved) `again` makes a new one."""

    def __init__(self, strategy: StrategyLike, again: Callable[[], StrategyLike]) -> None:
        self.strategy = strategy
        self.updates = 0
        self.feed: FeedCopy | None = None
        """The line as the strategy knows it; None before the first event, which names venue and symbol."""
        self._again = again
        self._newest_ns = 0

    def take(self, event: MarketEvent) -> Iterable[Signal]:
        """Tell the strategy one event; what it says, which must be read before the next call."""
        kind = type(event)
        if kind is Quote:
            return ()  # strategies are told of books, and quotes change none
        feed = self.feed
        if feed is None:
            feed = self.feed = FeedCopy(event.venue, event.symbol)
        if kind is not BookDelta and kind is not FeedStatus:
            self._watch_time(event.received_ns)
        feed.push(event)
        if kind is BookDelta or kind is BookSnapshot:
            view = feed.view
            if view is None:
                return ()
            self.updates += 1
            return self.strategy.on_book(view)
        if kind is Trade:
            self.updates += 1
            return self.strategy.on_trade(event)  # type: ignore[arg-type]
        if kind is FeedStatus:
            self.strategy.on_status(event)  # type: ignore[arg-type]
        return ()

    def _watch_time(self, at_ns: int) -> None:
        # Updates that were kept for a snapshot, and statuses that are told again, are older without any such reason.
        if at_ns < self._newest_ns - BACK_NS:
            self.strategy = self._again()
        self._newest_ns = at_ns
