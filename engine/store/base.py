"""What every store of recordings can do, and the values that go in and come out; DuckDB, PostgreSQL and Parquet alike.

A recording is a run of entries, numbered from 0 in the order in which the hub published them, over all of its feeds.
What is read is equal, field by field and bit by bit, to what was appended. Beside the entries stand two tables for
everybody: `market_depth`, sampled books, and `candle_bars`, bars made from trades.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal, Protocol

from msgspec import Struct

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.feed.quality import QualityReport
from engine.market.events import MarketEvent
from engine.market.instrument import nearest_symbols
from engine.market.orders import ExecutionReport
from engine.market.signal import Signal

Entered = MarketEvent | Signal | ExecutionReport
"""What an entry may hold."""
Ending = Literal["running", "stopped", "cut off"]


class Unwritable(StoreError):
    """An event that cannot be kept, whatever the state of the disk; trying again does not help."""


class Entry(Struct, frozen=True, gc=False):
    """One event of a recording. `index` counts from 0 over all feeds and grows; numbers may be missing (a gap)."""

    index: int
    key: FeedKey
    event: Entered


class Gap(Struct, frozen=True):
    """What a recording lacks: everything of `key` (None: of every feed) between two moments (UTC ns).

    `lost` is the number of events, None where nobody could count them.
    """

    key: FeedKey | None
    from_ns: int
    to_ns: int
    lost: int | None
    reason: str


class QualityNote(Struct, frozen=True):
    """What a feed said of its quality at one moment (UTC ns) of a recording."""

    key: FeedKey
    at_ns: int
    report: QualityReport


class Recording(Struct, frozen=True):
    """One recording, as the list of recordings shows it.

    `ended_ns` is None while it runs; `ending` says how it ended: `stopped`, or `cut off` (the process died or the
    machine did; found when the store was opened next). `level_rows` counts price levels, of both sides, over all
    snapshots and deltas; `orders` counts reports on orders. `size_bytes` is its share of the store on disk, None where
    that is not known. `versions` says what wrote it, by name.
    """

    id: str
    started_ns: int
    ended_ns: int | None
    ending: Ending
    feeds: tuple[FeedKey, ...]
    events: int
    level_rows: int
    gaps: int
    size_bytes: int | None
    note: str
    versions: dict[str, str]
    orders: int = 0
    fills: int = 0


class MarketDepth(Struct, frozen=True):
    """A row of `market_depth`: a book at one moment. `ts_utc` in ms; `bids` and `asks` are JSON text, best first.

    `[[price, size], …]`; `mid_price` and `spread` in quote units and `imbalance` in -1 … 1 over the levels that are in
    the row, None where a side is empty. `recording` is empty for rows that belong to none.
    """

    symbol: str
    ts_utc: int
    bids: str
    asks: str
    provider: str
    mid_price: float | None
    spread: float | None
    imbalance: float | None
    recording: str = ""


class CandleBar(Struct, frozen=True):
    """A row of `candle_bars`: the trades of `timeframe` from `ts_utc` (ms) on. Volumes in base units.

    `volume` also holds trades whose side nobody told, so it may exceed `buy_volume` + `sell_volume`.
    """

    symbol: str
    timeframe: str
    ts_utc: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    buy_volume: float
    sell_volume: float
    provider: str = ""
    recording: str = ""


class Store(Protocol):
    """Where recordings are kept. Every method may be called from any thread, and raises StoreError when it fails.

    The error says what happened and its hint what a person can do. What failed has changed nothing.
    """

    @property
    def place(self) -> str:
        """Where it is, for people: a file or an address, without secrets."""

    @property
    def found_cut_off(self) -> Sequence[Recording]:
        """Recordings that were still running when their process died; ended when the store was opened."""

    def begin(self, feeds: Sequence[FeedKey], *, at_ns: int, note: str = "") -> Recording:
        """A new, empty recording that is running."""

    def append(
        self,
        recording_id: str,
        entries: Sequence[Entry],
        *,
        gaps: Sequence[Gap] = (),
        depth: Sequence[MarketDepth] = (),
        bars: Sequence[CandleBar] = (),
        quality: Sequence[QualityNote] = (),
    ) -> None:
        """Add all of this in one transaction: on the disk when it returns, or none of it.

        A bar of the same provider, symbol, timeframe, time and recording replaces the one before it. Raises Unwritable
        (a StoreError) when it is the entries and not the place that cannot be had.
        """

    def end(self, recording_id: str, *, at_ns: int) -> Recording:
        """The recording is complete."""

    def add_market_depth(self, rows: Sequence[MarketDepth]) -> None:
        """Rows that belong to no recording (from a poller)."""

    def recordings(self) -> list[Recording]:
        """All recordings, oldest first."""

    def recording(self, recording_id: str) -> Recording:
        """One of them; StoreError with near ids when there is none of that id."""

    def read(
        self,
        recording_id: str,
        *,
        keys: Collection[FeedKey] | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        from_index: int = 0,
    ) -> Iterator[Entry]:
        """The entries in order, with bounded memory however long the recording is.

        Only of these feeds (None: all); only with `start_ns <= time < end_ns`, the time being an event's `received_ns`,
        a signal's `at_ns`; only with `index >= from_index`. A recording that still runs is read up to its last flush.
        """

    def gaps(self, recording_id: str) -> list[Gap]:
        """What it lacks, in order of time."""

    def quality(self, recording_id: str) -> list[QualityNote]:
        """What its feeds said of their quality, in order of time."""

    def market_depth(
        self, symbol: str | None = None, *, since_ms: int | None = None, recording: str | None = None, limit: int = 1000
    ) -> list[MarketDepth]:
        """The newest `limit` rows, newest first."""

    def candle_bars(
        self,
        symbol: str | None = None,
        timeframe: str | None = None,
        *,
        since_ms: int | None = None,
        recording: str | None = None,
        limit: int = 1000,
    ) -> list[CandleBar]:
        """The newest `limit` rows, newest first."""

    def depth_of(self, recording_id: str) -> Iterator[MarketDepth]:
        """All rows of `market_depth` that belong to a recording, oldest first, with bounded memory."""

    def bars_of(self, recording_id: str) -> Iterator[CandleBar]:
        """All rows of `candle_bars` that belong to a recording, oldest first, with bounded memory."""

    def delete(self, recording_id: str) -> None:
        """Remove a recording and every row that belongs to it. One that is running cannot be deleted."""

    def forget_rows_before(self, ts_utc: int) -> int:
        """Remove rows of no recording that are older (ms) from `market_depth` and `candle_bars`; how many it were."""

    def size(self) -> int:
        """Bytes on disk that hold data."""

    def close(self) -> None:
        """Write what is to be written and let go of the place; a recording that runs is left as it is."""


def new_id(at_ns: int) -> str:
    """The id of a recording that begins at `at_ns` (UTC): `20240808-120509-3f2a9c`; sorts by time, fit for a file."""
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y%m%d-%H%M%S}-{token_hex(3)}"


def unknown(recording_id: str, known: Sequence[str], place: str) -> StoreError:
    """The error of a store that has no recording of that id, with the near ones."""
    near = nearest_symbols(recording_id, known)
    hint = f"Did you mean {', '.join(near)}?" if near else f"There are {len(known)} recordings in {place}."
    return StoreError(f"there is no recording {recording_id!r}", hint=hint)


def time_ns(event: Entered) -> int:
    """The moment of an entry's event: `received_ns`, or a signal's `at_ns`."""
    return event.at_ns if type(event) is Signal else event.received_ns  # type: ignore[union-attr]
