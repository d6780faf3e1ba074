"""Recordings in the tables of a database, read in the same words whichever database it is."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import msgspec
import pyarrow as pa

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.feed.quality import QualityReport
from engine.store.base import Entry, Gap, QualityNote, Recording, unknown
from engine.store.columns.entries import REPORTS, SCHEMAS, FeedName
from engine.store.columns.feed_numbers import FeedNumbers
from engine.store.columns.reader import from_columns
from engine.store.columns.sampled_rows import PAGE_ROWS, SampledRows

PAGE = 10_000
"""How many entries are read at a time."""
_FIRST_MS, _LAST_MS = -(2**63), 2**63 - 1
_ALL = "FROM recordings LEFT JOIN endings e ON e.recording = number"
_LIST = """
SELECT number, id, started_ns, ended_ns, coalesce(ending, 'running'), note, versions,
    (SELECT coalesce(sum(events), 0)::bigint FROM flushes f WHERE f.recording = number),
    (SELECT coalesce(sum(level_rows), 0)::bigint FROM flushes f WHERE f.recording = number),
    (SELECT count(*) FROM gaps g WHERE g.recording = number), {size}, {reports}
"""
_REPORTS = """
    (SELECT coalesce(sum(orders), 0)::bigint FROM flushes f WHERE f.recording = number),
    (SELECT coalesce(sum(fills), 0)::bigint FROM flushes f WHERE f.recording = number)
"""
_RUNNING = f"""
SELECT number, id, coalesce((SELECT max(last_ns) FROM flushes f WHERE f.recording = number), started_ns)
{_ALL} WHERE ending IS NULL ORDER BY number
"""
_SPAN = """
SELECT coalesce(min(first_idx), 0), coalesce(max(last_idx), -1), {reports} FROM flushes WHERE recording = ?
AND last_ns >= coalesce(?::bigint, last_ns) AND first_ns < coalesce(?::bigint, first_ns + 1)
"""
_PAGE_ENDS = """
SELECT max(ts_utc) FROM (
    SELECT ts_utc, floor((row_number() OVER (ORDER BY ts_utc) - 1) / {rows}) AS page FROM {table} WHERE recording = ?
) AS numbered GROUP BY page ORDER BY 1
"""
log = logging.getLogger(__name__)


class RecordingTables(SampledRows):
    """The part of a `Store` in a database that looks recordings up and reads what stands beside their entries."""

    SIZE: ClassVar[str] = "0"
    """What one recording takes, in bytes, as a part of the query that lists them."""

    def __init__(self) -> None:
        self._feeds: dict[int, FeedNumbers] = {}
        self._numbers: dict[str, int] = {}
        self.found_cut_off: list[Recording] = []
        self._with_reports = True
        """Whether there are tables of orders and fills."""

    @property
    @abstractmethod
    def place(self) -> str:
        """See `Store`."""

    @abstractmethod
    def _alone(self) -> AbstractContextManager[Any]:
        """One user at a time; may be entered again by the same."""

    @abstractmethod
    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query brings from the database; `?` is the mark of a value. Raises StoreError."""

    def _all_rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As `_rows`, after what waits elsewhere has been brought into the database, where that is possible."""
        return self._rows(query, values)

    def _meant(self, text: str) -> str:
        """A text as it was before the database got it."""
        return text

    # Recordings.

    def recordings(self) -> list[Recording]:
        reports = _REPORTS if self._with_reports else "0, 0"
        query = f"{_LIST.format(size=self.SIZE, reports=reports)} {_ALL} ORDER BY started_ns, number"
        rows = self._all_rows(query)
        keys: dict[int, dict[FeedKey, None]] = {}
        for number, *key in self._rows("SELECT recording, venue, symbol, mode FROM feeds ORDER BY feed"):
            keys.setdefault(number, {})[tuple(key)] = None
        return [self._recording(row, tuple(keys.get(row[0], ()))) for row in rows]

    def _recording(self, row: tuple[Any, ...], feeds: tuple[FeedKey, ...]) -> Recording:
        _, made, started_ns, ended_ns, ending, note, versions, events, level_rows, gaps, size, orders, fills = row
        return Recording(
            made, started_ns, ended_ns, ending, feeds, events, level_rows, gaps, size, self._meant(note),
            msgspec.json.decode(versions, type=dict[str, str]), orders, fills,
        )  # fmt: skip

    def recording(self, recording_id: str) -> Recording:
        found = self.recordings()
        for one in found:
            if one.id == recording_id:
                return one
        raise unknown(recording_id, [one.id for one in found], self.place)

    def _unended(self) -> list[tuple[Any, ...]]:
        """Of each recording that has no end: its number, its name, and when its last event came (UTC ns)."""
        return self._rows(_RUNNING)

    def _was_cut_off(self, recording_id: str) -> None:
        self.found_cut_off.append(self.recording(recording_id))
        log.warning("%s: recording %s was cut off; it is whole until its last flush", self.place, recording_id)

    def _number(self, recording_id: str) -> int:
        with self._alone():
            known = self._numbers.get(recording_id)
            if known is None:
                rows = self._rows("SELECT number FROM recordings WHERE id = ?", [recording_id])
                if not rows:
                    self.recording(recording_id)  # raises, with the near ones
                    raise StoreError(f"there is no recording {recording_id!r}")
                known = self._numbers[recording_id] = int(rows[0][0])
            return known

    def _feeds_of(self, number: int) -> FeedNumbers:
        with self._alone():
            found = self._feeds.get(number)
            if found is None:
                known = {name: feed for feed, name in self._feed_names(number).items()}
                found = self._feeds[number] = FeedNumbers(known)
            return found

    def _feed_names(self, number: int) -> dict[int, FeedName]:
        rows = self._rows("SELECT * FROM feeds WHERE recording = ?", [number])
        return {int(row[1]): ((row[2], row[3], row[4]), row[5], row[6]) for row in rows}

    # What belongs to one recording.

    def gaps(self, recording_id: str) -> list[Gap]:
        rows = self._rows_of("gaps", recording_id, "from_ns, to_ns, lost, reason", "from_ns")
        return [Gap(key, from_ns, to_ns, lost, self._meant(reason)) for key, from_ns, to_ns, lost, reason in rows]

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
        rows = self._all_rows(f"SELECT feed, {columns} FROM {table} WHERE recording = ? ORDER BY {order}", [number])
        known = {feed: key for (key, _, _), feed in self._feeds_of(number).known.items()}
        return [(known.get(feed), *rest) for feed, *rest in rows]

    def _span_query(self) -> str:
        """Asks for the first and last index and the count of orders and fills, of a recording between two times."""
        return _SPAN.format(reports="coalesce(sum(orders + fills), 0)::bigint" if self._with_reports else "0")

    @staticmethod
    def _tables(reported: int) -> list[str]:
        """The tables to read entries from; those of orders and fills only where there are some."""
        return [name for name in SCHEMAS if reported or name not in REPORTS]

    # The two tables for everybody.

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
        span = [_FIRST_MS if since_ms is None else since_ms, _LAST_MS if until_ms is None else until_ms]
        rows = self._all_rows(
            f"SELECT {columns} FROM {table} WHERE ts_utc BETWEEN ? AND ?{where} ORDER BY ts_utc DESC, symbol LIMIT ?",
            [*span, *conditions.values(), limit],
        )
        return [kind(*[self._meant(value) if isinstance(value, str) else value for value in row]) for row in rows]

    def _page_ends(self, table: str, recording_id: str) -> list[int]:
        query = _PAGE_ENDS.format(table=table, rows=PAGE_ROWS)
        return [int(end) for (end,) in self._all_rows(query, [recording_id])]


def pages(
    tables: Sequence[str],
    span: tuple[int, int],
    feeds: dict[int, FeedName],
    part: Callable[[str, int, int], pa.Table],
) -> Iterator[Entry]:
    """The entries from the first to the last index of `span`, in order, page by page.

    `part` reads the rows of a table from one index on to before another.
    """
    first, last = span
    for begin in range(first, last + 1, PAGE):
        page: list[Entry] = []
        for name in tables:
            page += from_columns(name, part(name, begin, min(begin + PAGE, last + 1)), feeds)
        page.sort(key=_index)
        yield from page


def _index(entry: Entry) -> int:
    return entry.index
