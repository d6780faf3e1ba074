"""Files of other versions: older ones are brought up to date, newer and foreign ones are left alone."""

from __future__ import annotations

import lzma
import time
from pathlib import Path

import duckdb
import pytest

from engine.errors import StoreError
from engine.market.signal import Signal
from engine.store.base import Entered
from engine.store.duckdb_file.schema import MIGRATIONS, TABLES, VERSION, prepare
from engine.store.duckdb_file.store import DuckdbStore
from engine.store.recording.bars import depth_row
from tests.engine.store.events import KEY, SECOND_NS, START_NS, exactly, fill, order, run_of, snapshot, status, trade

AFTER = VERSION + 1
NEXT = {VERSION: ["ALTER TABLE trades ADD COLUMN venue_flags INTEGER", "CREATE TABLE later(recording INTEGER)"]}
VERSION_1 = Path(__file__).with_name("version_1.duckdb.xz")
"""A file as the program of version 1 left it: a recording that was ended, and one that was running."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.duckdb"
    path.write_bytes(lzma.decompress(VERSION_1.read_bytes()))
    return path


def of_version_1() -> list[Entered]:
    """What the first recording of that file holds."""
    signal = Signal("echo", "mock", "BTCUSDT", "buy", 0.7, 100.25, START_NS + 2 * SECOND_NS, "because", None, "mock")
    return [snapshot(), trade(1.0), status("live", 1.5), signal, snapshot(3.0, sequence=2**63)]


def test_a_file_that_version_1_wrote_is_brought_up_to_date_with_all_it_has(old: Path) -> None:
    store = DuckdbStore(old)
    ended, running = store.recordings()
    assert exactly(list(store.read(ended.id))) == exactly(run_of(of_version_1()))
    assert (ended.note, ended.events, ended.orders, ended.fills) == ("written by version 1", 5, 0, 0)
    assert [gap.lost for gap in store.gaps(ended.id)] == [7]
    assert [row.ts_utc for row in store.depth_of(ended.id)] == [1000]
    assert [one.id for one in store.found_cut_off] == [running.id]
    made = store.begin([KEY], at_ns=START_NS)
    store.append(made.id, run_of([order(), fill(1.0)]))
    store.delete(running.id)
    store.close()
    store = DuckdbStore(old)
    assert exactly(list(store.read(made.id))) == exactly(run_of([order(), fill(1.0)]))
    assert (store.recording(made.id).orders, store.recording(made.id).fills) == (1, 1)
    store.close()


def test_a_file_that_version_1_wrote_is_read_as_it_is_by_who_only_reads(old: Path) -> None:
    before = old.read_bytes()
    store = DuckdbStore(old, read_only=True)
    ended, _ = store.recordings()
    assert exactly(list(store.read(ended.id))) == exactly(run_of(of_version_1()))
    assert (ended.orders, ended.fills) == (0, 0)
    store.close()
    assert old.read_bytes() == before


def test_a_file_of_today_has_the_tables_of_one_that_was_brought_up_to_date(old: Path, path: Path) -> None:
    DuckdbStore(old).close()
    described = []
    for one in (old, path):
        with duckdb.connect(str(one), read_only=True) as connection:
            described.append(
                connection.execute(
                    "SELECT table_name, column_name, data_type, column_index FROM duckdb_columns() ORDER BY ALL"
                ).fetchall()
            )
    assert described[0] == described[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of today with one recording."""
    path = tmp_path / "tape.duckdb"
    store = DuckdbStore(path)
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot(), trade(1.0)]))
    store.end(recording.id, at_ns=START_NS + 1)
    store.close()
    return path


def test_a_file_of_today_opens_under_the_next_version_with_all_it_has(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        assert prepare(connection, version=AFTER, migrations=NEXT) == VERSION
        assert prepare(connection, version=AFTER, migrations=NEXT) == AFTER
        assert connection.execute("SELECT count(*), count(venue_flags) FROM trades").fetchall() == [(1, 0)]
        assert connection.execute("SELECT * FROM later").fetchall() == []
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(AFTER,)]


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    broken = {VERSION: [*NEXT[VERSION], "ALTER TABLE nothing ADD COLUMN it INTEGER"]}
    with duckdb.connect(str(path)) as connection:
        with pytest.raises(duckdb.Error):
            prepare(connection, version=AFTER, migrations=broken)
        connection.rollback()
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(VERSION,)]
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT venue_flags FROM trades")
    assert len(list(DuckdbStore(path).recordings())) == 1


def test_a_newer_file_is_refused_with_both_versions_and_left_alone(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE schema_version SET version = 7")
    for read_only in (False, True):
        with pytest.raises(StoreError, match=f"version 7, this program knows versions up to {VERSION}"):
            DuckdbStore(path, read_only=read_only)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE customers(name VARCHAR)")
    with pytest.raises(StoreError, match="not one of recordings"):
        DuckdbStore(tmp_path / "other.duckdb")


def test_every_version_up_to_todays_can_be_migrated() -> None:
    assert sorted(MIGRATIONS) == [*range(1, VERSION)]
    assert "market_depth" in TABLES


def test_a_file_can_be_read_by_several_at_once_when_nobody_writes(path: Path) -> None:
    first, second = DuckdbStore(path, read_only=True), DuckdbStore(path, read_only=True)
    [recording] = first.recordings()
    assert list(first.read(recording.id)) == list(second.read(recording.id)) == run_of([snapshot(), trade(1.0)])
    with pytest.raises(StoreError):
        first.begin([KEY], at_ns=START_NS)
    first.close()
    second.close()


def test_the_three_checks_of_the_documentation_answer(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    queries = page.partition("```sql")[2].partition("```")[0].split(";")[:-1]
    store = DuckdbStore(tmp_path / "tape.duckdb")
    now_ns = time.time_ns()
    store.add_market_depth(
        [depth_row("BTCUSDT", "mock", ((100.0, 1.0),), asks, now_ns) for asks in ((), ((101.0, 3.0),))]
        + [depth_row("ETHUSDT", "mock", (), (), now_ns - 600_000_000_000)]
    )
    store.close()
    with duckdb.connect(str(tmp_path / "tape.duckdb"), read_only=True) as connection:
        counted, newest, with_figures = [connection.execute(query).fetchall() for query in queries]
    assert counted == [(2,)]
    assert [row[0] for row in newest] == ["BTCUSDT", "BTCUSDT", "ETHUSDT"]
    assert with_figures == [("BTCUSDT", 100.5, 1.0, -0.5)]
