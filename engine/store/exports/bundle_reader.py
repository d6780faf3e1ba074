"""Opens a session bundle from another machine; believes nothing of it that it has not checked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar
from zipfile import BadZipFile, LargeZipFile, ZipFile, ZipInfo

import msgspec

from engine.errors import StoreError
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, Store
from engine.store.copying import Rows, put
from engine.store.exports import bundle
from engine.store.exports.bundle import BundleFile, Chunk, Limits, Manifest, Mark
from engine.store.work import ProgressCall

ENCRYPTED = 0x1
DEFECTS = (BadZipFile, LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What the zip library raises on bytes that somebody damaged or made up."""
LAST_NS = 4_102_444_800 * 10**9
"""2100, long after which nothing was recorded."""
LONGEST_NOTE = 500
AGAIN = "Copy the file once more from where it comes from."

Value = TypeVar("Value")
Row = TypeVar("Row")


class Bundle:
    """An open bundle: its list of contents is checked, the contents are when they are read. Close it.

    Raises:
        StoreError: it is no bundle, a newer one, damaged, too large, or holds what does not belong into one.
    """

    def __init__(self, file: IO[bytes] | Path, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        try:
            self._archive = ZipFile(file)
        except DEFECTS as error:
            raise StoreError(
                "this file is no session bundle: it is no zip archive", hint=f"A bundle's name ends in {bundle.ENDING}."
            ) from error
        try:
            self._members = self._list()
            self.manifest = self._manifest()
            self._files = self._check_contents()
        except StoreError:
            self._archive.close()
            raise

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self._archive.close()

    def settings(self) -> dict[str, str]:
        """The settings under which it was recorded, secrets hidden; empty where it says none."""
        return self._rows(bundle.SETTINGS, dict[str, str]) if bundle.SETTINGS in self._files else {}

    def restore(self, store: Store, progress: ProgressCall) -> Recording:
        """Put the recording into a store under a new id.

        Raises:
            StoreError: the bundle is damaged, the store failed, or it was called off; then the store is as it was.
        """
        rows = Rows(
            self._rows(bundle.GAPS, list[Gap]), self._rows(bundle.QUALITY, list[QualityNote]),
            self._all_rows(bundle.DEPTH, list[MarketDepth]), self._all_rows(bundle.BARS, list[CandleBar]),
        )  # fmt: skip
        said = self.manifest.recording
        recording = msgspec.structs.replace(said, events=self.manifest.entries, note=said.note[:LONGEST_NOTE])
        try:
            return put(store, recording, rows, self._runs(), progress)
        except (ValueError, OverflowError) as error:
            raise StoreError(f"the bundle holds values that no recording has ({error})", hint=AGAIN) from error

    # What it says it holds.

    def _list(self) -> dict[str, ZipInfo]:
        infos = self._archive.infolist()
        if len(infos) > self._limits.files:
            raise StoreError(f"this file is no session bundle: it holds {len(infos):,} files")
        members: dict[str, ZipInfo] = {}
        for info in infos:
            name = info.orig_filename
            if info.filename != name or name in members or not _belongs(name):
                raise StoreError(f"the bundle holds a file that does not belong into one: {name[:80]!r}", hint=AGAIN)
            if info.flag_bits & ENCRYPTED:
                raise StoreError("the bundle is encrypted", hint="Unpack it with its password and pack it again.")
            members[name] = info
        total = sum([info.file_size for info in infos])
        if total > self._limits.total_bytes:
            raise StoreError(
                f"the bundle is too large: unpacked it would be {total / 1e9:,.1f} GB, "
                f"the most is {self._limits.total_bytes / 1e9:,.1f} GB",
                hint="Record shorter, or export Parquet or DuckDB instead.",
            )
        if bundle.MANIFEST not in members:
            raise StoreError(
                f"this file is no session bundle: there is no {bundle.MANIFEST} in it",
                hint=f"A bundle's name ends in {bundle.ENDING}.",
            )
        return members

    def _manifest(self) -> Manifest:
        data = self._read(bundle.MANIFEST, self._limits.file_bytes)
        mark = _decode(data, Mark, bundle.MANIFEST)
        if mark.format != bundle.FORMAT:
            raise StoreError("this file is no session bundle: its manifest is of something else")
        if mark.schema > bundle.SCHEMA:
            raise StoreError(
                f"the bundle was made by a newer Tapedeck: its schema is {mark.schema}, "
                f"this one reads up to {bundle.SCHEMA}",
                hint="Update this Tapedeck, then open it again.",
            )
        if mark.schema < 1:
            raise StoreError(f"the bundle's schema {mark.schema} does not exist", hint=AGAIN)
        manifest = _decode(data, Manifest, bundle.MANIFEST)
        recording = manifest.recording
        ended_ns = recording.started_ns if recording.ended_ns is None else recording.ended_ns
        if not 0 <= recording.started_ns <= ended_ns < LAST_NS:
            raise StoreError("the bundle is damaged: it says no believable time", hint=AGAIN)
        return manifest

    def _check_contents(self) -> dict[str, BundleFile]:
        files = {file.name: file for file in self.manifest.files}
        missing = sorted((files.keys() | {bundle.GAPS, bundle.QUALITY, bundle.DEPTH, bundle.BARS}) - set(self._members))
        if missing:
            raise StoreError(f"the bundle is damaged: {missing[0][:80]!r} is missing", hint=AGAIN)
        unknown = sorted(set(self._members) - files.keys() - {bundle.MANIFEST})
        if unknown:
            raise StoreError(f"the bundle holds a file that does not belong into one: {unknown[0]!r}", hint=AGAIN)
        return files

    # What it really holds.

    def _runs(self) -> Iterator[list[Entry]]:
        count, last = 0, -1
        for name in sorted([name for name in self._files if bundle.CHUNK_NAME.fullmatch(name)]):
            chunk = _decode_chunk(self._checked(name, self._limits.chunk_bytes), name)
            run = []
            for index, feed, event in chunk.entries:
                if index <= last or not 0 <= feed < len(chunk.keys):
                    raise StoreError(f"the bundle is damaged: {name} is not in order after entry {last}", hint=AGAIN)
                last = index
                run.append(Entry(index, chunk.keys[feed], event))
            count += len(run)
            yield run
        if count != self.manifest.entries:
            raise StoreError(
                f"the bundle is damaged: it holds {count:,} entries instead of {self.manifest.entries:,}", hint=AGAIN
            )

    def _rows(self, name: str, kind: type[Value]) -> Value:
        return _decode(self._checked(name, self._limits.file_bytes), kind, name)

    def _all_rows(self, first: str, kind: type[list[Row]]) -> Iterator[Row]:
        """The rows of the first file and of those that continue it, one file in memory at a time."""
        begin = first.removesuffix(".json")
        later = [found for found in map(bundle.MORE_ROWS.fullmatch, self._files) if found and found[1] == begin]
        for name in (first, *sorted([found[0] for found in later])):
            yield from self._rows(name, kind)

    def _checked(self, name: str, most: int) -> bytes:
        data = self._read(name, most)
        file = self._files[name]
        if len(data) != file.size or sha256(data).hexdigest() != file.sha256:
            raise StoreError(f"the bundle is damaged: {name} is not what it was", hint=AGAIN)
        return data

    def _read(self, name: str, most: int) -> bytes:
        """A file of the archive, at most `most` bytes of it whatever the archive says of its size."""
        try:
            with self._archive.open(self._members[name]) as file:
                data = file.read(most + 1)
        except DEFECTS as error:
            raise StoreError(f"the bundle is damaged: {name} cannot be read ({error})", hint=AGAIN) from error
        if len(data) > most:
            raise StoreError(f"the bundle is too large: {name} has more than {most:,} bytes", hint=AGAIN)
        return data


def _belongs(name: str) -> bool:
    patterns = (bundle.CHUNK_NAME, bundle.MORE_ROWS)
    return name == bundle.MANIFEST or name in bundle.KNOWN or any(one.fullmatch(name) for one in patterns)


def _decode(data: bytes, kind: type[Value], name: str) -> Value:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"the bundle is damaged: {name} is not what it should be ({error})", hint=AGAIN) from error


_chunks = msgspec.msgpack.Decoder(Chunk)


def _decode_chunk(data: bytes, name: str) -> Chunk:
    try:
        return _chunks.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"the bundle is damaged: {name} is not what it should be ({error})", hint=AGAIN) from error
