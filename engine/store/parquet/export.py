"""Finished recordings as Parquet files that every tool reads, and that read back as the same recording.

    FOLDER/books/venue=binance/symbol=BTCUSDT/date=2024-08-08/RECORDING-1.parquet
    FOLDER/trades, quotes, orders, fills, notes, market_depth, candle_bars: likewise
    FOLDER/recordings/RECORDING.json: what it is, its feeds, gaps and quality, and which files are its own

Columns are those of the DuckDB file, but that a feed's number is explained in the JSON. Types are plain: integers of
64, 32 and 8 bits, doubles, texts, booleans, bytes and lists of doubles. In the names of folders what is no letter,
digit, dot, dash or underscore is written as in addresses (BTC%2FUSD).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from engine.errors import StoreError
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, Store
from engine.store.columns.entries import FeedName, to_columns
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.copying import in_runs

PIECE = 20_000
"""Entries that are turned into columns at a time."""
ROW_GROUP = 20_000
OPEN_FILES = 64
RECORDINGS = "recordings"
PART = ".part"
DAY_NS, DAY_MS = 86_400_000_000_000, 86_400_000

Progress = Callable[[int, int], None]
"""Told how many of how many events are written."""


class Contents(Struct):
    """What an archive knows of one recording. `feeds` by number; `files` by table, as paths inside the archive.

    `last_index` is that of its last entry, -1 when it has none.
    """

    recording: Recording
    last_index: int
    feeds: list[FeedName]
    files: dict[str, list[str]]
    gaps: list[Gap]
    quality: list[QualityNote]


def export_parquet(store: Store, recording_id: str, folder: Path, progress: Progress = lambda done, all: None) -> Path:
    """Add a finished recording to the archive in `folder`, the JSON last; its path. An earlier export is replaced.

    Raises:
        StoreError: there is no such recording, it still runs, or the folder cannot be written.
    """
    recording = store.recording(recording_id)
    if recording.ended_ns is None:
        raise StoreError(f"recording {recording_id} is running", hint="Stop it first.")
    files = _Files(folder, recording_id)
    try:
        numbers, last_index = _write_entries(store, recording, files, progress)
        for depth in in_runs(store.depth_of(recording_id), ROW_GROUP):
            _write_rows(files, "market_depth", depth)
        for bars in in_runs(store.bars_of(recording_id), ROW_GROUP):
            _write_rows(files, "candle_bars", bars)
        written = files.finish()
        size = sum([(folder / path).stat().st_size for paths in written.values() for path in paths])
        contents = Contents(
            replace(recording, size_bytes=size), last_index, list(numbers.known), written, store.gaps(recording_id),
            store.quality(recording_id),
        )  # fmt: skip
        return _publish(folder, contents)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"{folder} cannot be written: {error}", hint="Choose another folder, or free space."
        ) from error
    finally:
        files.abandon()


def _write_entries(store: Store, recording: Recording, files: _Files, progress: Progress) -> tuple[FeedNumbers, int]:
    numbers, done, last_index = FeedNumbers(), 0, -1
    entries: Iterator[Entry] = iter(store.read(recording.id))
    while piece := list(islice(entries, PIECE)):
        for name, table in to_columns(piece, numbers.number).tables.items():
            known = list(numbers.known)
            days = table["at_ns"].to_numpy() // DAY_NS
            feeds = table["feed"].to_numpy()
            for feed in np.unique(feeds).tolist():
                _, venue, symbol = known[feed]
                for day in np.unique(days[feeds == feed]).tolist():
                    files.write(name, venue, symbol, day, table.filter(pa.array((feeds == feed) & (days == day))))
        done, last_index = done + len(piece), piece[-1].index
        progress(done, recording.events)
    return numbers, last_index


def _write_rows(files: _Files, name: str, rows: Sequence[MarketDepth] | Sequence[CandleBar]) -> None:
    """Rows for everybody."""
    parts: dict[tuple[str, str, int], list[dict[str, object]]] = {}
    for row in rows:
        parts.setdefault((row.provider, row.symbol, row.ts_utc // DAY_MS), []).append(msgspec.to_builtins(row))
    for (venue, symbol, day), content in parts.items():
        files.write(name, venue, symbol, day, pa.Table.from_pylist(content, schema=_schema(type(rows[0]))))


def _schema(kind: type[Struct]) -> pa.Schema:
    types = {"str": pa.string(), "int": pa.int64()}
    fields = msgspec.structs.fields(kind)
    return pa.schema([(one.name, types.get(getattr(one.type, "__name__", ""), pa.float64())) for one in fields])


def _publish(folder: Path, contents: Contents) -> Path:
    path = folder / RECORDINGS / f"{contents.recording.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + PART)
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(contents)) + b"\n")
    os.replace(draft, path)
    return path


class _Files:
    """The files of one export: written beside their names, renamed when all is well."""

    def __init__(self, folder: Path, recording_id: str) -> None:
        self._folder = folder
        self._id = recording_id
        self._open: dict[str, pq.ParquetWriter] = {}
        """By the directory inside the archive; the one that was opened first stands first."""
        self._written: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}
        self._drafts: list[Path] = []

    def write(self, name: str, venue: str, symbol: str, day: int, table: pa.Table) -> None:
        """Add rows of one table, venue, symbol and day. Raises OSError."""
        date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
        directory = f"{name}/venue={quote(venue, safe='')}/symbol={quote(symbol, safe='')}/date={date}"
        writer = self._open.get(directory)
        if writer is None:
            if len(self._open) >= OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
            writer = self._open[directory] = self._begin(name, directory, table.schema)
        writer.write_table(table, row_group_size=ROW_GROUP)

    def finish(self) -> dict[str, list[str]]:
        """Close and rename all; the paths by table. Raises OSError."""
        while self._open:
            self._open.popitem()[1].close()
        for draft in self._drafts:
            os.replace(draft, draft.with_name(draft.name.removesuffix(PART)))
        self._drafts.clear()
        return self._written

    def abandon(self) -> None:
        """Remove what was not finished."""
        while self._open:
            with suppress(OSError, pa.ArrowException):
                self._open.popitem()[1].close()
        for draft in self._drafts:
            with suppress(OSError):
                draft.unlink()

    def _begin(self, name: str, directory: str, schema: pa.Schema) -> pq.ParquetWriter:
        number = self._counts[directory] = self._counts.get(directory, 0) + 1
        path = f"{directory}/{self._id}-{number}.parquet"
        draft = self._folder / (path + PART)
        draft.parent.mkdir(parents=True, exist_ok=True)
        self._drafts.append(draft)
        self._written.setdefault(name, []).append(path)
        return pq.ParquetWriter(draft, schema, compression="zstd", use_dictionary=["source", "kind"])
