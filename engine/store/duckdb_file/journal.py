"""A file beside the database: what was handed over since it was last brought in, safe on the disk within a moment.

A transaction of a columnar database costs the same whether it brings ten rows or ten thousand. So each flush goes to
the end of this file, and now and then all of it goes into the database at once. The records are numbered, and the
database remembers the last one that it has: whatever happens in between, each is brought in exactly once.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.errors import StoreError
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Unwritable

_HEAD = 8
"""Length and checksum of a record, four bytes each, little end first."""


class Written(Struct, frozen=True, array_like=True):
    """What one call of `Store.append` brought; `serial` grows by one from record to record."""

    serial: int
    recording_id: str
    entries: list[Entry]
    gaps: list[Gap]
    depth: list[MarketDepth]
    bars: list[CandleBar]
    quality: list[QualityNote]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Written).decode


class Journal:
    """Records at the end of a file. A record that was not written to its end does not count."""

    def __init__(self, path: Path) -> None:
        """Open the file, made if there is none. Raises OSError."""
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self.size = os.fstat(self._file).st_size

    def append(self, written: Written) -> None:
        """Add a record; it is on the disk when this returns.

        Raises:
            Unwritable: it holds what cannot be written at all.
            OSError: the disk refuses; then the file is as before.
        """
        try:
            payload = _encode(written)
        except (OverflowError, UnicodeEncodeError, TypeError, ValueError) as error:
            raise Unwritable(f"an event of {written.recording_id} cannot be kept: {error}") from error
        record = memoryview(len(payload).to_bytes(4, "little") + zlib.crc32(payload).to_bytes(4, "little") + payload)
        done = 0
        try:
            while done < len(record):
                done += os.pwrite(self._file, record[done:], self.size + done)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(record)

    def records(self) -> Iterator[Written]:
        """Everything that was written to its end, oldest first.

        Raises:
            StoreError: a record is whole, and of a form that is not known here.
        """
        at = 0
        while at + _HEAD <= self.size:
            head = os.pread(self._file, _HEAD, at)
            length = int.from_bytes(head[:4], "little")
            # A machine that lost its power may leave zeros, which would pass for an empty record with a right checksum.
            if not 0 < length <= self.size - at - _HEAD:
                return
            payload = os.pread(self._file, length, at + _HEAD)
            if len(payload) < length or zlib.crc32(payload) != int.from_bytes(head[4:], "little"):
                return
            try:
                written = _decode(payload)
            except msgspec.DecodeError as error:
                raise StoreError(
                    f"{self._path}: another version wrote it ({error})",
                    hint="Open the store once with that version, or move this file away; it stays as it is.",
                ) from error
            yield written
            at += _HEAD + length

    def clear(self) -> None:
        """Forget all records: the database has them."""
        os.ftruncate(self._file, 0)
        self.size = 0

    def close(self) -> None:
        """Let go of the file, and remove it when it holds nothing."""
        os.close(self._file)
        if not self.size:
            self._path.unlink(missing_ok=True)
