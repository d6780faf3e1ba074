"""Recordings on a PostgreSQL server, as hypertables where TimescaleDB is present.

Several processes may share a server. Whoever records holds an advisory lock; a recording that is not ended and not
locked was cut off.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
import pyarrow as pa

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.feed.quality import QualityReport
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, new_id, unknown
from engine.store.columns.entries import SCHEMAS, Columns, FeedName, to_columns
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.columns.reader import from_columns
from engine.store.columns.sampled_rows import PAGE_ENDS, PAGE_ROWS, SampledRows
from engine.store.postgres.binary import from_rows, kept, meant, to_copy
from engine.store.postgres.door import Door
from engine.store.postgres.schema import (
    ALL_TABLES,
    HYPERTABLES,
    MAKE_HYPERTABLE,
    MIGRATIONS,
    REPORT_TABLES,
    REPORTS_SINCE,
    TABLES,
    TABLES_OF_A_RECORDING,
    VERSION,
)

PAGE = 10_000
"""How many entries are read at a time."""
MIGRATION_MS = 1_800_000
"""How long one step to a newer version of the tables may take."""
_FIRST_MS, _LAST_MS = -(2**63), 2**63 - 1
_OURS = "hashtext(current_schema() || ' tapedeck')"
"""The first half of our advisory locks' numbers; the second is the recording's, or 0 for making the tables."""
_LIST = """
SELECT number, id, started_ns, ended_ns, coalesce(ending, 'running'), note, versions,
    (SELECT coalesce(sum(events), 0)::bigint FROM flushes f WHERE f.recording = number),
    (SELECT coalesce(sum(level_rows), 0)::bigint FROM flushes f WHERE f.recording = number),
    (SELECT count(*) FROM gaps g WHERE g.recording = number),
    (SELECT max(last_ns) FROM flushes f WHERE f.recording = number),
    (SELECT coalesce(sum(bytes), 0)::bigint FROM flushes f WHERE f.recording = number), {reports}
FROM recordings LEFT JOIN endings e ON e.recording = number
"""
_REPORTS = """
    (SELECT coalesce(sum(orders), 0)::bigint FROM flushes f WHERE f.recording = number),
    (SELECT coalesce(sum(fills), 0)::bigint FROM flushes f WHERE f.recording = number)
"""
log = logging.getLogger(__name__)


class PostgresStore(SampledRows):
    """See `Store` in engine/store/base.py."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Connect to `postgresql://user:password@host:port/database`; tables are made where there are none.

        `read_only`: nothing is made or ended.

        Raises:
            StoreError: the server cannot be used, or the tables there are not ours.
        """
        self._feeds: dict[int, FeedNumbers] = {}
        self._numbers: dict[str, int] = {}
        self._running: set[int] = set()
        self.found_cut_off: list[Recording] = []
        self._with_reports = True
        """Whether there are tables of orders and fills."""
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
        for row in self._door.rows(f"{self._list()} WHERE ending IS NULL ORDER BY number"):
            with self._door.transaction() as connection:
                # Held until the transaction is over: no other process that opens now ends it a second time.
                if not self._one(f"SELECT pg_try_advisory_xact_lock({_OURS}, %s)", [row[0]]):
                    continue
                ended_ns = row[10] if row[10] is not None else row[2]
                statement = "INSERT INTO endings VALUES (%s, %s, 'cut off') ON CONFLICT DO NOTHING"
                if not connection.execute(statement, [row[0], ended_ns]).rowcount:
                    continue
            self.found_cut_off.append(self.recording(row[1]))
            log.warning("%s: recording %s was cut off; it is whole until its last flush", self.place, row[1])

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

    def _list(self) -> str:
        return _LIST.format(reports=_REPORTS if self._with_reports else "0, 0")

    def recordings(self) -> list[Recording]:
        rows = self._door.rows(f"{self._list()} ORDER BY started_ns, number")
        found = self._door.rows("SELECT recording, venue, symbol, mode FROM feeds ORDER BY recording, feed")
        keys = {
            number: tuple(dict.fromkeys([(venue, symbol, mode) for _, venue, symbol, mode in group]))
            for number, group in groupby(found, itemgetter(0))
        }
        return [_recording(row, keys.get(row[0], ())) for row in rows]

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
        rows = self._door.rows("SELECT * FROM feeds WHERE recording = %s", [number])
        feeds: dict[int, FeedName] = {row[1]: ((row[2], row[3], row[4]), row[5], row[6]) for row in rows}
        wanted = [number for number, (key, _, _) in feeds.items() if keys is None or key in keys]
        reports = "coalesce(sum(orders + fills), 0)::bigint" if self._with_reports else "0"
        ((first, last, reported),) = self._door.rows(
            f"SELECT coalesce(min(first_idx), 0), coalesce(max(last_idx), -1), {reports} "
            "FROM flushes WHERE recording = %s "
            "AND last_ns >= coalesce(%s::bigint, last_ns) AND first_ns < coalesce(%s::bigint, first_ns + 1)",
            [number, start_ns, end_ns],
        )
        tables = [name for name in SCHEMAS if reported or name not in REPORT_TABLES]
        return self._pages(number, tables, feeds, (max(first, from_index), last), (wanted, start_ns, end_ns))

    def _pages(
        self, number: int, tables: Sequence[str], feeds: dict[int, FeedName], span: tuple[int, int],
        chosen: tuple[list[int], int | None, int | None],
    ) -> Iterator[Entry]:  # fmt: skip
        first, last = span
        for begin in range(first, last + 1, PAGE):
            page: list[Entry] = []
            for name in tables:
                page += from_columns(
                    name, self._part(name, SCHEMAS[name], (number, begin, min(begin + PAGE, last + 1)), chosen), feeds
                )
            page.sort(key=_index)
            yield from page

    def _part(
        self, name: str, schema: pa.Schema, span: tuple[int, int, int], chosen: tuple[list[int], int | None, int | None]
    ) -> pa.Table:
        wanted, start_ns, end_ns = chosen
        rows = self._door.rows(
            f"SELECT {', '.join(schema.names)} FROM {name} WHERE recording = %s AND idx >= %s AND idx < %s "
            "AND feed = ANY(%s) AND at_ns >= coalesce(%s::bigint, at_ns) AND at_ns < coalesce(%s::bigint, at_ns + 1) "
            "ORDER BY idx",
            [*span, wanted, start_ns, end_ns],
        )
        return from_rows(rows, schema)

    def gaps(self, recording_id: str) -> list[Gap]:
        rows = self._rows_of("gaps", recording_id, "from_ns, to_ns, lost, reason", "from_ns")
        return [Gap(key, from_ns, to_ns, lost, meant(reason)) for key, from_ns, to_ns, lost, reason in rows]

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
        rows = self._door.rows(f"SELECT feed, {columns} FROM {table} WHERE recording = %s ORDER BY {order}", [number])
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
        where = "".join([f" AND {name} = %s" for name in conditions])
        rows = self._door.rows(
            f"SELECT {', '.join(kind.__struct_fields__)} FROM {table} "
            f"WHERE ts_utc BETWEEN %s AND %s{where} ORDER BY ts_utc DESC, symbol LIMIT %s",
            [_FIRST_MS if since_ms is None else since_ms, _LAST_MS if until_ms is None else until_ms,
             *conditions.values(), limit],
        )  # fmt: skip
        return [kind(*[meant(value) if isinstance(value, str) else value for value in row]) for row in rows]

    def _page_ends(self, table: str, recording_id: str) -> list[int]:
        query = PAGE_ENDS.format(table=table, rows=PAGE_ROWS, id="%s")
        return [int(end) for (end,) in self._door.rows(query, [recording_id])]

    def size(self) -> int:
        """As it was sent: indexes and what the server has yet to clear away are not counted."""
        return int(self._one("SELECT coalesce(sum(bytes), 0)::bigint FROM flushes"))

    def close(self) -> None:
        self._door.close()

    # What is known of recordings.

    def _number(self, recording_id: str) -> int:
        known = self._numbers.get(recording_id)
        if known is None:
            rows = self._door.rows("SELECT number FROM recordings WHERE id = %s", [recording_id])
            if not rows:
                self.recording(recording_id)  # raises, with the near ones
                raise StoreError(f"there is no recording {recording_id!r}")
            known = self._numbers[recording_id] = int(rows[0][0])
        return known

    def _feeds_of(self, number: int) -> FeedNumbers:
        found = self._feeds.get(number)
        if found is None:
            rows = self._door.rows("SELECT * FROM feeds WHERE recording = %s", [number])
            known = {((row[2], row[3], row[4]), row[5], row[6]): int(row[1]) for row in rows}
            found = self._feeds[number] = FeedNumbers(known)
        return found

    def _one(self, query: str, values: Sequence[Any] = ()) -> Any:
        ((value,),) = self._door.rows(query, values)
        return value

    def _has(self, query: str) -> bool:
        return bool(self._door.rows(query))


def _kept(value: Any) -> Any:
    return kept(value) if isinstance(value, str) else value


def _index(entry: Entry) -> int:
    return entry.index


def _recording(row: tuple[Any, ...], feeds: tuple[FeedKey, ...]) -> Recording:
    """A row of the list as a value."""
    _, made, started_ns, ended_ns, ending, note, versions, events, level_rows, gaps, _, size, orders, fills = row
    return Recording(
        made, started_ns, ended_ns, ending, feeds, events, level_rows, gaps, size, meant(note),
        msgspec.json.decode(versions, type=dict[str, str]), orders, fills,
    )  # fmt: skip
