"""The raw frames of a folder: only what is ours, packed and deleted as a whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import pytest

from engine.errors import StoreError
from engine.store.flight.files import MANIFEST, Manifest
from engine.store.flight.listing import delete_flight, flight, flights, pack_flight
from engine.store.flight.segments import Segment
from engine.store.work import Cancelled, unwatched
from tests.engine.store.events import START_NS


def lay(folder: Path, name: str, at_ns: int, ended_ns: int | None) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    manifest = Manifest("mock", "", at_ns, ended_ns, segments=[Segment("000001.jsonl.gz", 40, at_ns, at_ns, 9)])
    (place / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    (place / "000001.jsonl.gz").write_bytes(b"123456789")
    return place


def test_newest_first_with_their_bytes_and_whether_they_were_cut_off(tmp_path: Path) -> None:
    lay(tmp_path, "old", START_NS, START_NS + 1)
    lay(tmp_path, "new", START_NS + 5, None)
    (tmp_path / "demo.jsonl.gz").write_bytes(b"a capture by itself")
    (tmp_path / "other").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / MANIFEST).write_text("{")
    found = flights(tmp_path)
    assert [(one.name, one.cut_off, one.records) for one in found] == [("new", True, 40), ("old", False, 40)]
    assert found[0].size_bytes == 9 + len((tmp_path / "new" / MANIFEST).read_bytes())
    assert flights(tmp_path / "nowhere") == []


def test_one_file_holds_all_of_it(tmp_path: Path) -> None:
    lay(tmp_path / "captures", "a", START_NS, START_NS)
    outcome = pack_flight(flight(tmp_path / "captures", "a"), tmp_path / "exports", unwatched)
    assert outcome.path == tmp_path / "exports" / "a.frames.zip"
    with zipfile.ZipFile(outcome.path) as archive:
        assert sorted(archive.namelist()) == ["a/000001.jsonl.gz", f"a/{MANIFEST}"]


def test_what_is_called_off_leaves_no_file(tmp_path: Path) -> None:
    def call_off(done: int, total: int, words: str = "") -> None:
        raise Cancelled("called off")

    lay(tmp_path / "captures", "a", START_NS, START_NS)
    with pytest.raises(Cancelled):
        pack_flight(flight(tmp_path / "captures", "a"), tmp_path / "exports", call_off)
    assert list((tmp_path / "exports").iterdir()) == []


def test_deleting_takes_its_folder_and_nothing_else(tmp_path: Path) -> None:
    lay(tmp_path, "a", START_NS, START_NS)
    lay(tmp_path, "b", START_NS, START_NS)
    delete_flight(flight(tmp_path, "a"))
    assert [one.name for one in flights(tmp_path)] == ["b"]
    with pytest.raises(StoreError, match="no raw frames called 'a'"):
        flight(tmp_path, "a")
