from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.base import Unwritable
from engine.store.duckdb_file.journal import Journal, Written
from engine.store.duckdb_file.store import DuckdbStore
from tests.engine.store.events import KEY, OTHER, START_NS, run_of, snapshot, status, trade


def written(serial: int) -> Written:
    return Written(serial, "r", run_of([snapshot(), trade(serial), status("live")], start=serial * 3), [], [], [], [])


def test_records_come_back_in_their_order_after_the_file_was_opened_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for serial in range(1, 4):
        journal.append(written(serial))
    journal.close()
    assert [*Journal(tmp_path / "j").records()] == [written(serial) for serial in range(1, 4)]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_record_that_was_not_written_to_its_end_does_not_count(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(written(1))
    journal.append(written(2))
    os.truncate(tmp_path / "j", journal.size - cut)
    assert [*Journal(tmp_path / "j").records()] == [written(1)]


def test_a_record_that_was_damaged_ends_the_reading(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(written(1))
    first = journal.size
    journal.append(written(2))
    content = bytearray((tmp_path / "j").read_bytes())
    content[first + 20] ^= 1
    (tmp_path / "j").write_bytes(content)
    assert [*Journal(tmp_path / "j").records()] == [written(1)]


@pytest.mark.parametrize("tail", [bytes(4096), b"\xff" * 4096, b"\x01"])
def test_what_a_lost_machine_left_behind_the_last_record_ends_the_reading(tmp_path: Path, tail: bytes) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(written(1))
    journal.close()
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes() + tail)
    assert [*Journal(tmp_path / "j").records()] == [written(1)]


def test_a_whole_record_of_another_version_is_told_and_left_where_it_is(tmp_path: Path) -> None:
    DuckdbStore(tmp_path / "tape.duckdb").close()
    strange = b"\x93\x01\xa1r\x90"
    record = len(strange).to_bytes(4, "little") + zlib.crc32(strange).to_bytes(4, "little") + strange
    (tmp_path / "tape.duckdb.journal").write_bytes(record)
    for _ in range(2):
        with pytest.raises(StoreError, match="another version") as caught:
            DuckdbStore(tmp_path / "tape.duckdb")
        assert "stays as it is" in caught.value.hint
    assert (tmp_path / "tape.duckdb.journal").read_bytes() == record


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(written(1))
    with pytest.raises(Unwritable):
        journal.append(Written(2, "r", run_of([status("\ud800")]), [], [], [], []))
    journal.append(written(2))
    assert [one.serial for one in journal.records()] == [1, 2]


def test_an_empty_journal_is_removed_and_a_full_one_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(written(1))
    journal.close()
    assert (tmp_path / "j").exists()
    journal = Journal(tmp_path / "j")
    journal.clear()
    journal.close()
    assert not (tmp_path / "j").exists()


def test_what_only_the_journal_has_is_brought_in_once_when_the_store_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    store = DuckdbStore(path)
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot()]))
    assert store.recording(recording.id).events == 1  # brought in: somebody has read
    entries = run_of([trade(1.0), trade(2.0, OTHER)], start=1)
    store.append(recording.id, entries)
    kept = (tmp_path / "tape.duckdb.journal").read_bytes()
    assert kept
    store.close()
    for _ in range(2):  # as if it had died before, and then after the journal's content was brought in
        (tmp_path / "tape.duckdb.journal").write_bytes(kept)
        store = DuckdbStore(path)
        assert [one.event for one in store.read(recording.id)] == [snapshot(), trade(1.0), trade(2.0, OTHER)]
        store.append(recording.id, [])
        store.close()


def test_feeds_that_come_later_keep_their_numbers_from_batch_to_batch(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path / "tape.duckdb")
    recording = store.begin([], at_ns=START_NS)
    entries = [
        one for number, key in enumerate((KEY, OTHER, KEY, OTHER)) for one in run_of([trade(number, key)], key, number)
    ]
    for entry in entries:
        store.append(recording.id, [entry])
        assert store.recording(recording.id).events == entry.index + 1
    assert [*store.read(recording.id)] == entries
    assert store.recording(recording.id).feeds == (KEY, OTHER)
    store.close()


def test_a_journal_of_another_file_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tape.duckdb.journal").touch()
    journal = Journal(tmp_path / "tape.duckdb.journal")
    journal.append(written(1))
    journal.close()
    store = DuckdbStore(tmp_path / "tape.duckdb")
    assert store.recordings() == []
    assert "1 batches of recordings that are not here" in caplog.text
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot()]))
    assert store.recording(recording.id).events == 1
    store.close()


def died(folder: Path, name: str) -> Path:
    """The files of a store as a process leaves them that is killed at this moment, in a folder of their own."""
    left = folder / name
    left.mkdir()
    for file in folder.glob("*.duckdb*"):
        shutil.copy(file, left)
    return left


def test_what_comes_after_a_record_that_was_cut_off_is_there_although_the_process_died_again(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path / "tape.duckdb")
    store.append(store.begin([KEY], at_ns=START_NS).id, run_of([snapshot()]))
    first = died(tmp_path, "first")
    store.close()
    os.truncate(first / "tape.duckdb.journal", (first / "tape.duckdb.journal").stat().st_size - 3)

    store = DuckdbStore(first / "tape.duckdb")
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([trade(1.0)]))
    second = died(first, "second")
    store.close()
    store = DuckdbStore(second / "tape.duckdb")
    assert [one.event for one in store.read(recording.id)] == [trade(1.0)]
    store.close()
