"""The files of a recording of raw frames: whole gzip members one after another, so every flush leaves a whole file.

A file that is being written ends in `.part` and is locked; it is renamed when it is complete. One that a dead process
left behind is cut to its last whole member and renamed by `mend`.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

GZIP_FORMAT = 31
LEVEL = 6
PART = ".part"
ENDING = ".jsonl.gz"
CHUNK = 1 << 20


class Segment(Struct):
    """One file: its name, how many records it holds, from when to when (UTC ns), its size."""

    name: str
    records: int = 0
    from_ns: int = 0
    to_ns: int = 0
    size_bytes: int = 0


class SegmentFile:
    """A file that grows by whole gzip members.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.segment = Segment(path.name)
        self._part = path.with_name(path.name + PART)
        self._file: BinaryIO = self._part.open("xb", buffering=0)
        self._torn = False
        """Whether a member that was not finished may stand at the end."""
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def append(self, lines: bytes, records: int, from_ns: int, to_ns: int) -> None:
        """Add lines; on a failure the file is what it was before.

        Raises:
            OSError: they cannot be written.
        """
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_FORMAT)
        member = packer.compress(lines) + packer.flush()
        self._remove_torn()
        self._torn = True
        try:
            written = 0
            while written < len(member):
                written += self._file.write(member[written:])
        except OSError:
            with suppress(OSError):
                self._remove_torn()
            raise
        self._torn = False
        segment = self.segment
        segment.size_bytes += len(member)
        segment.records += records
        segment.from_ns = segment.from_ns or from_ns
        segment.to_ns = to_ns

    def _remove_torn(self) -> None:
        if self._torn:
            self._file.truncate(self.segment.size_bytes)
            self._file.seek(self.segment.size_bytes)
            self._torn = False

    def discard(self) -> None:
        """Remove the file."""
        self._file.close()
        with suppress(OSError):
            self._part.unlink()

    def finish(self) -> None:
        """Put it on the disk under its final name.

        Raises:
            OSError: that cannot be done; what was appended stays in the file that ends in `.part`.
        """
        try:
            self._remove_torn()
            os.fsync(self._file.fileno())
            os.replace(self._part, self.path)
        finally:
            self._file.close()


def mend(folder: Path) -> list[Path]:
    """Complete what dead processes left behind in a folder and its folders; the files that were, by their new names."""
    mended = []
    for part in [*folder.glob(f"*{ENDING}{PART}"), *folder.glob(f"*/*{ENDING}{PART}")]:
        with part.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # somebody is writing it
            whole = part.with_name(part.name.removesuffix(PART))
            file.truncate(_whole_members(file))
            if not whole.exists():
                os.replace(part, whole)
                mended.append(whole)
    return mended


def _whole_members(file: BinaryIO) -> int:
    """How many bytes of the file are whole gzip members."""
    return max(_member_ends(file), default=0)


def _member_ends(file: BinaryIO) -> Iterator[int]:
    position, unpacker = 0, zlib.decompressobj(GZIP_FORMAT)
    while chunk := file.read(CHUNK):
        position += len(chunk)
        while chunk:
            try:
                unpacker.decompress(chunk)
            except zlib.error:
                return
            if not unpacker.eof:
                break
            chunk = unpacker.unused_data
            yield position - len(chunk)
            unpacker = zlib.decompressobj(GZIP_FORMAT)
