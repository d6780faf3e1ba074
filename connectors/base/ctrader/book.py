"""cTrader's market depth: a map of quotes by their id, in which several may stand at one price.

1. The first message after subscribing carries every quote.
2. A later one inserts or overwrites `newQuotes` and removes `deletedQuotes`; unknown ids to remove are ignored.
3. There are no numbers and no checksums. A book may be crossed (several liquidity providers).
"""

from __future__ import annotations

from msgspec import Struct

from connectors.base.ctrader.wire import PRICE_UNIT, SIZE_UNIT, Depth, Spot
from engine.errors import DecodeError
from engine.market.events import Levels

DIFFERS_TICKS, DIFFERS_NS = 3, 2_000_000_000
LOSSES_TAKEN = 2
"""A broker whose depth still differs from its prices after so many new beginnings means it so."""

_Key = tuple[bool, int]
"""(whether it is a bid, price)."""


class Change(Struct, frozen=True):
    """New sizes by price, absolute, 0 where a price is gone; `whole` when it is all there is."""

    bids: Levels
    asks: Levels
    whole: bool


class QuoteMap:
    """One symbol's depth and best prices, in the venue's units."""

    def __init__(self) -> None:
        self.bid: int | None = None
        self.ask: int | None = None
        self.losses = 0
        self._quotes: dict[int, tuple[_Key, int]] = {}
        self._sizes: dict[_Key, int] = {}
        self._fresh = True
        self._given_up = False
        """The book was found wrong: what is said of it until it begins anew is of no use."""
        self._differs_since_ns: int | None = None

    def begin(self) -> None:
        """The next message carries every quote."""
        self._quotes.clear()
        self._sizes.clear()
        self._fresh = True
        self._given_up = False
        self._differs_since_ns = None

    def apply(self, depth: Depth) -> Change | None:
        """Take one message; None while the book is given up.

        Raises:
            DecodeError: a quote has no side, or a size below zero; nothing of the message is taken.
        """
        for quote in depth.newQuotes:
            if (quote.bid is None) == (quote.ask is None) or quote.size < 0:
                raise DecodeError(f"ctrader depth: quote {quote.id} has no side, or both, or the size {quote.size}")
        if self._given_up:
            return None
        touched: set[_Key] = set()
        for identifier in depth.deletedQuotes:
            self._remove(identifier, touched)
        for quote in depth.newQuotes:
            self._remove(quote.id, touched)
            key = (True, quote.bid) if quote.bid is not None else (False, quote.ask or 0)
            if quote.size:
                self._quotes[quote.id] = key, quote.size
                self._sizes[key] = self._sizes.get(key, 0) + quote.size
                touched.add(key)
        whole, self._fresh = self._fresh, False
        bids = sorted([price for bid, price in touched if bid], reverse=True)
        asks = sorted([price for bid, price in touched if not bid])
        return Change(self._levels(True, bids), self._levels(False, asks), whole)

    def note(self, spot: Spot) -> bool:
        """Take new best prices (a side that is not told stays as it is); whether both are known."""
        self.bid = spot.bid if spot.bid else self.bid
        self.ask = spot.ask if spot.ask else self.ask
        return self.bid is not None and self.ask is not None

    def size_at(self, bid: bool, price: int) -> float:
        """What stands at a price; 0 where the depth does not show it."""
        return self._sizes.get((bid, price), 0) / SIZE_UNIT

    def disagrees(self, tick: int, now_ns: int) -> bool:
        """Whether depth and best prices have been more than three ticks apart for over two seconds."""
        if self._fresh or self.losses >= LOSSES_TAKEN or not self._is_apart(DIFFERS_TICKS * tick):
            self._differs_since_ns = None
            return False
        if self._differs_since_ns is None:
            self._differs_since_ns = now_ns
        if now_ns - self._differs_since_ns <= DIFFERS_NS:
            return False
        self.losses += 1
        self.begin()
        self._given_up = True
        return True

    def _is_apart(self, most: int) -> bool:
        best_bid = max([price for bid, price in self._sizes if bid], default=None)
        best_ask = min([price for bid, price in self._sizes if not bid], default=None)
        return any(
            best is not None and told is not None and abs(best - told) > most
            for best, told in ((best_bid, self.bid), (best_ask, self.ask))
        )

    def _remove(self, identifier: int, touched: set[_Key]) -> None:
        key, size = self._quotes.pop(identifier, (None, 0))
        if key is None:
            return
        left = self._sizes[key] - size
        if left:
            self._sizes[key] = left
        else:
            del self._sizes[key]
        touched.add(key)

    def _levels(self, bid: bool, prices: list[int]) -> Levels:
        return tuple([(price / PRICE_UNIT, self._sizes.get((bid, price), 0) / SIZE_UNIT) for price in prices])
