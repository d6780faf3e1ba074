"""What travels from the library's loop to `decode`: whole books, trades, notices; copies that nobody changes any more.

The library hands out one living book per symbol and goes on changing it: rows are copied into tuples at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from connectors.base.venue import Control
from engine.market.events import (
    BUY,
    SELL,
    UNKNOWN_SIDE,
    BookSnapshot,
    FeedState,
    FeedStatus,
    Levels,
    MarketEvent,
    Trade,
)

DEPTH = 100
"""Levels per side that are copied out of a book."""
BACKFILL_NS = 1_000_000_000
"""Of several trades in a subscription's first message those older than it by more than this are history, not news."""
TOLD_KEPT = 1_000
"""Numbers of trades that are remembered from one connection to the next, per symbol."""

Row = tuple[float, float, int, str | None, int | None, bool]
"""Price, size, aggressor, number, venue's time in ns, backfill."""

_SIDES = {"buy": BUY, "sell": SELL}


class WireBook(Struct, frozen=True, gc=False, tag="book", tag_field="k"):
    s: str
    b: Levels
    a: Levels
    E: int | None


class WireTrades(Struct, frozen=True, gc=False, tag="trades", tag_field="k"):
    s: str
    t: tuple[Row, ...]


class WireNotice(Struct, frozen=True, gc=False, tag="notice", tag_field="k"):
    """`kind` is a `Control`'s, or `lost` for a book that must be begun anew."""

    kind: str
    s: str
    reason: str = ""


Wire = WireBook | WireTrades | WireNotice

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Wire).decode


def picture(symbol: str, book: Mapping[str, Any], depth: int = DEPTH) -> WireBook:
    """A copy of a book's best levels."""
    return WireBook(symbol, levels(book["bids"], depth), levels(book["asks"], depth), stamp_ns(book.get("timestamp")))


def is_spoilt(book: Mapping[str, Any]) -> bool:
    """Whether an impossible price stands in a book (its sides are sorted); what it replaced is lost."""
    return any(side and not (0.0 < side[0][0] < math.inf and 0.0 < side[-1][0] < math.inf) for side in _sides(book))


def _sides(book: Mapping[str, Any]) -> tuple[Sequence[Sequence[Any]], Sequence[Sequence[Any]]]:
    return book["bids"], book["asks"]


def levels(side: Sequence[Sequence[Any]], depth: int = DEPTH) -> Levels:
    """The best levels of one side as they stand; rows may carry more than price and size."""
    return tuple([(float(row[0]), float(row[1])) for row in side[:depth] if row[1]])


def prints(
    symbol: str, trades: Sequence[Mapping[str, Any]], *, maker: bool, subscribed_ns: int | None = None
) -> WireTrades:
    """A copy of trades. `maker`: the library passes the maker's side on.

    `subscribed_ns` is given with the first message of a subscription: many venues open with past trades.
    """
    history_before_ns = subscribed_ns - BACKFILL_NS if subscribed_ns is not None and len(trades) > 1 else None
    return WireTrades(symbol, tuple([_row(trade, history_before_ns, maker=maker) for trade in trades]))


class Told:
    """The numbers of the trades that were told of each symbol last, whatever connection they came by."""

    def __init__(self) -> None:
        self._numbers: dict[str, deque[str]] = {}

    def news(self, wire: WireTrades, *, opening: bool) -> WireTrades:
        """Remember them. Of a subscription's `opening` message only what was not told before is left."""
        known = self._numbers.setdefault(wire.s, deque(maxlen=TOLD_KEPT))
        if opening and known:
            before = set(known)
            wire = WireTrades(wire.s, tuple([row for row in wire.t if row[3] is None or row[3] not in before]))
        known.extend([row[3] for row in wire.t if row[3] is not None])
        return wire


def stamp_ns(milliseconds: Any) -> int | None:
    """UTC ns from the library's milliseconds; None where it has none."""
    return round(milliseconds * 1_000_000) if milliseconds else None


def events(wire: Wire, venue: str, received_ns: int) -> Sequence[MarketEvent | Control]:
    """What one message says of the market."""
    if isinstance(wire, WireBook):
        return (BookSnapshot(venue, wire.s, wire.b, wire.a, None, wire.E, received_ns, "stream"),)
    if isinstance(wire, WireTrades):
        return [
            Trade(venue, wire.s, price, size, side, number, at_ns, received_ns, "stream", backfill)
            for price, size, side, number, at_ns, backfill in wire.t
        ]
    if wire.kind == "lost":
        return (FeedStatus(venue, wire.s, FeedState.SYNCING, wire.reason, "", 0, None, received_ns, "stream"),)
    return (Control(wire.kind, wire.s, wire.reason),)  # type: ignore[arg-type]


def _row(trade: Mapping[str, Any], history_before_ns: int | None, *, maker: bool) -> Row:
    side = _SIDES.get(trade.get("side") or "", UNKNOWN_SIDE)
    number, at_ns = trade.get("id"), stamp_ns(trade.get("timestamp"))
    backfill = history_before_ns is not None and at_ns is not None and at_ns < history_before_ns
    return (
        float(trade["price"]),
        float(trade["amount"]),
        -side if maker else side,
        None if number is None else str(number),
        at_ns,
        backfill,
    )
