"""What a crash, a second process and a place that cannot be written to do to a recording."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest

from engine.errors import StoreError
from engine.market.events import BookDelta
from engine.market.orders import Fill
from engine.store.base import Entry
from engine.store.duckdb_file.store import DuckdbStore
from tests.engine.store.events import KEY, START_NS, run_of, snapshot, trade

ROOT = Path(__file__).resolve().parents[3]
FLUSH_S = 0.1
START_WITHIN_S = 30.0


def endless(path: Path) -> tuple[subprocess.Popen[str], str]:
    """A process that records into `path` for ever, and its recording."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.store.endless", str(path), str(FLUSH_S)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill_after(process: subprocess.Popen[str], seconds: float) -> list[tuple[int, int]]:
    """Let it write for so long, then kill it as nothing can be killed more; all that it said: (on the disk, in all)."""
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    until = monotonic() + seconds
    while monotonic() < until:
        lines.append(process.stdout.readline())
    process.kill()
    rest, _ = process.communicate(timeout=START_WITHIN_S)
    said = [line.split() for line in [*lines, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    return [(int(written), int(published)) for written, published in said]


@pytest.mark.slow
def test_a_process_that_is_killed_loses_nothing_that_was_flushed_and_damages_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    chance = random.Random(20240808)
    recorded: list[str] = []
    for _ in range(3):
        process, recording_id = endless(path)
        said = kill_after(process, chance.uniform(0.05, 0.8))
        store = DuckdbStore(path)
        recorded.append(recording_id)
        assert [one.id for one in store.found_cut_off] == [recording_id]
        found = store.recording(recording_id)
        assert found.ending == "cut off"
        assert found.fills > 0
        assert found.events >= said[-1][0] > 0
        # Whatever there was when one flush had ended is on the disk when the next one has.
        assert all(written >= published for (_, published), (written, _) in pairwise(said))
        assert_whole([*store.read(recording_id)], found.events)
        assert [one.id for one in store.recordings()] == recorded
        store.close()


def assert_whole(entries: list[Entry], count: int) -> None:
    """All entries from the first one on, no hole and nothing twice."""
    assert [entry.index for entry in entries] == [*range(count)]
    deltas = [entry.event for entry in entries if isinstance(entry.event, BookDelta)]
    assert [delta.first_sequence for delta in deltas] == [*range(2, len(deltas) + 2)]
    assert [delta.bids for delta in deltas] == [((99.0, float(number)),) for number in range(2, len(deltas) + 2)]
    fills = [entry.event for entry in entries if isinstance(entry.event, Fill)]
    assert [int(one.price) for one in fills] == [*range(21, 20 * len(fills) + 2, 20)]
    assert len(fills) >= len(deltas) // 20 - 1


def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    process, _ = endless(tmp_path / "tape.duckdb")
    try:
        with pytest.raises(StoreError, match="another process") as caught:
            DuckdbStore(tmp_path / "tape.duckdb")
        assert str(process.pid) in str(caught.value)
        assert "STORE_URL" in caught.value.hint
    finally:
        process.kill()
        process.communicate(timeout=START_WITHIN_S)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB; only who may mount has one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=False, capture_output=True
    )
    if not done or done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_named_and_nothing_that_was_written_is_lost(small_disk: Path) -> None:
    store = DuckdbStore(small_disk / "tape.duckdb")
    recording = store.begin([KEY], at_ns=START_NS)
    chance, written = random.Random(1), 0
    with pytest.raises(StoreError, match="the disk is full") as caught:
        while written < 1_000_000:
            batch = run_of([trade(number, price=chance.random(), size=chance.random()) for number in range(5000)])
            store.append(recording.id, [Entry(written + one.index, KEY, one.event) for one in batch])
            written += 5000
    assert "Free some space" in caught.value.hint
    assert len(list(store.read(recording.id))) == written > 0
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    store.append(recording.id, [Entry(written, KEY, snapshot())])
    assert [entry.index for entry in store.read(recording.id)] == [*range(written + 1)]
    store.close()


def read_only_folder(tmp_path: Path) -> Path | None:
    """A folder in which nothing can be made: for root only the system's own ones are."""
    if os.geteuid():
        tmp_path.chmod(0o500)
        return tmp_path
    return next((folder for folder in map(Path, ("/sys/kernel", "/proc")) if folder.is_dir()), None)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    folder = read_only_folder(tmp_path)
    if folder is None:
        pytest.skip("every folder can be written to here")
    with pytest.raises(StoreError, match="cannot be") as caught:
        DuckdbStore(folder / "tape.duckdb")
    assert str(folder) in str(caught.value)
    assert "STORE_URL" in caught.value.hint
    tmp_path.chmod(0o700)


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match="damaged, or no DuckDB file"):
        DuckdbStore(path)
    assert path.read_bytes() == b"no database at all" * 1000


def test_a_file_that_is_not_there_cannot_be_opened_for_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        DuckdbStore(tmp_path / "nothing.duckdb", read_only=True)
