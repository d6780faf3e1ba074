"""The border between a feed and its order flow: what fails in the analysis does not reach the line."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.feed.mailbox import FeedKey
from engine.flow.section import Changes, Observer
from engine.market.book import Book
from engine.market.events import Quote, Trade

FAILED = "%s: the order flow has failed; it begins anew in half a minute"

log = logging.getLogger(__name__)


class FlowBorder(Observer):
    """Passes everything on to `inner` until that fails: `failed` is told of it once, then nothing is passed on.

    A fault in the analysis would otherwise travel up into the connection, be taken for a broken venue there, and cost
    everybody the book (docs/decisions/0009).
    """

    __slots__ = ("_failed", "_inner", "_key")

    def __init__(self, key: FeedKey, inner: Observer, failed: Callable[[Exception], None]) -> None:
        super().__init__(())
        self.last_ns = inner.last_ns
        self._key = key
        self._inner: Observer | None = inner
        self._failed = failed

    def hear(self, event: Quote | Trade) -> None:
        inner = self._inner
        if inner is not None:
            try:
                inner.hear(event)
            except Exception as error:  # the border: written out, for it stands in the way of every event
                log.exception(FAILED, self._key)
                self.fail(error)

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        inner = self._inner
        if inner is not None:
            try:
                inner.on_book(t_ns, book, changes)
            except Exception as error:  # the same border
                log.exception(FAILED, self._key)
                self.fail(error)

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.do(lambda inner: inner.on_bbo(t_ns, bid, bid_size, ask, ask_size))

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.do(lambda inner: inner.on_trade(t_ns, price, size, side, venue_ns, trade_id))

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.do(lambda inner: inner.on_reset(t_ns, reason))

    def on_lost_trades(self, count: int) -> None:
        self.do(lambda inner: inner.on_lost_trades(count))

    def on_interruption(self, t_ns: int) -> None:
        self.do(lambda inner: inner.on_interruption(t_ns))

    def on_time(self, t_ns: int) -> None:
        self.do(lambda inner: inner.on_time(t_ns))

    def do(self, act: Callable[[Observer], object]) -> None:
        """Do something with the analysis, if it has not failed."""
        inner = self._inner
        if inner is not None:
            try:
                act(inner)
            except Exception as error:  # the same border
                log.exception(FAILED, self._key)
                self.fail(error)

    def fail(self, error: Exception) -> None:
        """The analysis has failed."""
        if self._inner is not None:
            self._inner = None
            self._failed(error)
