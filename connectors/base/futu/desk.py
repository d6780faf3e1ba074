"""Single questions to OpenD (books, lists), on a connection of their own that is there while somebody asks.

OpenD gives a book only of what is subscribed to: a symbol is subscribed to, without push, the first time it is asked
for. The subscription ends with the connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock, get_ident
from typing import Any

from connectors.base.futu.gateway import Gateway, Question
from engine.errors import Disconnected, FeedError

log = logging.getLogger(__name__)

TYPES = ("STOCK", "ETF")
"""What is listed of each market; OpenD knows hundreds of thousands of warrants and options besides."""

CODES_PER_CALL, MOST_CALLS = 400, 10
"""Of snapshots; OpenD allows sixty in half a minute."""


class Desk:
    """Asks on behalf of any thread; the last one to leave closes the connection.

    `make` gives an unopened connection, `may_call` waits until OpenD may be called again and raises Disconnected when
    that will not be.
    """

    def __init__(self, make: Callable[[], Gateway], may_call: Callable[[], None], open_s: float) -> None:
        self._make = make
        self._may_call = may_call
        self._open_s = open_s
        self._gateway: Gateway | None = None
        self._subscribed: set[str] = set()
        self._threads: set[int] = set()
        self._asking: set[int] = set()
        self._calling = Lock()
        """Held while the connection is made or left."""
        self._closed = False

    def book(self, symbol: str, depth: int) -> dict[str, Any]:
        """A book as the library reads it: `Bid` and `Ask` (price, size, more), times as text. Raises FeedError."""

        def ask(context: Any) -> tuple[int, Any]:
            if symbol not in self._subscribed:
                ret, answer = context.subscribe([symbol], ["ORDER_BOOK"], is_first_push=False, subscribe_push=False)
                if ret != 0:
                    return ret, answer
                self._subscribed.add(symbol)
            found: tuple[int, Any] = context.get_order_book(symbol, num=depth)
            return found

        found: dict[str, Any] = self._ask(ask)
        return found

    def listing(self, market: str) -> list[tuple[str, int]]:
        """The codes of a market and how many make a lot; what is no longer traded is left out. Raises FeedError."""
        rows: list[tuple[str, int]] = []
        for kind in TYPES:
            table = self._ask(partial(_basics, market, kind))
            columns = zip(table["code"], table["lot_size"], table["delisting"], strict=True)
            rows += [(str(code), int(lot)) for code, lot, gone in columns if gone is not True]
        return rows

    def steps(self, symbols: Sequence[str]) -> dict[str, float]:
        """The price steps at the present prices, as far as OpenD tells them; it is asked ten times at most."""
        found: dict[str, float] = {}
        for start in range(0, min(len(symbols), MOST_CALLS * CODES_PER_CALL), CODES_PER_CALL):
            codes = list(symbols[start : start + CODES_PER_CALL])
            try:
                table = self._ask(partial(_snapshots, codes))
            except FeedError as error:
                log.info("futu: no price steps: %s", error)
                break
            steps = zip(table["code"], table["price_spread"], strict=True)
            found |= {str(code): float(step) for code, step in steps if isinstance(step, float) and step > 0}
        return found

    def release(self, thread: int) -> None:
        """A thread asks nothing more."""
        with self._calling:
            self._threads.discard(thread)
            if not self._threads:
                self._hang_up()

    def abort(self, thread: int) -> None:
        """End a thread's call; others' calls on the same connection end too, and are made again."""
        gateway = self._gateway
        if thread in self._asking and gateway is not None:
            gateway.abort()

    def close(self) -> None:
        """End every call, for good."""
        self._closed = True
        gateway = self._gateway
        if gateway is not None:
            gateway.abort()

    def _ask(self, question: Question) -> Any:
        thread = get_ident()
        self._asking.add(thread)
        try:
            return self._connected(thread).ask(question)
        finally:
            self._asking.discard(thread)

    def _connected(self, thread: int) -> Gateway:
        with self._calling:
            self._threads.add(thread)
            if self._gateway is not None and self._gateway.ready:
                return self._gateway
            self._hang_up()
            self._may_call()
            made = self._gateway = self._make()
            if self._closed:
                raise Disconnected("the connector is closed")
            made.open(self._open_s)
            return made

    def _hang_up(self) -> None:
        gateway, self._gateway = self._gateway, None
        self._subscribed.clear()
        if gateway is not None:
            gateway.close()


def _basics(market: str, kind: str, context: Any) -> tuple[int, Any]:
    found: tuple[int, Any] = context.get_stock_basicinfo(market, kind)
    return found


def _snapshots(codes: list[str], context: Any) -> tuple[int, Any]:
    found: tuple[int, Any] = context.get_market_snapshot(codes)
    return found
