"""Columns as entries again, equal to what `engine/store/columns/entries.py` was given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from engine.market import codec
from engine.market.events import BookDelta, BookSnapshot, Level, Levels, Quote, Trade, Wire
from engine.market.orders import Fill, OrderStatus, OrderUpdate
from engine.store.base import Entered, Entry
from engine.store.columns.entries import SCHEMAS, FeedName

_unpack = msgspec.msgpack.Decoder(Entered).decode
_ORDER_DECIMALS = frozenset({"quantity", "price", "trigger_price", "filled_quantity", "average_price"})
_FILL_DECIMALS = frozenset({"price", "quantity", "fee"})
_read_wire = msgspec.json.Decoder(Wire).decode


def from_columns(name: str, table: pa.Table, feeds: Mapping[int, FeedName]) -> list[Entry]:
    """The entries of a table of that name, in its order; `feeds` by their numbers."""
    columns = {field.name: table[field.name].combine_chunks() for field in SCHEMAS[name]}
    if name == "notes":
        events = [_event(*row) for row in zip(*[columns[each].to_pylist() for each in ("body", "packed")], strict=True)]
    else:
        venues = {number: (venue, symbol) for number, (_, venue, symbol) in feeds.items()}
        events = _READERS[name]([venues[number] for number in _values(columns["feed"])], columns)
    keys = {number: key for number, (key, _, _) in feeds.items()}
    return [
        Entry(index, keys[number], event)
        for index, number, event in zip(_values(columns["idx"]), _values(columns["feed"]), events, strict=True)
    ]


_Names = Sequence[tuple[str, str]]
_Table = Mapping[str, pa.Array]


def _read_books(names: _Names, table: _Table) -> list[Entered]:
    levels = _levels(table["prices"], table["sizes"], _values(table["bids"]))
    rows = zip(
        names, levels, _whole(table),
        *[_values(table[each]) for each in ("first_sequence", "last_sequence", "exchange_ns", "at_ns", "source")],
        *[_values(table[each]) for each in ("previous_sequence", "checksum", "depth", "wire")], strict=True,
    )  # fmt: skip
    return [
        BookSnapshot(venue, symbol, bids, asks, last, exchange_ns, at_ns, source, checksum, depth, _wire(wire))
        if whole
        else BookDelta(
            venue, symbol, bids, asks, first, last, exchange_ns, at_ns, source, previous, checksum, _wire(wire)
        )
        for (venue, symbol), (bids, asks), whole, first, last, exchange_ns, at_ns, source, previous, checksum, depth,
        wire in rows
    ]  # fmt: skip


def _whole(table: _Table) -> list[bool]:
    return table["whole"].to_pylist()  # type: ignore[no-any-return]


def _levels(prices: pa.Array, sizes: pa.Array, bids: Sequence[int]) -> Iterable[tuple[Levels, Levels]]:
    pairs: list[Level] = list(
        zip(prices.flatten().to_numpy().tolist(), sizes.flatten().to_numpy().tolist(), strict=True)
    )
    begin = 0
    for first_ask, count in zip(bids, prices.value_lengths().to_numpy().tolist(), strict=True):
        end = begin + count
        yield tuple(pairs[begin : begin + first_ask]), tuple(pairs[begin + first_ask : end])
        begin = end


def _wire(text: str | None) -> Wire | None:
    return None if text is None else _read_wire(text)


def _read_trades(names: _Names, table: _Table) -> list[Entered]:
    rows = zip(
        names, *[_values(table[each]) for each in ("price", "size", "aggressor", "trade_id", "trade_name")],
        *[_values(table[each]) for each in ("exchange_ns", "at_ns", "source", "backfill", "exact_size")], strict=True,
    )  # fmt: skip
    return [
        Trade(venue, symbol, price, size, aggressor, name if number is None else number, *rest)
        for (venue, symbol), price, size, aggressor, number, name, *rest in rows
    ]


def _read_quotes(names: _Names, table: _Table) -> list[Entered]:
    columns = ("bid", "bid_size", "ask", "ask_size", "sequence", "exchange_ns", "at_ns", "source")
    rows = zip(names, zip(*[_values(table[each]) for each in columns], strict=True), strict=True)
    return [Quote(venue, symbol, *rest) for (venue, symbol), rest in rows]


def _read_orders(names: _Names, table: _Table) -> list[Entered]:
    return [
        OrderUpdate(**fields | {"status": OrderStatus(fields["status"])})
        for fields in _fields("orders", names, table, _ORDER_DECIMALS)
    ]


def _read_fills(names: _Names, table: _Table) -> list[Entered]:
    return [Fill(**fields) for fields in _fields("fills", names, table, _FILL_DECIMALS)]


def _fields(name: str, names: _Names, table: _Table, decimals: frozenset[str]) -> list[dict[str, Any]]:
    """The fields of each order or fill, by name."""
    columns = {field: _values(table[field]) for field in SCHEMAS[name].names if field not in ("idx", "feed")}
    columns["received_ns"] = columns.pop("at_ns")
    for field in decimals:
        columns[field] = [None if text is None else Decimal(text) for text in columns[field]]
    rows = zip(*columns.values(), strict=True)
    return [
        {"venue": venue, "symbol": symbol, **dict(zip(columns, row, strict=True))}
        for (venue, symbol), row in zip(names, rows, strict=True)
    ]


def _event(body: str, packed: bytes | None) -> Entered:
    return codec.decode(body.encode()) if packed is None else _unpack(packed)


_READERS: Mapping[str, Callable[[_Names, _Table], list[Entered]]] = {
    "books": _read_books, "trades": _read_trades, "quotes": _read_quotes,
    "orders": _read_orders, "fills": _read_fills,
}  # fmt: skip


def _values(column: pa.Array) -> list[Any]:
    """A column as Python values, the quickest way for its type."""
    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        words = [*coded.dictionary.to_pylist(), None]
        return [words[code] for code in coded.indices.fill_null(len(words) - 1).to_numpy().tolist()]
    if column.null_count or pa.types.is_boolean(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    return column.to_numpy().tolist()  # type: ignore[no-any-return]
