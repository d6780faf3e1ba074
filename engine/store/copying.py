"""A recording from one store into another, or from a file into a store: in batches, exact, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import StoreError
from engine.market.events import BookDelta, BookSnapshot
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, Store
from engine.store.work import ProgressCall

BATCH_ENTRIES = 5_000
BATCH_LEVELS = 200_000
BATCH_ROWS = 5_000

Item = TypeVar("Item")


class Rows(Struct):
    """What a recording has besides its entries. The sampled rows come one by one, however many there are."""

    gaps: list[Gap]
    quality: list[QualityNote]
    depth: Iterable[MarketDepth]
    bars: Iterable[CandleBar]


def rows_of(store: Store, recording_id: str) -> Rows:
    """Gaps, quality and sampled rows of a recording, oldest first. Raises StoreError, also while they are read."""
    return Rows(
        store.gaps(recording_id), store.quality(recording_id), store.depth_of(recording_id),
        store.bars_of(recording_id),
    )  # fmt: skip


def in_runs(items: Iterable[Item], size: int | None = None) -> Iterator[list[Item]]:
    """The items in lists of that size (None: `BATCH_ROWS`), the last one shorter; none where there are none."""
    left = iter(items)
    while run := list(islice(left, size or BATCH_ROWS)):
        yield run


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Runs of entries that fit in memory: 5,000 at most, fewer where books are deep."""
    batch: list[Entry] = []
    levels = 0
    for entry in entries:
        batch.append(entry)
        event = entry.event
        if isinstance(event, BookSnapshot | BookDelta):
            levels += len(event.bids) + len(event.asks)
        if len(batch) >= BATCH_ENTRIES or levels >= BATCH_LEVELS:
            yield batch
            batch, levels = [], 0
    if batch:
        yield batch


def copy_recording(source: Store, recording_id: str, target: Store, progress: ProgressCall) -> Recording:
    """A copy of a recording in another store; the new recording.

    Raises:
        StoreError: either store failed, or the copy was called off; then the target is as it was.
    """
    recording = source.recording(recording_id)
    runs = batches(source.read(recording_id))
    return put(target, recording, rows_of(source, recording_id), runs, progress)


def put(
    target: Store, recording: Recording, rows: Rows, runs: Iterable[list[Entry]], progress: ProgressCall
) -> Recording:  # fmt: skip
    """Write what `recording` describes into `target` under a new id; the note says where it comes from.

    Raises:
        EngineError: the store failed, or `runs` or `progress` did; then the target is as it was.
    """
    made = target.begin(recording.feeds, at_ns=recording.started_ns, note=_note(recording))
    ended_ns = recording.started_ns if recording.ended_ns is None else recording.ended_ns
    done = 0
    try:
        progress(done, recording.events, "events")
        for run in runs:
            target.append(made.id, run)
            done += len(run)
            progress(done, recording.events, "events")
        target.append(made.id, [], gaps=rows.gaps, quality=rows.quality)
        _put_rows(target, made.id, rows, lambda words: progress(done, recording.events, words))
        return target.end(made.id, at_ns=ended_ns)
    except BaseException:
        # Where the store itself is what failed, this fails as well, and says less than the first error.
        with suppress(StoreError):
            target.end(made.id, at_ns=ended_ns)
            target.delete(made.id)
        raise


def _put_rows(target: Store, recording_id: str, rows: Rows, tell: Callable[[str], None]) -> None:
    for depth in in_runs(rows.depth):
        tell("market_depth, after the events")
        target.append(recording_id, [], depth=[replace(row, recording=recording_id) for row in depth])
    for bars in in_runs(rows.bars):
        tell("candle_bars, after the events")
        target.append(recording_id, [], bars=[replace(row, recording=recording_id) for row in bars])


def _note(recording: Recording) -> str:
    origin = f"copy of {recording.id}" + (", which was cut off" if recording.ending == "cut off" else "")
    return f"{recording.note} ({origin})" if recording.note else origin
