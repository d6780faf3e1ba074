"""The order book: the mutable one, private to its feed, and the immutable picture that everyone else sees.

A side is a dict (price → size) of every level and an ordered list of only its best prices: most changes of a real book
lie far from the touch and then cost one dict write. Prices are doubles that came from at most 15 significant decimal
digits, so equal decimals are equal keys (docs/decisions/0002).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from heapq import nlargest, nsmallest

from msgspec import Struct

from engine.errors import DecodeError
from engine.market.events import FeedState, Level, Levels, Source

Column = tuple[float, ...]
"""Prices or sizes of one side, best first."""

_INFINITY = float("inf")
_EMPTY: tuple[Column, Column] = ((), ())
WINDOW = 4
"""The ordered part of a side holds this many times the depth that is asked for after a refill, at most twice that."""


class BookView(Struct, frozen=True, gc=False):
    """The top of a book at one moment, in columns; best first on both sides, price and size at the same place.

    Sides may be empty. `state` tells whether it may be trusted: only LIVE is tradeable.
    """

    venue: str
    symbol: str
    bid_prices: Column
    bid_sizes: Column
    ask_prices: Column
    ask_sizes: Column
    sequence: int | None
    exchange_ns: int | None
    received_ns: int
    source: Source
    state: FeedState

    @property
    def bids(self) -> Levels:
        """(price, size) pairs, highest first."""
        return tuple(zip(self.bid_prices, self.bid_sizes, strict=True))

    @property
    def asks(self) -> Levels:
        """(price, size) pairs, lowest first."""
        return tuple(zip(self.ask_prices, self.ask_sizes, strict=True))

    @property
    def best_bid(self) -> float | None:
        return self.bid_prices[0] if self.bid_prices else None

    @property
    def best_ask(self) -> float | None:
        return self.ask_prices[0] if self.ask_prices else None

    @property
    def mid(self) -> float | None:
        """Halfway between best bid and best ask; None while a side is empty."""
        return (self.bid_prices[0] + self.ask_prices[0]) / 2 if self.bid_prices and self.ask_prices else None

    @property
    def spread(self) -> float | None:
        """Best ask minus best bid in quote units; None while a side is empty."""
        return self.ask_prices[0] - self.bid_prices[0] if self.bid_prices and self.ask_prices else None

    @property
    def spread_bps(self) -> float | None:
        """The spread in basis points of the mid; None while a side is empty."""
        mid, spread = self.mid, self.spread
        return spread / mid * 10_000 if mid and spread is not None else None

    def imbalance(self, levels: int) -> float | None:
        """`(bid - ask) / (bid + ask)` of the sizes in the first `levels` levels, in -1 … 1; None for an empty book."""
        bid, ask = sum(self.bid_sizes[:levels]), sum(self.ask_sizes[:levels])
        total = bid + ask
        return (bid - ask) / total if total > 0 else None


class _Side:
    """One side of a book. `sign` is -1 for bids and +1 for asks: `best` holds `sign * price`, ascending, best first.

    `best` holds every level whose signed price is at most `edge`; the others stand only in `sizes`.
    """

    __slots__ = ("best", "depth", "edge", "sign", "sizes", "top")

    def __init__(self, sign: float, depth: int) -> None:
        self.sign = sign
        self.depth = depth
        self.clear()

    def clear(self) -> None:
        self.sizes: dict[float, float] = {}
        self.best: list[float] = []
        self.edge = _INFINITY
        self.top: tuple[Column, Column] | None = _EMPTY

    def replace(self, levels: Iterable[Level]) -> None:
        sizes: dict[float, float] = {}
        for price, size in levels:
            if not (0.0 < price < _INFINITY and 0.0 < size < _INFINITY):
                raise DecodeError(f"level {price} × {size} in a snapshot: price and size must be above zero and finite")
            if price in sizes:
                raise DecodeError(f"price {price} stands twice on one side of a snapshot")
            sizes[price] = size
        self.sizes = sizes
        self.refill()

    def refill(self) -> None:
        """Order the best levels anew from the whole side."""
        reserve = self.depth * WINDOW
        sizes = self.sizes
        self.top = None
        if len(sizes) <= reserve:
            self.best = sorted([self.sign * price for price in sizes])
            self.edge = _INFINITY
        elif self.sign > 0:
            self.best = nsmallest(reserve, sizes)
            self.edge = self.best[-1]
        else:
            self.best = [-price for price in nlargest(reserve, sizes)]
            self.edge = self.best[-1]

    def apply(self, levels: Sequence[Level]) -> None:
        sizes, best, edge, sign = self.sizes, self.best, self.edge, self.sign
        touched = False
        for price, size in levels:
            if 0.0 < size < _INFINITY:
                if price * sign <= edge:
                    if price not in sizes:
                        if not 0.0 < price < _INFINITY:
                            raise DecodeError(f"price {price} in an update: prices must be above zero and finite")
                        insort(best, price * sign)
                    touched = True
                elif not 0.0 < price < _INFINITY:
                    raise DecodeError(f"price {price} in an update: prices must be above zero and finite")
                sizes[price] = size
            elif size == 0.0:
                if price in sizes:
                    del sizes[price]
                    if price * sign <= edge:
                        del best[bisect_left(best, price * sign)]
                        touched = True
            else:
                raise DecodeError(f"size {size} at price {price} in an update: sizes must not be negative")
        if touched:
            self.top = None
            kept = len(best)
            if kept < self.depth and kept < len(sizes):
                self.refill()
            elif kept > self.depth * WINDOW * 2:
                del best[self.depth * WINDOW :]
                self.edge = best[-1]

    def levels(self, depth: int | None) -> Levels:
        """The best `depth` levels, best first; all for None."""
        sizes, sign = self.sizes, self.sign
        if depth is not None and (depth <= len(self.best) or self.edge == _INFINITY):
            return tuple([(sign * p, sizes[sign * p]) for p in self.best[:depth]])
        prices = sorted(sizes, reverse=sign < 0)
        return tuple([(p, sizes[p]) for p in prices[:depth]])

    def columns(self) -> tuple[Column, Column]:
        """Prices and sizes of the best `depth` levels; the same objects while they have not changed."""
        top = self.top
        if top is None:
            prices = self.best[: self.depth]
            if self.sign < 0:
                prices = [-price for price in prices]
            top = self.top = tuple(prices), tuple(map(self.sizes.__getitem__, prices))
        return top

    def truncate(self, depth: int) -> None:
        """Forget all but the best `depth` levels."""
        if len(self.sizes) > depth:
            self.sizes = dict(self.levels(depth))
            self.refill()


class Book:
    """Both sides of one symbol's book, changed in place. `depth` is how many levels `top_bids`/`top_asks` give."""

    __slots__ = ("_asks", "_bids", "depth")

    def __init__(self, depth: int = 50) -> None:
        self.depth = depth
        self._bids = _Side(-1.0, depth)
        self._asks = _Side(1.0, depth)

    def clear(self) -> None:
        self._bids.clear()
        self._asks.clear()

    @property
    def levels(self) -> tuple[int, int]:
        """How many levels stand on the bid and on the ask side."""
        return len(self._bids.sizes), len(self._asks.sizes)

    @property
    def crossed(self) -> bool:
        """Whether the best bid has reached the best ask (locked counts)."""
        bids, asks = self._bids.best, self._asks.best
        return bool(bids and asks and -bids[0] >= asks[0])

    def replace(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set the whole book.

        Raises:
            DecodeError: a price or size is not above zero and finite, or a price stands twice on a side.
        """
        self._bids.replace(bids)
        self._asks.replace(asks)

    def apply(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Set the sizes of changed levels; size 0 removes, removing what is not there does nothing.

        Raises:
            DecodeError: a price or size is negative or not a number; the book must then be thrown away.
        """
        if bids:
            self._bids.apply(bids)
        if asks:
            self._asks.apply(asks)

    def truncate(self, depth: int) -> None:
        """Forget levels beyond `depth` per side, for venues that do not delete them."""
        self._bids.truncate(depth)
        self._asks.truncate(depth)

    def top_bids(self) -> tuple[Column, Column]:
        """Prices and sizes of the best `depth` bids, highest first; the same objects while they have not changed."""
        return self._bids.columns()

    def top_asks(self) -> tuple[Column, Column]:
        """Prices and sizes of the best `depth` asks, lowest first; the same objects while they have not changed."""
        return self._asks.columns()

    def bids(self, depth: int | None = None) -> Levels:
        """The best `depth` bids (all for None), highest first."""
        return self._bids.levels(depth)

    def asks(self, depth: int | None = None) -> Levels:
        """The best `depth` asks (all for None), lowest first."""
        return self._asks.levels(depth)
