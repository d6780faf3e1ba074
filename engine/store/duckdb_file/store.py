"""Recordings in one DuckDB file."""

from __future__ import annotations

import logging
import platform
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, new_id, time_ns
from engine.store.columns.entries import SCHEMAS, FeedName, to_columns
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.columns.tables import RecordingTables, pages
from engine.store.duckdb_file import writing
from engine.store.duckdb_file.door import LIBRARY_VERSION, Connection, Door
from engine.store.duckdb_file.journal import Journal, Written
from engine.store.duckdb_file.schema import REPORTS_SINCE, TABLES_OF_A_RECORDING, VERSION, check, prepare, version_of

MOST_WAITING = 40_000
BRING_IN_EVERY_S = 30.0
"""So many events, or seconds, until what is in the journal is brought into the database."""
log = logging.getLogger(__name__)


class DuckdbStore(RecordingTables):
    """See `Store` in engine/store/base.py."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file; made with its folder if there is none (unless `read_only`).

        Raises:
            StoreError: it cannot be opened or is not ours.
        """
        super().__init__()
        self._waiting: list[Written] = []
        """What is in the journal and not yet in the database."""
        self._serial = self._events_waiting = 0
        self._brought_in_s = monotonic()
        self._door = Door(path, read_only=read_only)
        self._journal: Journal | None = None
        try:
            self._look_back(path, read_only)
        except BaseException:
            self._let_go()
            raise

    @property
    def place(self) -> str:
        return self._door.place

    def _look_back(self, path: Path, read_only: bool) -> None:
        """Bring the tables up to date and end what was running when its process died."""
        with self._door.guard() as connection:
            if read_only:
                check(found := version_of(connection), VERSION)
                # An older one is read as it is: nothing traded yet when it was written.
                self._with_reports = found >= REPORTS_SINCE
                return
            prepare(connection)
            self._journal = Journal(path.with_name(path.name + ".journal"))
            self._serial = self._last_serial()
            self._waiting = self._left_behind(self._journal)
            self._bring_in()
            # Also where nothing was brought in: behind a record that was cut off, what comes next would not be read.
            self._journal.clear()
            for number, recording_id, ended_ns in self._unended():
                connection.execute("INSERT INTO endings VALUES (?, ?, 'cut off')", [number, ended_ns])
                self._was_cut_off(recording_id)

    def _left_behind(self, journal: Journal) -> list[Written]:
        """What the journal has and the database has not; nothing of a recording that is not (or no longer) here."""
        ids = {made for (made,) in self._rows("SELECT id FROM recordings")}
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
        versions = {"schema": str(VERSION), "duckdb": LIBRARY_VERSION, "python": platform.python_version()}
        made = new_id(at_ns)
        with self._door.transaction() as connection:
            number = self._one("SELECT coalesce(max(number), 0) + 1 FROM recordings")
            connection.execute(
                "INSERT INTO recordings VALUES (?, ?, ?, ?, ?)",
                [number, made, at_ns, note, msgspec.json.encode(versions).decode()],
            )
            numbered = FeedNumbers()
            for key in feeds:
                numbered.of_key(key)
            writing.add_feeds(connection, number, numbered)
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
        with self._door.guard():
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
        with self._door.transaction() as connection:
            # The library may have reported a failure although it had written everything: then it is there already.
            known = self._last_serial()
            for recording_id in dict.fromkeys([one.recording_id for one in self._waiting]):
                parts = [one for one in self._waiting if one.recording_id == recording_id and one.serial > known]
                number = self._number(recording_id)
                numbered[number] = self._add_parts(connection, number, parts)
            connection.execute("DELETE FROM brought_in")
            connection.execute(f"INSERT INTO brought_in VALUES ({self._waiting[-1].serial})")
        self._feeds |= numbered
        self._waiting, self._events_waiting = [], 0
        self._journal.clear()
        self._door.forget_blocks()

    def _last_serial(self) -> int:
        return int(self._one("SELECT coalesce(max(serial), 0) FROM brought_in"))

    def _add_parts(self, connection: Connection, number: int, parts: Sequence[Written]) -> FeedNumbers:
        """Add what belongs to one recording; its feeds, some of them perhaps new."""
        feeds = self._feeds_of(number).copy()
        entries = [entry for part in parts for entry in part.entries]
        writing.add_columns(connection, number, to_columns(entries, feeds.number), len(entries))
        writing.add_gaps(connection, number, feeds, [gap for part in parts for gap in part.gaps])
        writing.add_quality(connection, number, feeds, [note for part in parts for note in part.quality])
        writing.add_sampled(connection, "market_depth", [row for part in parts for row in part.depth])
        writing.replace_bars(connection, [bar for part in parts for bar in part.bars])
        writing.add_feeds(connection, number, feeds)
        return feeds

    def end(self, recording_id: str, *, at_ns: int) -> Recording:
        with self._door.guard():
            self._bring_in()
        with self._door.transaction() as connection:
            number = self._number(recording_id)
            if self.recording(recording_id).ending == "running":
                connection.execute("INSERT INTO endings VALUES (?, ?, 'stopped')", [number, at_ns])
        return self.recording(recording_id)

    def add_market_depth(self, rows: Sequence[MarketDepth]) -> None:
        with self._door.transaction() as connection:
            writing.add_sampled(connection, "market_depth", rows)

    def delete(self, recording_id: str) -> None:
        with self._door.guard():
            self._bring_in()
        with self._door.transaction() as connection:
            found = self.recording(recording_id)
            if found.ending == "running":
                raise StoreError(f"recording {recording_id} is running", hint="Stop it first.")
            number = self._number(recording_id)
            for table in TABLES_OF_A_RECORDING:
                writing.delete(connection, table, number)
            for table in ("market_depth", "candle_bars"):
                connection.execute(f"DELETE FROM {table} WHERE recording = ?", [recording_id])
            connection.execute("DELETE FROM recordings WHERE number = ?", [number])
        with self._door.guard() as connection:
            connection.execute("CHECKPOINT")
        self._feeds.pop(number, None)
        self._numbers.pop(recording_id, None)

    def forget_rows_before(self, ts_utc: int) -> int:
        forgotten = 0
        with self._door.transaction() as connection:
            for table in ("market_depth", "candle_bars"):
                ((count,),) = connection.execute(
                    f"DELETE FROM {table} WHERE coalesce(recording, '') = '' AND ts_utc < ?", [ts_utc]
                ).fetchall()
                forgotten += int(count)
        return forgotten

    # Reading.

    def recordings(self) -> list[Recording]:
        with self._door.guard():
            found = super().recordings()
            size = self.size() if found else 0
        # A share of the file, by how much it holds of all events and levels.
        whole = sum([one.events + one.level_rows for one in found])
        shares = [round(size * (one.events + one.level_rows) / whole) if whole else 0 for one in found]
        return [replace(one, size_bytes=share) for one, share in zip(found, shares, strict=True)]

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
            cursor = self._door.cursor()
            feeds = self._feed_names(number)
            waiting = [entry for one in self._waiting if one.recording_id == recording_id for entry in one.entries]
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
        cursor: Connection,
        number: int,
        feeds: dict[int, FeedName],
        filtered: tuple[str, list[Any]],
        span: tuple[int | None, int | None, int],
        left: Sequence[Entry],
    ) -> Iterator[Entry]:
        """Page by page; then what could not be brought in (the disk is full) and has not been meanwhile."""
        where, chosen = filtered
        start_ns, end_ns, from_index = span

        def part(name: str, begin: int, end: int) -> pa.Table:
            return cursor.sql(
                f"SELECT {', '.join(SCHEMAS[name].names)} FROM {name} "
                f"WHERE recording = ? AND idx >= ? AND idx < ?{where} ORDER BY idx",
                params=[number, begin, end, *chosen],
            ).to_arrow_table()

        with self._door.reading(cursor):
            ((first, last, reported),) = cursor.execute(self._span_query(), [number, start_ns, end_ns]).fetchall()
            yield from pages(self._tables(reported), (max(first, from_index), last), feeds, part)
            yield from [entry for entry in left if entry.index > last]

    def size(self) -> int:
        return self._door.size() + (self._journal.size if self._journal is not None else 0)

    def close(self) -> None:
        with self._door.lock:
            if self._door.closed:
                return
            try:
                with self._door.guard():
                    self._bring_in()
            except StoreError as error:
                log.warning("%s; what waits stays in the journal until the file is opened again", error)
            self._let_go()

    def _let_go(self) -> None:
        self._door.close()
        if self._journal is not None:
            self._journal.close()

    # The connection.

    def _alone(self) -> AbstractContextManager[Any]:
        return self._door.guard()

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._door.rows(query, values)

    def _all_rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._reading():
            return self._door.rows(query, values)

    def _one(self, query: str) -> Any:
        ((value,),) = self._door.rows(query)
        return value

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """One user at a time, with everything brought in; where that is not possible, what is there is read."""
        with self._door.guard():
            try:
                self._bring_in()
            except StoreError as error:
                log.debug("%s", error)
            yield


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
