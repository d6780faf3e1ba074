"""Entries as columns: the form in which every columnar store keeps them.

Four tables, each row with the number of its entry: `books` (snapshots and deltas, their levels as two lists with the
bids first), `trades`, `quotes`, and `notes` for all else (statuses, signals) as JSON. What does not fit its columns,
such as a number beyond 64 bits, goes to the notes too, so that nothing is ever changed by being kept. The way back is
`engine/store/column_reader.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from engine.errors import DecodeError
from engine.feed.mailbox import FeedKey
from engine.market import codec
from engine.market.events import BookDelta, BookSnapshot, Quote, Trade
from engine.store.base import Entered, Entry, Unwritable, time_ns

FeedName = tuple[FeedKey, str, str]
"""A feed's key, and the venue and symbol that its events carry."""
NumberOf = Callable[[FeedName], int]

_HEAD = [("idx", pa.int64()), ("feed", pa.int32()), ("at_ns", pa.int64())]
_TIMES = [*_HEAD, ("exchange_ns", pa.int64()), ("source", pa.string())]
SCHEMAS: Mapping[str, pa.Schema] = {
    "books": pa.schema(
        [
            *_TIMES, ("whole", pa.bool_()), ("bids", pa.int32()), ("prices", pa.list_(pa.float64())),
            ("sizes", pa.list_(pa.float64())), ("first_sequence", pa.int64()), ("last_sequence", pa.int64()),
            ("previous_sequence", pa.int64()), ("checksum", pa.int64()), ("depth", pa.int64()), ("wire", pa.string()),
        ]
    ),
    "trades": pa.schema(
        [
            *_TIMES, ("price", pa.float64()), ("size", pa.float64()), ("aggressor", pa.int8()),
            ("trade_id", pa.int64()), ("trade_name", pa.string()), ("backfill", pa.bool_()),
            ("exact_size", pa.string()),
        ]
    ),
    "quotes": pa.schema(
        [
            *_TIMES, ("bid", pa.float64()), ("bid_size", pa.float64()), ("ask", pa.float64()),
            ("ask_size", pa.float64()), ("sequence", pa.int64()),
        ]
    ),
    "notes": pa.schema([*_HEAD, ("kind", pa.string()), ("body", pa.string()), ("packed", pa.binary())]),
}  # fmt: skip
"""The columns of each table by name; `at_ns` is the event's own time."""
_KINDS: Mapping[type, str] = {BookSnapshot: "books", BookDelta: "books", Trade: "trades", Quote: "quotes"}
_BIG = 2**63

_pack = msgspec.msgpack.Encoder().encode
_write_json = msgspec.json.Encoder().encode


class Columns(Struct, frozen=True):
    """Entries as tables (only those that have rows), and how many price levels they hold."""

    tables: dict[str, pa.Table]
    level_rows: int


def to_columns(entries: Sequence[Entry], number_of: NumberOf) -> Columns:
    """The entries as columns; `number_of` gives a feed's number in the recording.

    Raises:
        Unwritable: one of them cannot be kept.
    """
    try:
        return _tables(entries, number_of, lambda event: _KINDS.get(type(event), "notes"))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
        # One of them does not fit: look at each. Rare, and never on the usual road.
        return _tables(entries, number_of, lambda event: _KINDS.get(type(event), "notes") if fits(event) else "notes")


def fits(event: Entered) -> bool:
    """Whether every number of an event has room in its column."""
    try:
        one = Entry(0, ("", "", ""), event)
        _BUILDERS[_KINDS.get(type(event), "notes")]([one], [0])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
        return False
    return True


def _tables(entries: Sequence[Entry], number_of: NumberOf, kind_of: Callable[[Entered], str]) -> Columns:
    parts: dict[str, tuple[list[Entry], list[int]]] = {}
    for entry in entries:
        event = entry.event
        rows, feeds = parts.setdefault(kind_of(event), ([], []))
        rows.append(entry)
        feeds.append(number_of((entry.key, event.venue, event.symbol)))
    tables = {name: _BUILDERS[name](*part) for name, part in parts.items()}
    books = tables.get("books")
    return Columns(tables, len(books["prices"].combine_chunks().values) if books is not None else 0)


def _head(rows: Sequence[Entry], feeds: Sequence[int]) -> list[Any]:
    return [[row.index for row in rows], feeds]


def _times(rows: Sequence[Entry], feeds: Sequence[int], events: Sequence[Any]) -> list[Any]:
    return [
        *_head(rows, feeds), [event.received_ns for event in events], [event.exchange_ns for event in events],
        [event.source for event in events],
    ]  # fmt: skip


def _books(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    events: list[Any] = [row.event for row in rows]
    whole = [type(event) is BookSnapshot for event in events]
    sides = list(chain.from_iterable([(event.bids, event.asks) for event in events]))
    counts = np.fromiter(map(len, sides), np.int32, len(sides))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(sides)), np.float64, 2 * int(counts.sum()))
    ends = np.zeros(len(events) + 1, np.int32)
    np.cumsum(counts[0::2] + counts[1::2], out=ends[1:])
    pairs = list(zip(events, whole, strict=True))
    return _table(
        "books",
        [
            *_times(rows, feeds, events), whole, counts[0::2],
            pa.ListArray.from_arrays(ends, np.ascontiguousarray(flat[0::2])),
            pa.ListArray.from_arrays(ends, np.ascontiguousarray(flat[1::2])),
            [None if is_whole else event.first_sequence for event, is_whole in pairs],
            [event.sequence if is_whole else event.last_sequence for event, is_whole in pairs],
            [None if is_whole else event.previous_sequence for event, is_whole in pairs],
            [event.checksum for event in events],
            [event.depth if is_whole else None for event, is_whole in pairs],
            [None if event.wire is None else _write_json(event.wire).decode() for event in events],
        ],
    )  # fmt: skip


def _trades(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    events: list[Any] = [row.event for row in rows]
    ids = [event.trade_id for event in events]
    return _table(
        "trades",
        [
            *_times(rows, feeds, events), [event.price for event in events], [event.size for event in events],
            [event.aggressor for event in events],
            [None if isinstance(one, str) else one for one in ids],
            [one if isinstance(one, str) else None for one in ids],
            [event.backfill for event in events], [event.exact_size for event in events],
        ],
    )  # fmt: skip


def _quotes(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    events: list[Any] = [row.event for row in rows]
    return _table(
        "quotes",
        [
            *_times(rows, feeds, events), [event.bid for event in events], [event.bid_size for event in events],
            [event.ask for event in events], [event.ask_size for event in events],
            [event.sequence for event in events],
        ],
    )  # fmt: skip


def _notes(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    bodies = [_note(row.event) for row in rows]
    moments = [time_ns(row.event) for row in rows]
    return _table(
        "notes",
        [
            *_head(rows, feeds), [moment if -_BIG <= moment < _BIG else 0 for moment in moments],
            [str(type(row.event).__struct_config__.tag) for row in rows],
            [body for body, _ in bodies], [packed for _, packed in bodies],
        ],
    )  # fmt: skip


def _note(event: Entered) -> tuple[str, bytes | None]:
    """An event as JSON, and as bytes too where JSON does not hold all of it (numbers that are none)."""
    try:
        body = codec.encode(event)
        try:
            exact = codec.decode(body) == event
        except DecodeError:
            exact = False
        return body.decode(), None if exact else _pack(event)
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError) as error:
        raise Unwritable(f"an event of {event.venue} {event.symbol} cannot be kept: {error}") from error


_BUILDERS: Mapping[str, Callable[[Sequence[Entry], Sequence[int]], pa.Table]] = {
    "books": _books, "trades": _trades, "quotes": _quotes, "notes": _notes,
}  # fmt: skip


def _table(name: str, columns: Sequence[Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
