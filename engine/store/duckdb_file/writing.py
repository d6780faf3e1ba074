"""How rows come into the tables of the DuckDB file, and out of them; inside a transaction of its store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from engine.store.base import CandleBar, Gap, MarketDepth, QualityNote
from engine.store.columns.entries import Columns
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.duckdb_file.door import Connection

REWRITTEN_ROWS = 500_000


def add_columns(connection: Connection, number: int, columns: Columns, events: int) -> None:
    """Add entries, and the line of `flushes` that counts them."""
    if not events:
        return
    low, high, first, last = list[int](), list[int](), list[int](), list[int]()
    for name, table in columns.tables.items():
        # Feed by feed: what is alike takes less room side by side. Whoever reads puts it in order again.
        connection.register("batch", table.take(np.argsort(table["feed"].to_numpy(), kind="stable")))
        connection.execute(f"INSERT INTO {name} SELECT {number}, * FROM batch")
        connection.unregister("batch")
        numbers, times = table["idx"].to_numpy(), table["at_ns"].to_numpy()
        low.append(int(numbers.min()))
        high.append(int(numbers.max()))
        first.append(int(times.min()))
        last.append(int(times.max()))
    flush = [
        number, min(low), max(high), min(first), max(last), events, columns.level_rows, columns.orders, columns.fills,
    ]  # fmt: skip
    connection.execute("INSERT INTO flushes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", flush)


def add_feeds(connection: Connection, number: int, feeds: FeedNumbers) -> None:
    """Add the feeds that no table knows yet."""
    for name in feeds.new:
        (venue, symbol, mode), event_venue, event_symbol = name
        connection.execute(
            "INSERT INTO feeds VALUES (?, ?, ?, ?, ?, ?, ?)",
            [number, feeds.known[name], venue, symbol, mode, event_venue, event_symbol],
        )
    feeds.new.clear()


def add_gaps(connection: Connection, number: int, feeds: FeedNumbers, gaps: Sequence[Gap]) -> None:
    """Add gaps; of feeds that may be new."""
    for gap in gaps:
        connection.execute(
            "INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?)",
            [number, feeds.of_key(gap.key), gap.from_ns, gap.to_ns, gap.lost, gap.reason],
        )


def add_quality(connection: Connection, number: int, feeds: FeedNumbers, notes: Sequence[QualityNote]) -> None:
    """Add what feeds said of themselves; feeds that may be new."""
    for note in notes:
        connection.execute(
            "INSERT INTO quality VALUES (?, ?, ?, ?)",
            [number, feeds.of_key(note.key), note.at_ns, msgspec.json.encode(note.report).decode()],
        )


def add_sampled(connection: Connection, table: str, rows: Sequence[MarketDepth] | Sequence[CandleBar]) -> None:
    """Add rows to one of the two tables for everybody."""
    if rows:
        connection.register("batch", pa.Table.from_pylist([msgspec.to_builtins(row) for row in rows]))
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")
        connection.unregister("batch")


def replace_bars(connection: Connection, changed: Sequence[CandleBar]) -> None:
    """Add bars, each in the place of the one that it has grown from."""
    newest = {(bar.recording, bar.provider, bar.symbol, bar.timeframe, bar.ts_utc): bar for bar in changed}
    if newest:
        bars = [*newest.values()]
        connection.register("batch", pa.Table.from_pylist([msgspec.to_builtins(bar) for bar in bars]))
        connection.execute(
            "DELETE FROM candle_bars USING batch WHERE candle_bars.ts_utc = batch.ts_utc "
            "AND candle_bars.symbol = batch.symbol AND candle_bars.timeframe = batch.timeframe "
            "AND candle_bars.provider = batch.provider AND candle_bars.recording = batch.recording"
        )
        add_sampled(connection, "candle_bars", bars)


def delete(connection: Connection, table: str, number: int) -> None:
    """Delete a recording's rows."""
    query = f"SELECT estimated_size FROM duckdb_tables() WHERE table_name = '{table}'"
    ((rows,),) = connection.execute(query).fetchall()
    if rows < REWRITTEN_ROWS:
        # The library frees rows in groups of 122,880; a small table is written anew, so that its room is free now.
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} WHERE recording <> {number}")
    else:
        connection.execute(f"DELETE FROM {table} WHERE recording = {number}")
