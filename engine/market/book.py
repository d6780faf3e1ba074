"""The order book: the mutable one, private to its feed, and the immutable picture that everyone else sees.

A side is a dict (price → size) of every level and an ordered list of only its best prices: most changes of a real book
lie far from the touch and then cost one dict write. Prices are doubles that came from at most 15 significant decimal
digits, so equal decimals are equal keys (docs/decisions/0002).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from math import nextafter

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
    """One side of a book; `rising` says whether the best price is the lowest (asks) or the highest (bids).

    `near` holds, in ascending order, every price between `low` and `high` (both left out, so that 0 and infinity are
    beyond them): the best levels. Others stand only in `sizes`.
    """

    __slots__ = ("depth", "high", "low", "near", "reserve", "rising", "sizes", "top")

    def __init__(self, depth: int, *, rising: bool) -> None:
        self.depth = depth
        self.reserve = depth * WINDOW
        self.rising = rising
        self.clear()

    def clear(self) -> None:
        self.sizes: dict[float, float] = {}
        self.near: list[float] = []
        self.low, self.high = 0.0, _INFINITY
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
        self.top = None
        self.near = sorted(self.sizes)
        self.low, self.high = 0.0, _INFINITY
        if len(self.near) > self.reserve:
            self._shorten()

    def _shorten(self) -> None:
        """Keep only the best of `near`, and remember to where it reaches."""
        if self.rising:
            del self.near[self.reserve :]
            self.high = nextafter(self.near[-1], _INFINITY)
        else:
            del self.near[: -self.reserve]
            self.low = nextafter(self.near[0], 0.0)

    def apply(self, levels: Sequence[Level]) -> None:
        sizes, near, low, high, infinity = self.sizes, self.near, self.low, self.high, _INFINITY
        remove = sizes.pop
        count = len(sizes)
        moved = False
        for price, size in levels:
            if 0.0 < size < infinity:
                sizes[price] = size
                if len(sizes) != count:  # cheaper than to look it up before: the price is new
                    count += 1
                    if low < price < high:
                        insort(near, price)
                        moved = True
                    elif not 0.0 < price < infinity:
                        raise DecodeError(f"price {price} in an update: prices must be above zero and finite")
            elif size == 0.0:
                if remove(price, None) is not None:
                    count -= 1
                    if low < price < high:
                        del near[bisect_left(near, price)]
                        moved = True
                elif not 0.0 < price < infinity:
                    # What it meant to remove is still there.
                    raise DecodeError(f"price {price} in an update: prices must be above zero and finite")
            else:
                raise DecodeError(f"size {size} at price {price} in an update: sizes must not be negative")
        if moved or self._reach(levels):
            self.top = None
            kept = len(near)
            if kept < self.depth and kept < count:
                self.refill()
            elif kept > self.reserve * 2:
                self._shorten()

    def _reach(self, levels: Sequence[Level]) -> bool:
        """Whether any of these prices lies among the best."""
        low, high = self.low, self.high
        return any(low < price < high for price, _ in levels)

    def total(self, low: float, high: float) -> float:
        """The size that stands from `low` (included) to `high` (not)."""
        return sum(map(self.sizes.__getitem__, self.between(low, high)))

    def between(self, low: float, high: float) -> list[float]:
        """The prices from `low` (included) to `high` (not), ascending. Who asks far from the top widens the window."""
        while not ((self.low < low or not self.low) and high <= self.high) and len(self.near) < len(self.sizes):
            self.reserve = max(self.reserve, len(self.near)) * 2
            self.refill()
        near = self.near
        return near[bisect_left(near, low) : bisect_left(near, high)]

    def prices(self, depth: int | None) -> list[float]:
        """The best `depth` prices, best first; all for None."""
        whole = len(self.near) == len(self.sizes)
        ordered = self.near if whole or (depth is not None and depth <= len(self.near)) else sorted(self.sizes)
        if self.rising:
            return ordered[:depth]
        return ordered[::-1] if depth is None else ordered[: -depth - 1 : -1]

    def levels(self, depth: int | None) -> Levels:
        """The best `depth` levels, best first; all for None."""
        sizes = self.sizes
        return tuple([(price, sizes[price]) for price in self.prices(depth)])

    def columns(self) -> tuple[Column, Column]:
        """Prices and sizes of the best `depth` levels; the same objects while they have not changed."""
        top = self.top
        if top is None:
            near, depth = self.near, self.depth
            prices = near[:depth] if self.rising else near[: -depth - 1 : -1]
            top = self.top = tuple(prices), tuple(map(self.sizes.__getitem__, prices))
        return top

    def best(self, count: int) -> tuple[Column, Column]:
        """Prices and sizes of the best `count` levels, which must not be more than `depth`."""
        near = self.near
        prices = tuple(near[:count]) if self.rising else tuple(near[: -count - 1 : -1])
        return prices, tuple(map(self.sizes.__getitem__, prices))

    def extend_by_best(self, count: int, into: list[float]) -> bool:
        """Append the prices, then the sizes of the best `count` levels (at most `depth`); whether there are so many."""
        near = self.near
        prices = near[:count] if self.rising else near[: -count - 1 : -1]
        into += prices
        into += map(self.sizes.__getitem__, prices)
        return len(prices) == count

    def truncate(self, depth: int) -> list[float]:
        """Forget all but the best `depth` levels; the prices that went."""
        sizes, near = self.sizes, self.near
        excess = len(sizes) - depth
        if excess <= 0:
            return []
        if len(near) == len(sizes):
            gone = near[depth:] if self.rising else near[:excess]
            self.near = near[:depth] if self.rising else near[excess:]
            self.top = None
        else:
            gone = sorted(sizes)[depth:] if self.rising else sorted(sizes)[:excess]
        for price in gone:
            del sizes[price]
        if len(self.near) > len(sizes):
            self.refill()
        return gone


class Book:
    """Both sides of one symbol's book, changed in place. `depth` is how many levels `top_bids`/`top_asks` give."""

    __slots__ = ("_asks", "_bids", "depth")

    def __init__(self, depth: int = 50) -> None:
        self.depth = depth
        self._bids = _Side(depth, rising=False)
        self._asks = _Side(depth, rising=True)

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
        bids, asks = self._bids.near, self._asks.near
        return bool(bids and asks and bids[-1] >= asks[0])

    @property
    def touch(self) -> tuple[float, float] | None:
        """The best bid and the best ask; None while a side is empty."""
        bids, asks = self._bids.near, self._asks.near
        return (bids[-1], asks[0]) if bids and asks else None

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

    def sizes_of(self, bids: Iterable[Level], asks: Iterable[Level]) -> tuple[list[float], list[float]]:
        """The sizes that stand at the prices of these levels, in their order; 0 where there is none."""
        bid, ask = self._bids.sizes.get, self._asks.sizes.get
        return [bid(price, 0.0) for price, _ in bids], [ask(price, 0.0) for price, _ in asks]

    def bid_total(self, low: float, high: float) -> float:
        """The size of the bids from `low` (included) to `high` (not)."""
        return self._bids.total(low, high)

    def ask_total(self, low: float, high: float) -> float:
        """The size of the asks from `low` (included) to `high` (not)."""
        return self._asks.total(low, high)

    def between(self, low: float, high: float) -> tuple[list[float], list[float]]:
        """Prices and sizes of all levels from `low` (included) to `high` (not), by ascending price."""
        bids, asks = self._bids.between(low, high), self._asks.between(low, high)
        sizes = [*map(self._bids.sizes.__getitem__, bids), *map(self._asks.sizes.__getitem__, asks)]
        return bids + asks, sizes

    def truncate(self, depth: int) -> tuple[list[float], list[float]]:
        """Forget levels beyond `depth` per side, for venues that do not delete them; the bids and asks that went."""
        return self._bids.truncate(depth), self._asks.truncate(depth)

    def best_bids(self, count: int) -> list[float]:
        """The prices of the best `count` bids, highest first."""
        return self._bids.prices(count)

    def best_asks(self, count: int) -> list[float]:
        """The prices of the best `count` asks, lowest first."""
        return self._asks.prices(count)

    def top_bids(self) -> tuple[Column, Column]:
        """Prices and sizes of the best `depth` bids, highest first; the same objects while they have not changed."""
        side = self._bids
        return side.top or side.columns()

    def top_asks(self) -> tuple[Column, Column]:
        """Prices and sizes of the best `depth` asks, lowest first; the same objects while they have not changed."""
        side = self._asks
        return side.top or side.columns()

    def best_columns(self, count: int) -> tuple[Column, Column, Column, Column]:
        """Bid prices, bid sizes, ask prices and ask sizes of the best `count` levels (at most `depth`), best first."""
        return *self._bids.best(count), *self._asks.best(count)

    def extend_by_best(self, count: int, into: list[float]) -> bool:
        """Append what `best_columns` gives; whether both sides have so many levels."""
        bids = self._bids.extend_by_best(count, into)
        return self._asks.extend_by_best(count, into) and bids

    def bids(self, depth: int | None = None) -> Levels:
        """The best `depth` bids (all for None), highest first."""
        return self._bids.levels(depth)

    def asks(self, depth: int | None = None) -> Levels:
        """The best `depth` asks (all for None), lowest first."""
        return self._asks.levels(depth)
