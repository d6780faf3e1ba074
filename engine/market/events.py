"""The vocabulary of the line: everything that a connector can say about a market.

Times are UTC nanoseconds: `exchange_ns` as the venue stamped it (None where it does not), `received_ns` when the frame
left our socket. Prices are in quote units, sizes in base units, both as the doubles nearest to the venue's decimals
(see docs/decisions/0002). `source` says how the datum came and travels with it to the screen.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

Source = Literal["stream", "poll", "replay", "mock", "synthetic"]
Level = tuple[float, float]
Levels = tuple[Level, ...]
Written = tuple[tuple[str, str], ...]
"""Levels as the venue wrote them: price and size in plain decimals, every zero kept."""
Wire = tuple[Written, Written]
"""Bids and asks as written, level for level those of the event; only of venues whose checksum covers the digits."""

BUY = 1
SELL = -1
UNKNOWN_SIDE = 0


class BookSnapshot(Struct, frozen=True, gc=False, tag="book_snapshot"):
    """The whole visible book; bids best (highest) first, asks best (lowest) first, all sizes above zero.

    `depth` is how many levels a side the venue keeps from here on: what falls beyond is gone without a word (None: it
    says so of every level). `checksum` is the venue's, over the book as it then stands.
    """

    venue: str
    symbol: str
    bids: Levels
    asks: Levels
    sequence: int | None
    exchange_ns: int | None
    received_ns: int
    source: Source
    checksum: int | None = None
    depth: int | None = None
    wire: Wire | None = None


class BookDelta(Struct, frozen=True, gc=False, tag="book_delta"):
    """New absolute sizes of changed levels; size 0 removes the level.

    Carries the updates `first_sequence` … `last_sequence`, None where the venue does not number them;
    `previous_sequence` where it names its predecessor, `checksum` where it says what the book comes to afterwards.
    """

    venue: str
    symbol: str
    bids: Levels
    asks: Levels
    first_sequence: int | None
    last_sequence: int | None
    exchange_ns: int | None
    received_ns: int
    source: Source
    previous_sequence: int | None = None
    checksum: int | None = None
    wire: Wire | None = None


class Quote(Struct, frozen=True, gc=False, tag="quote"):
    """Best bid and ask alone, where the venue sends them faster than the book."""

    venue: str
    symbol: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    sequence: int | None
    exchange_ns: int | None
    received_ns: int
    source: Source


class Trade(Struct, frozen=True, gc=False, tag="trade"):
    """A print. `aggressor` is the taker's side: BUY = +1, SELL = -1, unknown = 0.

    `size` is above zero, but 0 where a venue without books gives prices without amounts (currencies at Finnhub).

    `backfill` marks past trades that a venue repeats on subscribing; they are no news. `exact_size` is the size as a
    plain decimal where a double cannot hold all of its digits, else None.
    """

    venue: str
    symbol: str
    price: float
    size: float
    aggressor: int
    trade_id: int | str | None
    exchange_ns: int | None
    received_ns: int
    source: Source
    backfill: bool = False
    exact_size: str | None = None


class FeedState(StrEnum):
    """How a feed stands. Only LIVE is good enough to trade on; LIVE and POLLING have data to show."""

    CONNECTING = "connecting"
    SYNCING = "syncing"
    LIVE = "live"
    STALE = "stale"
    POLLING = "polling"
    RECONNECTING = "reconnecting"
    BLOCKED = "blocked"
    INVALID = "invalid_symbol"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def has_data(self) -> bool:
        """Whether the book may be shown as current."""
        return self in (FeedState.LIVE, FeedState.POLLING)


class FeedStatus(Struct, frozen=True, gc=False, tag="feed_status"):
    """What a feed says of itself; travels in the same line as the data.

    `reason` says what happened, `hint` what a person can do; `attempt` counts reconnects in a row and `next_try_ns`
    is when the next one is due (None when none is planned).
    """

    venue: str
    symbol: str
    state: FeedState
    reason: str
    hint: str
    attempt: int
    next_try_ns: int | None
    received_ns: int
    source: Source


MarketEvent = BookSnapshot | BookDelta | Quote | Trade | FeedStatus
BookEvent = BookSnapshot | BookDelta
