"""Files of other versions: older ones are brought up to date, newer and foreign ones are left alone."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pytest

from engine.errors import StoreError
from engine.store.bars import depth_row
from engine.store.duckdb_schema import MIGRATIONS, TABLES, VERSION, prepare
from engine.store.duckdb_store import DuckdbStore
from tests.engine.store.events import KEY, START_NS, run_of, snapshot, trade

NEXT = {1: ["ALTER TABLE trades ADD COLUMN venue_flags INTEGER", "CREATE TABLE orders(recording INTEGER)"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of version 1 with one recording."""
    path = tmp_path / "tape.duckdb"
    store = DuckdbStore(path)
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot(), trade(1.0)]))
    store.end(recording.id, at_ns=START_NS + 1)
    store.close()
    return path


def test_a_file_of_version_1_opens_under_the_next_one_with_all_it_has(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        assert prepare(connection, version=2, migrations=NEXT) == 1
        assert prepare(connection, version=2, migrations=NEXT) == 2
        assert connection.execute("SELECT count(*), count(venue_flags) FROM trades").fetchall() == [(1, 0)]
        assert connection.execute("SELECT * FROM orders").fetchall() == []
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(2,)]


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    broken = {1: [*NEXT[1], "ALTER TABLE nothing ADD COLUMN it INTEGER"]}
    with duckdb.connect(str(path)) as connection:
        with pytest.raises(duckdb.Error):
            prepare(connection, version=2, migrations=broken)
        connection.rollback()
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
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
