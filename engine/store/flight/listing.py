"""The flight recordings of a folder: what raw frames lie there, and how they are taken away."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import msgspec
from msgspec import Struct

from engine.errors import StoreError
from engine.store.drafts import drafted
from engine.store.flight.files import MANIFEST, Manifest
from engine.store.report import size_words
from engine.store.work import Outcome, ProgressCall


class Flight(Struct, frozen=True):
    """A recording of raw frames: its place, what it says of itself, and its bytes on the disk.

    `cut_off`: its process died while it ran (or it still runs, which whoever runs it knows).
    """

    path: Path
    manifest: Manifest
    size_bytes: int

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def cut_off(self) -> bool:
        return self.manifest.ended_ns is None

    @property
    def records(self) -> int:
        return sum([segment.records for segment in self.manifest.segments])


def flights(folder: Path) -> list[Flight]:
    """Those in the folder, newest first; what is not ours is passed over."""
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        manifest = _manifest(path / MANIFEST)
        if manifest is not None:
            found.append(
                Flight(path, manifest, sum([file.stat().st_size for file in path.iterdir() if file.is_file()]))
            )
    return sorted(found, key=lambda flight: flight.manifest.started_ns, reverse=True)


def flight(folder: Path, name: str) -> Flight:
    """The one of that name.

    Raises:
        StoreError: there is none.
    """
    found = next((one for one in flights(folder) if one.name == name), None)
    if found is None:
        raise StoreError(f"there are no raw frames called {name!r}", hint="Somebody may have deleted them.")
    return found


def delete_flight(found: Flight) -> None:
    """Remove a recording of raw frames with all of its files.

    Raises:
        StoreError: it cannot be removed.
    """
    try:
        shutil.rmtree(found.path)
    except OSError as error:
        raise StoreError(f"{found.name} cannot be deleted: {error.strerror or error}") from error


def pack_flight(found: Flight, folder: Path, progress: ProgressCall) -> Outcome:
    """One zip archive of it in `folder`, to be attached to a report.

    Raises:
        StoreError: it cannot be read or written, or was called off; then there is no new file.
    """
    path = folder / f"{found.name}.frames.zip"
    with drafted(path) as draft, ZipFile(draft, "w", ZIP_STORED) as archive:
        files = sorted([file for file in found.path.iterdir() if file.is_file()])
        for number, file in enumerate(files):
            progress(number, len(files), "files")
            archive.write(file, f"{found.name}/{file.name}")
    return Outcome(f"{path.name}, {size_words(path.stat().st_size)}.", path)


def _manifest(path: Path) -> Manifest | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
