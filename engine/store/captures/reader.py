"""Reads capture files: raw frames as they left the wire, one JSON record per line, usually gzip'd.

A record is `{"t": seconds, "t_ns": nanoseconds (optional), "ch": "ws"|"http", "dir": "open"|"send"|"recv"|"resp",
"url": …, "conn": connection (optional), "data": raw text, "enc": "b64" for binary frames}`. The flight recorder adds
`"dir": "note"`: its own words, not the wire's, as a JSON object in `data` (engine/store/captures/notes.py). A recording of
several files is a folder; it reads as one. A damaged line or a truncated file costs what is damaged and nothing else.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from msgspec import Struct

from engine.errors import StoreError

CHUNK = 1 << 20
LINE_LIMIT = 64 << 20
GZIP_MAGIC = b"\x1f\x8b"
GZIP_FORMAT = 31
LAST_NS = 2**63 - 1
"""The latest time that 64 bits hold, in the year 2262."""
PLAIN_CHUNK = 8 << 20
SEGMENT_ENDINGS = (".jsonl.gz", ".jsonl.gz.part")
"""How the files of a recording that is a folder end; the second is one that is being written, or was cut off."""

Direction = Literal["open", "send", "recv", "resp", "note"]


class _Line(Struct):
    t: float
    ch: Literal["ws", "http"]
    dir: Direction
    url: str = ""
    conn: str = ""
    data: str = ""
    enc: str = ""
    t_ns: int | None = None


class Record(Struct, frozen=True, gc=False):
    """One line of a capture. `data` is what was on the wire; `received_ns` the recorder's clock in UTC ns."""

    line: int
    received_ns: int
    channel: Literal["ws", "http"]
    direction: Direction
    url: str
    connection: str
    data: bytes


class Damage(Struct, frozen=True):
    """What could not be read, and where. `line` counts from 1; 0 stands for the file as a whole."""

    line: int
    reason: str


_decode = msgspec.json.Decoder(_Line).decode


def read_capture(path: Path, report: Callable[[Damage], None]) -> Iterator[Record]:
    """The records of a capture (a file, or a folder of segments) in file order; damage is reported and skipped.

    The lines of a folder are counted through all its files.

    Raises:
        StoreError: a file cannot be opened, or the folder holds none.
    """
    before = 0
    for segment in segments(path):
        last = before
        for record in _read_file(segment, report, before):
            last = record.line
            yield record
        before = last


def captures_in(folder: Path) -> list[str]:
    """The names of the captures in a folder: files, and folders of segments."""
    if not folder.is_dir():
        return []
    return sorted([one.name for one in folder.iterdir() if _is_capture(one)])


def _is_capture(path: Path) -> bool:
    if path.is_dir():
        return any(one.name.endswith(SEGMENT_ENDINGS) for one in path.iterdir())
    return path.name.endswith((".jsonl", ".jsonl.gz"))


def segments(path: Path) -> list[Path]:
    """The files of a capture in the order of their names: itself, or what a folder holds.

    Raises:
        StoreError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.name.endswith(SEGMENT_ENDINGS))
    if not found:
        inner = ", ".join(captures_in(path)[-3:])
        hint = (
            f"Name one of the captures in it, such as {inner}."
            if inner
            else "Name a capture file, or a folder of them."
        )
        raise StoreError(f"{path} holds no recorded frames", hint=hint)
    return found


def _read_file(path: Path, report: Callable[[Damage], None], before: int) -> Iterator[Record]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", hint="Check the path and its permissions.") from error
    with file:
        for number, line in _lines(file, report, before):
            record = _record(number, line, report)
            if record is not None:
                yield record


def _record(number: int, line: bytes, report: Callable[[Damage], None]) -> Record | None:
    try:
        item = _decode(line)
        data = b64decode(item.data.encode(), validate=True) if item.enc == "b64" else item.data.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        report(Damage(number, f"not a capture record: {error}"))
        return None
    except ValueError as error:
        report(Damage(number, f"binary frame that is not base64: {error}"))
        return None
    received_ns = item.t_ns if item.t_ns is not None else _nanoseconds(item.t)
    if not 0 <= received_ns <= LAST_NS:
        report(Damage(number, f"not a capture record: no time of this world ({item.t:g} s)"))
        return None
    return Record(number, received_ns, item.ch, item.dir, item.url, item.conn, data)


def _nanoseconds(at_s: float) -> int:
    """Seconds as nanoseconds; -1 for what no clock says."""
    return round(at_s * 1e9) if 0.0 <= at_s <= LAST_NS / 1e9 else -1


def _lines(file: BinaryIO, report: Callable[[Damage], None], number: int) -> Iterator[tuple[int, bytes]]:
    rest = b""
    for chunk in _plain_chunks(file):
        if isinstance(chunk, str):
            report(Damage(number + 1, chunk))
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield number, line
        if len(rest) > LINE_LIMIT:
            report(Damage(number + 1, f"a line of more than {LINE_LIMIT} bytes; reading stops here"))
            return
    if rest.strip():
        yield number + 1, rest


def _readable(unpacker: zlib._Decompress, chunk: bytes) -> bytes:
    """What a chunk gives before the place where it is damaged, found byte by byte."""
    plain = []
    try:
        for position in range(len(chunk)):
            plain.append(unpacker.decompress(chunk[position : position + 1]))
    except zlib.error:
        pass
    return b"".join(plain)


def _plain_chunks(file: BinaryIO) -> Iterator[bytes | str]:
    """The file's bytes, unpacked if they are gzip; where that is damaged, last of all what is wrong, in words."""
    chunk = file.read(CHUNK)
    if not chunk.startswith(GZIP_MAGIC):
        while chunk:
            yield chunk
            chunk = file.read(CHUNK)
        return
    unpacker = None
    while chunk:
        if unpacker is None:
            if not chunk.startswith(GZIP_MAGIC[: len(chunk)]):
                yield "bytes that are not gzip after the end of the gzip data"
                return
            unpacker = zlib.decompressobj(GZIP_FORMAT)
        before = unpacker.copy()
        try:
            yield unpacker.decompress(chunk, PLAIN_CHUNK)
        except zlib.error as error:
            yield _readable(before, chunk)
            yield f"the gzip data are damaged ({error}); nothing from this line on can be read"
            return
        chunk = unpacker.unconsumed_tail
        if unpacker.eof:
            chunk = unpacker.unused_data.lstrip(b"\0")
            unpacker = None
        chunk = chunk or file.read(CHUNK)
    if unpacker is not None:
        yield unpacker.flush()
        if not unpacker.eof:
            yield "the gzip data end too early; this line is the last that could be read, and perhaps not whole"
