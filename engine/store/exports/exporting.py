"""What a recording can be exported as, each as one file of the exports folder, whichever store it lies in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from zipfile import ZIP_STORED, ZipFile

from engine.store.base import Store
from engine.store.copying import copy_recording
from engine.store.drafts import drafted
from engine.store.exports import bundle
from engine.store.exports.bundle_writer import write_bundle
from engine.store.exports.csv_tables import write_csv
from engine.store.opening import open_store
from engine.store.report import size_words
from engine.store.work import Outcome, ProgressCall

Kind = Literal["bundle", "csv", "parquet", "duckdb"]
ENDINGS: Mapping[Kind, str] = {
    "bundle": bundle.ENDING, "csv": ".csv.zip", "parquet": ".parquet.zip", "duckdb": ".duckdb"
}  # fmt: skip


def export(
    kind: Kind, store: Store, recording_id: str, folder: Path, settings: Mapping[str, str], progress: ProgressCall,
    *, at_ns: int,
) -> Outcome:  # fmt: skip
    """Write a recording, all of it, to `<folder>/<id><ending>`; an older export of the same name is replaced.

    `settings` go into a bundle and must hold no secret.

    Raises:
        StoreError: it cannot be read or written, or was called off; then there is no new file.
    """
    path = folder / f"{recording_id}{ENDINGS[kind]}"
    if kind == "bundle":
        write_bundle(store, recording_id, path, settings, progress, at_ns=at_ns)
    elif kind == "csv":
        write_csv(store, recording_id, path, progress)
    elif kind == "parquet":
        _parquet(store, recording_id, path, progress)
    else:
        _duckdb(store, recording_id, path, progress)
    return Outcome(f"{path.name}, {size_words(path.stat().st_size)}.", path)


def _duckdb(store: Store, recording_id: str, path: Path, progress: ProgressCall) -> None:
    """A store of its own with this recording alone."""
    with drafted(path) as draft:
        copy = open_store(f"duckdb:///{draft}")
        try:
            copy_recording(store, recording_id, copy, progress)
        finally:
            copy.close()


def _parquet(store: Store, recording_id: str, path: Path, progress: ProgressCall) -> None:
    from engine.store.parquet.export import export_parquet

    with drafted(path) as draft, TemporaryDirectory(dir=path.parent, prefix=".parquet-") as name:
        folder = Path(name)
        export_parquet(store, recording_id, folder, progress)
        files = sorted([file for file in folder.rglob("*") if file.is_file()])
        with ZipFile(draft, "w", ZIP_STORED) as archive:
            for number, file in enumerate(files):
                progress(number, len(files), "packing files")
                archive.write(file, file.relative_to(folder))
