"""Entries as columns: the form in which every columnar store keeps them.

Six tables, each row with the number of its entry: `books` (snapshots and deltas, their levels as two lists with the
bids first), `trades`, `quotes`, `orders` and `fills` (their decimals as texts, digit for digit), and `notes` for all
else (statuses, signals) as JSON. What does not fit its columns, such as a number beyond 64 bits, goes to the notes
too, so that nothing is ever changed by being kept. The way back is `engine/store/columns/reader.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from engine.errors import DecodeError
from engine.feed.mailbox import FeedKey
from engine.market import codec
from engine.market.events import BookDelta, BookSnapshot, Levels, Quote, Trade
from engine.market.orders import Fill, OrderUpdate
from engine.store.base import Entered, Entry, Unwritable, time_ns

FeedName = tuple[FeedKey, str, str]
"""A feed's key, and the venue and symbol that its events carry."""
NumberOf = Callable[[FeedName], int]

_HEAD = [("idx", pa.int64()), ("feed", pa.int32()), ("at_ns", pa.int64())]
_TIMES = [*_HEAD, ("exchange_ns", pa.int64()), ("source", pa.string())]
_ORDER_TEXTS = (
    "client_order_id", "venue_order_id", "side", "order_type", "time_in_force", "quantity", "price", "trigger_price",
    "filled_quantity", "average_price", "status", "reason", "broker", "strategy",
)  # fmt: skip
_FILL_TEXTS = (
    "fill_id", "client_order_id", "venue_order_id", "side", "price", "quantity", "fee", "fee_currency", "liquidity",
    "broker", "strategy",
)  # fmt: skip
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
    "orders": pa.schema(
        [
            *_TIMES, *[(name, pa.string()) for name in _ORDER_TEXTS], ("post_only", pa.bool_()),
            ("reduce_only", pa.bool_()), ("expires_ns", pa.int64()),
        ]
    ),
    "fills": pa.schema([*_TIMES, *[(name, pa.string()) for name in _FILL_TEXTS]]),
    "notes": pa.schema([*_HEAD, ("kind", pa.string()), ("body", pa.string()), ("packed", pa.binary())]),
}  # fmt: skip
"""The columns of each table by name; `at_ns` is the event's own time."""
REPORTS = ("orders", "fills")
"""The tables that have no row in a recording without trading."""
_KINDS: Mapping[type, str] = {
    BookSnapshot: "books", BookDelta: "books", Trade: "trades", Quote: "quotes", OrderUpdate: "orders", Fill: "fills",
}  # fmt: skip
_BOOK = ("received_ns", "exchange_ns", "source", "bids", "asks", "checksum", "wire")
_TRADE = ("received_ns", "exchange_ns", "source", "price", "size", "aggressor", "backfill", "exact_size", "trade_id")
_QUOTE = ("received_ns", "exchange_ns", "source", "bid", "bid_size", "ask", "ask_size", "sequence")
_BIG = 2**63

_pack = msgspec.msgpack.Encoder().encode
_write_json = msgspec.json.Encoder().encode


class Columns(Struct, frozen=True):
    """Entries as tables (only those that have rows), and how many price levels, orders' reports and fills they hold."""

    tables: dict[str, pa.Table]
    level_rows: int
    orders: int
    fills: int


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
    parts: dict[str, list[Entry]] = {}
    for entry in entries:
        kind = kind_of(entry.event)
        rows = parts.get(kind)
        if rows is None:
            rows = parts[kind] = []
        rows.append(entry)
    tables = {name: _BUILDERS[name](rows, _numbers(rows, number_of)) for name, rows in parts.items()}
    books = tables.get("books")
    levels = sum([len(chunk.flatten()) for chunk in books["prices"].chunks]) if books is not None else 0
    # Those with a number that is too large lie among the notes.
    kinds = [type(entry.event) for name in (*REPORTS, "notes") for entry in parts.get(name, ())]
    return Columns(tables, levels, kinds.count(OrderUpdate), kinds.count(Fill))


def _numbers(rows: Sequence[Entry], number_of: NumberOf) -> list[int]:
    """The feed of each row; asked for once for each run of one key, venue and symbol."""
    found: list[int] = []
    known: dict[FeedKey, tuple[str, str, int]] = {}
    for row in rows:
        key, event = row.key, row.event
        last = known.get(key)
        if last is None or last[0] != event.venue or last[1] != event.symbol:
            last = known[key] = event.venue, event.symbol, number_of((key, event.venue, event.symbol))
        found.append(last[2])
    return found


def _columns_of(rows: Sequence[Entry], *names: str) -> dict[str, list[Any]]:
    """Some fields of all events, each as a column. One by one: no thousands of small tuples for the collector."""
    events = [row.event for row in rows]
    return {name: list(map(attrgetter(name), events)) for name in names}


def _head(rows: Sequence[Entry], feeds: Sequence[int]) -> list[Any]:
    return [[row.index for row in rows], feeds]


def _books(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    """Deltas, then snapshots: whoever reads sorts by number."""
    pairs = list(zip(rows, feeds, strict=True))
    made = []
    for kind, build in ((BookDelta, _deltas), (BookSnapshot, _snapshots)):
        chosen = [(row, feed) for row, feed in pairs if type(row.event) is kind]
        if chosen:
            made.append(build([row for row, _ in chosen], [feed for _, feed in chosen]))
    return pa.concat_tables(made)


def _deltas(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    one = _columns_of(rows, *_BOOK, "first_sequence", "last_sequence", "previous_sequence")
    return _table(
        "books",
        [
            *_head(rows, feeds), one["received_ns"], one["exchange_ns"], one["source"], [False] * len(rows),
            *_levels(one["bids"], one["asks"]), one["first_sequence"], one["last_sequence"], one["previous_sequence"],
            one["checksum"], pa.nulls(len(rows), pa.int64()), _wires(one["wire"]),
        ],
    )  # fmt: skip


def _snapshots(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    one = _columns_of(rows, *_BOOK, "sequence", "depth")
    nothing = pa.nulls(len(rows), pa.int64())
    return _table(
        "books",
        [
            *_head(rows, feeds), one["received_ns"], one["exchange_ns"], one["source"], [True] * len(rows),
            *_levels(one["bids"], one["asks"]), nothing, one["sequence"], nothing, one["checksum"], one["depth"],
            _wires(one["wire"]),
        ],
    )  # fmt: skip


def _levels(bids: Sequence[Levels], asks: Sequence[Levels]) -> list[Any]:
    """How many bids there are, and all prices and all sizes as lists, the bids of each event before its asks."""
    counts = np.fromiter(map(len, bids), np.int32, len(bids))
    ends = np.zeros(len(bids) + 1, np.int32)
    np.cumsum(counts + np.fromiter(map(len, asks), np.int32, len(asks)), out=ends[1:])
    sides = chain.from_iterable(zip(bids, asks, strict=True))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(sides)), np.float64, 2 * int(ends[-1]))
    return [
        counts,
        pa.ListArray.from_arrays(ends, np.ascontiguousarray(flat[0::2])),
        pa.ListArray.from_arrays(ends, np.ascontiguousarray(flat[1::2])),
    ]


def _wires(wires: Sequence[Any]) -> list[str | None]:
    return [None if wire is None else _write_json(wire).decode() for wire in wires]


def _trades(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    one = _columns_of(rows, *_TRADE)
    ids = one["trade_id"]
    return _table(
        "trades",
        [
            *_head(rows, feeds), *[one[name] for name in _TRADE[:-3]],
            [None if isinstance(each, str) else each for each in ids],
            [each if isinstance(each, str) else None for each in ids], one["backfill"], one["exact_size"],
        ],
    )  # fmt: skip


def _quotes(rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    return _table("quotes", [*_head(rows, feeds), *_columns_of(rows, *_QUOTE).values()])


def _reports(name: str, rows: Sequence[Entry], feeds: Sequence[int]) -> pa.Table:
    """Orders or fills; a column is a field, `at_ns` its `received_ns`."""
    fields = ["received_ns", *SCHEMAS[name].names[len(_HEAD) :]]
    columns = [[_plain(value) for value in column] for column in _columns_of(rows, *fields).values()]
    return _table(name, [*_head(rows, feeds), *columns])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


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
        except (DecodeError, ArithmeticError):  # the latter from a decimal that cannot even be compared
            exact = False
        return body.decode(), None if exact else _pack(event)
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError) as error:
        raise Unwritable(f"an event of {event.venue} {event.symbol} cannot be kept: {error}") from error


_BUILDERS: Mapping[str, Callable[[Sequence[Entry], Sequence[int]], pa.Table]] = {
    "books": _books, "trades": _trades, "quotes": _quotes, "notes": _notes,
    "orders": partial(_reports, "orders"), "fills": partial(_reports, "fills"),
}  # fmt: skip


def _table(name: str, columns: Sequence[Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
