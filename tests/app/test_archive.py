"""The long work on recordings from end to end: exported here, opened there, deleted, and nothing else touched."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.archive import Archive, is_bundle
from engine.errors import StoreError
from engine.store.base import Entered, Recording, Store
from engine.store.opening import open_store
from engine.store.work import WorkReport
from tests.app.support import wait_until
from tests.engine.store.events import KEY, START_NS, exactly, run_of, snapshot, trade
from tests.engine.store.flight.test_listing import lay

SETTINGS = {"LOG_LEVEL": "INFO"}
EVENTS: list[Entered] = [snapshot(), trade(1.0), trade(2.0)]


def machine(folder: Path) -> tuple[Archive, Store]:
    store = open_store(f"duckdb:///{folder}/tape.duckdb")
    return Archive(
        lambda: store, exports=folder / "exports", captures=folder / "captures", settings=SETTINGS
    ), store  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Archive, Store]]:
    archive, store = machine(tmp_path / "here")
    yield archive, store
    archive.close()
    store.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Archive, Store]]:
    archive, store = machine(tmp_path / "there")
    yield archive, store
    archive.close()
    store.close()


def record(store: Store) -> Recording:
    made = store.begin([KEY], at_ns=START_NS)
    store.append(made.id, run_of(EVENTS))
    return store.end(made.id, at_ns=START_NS + 10**9)


def ended(archive: Archive, number: int) -> WorkReport:
    def report() -> WorkReport:
        found = archive.works.report(number)
        assert found is not None
        return found

    assert wait_until(lambda: report().state != "running", 10.0)
    return report()


def test_a_session_goes_to_another_machine_and_is_the_same_there(
    here: tuple[Archive, Store], there: tuple[Archive, Store]
) -> None:
    recording = record(here[1])
    assert ended(here[0], here[0].export("bundle", recording)).state == "done"
    (path,) = here[0].exports()
    assert is_bundle(path)
    report = ended(there[0], there[0].open_bundle(io.BytesIO(path.read_bytes()), path.name))
    assert report.outcome is not None
    assert exactly(list(there[1].read(report.outcome.recording))) == exactly(run_of(EVENTS))
    again = ended(there[0], there[0].open_bundle(path, path.name))
    assert again.outcome is not None
    assert again.outcome.recording != report.outcome.recording
    assert len(there[1].recordings()) == 2


def test_what_is_no_session_is_refused_in_a_sentence(here: tuple[Archive, Store]) -> None:
    report = ended(here[0], here[0].open_bundle(io.BytesIO(b"holiday picture"), "picture.zip"))
    assert (report.state, report.error) == ("failed", "this file is no session bundle: it is no zip archive")
    assert here[1].recordings() == []


def test_deleting_takes_the_recording_and_leaves_its_exports(here: tuple[Archive, Store]) -> None:
    archive, store = here
    recording, kept = record(store), record(store)
    ended(archive, archive.export("csv", recording))
    assert ended(archive, archive.delete(recording)).state == "done"
    assert [one.id for one in store.recordings()] == [kept.id]
    assert [path.name for path in archive.exports()] == [f"{recording.id}.csv.zip"]


def test_a_recording_that_runs_is_not_deleted(here: tuple[Archive, Store]) -> None:
    archive, store = here
    running = store.begin([KEY], at_ns=START_NS)
    assert ended(archive, archive.delete(running)).state == "failed"
    assert len(store.recordings()) == 1


def test_exports_are_removed_one_by_one_and_only_exports(here: tuple[Archive, Store]) -> None:
    archive, store = here
    ended(archive, archive.export("csv", record(store)))
    (path,) = archive.exports()
    (path.parent / "notes.txt").write_text("mine")
    for name in ("notes.txt", "../tape.duckdb", ""):
        with pytest.raises(StoreError, match="no export called"):
            archive.remove_export(name)
    archive.remove_export(path.name)
    assert archive.exports() == []
    assert (path.parent / "notes.txt").exists()


def test_raw_frames_are_packed_and_deleted(here: tuple[Archive, Store]) -> None:
    archive, _ = here
    lay(archive.captures_folder, "a-mock", START_NS, START_NS)
    (found,) = archive.flights()
    assert ended(archive, archive.pack_flight(found)).state == "done"
    assert [path.name for path in archive.exports()] == ["a-mock.frames.zip"]
    assert ended(archive, archive.delete_flight(found)).state == "done"
    assert archive.flights() == []
