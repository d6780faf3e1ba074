"""Packs a recording into one file for another machine; see engine/store/exports/bundle.py."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from engine.feed.mailbox import FeedKey
from engine.store.base import Entry, Recording, Store
from engine.store.copying import batches, in_runs, rows_of
from engine.store.drafts import drafted
from engine.store.exports import bundle
from engine.store.exports.bundle import BundleFile, Chunk, Manifest
from engine.store.report import quality_text
from engine.store.work import ProgressCall

PACKAGES = ("duckdb", "msgspec", "streamlit", "ccxt")


def write_bundle(
    store: Store, recording_id: str, path: Path, settings: Mapping[str, str], progress: ProgressCall, *, at_ns: int
) -> Manifest:
    """Write the bundle of a recording to `path`; `settings` go in as they are and must hold no secret.

    Raises:
        StoreError: the store or the disk failed, or it was called off; then there is no file.
    """
    recording = store.recording(recording_id)
    with drafted(path) as draft, ZipFile(draft, "w", ZIP_DEFLATED) as archive:
        return _Packing(archive).pack(store, recording, settings, progress, at_ns)


class _Packing:
    """One archive that is being filled."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._files: list[BundleFile] = []

    def pack(
        self, store: Store, recording: Recording, settings: Mapping[str, str], progress: ProgressCall, at_ns: int
    ) -> Manifest:
        done = 0
        progress(done, recording.events, "events")
        for number, batch in enumerate(batches(store.read(recording.id)), 1):
            self._add(bundle.chunk_name(number), msgspec.msgpack.encode(_chunk(batch)))
            done += len(batch)
            progress(done, recording.events, "events")
        rows = rows_of(store, recording.id)
        self._add(bundle.GAPS, msgspec.json.encode(rows.gaps))
        self._add(bundle.QUALITY, msgspec.json.encode(rows.quality))
        for name, values in ((bundle.DEPTH, rows.depth), (bundle.BARS, rows.bars)):
            self._add_rows(name, values, lambda: progress(done, recording.events, "sampled rows, after the events"))
        self._add(bundle.SETTINGS, _readable(dict(settings)))
        self._add(bundle.QUALITY_TEXT, quality_text(recording, rows.gaps, rows.quality).encode())
        manifest = Manifest(bundle.FORMAT, bundle.SCHEMA, at_ns, recording, done, versions(), tuple(self._files))
        self._archive.writestr(bundle.MANIFEST, _readable(manifest))
        return manifest

    def _add_rows(self, name: str, values: Iterable[object], tell: Callable[[], None]) -> None:
        number = 0
        for number, run in enumerate(in_runs(values), 1):
            tell()
            self._add(bundle.rows_name(name, number), msgspec.json.encode(run))
        if not number:
            self._add(name, b"[]")

    def _add(self, name: str, data: bytes) -> None:
        self._archive.writestr(name, data)
        self._files.append(BundleFile(name, len(data), sha256(data).hexdigest()))


def versions() -> dict[str, str]:
    """What runs here, by name."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _chunk(batch: Sequence[Entry]) -> Chunk:
    numbers: dict[FeedKey, int] = {}
    entries = [(entry.index, numbers.setdefault(entry.key, len(numbers)), entry.event) for entry in batch]
    return Chunk(tuple(numbers), entries)


def _readable(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"
