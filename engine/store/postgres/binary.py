"""Columns as PostgreSQL's own binary form, so that floats arrive bit for bit and nothing is turned into text.

Documentation: PostgreSQL 17, COPY, "Binary Format": a signature, then per row a count of fields and per field its
length (-1 for NULL) and its bytes in network order. An array is its dimensions, and per element a length and the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)
FLOAT8 = 701
EMPTY_ARRAY = struct.pack(">iiii", 12, 0, 0, FLOAT8)
ESCAPE = "\x01"
"""How a text begins that PostgreSQL cannot keep as it is (it knows no zero character): the rest is JSON."""
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">f8")])

_write_json = msgspec.json.Encoder().encode
_read_json = msgspec.json.Decoder(str).decode


def to_copy(table: pa.Table, number: int) -> bytes:
    """The rows of a table, each with the recording's number in front, for `COPY … FROM STDIN (FORMAT BINARY)`."""
    head = struct.pack(">h", table.num_columns + 1) + _integer(">ii", 4)(number)
    columns = [_fields(column.combine_chunks()) for column in table.columns]
    rows = zip(repeat(head, table.num_rows), *columns, strict=True)
    return b"".join(chain((SIGNATURE,), chain.from_iterable(rows), (TRAILER,)))


def kept(text: str) -> str:
    """A text as PostgreSQL can keep it; `meant` gives it back."""
    return text if "\0" not in text and not text.startswith(ESCAPE) else ESCAPE + _write_json(text).decode()


def meant(text: str) -> str:
    """The text that was `kept`."""
    return _read_json(text[1:]) if text.startswith(ESCAPE) else text


def _fields(column: pa.Array) -> Iterable[bytes]:
    if pa.types.is_list(column.type):
        return _arrays(column)
    pack = _PACKERS[column.type]
    return [NULL if value is None else pack(value) for value in column.to_pylist()]


def _arrays(column: pa.Array) -> list[bytes]:
    """Arrays of doubles; none of them is NULL."""
    values = column.flatten().to_numpy()
    elements = np.empty(len(values), _ELEMENT)
    elements["length"] = 8
    elements["value"] = values
    whole, found, begin = elements.tobytes(), list[bytes](), 0
    for count in column.value_lengths().to_numpy().tolist():
        end = begin + count * _ELEMENT.itemsize
        found.append(_array(whole[begin:end], count) if count else EMPTY_ARRAY)
        begin = end
    return found


def _array(elements: bytes, count: int) -> bytes:
    return struct.pack(">iiiiii", 20 + len(elements), 1, 0, FLOAT8, count, 1) + elements


def _integer(form: str, size: int) -> Callable[[Any], bytes]:
    pack = struct.Struct(form).pack
    return lambda value: pack(size, value)


def _text(value: str) -> bytes:
    content = kept(value).encode()
    return struct.pack(">i", len(content)) + content


def _binary(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


_PACKERS: dict[pa.DataType, Callable[[Any], bytes]] = {
    pa.int64(): _integer(">iq", 8),
    pa.int32(): _integer(">ii", 4),
    pa.int8(): _integer(">ih", 2),  # PostgreSQL's smallest integer has two bytes
    pa.float64(): _integer(">id", 8),
    pa.bool_(): _integer(">i?", 1),
    pa.string(): _text,
    pa.binary(): _binary,
}


def from_rows(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """What a query brought back for these columns, as the table that it came from."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.Table.from_arrays(
        [_array_of(field.type, column) for field, column in zip(schema, columns, strict=True)], schema=schema
    )


def _array_of(kind: pa.DataType, column: Sequence[Any]) -> pa.Array:
    texts = kind == pa.string()
    return pa.array([None if text is None else meant(text) for text in column] if texts else column, kind)
