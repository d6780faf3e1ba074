"""Finds what a person means by a recording: a capture, a recording of a store, or a store of one."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from engine.errors import StoreError
from engine.store.base import Recording, Store
from engine.store.captures.play import PlayableCapture
from engine.store.captures.reader import captures_in
from engine.store.captures.verify import FrameReader, recognise
from engine.store.opening import open_store
from engine.store.play_tape import PlayableTape
from engine.store.playable import Playable

NEWEST = "newest"
NAMES_SHOWN = 3
ASKS = "Did you mean "


def find_recording(
    name: str, captures: Path, store_url: str, readers: Mapping[str, FrameReader], *, reader: str | None = None
) -> Playable:
    """What `name` stands for.

    A capture (a file or a folder of segments, by its path or by its name in the folder `captures`), a DuckDB file, a
    folder of Parquet files or the URL of a store (their newest recording), the id of a recording in the store at
    `store_url` or its beginning, or `newest` there.

    `reader` names who reads a capture; it is recognised otherwise.

    Raises:
        StoreError: there is no such recording (the hint has near names), or it cannot be played.
    """
    path = Path(name).expanduser()
    if "://" in name:
        return _in_store(open_store(name, read_only=True), NEWEST)
    for file in (path, captures / name):
        if file.name in captures_in(file.parent) or (file.is_file() and not file.name.endswith(".duckdb")):
            return PlayableCapture(file, _reader(file, readers, reader))
    if path.is_dir() or path.name.endswith(".duckdb"):
        kind = "parquet" if path.is_dir() else "duckdb"
        return _in_store(open_store(f"{kind}:///{path}", read_only=True), NEWEST)
    try:
        return _in_store(open_store(store_url, read_only=True), name)
    except StoreError as error:
        near = get_close_matches(name, captures_in(captures), n=NAMES_SHOWN, cutoff=0.4)
        own = error.hint.removeprefix(ASKS)
        both = f"{', '.join(near)} or {own}" if own != error.hint else f"{', '.join(near)}? {own}".strip()
        hint = f"{ASKS}{both}" if near else error.hint
        raise StoreError(f"{name!r} is neither a file nor a capture in {captures}, and {error}", hint=hint) from error


def _in_store(store: Store, name: str) -> PlayableTape:
    try:
        found = store.recordings()
        if name == NEWEST and found:
            return PlayableTape(store, found[-1], owned=True)
        if name == NEWEST:
            raise StoreError(f"{store.place} holds no recording", hint="Record something first.")
        return PlayableTape(store, _named(store, found, name), owned=True)
    except StoreError:
        store.close()
        raise


def _named(store: Store, found: list[Recording], name: str) -> Recording:
    """By its whole id, or by a beginning that only one has."""
    begins = [recording for recording in found if recording.id.startswith(name)]
    return begins[0] if len(begins) == 1 else store.recording(name)


def _reader(path: Path, readers: Mapping[str, FrameReader], name: str | None) -> FrameReader:
    if name is None:
        return recognise(path, readers)
    if name in readers:
        return readers[name]
    raise StoreError(f"no connector named {name!r} reads captures", hint=f"There are: {', '.join(readers)}.")
