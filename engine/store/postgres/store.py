"""Recordings on a PostgreSQL server, as hypertables where TimescaleDB is present.

Several processes may share a server. Whoever records holds an advisory lock; a recording that is not ended and not
locked was cut off.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pyarrow as pa

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, new_id
from engine.store.columns.entries import SCHEMAS, Columns, to_columns
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.columns.tables import RecordingTables, pages
from engine.store.postgres.binary import from_rows, kept, meant, to_copy
from engine.store.postgres.door import Door
from engine.store.postgres.schema import (
    ALL_TABLES,
    HYPERTABLES,
    MAKE_HYPERTABLE,
    MIGRATIONS,
    REPORTS_SINCE,
    TABLES,
    TABLES_OF_A_RECORDING,
    VERSION,
)

MIGRATION_MS = 1_800_000
"""How long one step to a newer version of the tables may take."""
_OURS = "hashtext(current_schema() || ' tapedeck')"
"""The first half of our advisory locks' numbers; the second is the recording's, or 0 for making the tables."""
log = logging.getLogger(__name__)


class PostgresStore(RecordingTables):
    """See `Store` in engine/store/base.py."""

    SIZE = "(SELECT coalesce(sum(bytes), 0)::bigint FROM flushes f WHERE f.recording = number)"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Connect to `postgresql://user:password@host:port/database`; tables are made where there are none.

        `read_only`: nothing is made or ended.

        Raises:
            StoreError: the server cannot be used, or the tables there are not ours.
        """
        super().__init__()
        self._running: set[int] = set()
        self.hypertables = False
        """Whether TimescaleDB keeps the large tables."""
        self._door = Door(url, self._lock_running)
        try:
            self._prepare(read_only)
            if not read_only:
                self._look_back()
        except BaseException:
            self._door.close()
            raise

    @property
    def place(self) -> str:
        return self._door.place

    def _lock_running(self) -> None:
        """A new connection holds no locks: take those of what is being recorded here."""
        for number in self._running:
            self._door.rows(f"SELECT pg_advisory_lock({_OURS}, %s) IS NULL", [number])

    def _prepare(self, read_only: bool) -> None:
        with self._door.transaction():
            self._door.rows(f"SELECT pg_advisory_xact_lock({_OURS}, 0) IS NULL")
            found = self._version()
            if found > VERSION:
                raise StoreError(
                    f"{self.place} has tables of version {found}, this program knows versions up to {VERSION}",
                    hint="Use the newer program that wrote them, or name another database in STORE_URL.",
                )
            if found == 0 and read_only:
                raise StoreError(f"{self.place} holds no recordings", hint="Record something first.")
            if found == 0:
                self._make_tables()
            elif read_only:
                # An older one is read as it is: nothing traded yet when it was written.
                self._with_reports = found >= REPORTS_SINCE
            else:
                self._migrate(found)
        self.hypertables = self._has("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'") and self._has(
            "SELECT 1 FROM timescaledb_information.hypertables "
            "WHERE hypertable_schema = current_schema() AND hypertable_name = 'books'"
        )

    def _version(self) -> int:
        rows = self._door.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
        there = {name for (name,) in rows} & set(ALL_TABLES)
        if not there:
            return 0
        if "schema_version" not in there:
            raise StoreError(
                f"{self.place} has a table {min(there)!r} that is not one of recordings",
                hint="Name another database in STORE_URL; nothing was changed in this one.",
            )
        return int(self._one("SELECT coalesce(max(version), 0) FROM schema_version"))

    def _make_tables(self) -> None:
        with self._door.guard() as connection:
            connection.execute("CREATE TABLE schema_version(version integer)")
            connection.execute("INSERT INTO schema_version VALUES (%s)", [VERSION])
            connection.execute(TABLES.encode())
            if not self._has("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"):
                return
            for table, (column, length) in HYPERTABLES.items():
                connection.execute(MAKE_HYPERTABLE.encode(), [table, column, length])
            log.info("%s: TimescaleDB keeps the large tables", self.place)

    def _migrate(self, found: int) -> None:
        with self._door.guard() as connection:
            # An index over many rows takes its time; the limit is back when this transaction is over.
            connection.execute(f"SET LOCAL statement_timeout = {MIGRATION_MS}".encode())
            for version in range(found, VERSION):
                connection.execute(MIGRATIONS[version].encode())
                connection.execute("INSERT INTO schema_version VALUES (%s)", [version + 1])
                log.info("%s: the tables are now of version %d", self.place, version + 1)

    def _look_back(self) -> None:
        """End what was running when its process died."""
        for number, recording_id, ended_ns in self._unended():
            with self._door.transaction() as connection:
                # Held until the transaction is over: no other process that opens now ends it a second time.
                if not self._one(f"SELECT pg_try_advisory_xact_lock({_OURS}, %s)", [number]):
                    continue
                statement = "INSERT INTO endings VALUES (%s, %s, 'cut off') ON CONFLICT DO NOTHING"
                if not connection.execute(statement, [number, ended_ns]).rowcount:
                    continue
            self._was_cut_off(recording_id)

    # Writing.

    def begin(self, feeds: Sequence[FeedKey], *, at_ns: int, note: str = "") -> Recording:
        versions = {"schema": str(VERSION), "python": platform.python_version()}
        made, numbered = new_id(at_ns), FeedNumbers()
        for key in feeds:
            numbered.of_key(key)
        with self._door.transaction():
            number = int(
                self._one(
                    "INSERT INTO recordings(id, started_ns, note, versions) VALUES (%s, %s, %s, %s) RETURNING number",
                    [made, at_ns, kept(note), msgspec.json.encode(versions).decode()],
                )
            )
            # Before anybody can see it: a recording without its lock counts as cut off.
            self._door.rows(f"SELECT pg_advisory_lock({_OURS}, %s) IS NULL", [number])
            self._add_feeds(number, numbered)
        self._running.add(number)
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
        with self._door.lock:
            number = self._number(recording_id)
            feeds = self._feeds_of(number).copy()
            columns = to_columns(entries, feeds.number)
            with self._door.transaction():
                if not self._add_columns(number, columns, entries):
                    return
                self._many(
                    "INSERT INTO gaps VALUES (%s, %s, %s, %s, %s, %s)",
                    [(number, feeds.of_key(g.key), g.from_ns, g.to_ns, g.lost, kept(g.reason)) for g in gaps],
                )
                self._many(
                    "INSERT INTO quality VALUES (%s, %s, %s, %s)",
                    [
                        (number, feeds.of_key(one.key), one.at_ns, msgspec.json.encode(one.report).decode())
                        for one in quality
                    ],
                )
                self._add_rows("market_depth", depth)
                self._add_bars(bars)
                self._add_feeds(number, feeds)
            self._feeds[number] = feeds

    def _add_columns(self, number: int, columns: Columns, entries: Sequence[Entry]) -> bool:
        """Whether they are new: of a batch whose end was never heard of nobody knows whether it arrived."""
        if not entries:
            return True
        times = [table["at_ns"].to_numpy() for table in columns.tables.values()]
        first, last = min(int(one.min()) for one in times), max(int(one.max()) for one in times)
        batches = {name: to_copy(table, number) for name, table in columns.tables.items()}
        size = sum([len(batch) for batch in batches.values()])
        flush = (
            number, entries[0].index, entries[-1].index, first, last, len(entries), columns.level_rows, size,
            columns.orders, columns.fills,
        )  # fmt: skip
        with self._door.guard() as connection:
            places = f"({', '.join(['%s'] * len(flush))})"
            added = connection.execute(f"INSERT INTO flushes VALUES {places} ON CONFLICT DO NOTHING".encode(), flush)
        if not added.rowcount:
            return False
        for name, batch in batches.items():
            self._door.copy(f"COPY {name} FROM STDIN (FORMAT BINARY)", batch)
        return True

    def _add_feeds(self, number: int, feeds: FeedNumbers) -> None:
        rows = [(number, feeds.known[name], *name[0], name[1], name[2]) for name in feeds.new]
        self._many("INSERT INTO feeds VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
        feeds.new.clear()

    def _add_rows(self, table: str, rows: Sequence[MarketDepth] | Sequence[CandleBar], otherwise: str = "") -> None:
        if not rows:
            return
        columns = rows[0].__struct_fields__
        places = ", ".join(["%s"] * len(columns))
        self._many(
            f"INSERT INTO {table}({', '.join(columns)}) VALUES ({places}) {otherwise}",
            [[_kept(getattr(row, name)) for name in columns] for row in rows],
        )

    def _add_bars(self, bars: Sequence[CandleBar]) -> None:
        grown = ("open", "high", "low", "close", "volume", "buy_volume", "sell_volume")
        self._add_rows(
            "candle_bars",
            bars,
            "ON CONFLICT (recording, provider, symbol, timeframe, ts_utc) DO UPDATE SET "
            + ", ".join([f"{name} = excluded.{name}" for name in grown]),
        )

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            with self._door.guard() as connection, connection.cursor() as cursor:
                cursor.executemany(statement.encode(), rows)

    def end(self, recording_id: str, *, at_ns: int) -> Recording:
        number = self._number(recording_id)
        self._many("INSERT INTO endings VALUES (%s, %s, 'stopped') ON CONFLICT DO NOTHING", [(number, at_ns)])
        if number in self._running:
            self._running.discard(number)
            self._door.rows(f"SELECT pg_advisory_unlock({_OURS}, %s)", [number])
        return self.recording(recording_id)

    def add_market_depth(self, rows: Sequence[MarketDepth]) -> None:
        with self._door.transaction():
            self._add_rows("market_depth", rows)

    def delete(self, recording_id: str) -> None:
        with self._door.transaction() as connection:
            if self.recording(recording_id).ending == "running":
                raise StoreError(f"recording {recording_id} is running", hint="Stop it first.")
            number = self._number(recording_id)
            for table in TABLES_OF_A_RECORDING:
                connection.execute(f"DELETE FROM {table} WHERE recording = %s".encode(), [number])
            for table in ("market_depth", "candle_bars"):
                connection.execute(f"DELETE FROM {table} WHERE recording = %s".encode(), [recording_id])
            connection.execute("DELETE FROM recordings WHERE number = %s", [number])
        self._feeds.pop(number, None)
        self._numbers.pop(recording_id, None)

    def forget_rows_before(self, ts_utc: int) -> int:
        with self._door.transaction() as connection:
            return sum(
                [
                    connection.execute(
                        f"DELETE FROM {table} WHERE recording = '' AND ts_utc < %s".encode(), [ts_utc]
                    ).rowcount
                    for table in ("market_depth", "candle_bars")
                ]
            )

    # Reading.

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
        feeds = self._feed_names(number)
        wanted = [number for number, (key, _, _) in feeds.items() if keys is None or key in keys]
        ((first, last, reported),) = self._rows(self._span_query(), [number, start_ns, end_ns])

        def part(name: str, begin: int, end: int) -> pa.Table:
            return self._part(name, (number, begin, end), (wanted, start_ns, end_ns))

        return pages(self._tables(reported), (max(first, from_index), last), feeds, part)

    def _part(
        self, name: str, span: tuple[int, int, int], chosen: tuple[list[int], int | None, int | None]
    ) -> pa.Table:
        wanted, start_ns, end_ns = chosen
        rows = self._door.rows(
            f"SELECT {', '.join(SCHEMAS[name].names)} FROM {name} WHERE recording = %s AND idx >= %s AND idx < %s "
            "AND feed = ANY(%s) AND at_ns >= coalesce(%s::bigint, at_ns) AND at_ns < coalesce(%s::bigint, at_ns + 1) "
            "ORDER BY idx",
            [*span, wanted, start_ns, end_ns],
        )
        return from_rows(rows, SCHEMAS[name])

    def size(self) -> int:
        """As it was sent: indexes and what the server has yet to clear away are not counted."""
        return int(self._one("SELECT coalesce(sum(bytes), 0)::bigint FROM flushes"))

    def close(self) -> None:
        self._door.close()

    # The connection.

    def _alone(self) -> AbstractContextManager[Any]:
        return self._door.lock

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._door.rows(query.replace("?", "%s"), values)

    def _meant(self, text: str) -> str:
        return meant(text)

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        ((value,),) = self._door.rows(query, values)
        return value

    def _has(self, query: str) -> bool:
        return bool(self._door.rows(query))


def _kept(value: Any) -> Any:
    return kept(value) if isinstance(value, str) else value
