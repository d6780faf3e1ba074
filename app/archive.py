"""What was recorded, and the long work on it: exports, session bundles, deletions. One for the whole process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from engine.clock import SYSTEM_CLOCK, Clock
from engine.errors import StoreError
from engine.store.base import Recording, Store
from engine.store.exports.bundle import ENDING
from engine.store.exports.bundle_reader import Bundle
from engine.store.exports.exporting import ENDINGS, Kind, export
from engine.store.flight.listing import Flight, delete_flight, flights, pack_flight
from engine.store.work import Outcome, ProgressCall, WorkDesk

EXPORTS = (*ENDINGS.values(), ".frames.zip")


class Archive:
    """`store` opens the store of recordings on its first call, and gives the same one ever after.

    `exports` is where exports are written, `captures` where raw frames lie; `settings` go into session bundles and
    hold no secret.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        *,
        exports: Path,
        captures: Path,
        settings: Mapping[str, str],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.store = store
        self.works = WorkDesk()
        self.exports_folder = exports
        self.captures_folder = captures
        self._settings = settings
        self._clock = clock

    def close(self) -> None:
        """Call off whatever is being done, within 2 s."""
        self.works.close()

    # Each of these begins a task and gives its number; all raise StoreError when too much is being done already.

    def export(self, kind: Kind, recording: Recording) -> int:
        """Write a recording into the exports folder."""
        store, at_ns = self.store(), self._clock.now_ns()
        title = {"bundle": "Session bundle", "csv": "CSV", "parquet": "Parquet", "duckdb": "DuckDB"}[kind]

        def task(progress: ProgressCall) -> Outcome:
            return export(kind, store, recording.id, self.exports_folder, self._settings, progress, at_ns=at_ns)

        return self.works.start(f"{title} of {recording.id}", task)

    def delete(self, recording: Recording) -> int:
        """Remove a recording and all that belongs to it."""
        store = self.store()

        def task(progress: ProgressCall) -> Outcome:
            progress(0, 0, "a recording is removed as a whole")
            store.delete(recording.id)
            return Outcome(f"{recording.id} is deleted.")

        return self.works.start(f"Delete {recording.id}", task)

    def open_bundle(self, file: IO[bytes] | Path, name: str) -> int:
        """Put a session from another machine into the store."""
        store = self.store()

        def task(progress: ProgressCall) -> Outcome:
            progress(0, 0, "checking the file")
            with Bundle(file) as bundle:
                made = bundle.restore(store, progress)
                words = f"{bundle.manifest.recording.id} is here as {made.id}: {made.events:,} events."
                return Outcome(f"{words} {bundle.manifest.left_out}".strip(), recording=made.id)

        return self.works.start(f"Open {name}", task)

    def pack_flight(self, found: Flight) -> int:
        """Raw frames as one file of the exports folder."""
        return self.works.start(
            f"Frames of {found.name}", lambda progress: pack_flight(found, self.exports_folder, progress)
        )

    def delete_flight(self, found: Flight) -> int:
        """Remove a recording of raw frames."""

        def task(progress: ProgressCall) -> Outcome:
            delete_flight(found)
            return Outcome(f"{found.name} is deleted.")

        return self.works.start(f"Delete {found.name}", task)

    def flights(self) -> list[Flight]:
        """The recordings of raw frames, newest first."""
        return flights(self.captures_folder)

    # The exports folder.

    def exports(self) -> list[Path]:
        """Complete files of the exports folder, newest first."""
        if not self.exports_folder.is_dir():
            return []
        found = [path for path in self.exports_folder.iterdir() if path.name.endswith(EXPORTS) and path.is_file()]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    def remove_export(self, name: str) -> None:
        """Remove a file of the exports folder.

        Raises:
            StoreError: there is none of that name, or it cannot be removed.
        """
        found = next((path for path in self.exports() if path.name == name), None)
        if found is None:
            raise StoreError(f"there is no export called {name!r}")
        try:
            found.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{name} cannot be deleted: {error.strerror or error}") from error


def is_bundle(path: Path) -> bool:
    """Whether a file of the exports folder is a session that can be opened."""
    return path.name.endswith(ENDING)
