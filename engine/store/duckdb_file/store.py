"""Recordings in one DuckDB file: the only door to the library."""

from __future__ import annotations

import logging
import platform
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.feed.quality import QualityReport
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, new_id, time_ns, unknown
from engine.store.columns.entries import REPORTS, SCHEMAS, Columns, FeedName, to_columns
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.columns.reader import from_columns
from engine.store.columns.sampled_rows import PAGE_ENDS, PAGE_ROWS, SampledRows
from engine.store.duckdb_file.errors import explain
from engine.store.duckdb_file.journal import Journal, Written
from engine.store.duckdb_file.schema import REPORTS_SINCE, TABLES_OF_A_RECORDING, VERSION, check, prepare, version_of

MOST_WAITING = 40_000
BRING_IN_EVERY_S = 30.0
"""So many events, or seconds, until what is in the journal is brought into the database."""
REWRITTEN_ROWS = 500_000
PAGE = 10_000
"""How many entries are read at a time."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "1GB",
    # What is committed stays in memory, and in the log beside the file, until so much has come together.
    "checkpoint_threshold": "16MB",
}
_KEPT = "16MB"
"""What the library may keep of the file in memory between two visits; else a long recording fills it to its limit."""
_LIST = """
SELECT number, id, started_ns, ended_ns, coalesce(ending, 'running'), note, versions,
    (SELECT coalesce(sum(events), 0) FROM flushes WHERE recording = number),
    (SELECT coalesce(sum(level_rows), 0) FROM flushes WHERE recording = number),
    (SELECT count(*) FROM gaps WHERE recording = number),
    (SELECT max(last_ns) FROM flushes WHERE recording = number), {reports}
FROM recordings LEFT JOIN endings ON recording = number
"""
_REPORTS = """
    (SELECT coalesce(sum(orders), 0) FROM flushes WHERE recording = number),
    (SELECT coalesce(sum(fills), 0) FROM flushes WHERE recording = number)
"""
log = logging.getLogger(__name__)


class DuckdbStore(SampledRows):
    """See `Store` in engine/store/base.py."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file; made with its folder if there is none (unless `read_only`).

        Raises:
            StoreError: it cannot be opened or is not ours.
        """
        self._path = path
        self._read_only = read_only
        self._lock = RLock()
        self._feeds: dict[int, FeedNumbers] = {}
        self._numbers: dict[str, int] = {}
        self._closed = self._spoiled = False
        self._waiting: list[Written] = []
        """What is in the journal and not yet in the database."""
        self._serial = self._events_waiting = 0
        self._brought_in_s = monotonic()
        self.found_cut_off: list[Recording] = []
        self._with_reports = True
        """Whether the file has tables of orders and fills."""
        self._connection = self._open()
        self._journal: Journal | None = None
        try:
            self._look_back()
        except BaseException:
            self._let_go()
            raise

    @property
    def place(self) -> str:
        return str(self._path)

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            if not self._read_only:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(self._path), read_only=self._read_only, config=_CONFIG)
        except (duckdb.Error, OSError) as error:
            raise explain(error, self._path) from error

    def _look_back(self) -> None:
        """Bring the tables up to date and end what was running when its process died."""
        with self._guard():
            if self._read_only:
                check(found := version_of(self._connection), VERSION)
                # An older one is read as it is: nothing traded yet when it was written.
                self._with_reports = found >= REPORTS_SINCE
                return
            prepare(self._connection)
            self._journal = Journal(self._path.with_name(self._path.name + ".journal"))
            self._serial = self._last_serial()
            self._waiting = self._left_behind(self._journal)
            self._bring_in()
            # Also where nothing was brought in: behind a record that was cut off, what comes next would not be read.
            self._journal.clear()
            for row in self._connection.execute(f"{self._list()} WHERE ending IS NULL").fetchall():
                ended_ns = row[10] if row[10] is not None else row[2]
                self._connection.execute("INSERT INTO endings VALUES (?, ?, 'cut off')", [row[0], ended_ns])
                self.found_cut_off.append(self.recording(row[1]))
                log.warning("%s: recording %s was cut off; it is whole until its last flush", self.place, row[1])

    def _left_behind(self, journal: Journal) -> list[Written]:
        """What the journal has and the database has not; nothing of a recording that is not (or no longer) here."""
        rows = self._connection.execute("SELECT id FROM recordings").fetchall()
        ids = {made for (made,) in rows}
        found = [one for one in journal.records() if one.serial > self._serial]
        strange = [one for one in found if one.recording_id not in ids]
        if strange:
            log.warning(
                "%s: the journal has %d batches of recordings that are not here: dropped", self.place, len(strange)
            )
        self._serial = max([self._serial, *[one.serial for one in found]])
        return [one for one in found if one.recording_id in ids]

    # Writing.

    def begin(self, feeds: Sequence[FeedKey], *, at_ns: int, note: str = "") -> Recording:
        versions = {"schema": str(VERSION), "duckdb": duckdb.__version__, "python": platform.python_version()}
        made = new_id(at_ns)
        with self._transaction() as connection:
            number = self._one("SELECT coalesce(max(number), 0) + 1 FROM recordings")
            connection.execute(
                "INSERT INTO recordings VALUES (?, ?, ?, ?, ?)",
                [number, made, at_ns, note, msgspec.json.encode(versions).decode()],
            )
            numbered = FeedNumbers()
            for key in feeds:
                numbered.of_key(key)
            self._add_feeds(number, numbered)
        self._feeds[number], self._numbers[made] = numbered, number
        return self.recording(made)

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
        with self._guard():
            self._number(recording_id)
            if self._journal is None:
                raise StoreError(f"{self.place} was opened for reading only")
            if self._events_waiting >= MOST_WAITING or monotonic() - self._brought_in_s >= BRING_IN_EVERY_S:
                self._bring_in()
            written = Written(
                self._serial + 1, recording_id, [*entries], [*gaps], [*depth], [*bars], [*quality]
            )  # fmt: skip
            self._journal.append(written)
            self._serial += 1
            self._waiting.append(written)
            self._events_waiting += len(entries)

    def _bring_in(self) -> None:
        """Bring into the database what waits in the journal, in one transaction."""
        self._brought_in_s = monotonic()
        if not self._waiting or self._journal is None:
            return
        numbered: dict[int, FeedNumbers] = {}
        with self._transaction() as connection:
            # The library may have reported a failure although it had written everything: then it is there already.
            known = self._last_serial()
            for recording_id in dict.fromkeys([one.recording_id for one in self._waiting]):
                parts = [one for one in self._waiting if one.recording_id == recording_id and one.serial > known]
                number = self._number(recording_id)
                numbered[number] = self._add_parts(number, parts)
            connection.execute("DELETE FROM brought_in")
            connection.execute(f"INSERT INTO brought_in VALUES ({self._waiting[-1].serial})")
        self._feeds |= numbered
        self._waiting, self._events_waiting = [], 0
        self._journal.clear()
        self._forget_blocks()

    def _forget_blocks(self) -> None:
        """Let go of what was read and written; only room that somebody needs now is kept."""
        try:
            self._connection.execute(f"SET memory_limit = '{_KEPT}'")
        except duckdb.OutOfMemoryException:
            log.debug("%s: more than %s is in use", self.place, _KEPT)
        finally:
            self._connection.execute(f"SET memory_limit = '{_CONFIG['memory_limit']}'")

    def _last_serial(self) -> int:
        return int(self._one("SELECT coalesce(max(serial), 0) FROM brought_in"))

    def _add_parts(self, number: int, parts: Sequence[Written]) -> FeedNumbers:
        """Add what belongs to one recording; its feeds, some of them perhaps new."""
        feeds = self._feeds_of(number).copy()
        entries = [entry for part in parts for entry in part.entries]
        self._add_columns(number, to_columns(entries, feeds.number), len(entries))
        for gap in [gap for part in parts for gap in part.gaps]:
            self._connection.execute(
                "INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?)",
                [number, feeds.of_key(gap.key), gap.from_ns, gap.to_ns, gap.lost, gap.reason],
            )
        for note in [note for part in parts for note in part.quality]:
            self._connection.execute(
                "INSERT INTO quality VALUES (?, ?, ?, ?)",
                [number, feeds.of_key(note.key), note.at_ns, msgspec.json.encode(note.report).decode()],
            )
        self._insert("market_depth", [row for part in parts for row in part.depth])
        self._replace_bars([bar for part in parts for bar in part.bars])
        self._add_feeds(number, feeds)
        return feeds

    def _add_columns(self, number: int, columns: Columns, events: int) -> None:
        if not events:
            return
        connection, low, high, first, last = self._connection, [], [], [], []
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
        connection.execute(
            "INSERT INTO flushes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                number,
                min(low),
                max(high),
                min(first),
                max(last),
                events,
                columns.level_rows,
                columns.orders,
                columns.fills,
            ],
        )

    def _add_feeds(self, number: int, feeds: FeedNumbers) -> None:
        for name in feeds.new:
            (venue, symbol, mode), event_venue, event_symbol = name
            self._connection.execute(
                "INSERT INTO feeds VALUES (?, ?, ?, ?, ?, ?, ?)",
                [number, feeds.known[name], venue, symbol, mode, event_venue, event_symbol],
            )
        feeds.new.clear()

    def _insert(self, table: str, rows: Sequence[MarketDepth] | Sequence[CandleBar]) -> None:
        if rows:
            self._connection.register("batch", pa.Table.from_pylist([msgspec.to_builtins(row) for row in rows]))
            self._connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")
            self._connection.unregister("batch")

    def _replace_bars(self, changed: Sequence[CandleBar]) -> None:
        newest = {(bar.recording, bar.provider, bar.symbol, bar.timeframe, bar.ts_utc): bar for bar in changed}
        if newest:
            bars = [*newest.values()]
            self._connection.register("batch", pa.Table.from_pylist([msgspec.to_builtins(bar) for bar in bars]))
            self._connection.execute(
                "DELETE FROM candle_bars USING batch WHERE candle_bars.ts_utc = batch.ts_utc "
                "AND candle_bars.symbol = batch.symbol AND candle_bars.timeframe = batch.timeframe "
                "AND candle_bars.provider = batch.provider AND candle_bars.recording = batch.recording"
            )
            self._insert("candle_bars", bars)

    def end(self, recording_id: str, *, at_ns: int) -> Recording:
        with self._guard():
            self._bring_in()
        with self._transaction() as connection:
            number = self._number(recording_id)
            if self.recording(recording_id).ending == "running":
                connection.execute("INSERT INTO endings VALUES (?, ?, 'stopped')", [number, at_ns])
        return self.recording(recording_id)

    def add_market_depth(self, rows: Sequence[MarketDepth]) -> None:
        with self._transaction():
            self._insert("market_depth", rows)

    def delete(self, recording_id: str) -> None:
        with self._guard():
            self._bring_in()
        with self._transaction() as connection:
            found = self.recording(recording_id)
            if found.ending == "running":
                raise StoreError(f"recording {recording_id} is running", hint="Stop it first.")
            number = self._number(recording_id)
            for table in TABLES_OF_A_RECORDING:
                self._delete_rows(table, number)
            for table in ("market_depth", "candle_bars"):
                connection.execute(f"DELETE FROM {table} WHERE recording = ?", [recording_id])
            connection.execute("DELETE FROM recordings WHERE number = ?", [number])
        with self._guard():
            self._connection.execute("CHECKPOINT")
        self._feeds.pop(number, None)
        self._numbers.pop(recording_id, None)

    def _delete_rows(self, table: str, number: int) -> None:
        rows = self._one(f"SELECT estimated_size FROM duckdb_tables() WHERE table_name = '{table}'")
        if rows < REWRITTEN_ROWS:
            # The library frees rows in groups of 122,880; a small table is written anew, so that its room is free now.
            self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} WHERE recording <> {number}")
        else:
            self._connection.execute(f"DELETE FROM {table} WHERE recording = {number}")

    def forget_rows_before(self, ts_utc: int) -> int:
        forgotten = 0
        with self._transaction() as connection:
            for table in ("market_depth", "candle_bars"):
                ((count,),) = connection.execute(
                    f"DELETE FROM {table} WHERE coalesce(recording, '') = '' AND ts_utc < ?", [ts_utc]
                ).fetchall()
                forgotten += int(count)
        return forgotten

    # Reading.

    def _list(self) -> str:
        return _LIST.format(reports=_REPORTS if self._with_reports else "0, 0")

    def recordings(self) -> list[Recording]:
        with self._reading():
            rows = self._connection.execute(f"{self._list()} ORDER BY started_ns, number").fetchall()
            feeds = self._connection.execute(
                "SELECT recording, venue, symbol, mode FROM feeds ORDER BY feed"
            ).fetchall()
        keys: dict[int, dict[FeedKey, None]] = {}
        for number, *key in feeds:
            keys.setdefault(number, {})[tuple(key)] = None
        whole = sum([row[7] + row[8] for row in rows])
        size = self.size() if rows else 0
        return [_recording(row, tuple(keys.get(row[0], ())), size, whole) for row in rows]

    def recording(self, recording_id: str) -> Recording:
        found = self.recordings()
        for one in found:
            if one.id == recording_id:
                return one
        raise unknown(recording_id, [one.id for one in found], self.place)

    def read(
        self,
        recording_id: str,
        *,
        keys: Collection[FeedKey] | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        from_index: int = 0,
    ) -> Iterator[Entry]:
        number = self._number(recording_id)
        with self._reading():
            cursor = self._connection.cursor()
            names = cursor.execute("SELECT * FROM feeds WHERE recording = ?", [number]).fetchall()
            waiting = [entry for one in self._waiting if one.recording_id == recording_id for entry in one.entries]
        feeds: dict[int, FeedName] = {row[1]: ((row[2], row[3], row[4]), row[5], row[6]) for row in names}
        where, chosen = _chosen(feeds, keys, start_ns, end_ns)
        left = [
            entry
            for entry in waiting
            if (keys is None or entry.key in keys)
            and (start_ns is None or time_ns(entry.event) >= start_ns)
            and (end_ns is None or time_ns(entry.event) < end_ns)
            and entry.index >= from_index
        ]
        return self._pages(cursor, number, feeds, (where, chosen), (start_ns, end_ns, from_index), left)

    def _pages(
        self,
        cursor: duckdb.DuckDBPyConnection,
        number: int,
        feeds: dict[int, FeedName],
        filtered: tuple[str, list[Any]],
        span: tuple[int | None, int | None, int],
        left: Sequence[Entry],
    ) -> Iterator[Entry]:
        """Page by page; then what could not be brought in (the disk is full) and has not been meanwhile."""
        where, chosen = filtered
        start_ns, end_ns, from_index = span
        try:
            reports = "coalesce(sum(orders + fills), 0)" if self._with_reports else "0"
            ((first, last, reported),) = cursor.execute(
                f"SELECT coalesce(min(first_idx), 0), coalesce(max(last_idx), -1), {reports} "
                "FROM flushes WHERE recording = ? "
                "AND last_ns >= coalesce(?, last_ns) AND first_ns < coalesce(?, first_ns + 1)",
                [number, start_ns, end_ns],
            ).fetchall()
            tables = [name for name in SCHEMAS if reported or name not in REPORTS]
            for begin in range(max(first, from_index), last + 1, PAGE):
                yield from self._page(
                    cursor, tables, feeds, where, [number, begin, min(begin + PAGE, last + 1), *chosen]
                )
            yield from [entry for entry in left if entry.index > last]
        except duckdb.Error as error:
            raise explain(error, self._path) from error
        finally:
            cursor.close()

    @staticmethod
    def _page(
        cursor: duckdb.DuckDBPyConnection, tables: Sequence[str], feeds: dict[int, FeedName], where: str,
        values: list[Any],
    ) -> list[Entry]:  # fmt: skip
        page: list[Entry] = []
        for name in tables:
            table = cursor.sql(
                f"SELECT {', '.join(SCHEMAS[name].names)} FROM {name} "
                f"WHERE recording = ? AND idx >= ? AND idx < ?{where} ORDER BY idx",
                params=values,
            ).to_arrow_table()
            page += from_columns(name, table, feeds)
        page.sort(key=lambda entry: entry.index)
        return page

    def gaps(self, recording_id: str) -> list[Gap]:
        rows = self._rows_of("gaps", recording_id, "from_ns, to_ns, lost, reason", "from_ns")
        return [Gap(key, *rest) for key, *rest in rows]

    def quality(self, recording_id: str) -> list[QualityNote]:
        rows = self._rows_of("quality", recording_id, "at_ns, report", "at_ns")
        return [
            QualityNote(key, at_ns, msgspec.json.decode(text, type=QualityReport))
            for key, at_ns, text in rows
            if key is not None
        ]

    def _rows_of(self, table: str, recording_id: str, columns: str, order: str) -> list[tuple[Any, ...]]:
        """Rows with the feed's key (None for all feeds) in the place of its number."""
        number = self._number(recording_id)
        known = {feed: key for (key, _, _), feed in self._feeds_of(number).known.items()}
        with self._reading():
            rows = self._connection.execute(
                f"SELECT feed, {columns} FROM {table} WHERE recording = ? ORDER BY {order}", [number]
            ).fetchall()
        return [(known.get(feed), *rest) for feed, *rest in rows]

    def _newest(
        self,
        kind: type[Any],
        table: str,
        wanted: dict[str, str | None],
        since_ms: int | None,
        limit: int,
        until_ms: int | None = None,
    ) -> list[Any]:
        conditions = {name: value for name, value in wanted.items() if value is not None}
        where = "".join([f" AND {name} = ?" for name in conditions])
        columns = ", ".join(
            [f"coalesce({name}, '')" if name in ("recording", "provider") else name for name in kind.__struct_fields__]
        )
        with self._reading():
            rows = self._connection.execute(
                f"SELECT {columns} FROM {table} WHERE ts_utc >= coalesce(?, ts_utc) AND ts_utc <= coalesce(?, ts_utc)"
                f"{where} ORDER BY ts_utc DESC, symbol LIMIT ?",
                [since_ms, until_ms, *conditions.values(), limit],
            ).fetchall()
        return [kind(*row) for row in rows]

    def _page_ends(self, table: str, recording_id: str) -> list[int]:
        with self._reading():
            query = PAGE_ENDS.format(table=table, rows=PAGE_ROWS, id="?")
            return [end for (end,) in self._connection.execute(query, [recording_id]).fetchall()]

    def size(self) -> int:
        with self._guard():
            used = self._one("SELECT sum(used_blocks * block_size) FROM pragma_database_size()")
        log_file = self._path.with_name(self._path.name + ".wal")
        try:
            waiting = log_file.stat().st_size
        except OSError:
            waiting = 0
        return int(used or 0) + waiting + (self._journal.size if self._journal is not None else 0)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                with self._guard():
                    self._bring_in()
            except StoreError as error:
                log.warning("%s; what waits stays in the journal until the file is opened again", error)
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        try:
            self._connection.close()
        except duckdb.Error:
            log.warning("%s could not be closed in good order", self.place, exc_info=True)
        if self._journal is not None:
            self._journal.close()

    # The connection.

    def _number(self, recording_id: str) -> int:
        with self._guard():
            known = self._numbers.get(recording_id)
            if known is not None:
                return known
            rows = self._connection.execute("SELECT number FROM recordings WHERE id = ?", [recording_id]).fetchall()
            if not rows:
                self.recording(recording_id)  # raises, with the near ones
                raise StoreError(f"there is no recording {recording_id!r}")
            self._numbers[recording_id] = int(rows[0][0])
            return self._numbers[recording_id]

    def _feeds_of(self, number: int) -> FeedNumbers:
        with self._guard():
            found = self._feeds.get(number)
            if found is None:
                rows = self._connection.execute("SELECT * FROM feeds WHERE recording = ?", [number]).fetchall()
                known = {((row[2], row[3], row[4]), row[5], row[6]): int(row[1]) for row in rows}
                found = self._feeds[number] = FeedNumbers(known)
            return found

    def _one(self, query: str) -> Any:
        ((value,),) = self._connection.execute(query).fetchall()
        return value

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """One user of the connection at a time; what the library raises becomes an error of ours."""
        with self._lock:
            if self._closed:
                raise StoreError(f"{self.place} has been closed")
            if self._spoiled:
                self._open_anew()
            try:
                yield
            except (duckdb.Error, OSError) as error:
                # After a failure that touches the file, the library refuses all work on this connection.
                self._spoiled |= isinstance(error, duckdb.FatalException) or "invalidated" in str(error)
                raise explain(error, self._path) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """As `_guard`, with everything brought in; where that is not possible, what is there is read."""
        with self._guard():
            try:
                self._bring_in()
            except StoreError as error:
                log.debug("%s", error)
            yield

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing."""
        with self._guard():
            self._connection.begin()
            try:
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._undo()
                raise

    def _open_anew(self) -> None:
        log.warning("%s is opened anew after a failure", self.place)
        self._connection.close()
        self._connection = self._open()
        self._spoiled = False

    def _undo(self) -> None:
        try:
            self._connection.rollback()
        except duckdb.Error:
            log.debug("%s: nothing to roll back", self.place, exc_info=True)


def _recording(row: tuple[Any, ...], feeds: tuple[FeedKey, ...], size: int, whole: int) -> Recording:
    """A row of the list as a value; its share of the file by how much it holds of all events and levels."""
    _, made, started_ns, ended_ns, ending, note, versions, events, level_rows, gaps, _, orders, fills = row
    share = round(size * (events + level_rows) / whole) if whole else 0
    return Recording(
        made, started_ns, ended_ns, ending, feeds, int(events), int(level_rows), gaps, share, note,
        msgspec.json.decode(versions, type=dict[str, str]), int(orders), int(fills),
    )  # fmt: skip


def _chosen(
    feeds: dict[int, FeedName], keys: Collection[FeedKey] | None, start_ns: int | None, end_ns: int | None
) -> tuple[str, list[Any]]:
    """The condition for these feeds and this time, and its values."""
    where, values = "", list[Any]()
    if keys is not None:
        numbers = [number for number, (key, _, _) in feeds.items() if key in keys]
        where += f" AND feed IN ({', '.join(map(str, numbers)) or 'NULL'})"
    if start_ns is not None:
        where, values = where + " AND at_ns >= ?", [*values, start_ns]
    if end_ns is not None:
        where, values = where + " AND at_ns < ?", [*values, end_ns]
    return where, values
