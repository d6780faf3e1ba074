"""What is PostgreSQL's own; what every store must do is in test_store.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StoreError
from engine.store.base import Gap, Store
from engine.store.opening import open_store
from engine.store.postgres.binary import kept, meant
from engine.store.postgres.store import PostgresStore
from tests.engine.store.events import KEY, SECOND_NS, START_NS, exactly, fill, order, run_of, snapshot, trade
from tests.engine.store.postgres.server import PASSWORD, Server

Open = Callable[[str], PostgresStore]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens stores that are closed in the end."""
    stores: list[PostgresStore] = []

    def opening(url: str) -> PostgresStore:
        stores.append(PostgresStore(url))
        return stores[-1]

    yield opening
    for store in stores:
        store.close()


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def names(server: Server, schema: str, query: str, before: str = "") -> list[str]:
    import psycopg

    with psycopg.connect(server.url(schema), autocommit=True) as connection:
        connection.execute(before.encode())
        return [str(row[0]) for row in connection.execute(query.encode()).fetchall()]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_is_kept_without_the_zero_character_and_comes_back(text: str) -> None:
    assert "\0" not in kept(text)
    assert meant(kept(text)) == text


def test_another_process_that_opens_leaves_a_running_recording_alone(postgres: Server, opened: Open) -> None:
    url = postgres.url(postgres.new_schema())
    first, second = opened(url), opened(url)
    recording = first.begin([KEY], at_ns=START_NS)
    first.append(recording.id, run_of([snapshot()]))
    third = opened(url)
    assert (second.found_cut_off, third.found_cut_off) == ([], [])
    assert third.recording(recording.id).ending == "running"
    assert exactly(list(second.read(recording.id))) == exactly(run_of([snapshot()]))
    first.close()  # as the server sees a process that dies
    fourth = opened(url)
    assert [one.id for one in fourth.found_cut_off] == [recording.id]
    assert third.recording(recording.id).ending == "cut off"


def test_several_processes_record_at_once(postgres: Server, opened: Open) -> None:
    url = postgres.url(postgres.new_schema())
    stores = [opened(url), opened(url)]
    recordings = [store.begin([KEY], at_ns=START_NS + at) for at, store in enumerate(stores)]
    for store, recording in zip(stores, recordings, strict=True):
        store.append(recording.id, run_of([snapshot(sequence=store is stores[0])]))
    for store, recording in zip(stores, recordings, strict=True):
        assert store.end(recording.id, at_ns=START_NS + SECOND_NS).ending == "stopped"
    assert [one.events for one in stores[0].recordings()] == [1, 1]


def test_a_server_that_went_away_is_told_and_recording_goes_on_when_it_is_back(postgres: Server, opened: Open) -> None:
    url = postgres.url(postgres.new_schema())
    store = opened(url)
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot()]))
    with stopped(postgres):
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.append(recording.id, run_of([trade(1.0)], start=1))
            assert postgres.url().rpartition("@")[2] in str(caught.value)
        assert "running" in caught.value.hint
    store.append(recording.id, run_of([trade(2.0)], start=2), gaps=[Gap(KEY, 1, 2, 1, "the server was away")])
    assert [one.index for one in store.read(recording.id)] == [0, 2]
    assert opened(url).found_cut_off == []  # the lock is held again


def test_a_batch_that_is_sent_twice_is_there_once(postgres: Server, opened: Open) -> None:
    store = opened(postgres.url(postgres.new_schema()))
    recording = store.begin([KEY], at_ns=START_NS)
    batch = run_of([snapshot(), trade(1.0)])
    for _ in range(2):
        store.append(recording.id, batch, gaps=[Gap(KEY, 1, 2, 1, "test")])
    assert exactly(list(store.read(recording.id))) == exactly(batch)
    assert (store.recording(recording.id).events, store.recording(recording.id).gaps) == (2, 1)


def test_refusals_say_what_to_do_and_show_no_password(postgres: Server) -> None:
    cases = [
        (postgres.url(password="wr0ngpassw0rd"), "refuses this user or password", "STORE_URL"),
        (postgres.url(database="n0where"), "no such database", "createdb"),
        ("postgresql://u:s3cretpass@127.0.0.1:1/x", "cannot be reached", "running"),
        ("postgresql://u:s3cretpass@127.0.0.1:1/x?nonsense=s3cretpass", "cannot be read", "Write it as"),
    ]
    for url, what, hint in cases:
        with pytest.raises(StoreError) as caught:
            open_store(url)
        error: BaseException | None = caught.value
        assert what in str(error)
        assert hint in caught.value.hint
        while error is not None:
            said = f"{error} {error!r}"
            assert not [word for word in (PASSWORD, "wr0ngpassw0rd", "s3cretpass") if word in said]
            error = None if error.__suppress_context__ else error.__context__


def test_tables_of_others_and_of_a_later_version_are_left_alone(postgres: Server) -> None:
    schema = postgres.new_schema()
    names(postgres, schema, "SELECT 1", before="CREATE TABLE trades(mine text)")
    with pytest.raises(StoreError, match="'trades' that is not one of recordings"):
        open_store(postgres.url(schema))
    assert names(postgres, schema, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()") == ["trades"]
    schema = postgres.new_schema()
    open_store(postgres.url(schema)).close()
    names(postgres, schema, "UPDATE schema_version SET version = 99 RETURNING 1")
    with pytest.raises(StoreError, match="tables of version 99"):
        open_store(postgres.url(schema))


AS_VERSION_1 = """
DROP TABLE orders; DROP TABLE fills; DROP INDEX market_depth_recording_ts_utc_idx;
ALTER TABLE flushes DROP COLUMN orders, DROP COLUMN fills; UPDATE schema_version SET version = 1;
"""
"""What version 2 brought, taken away again."""


def test_tables_of_version_1_are_read_as_they_are_or_brought_up_to_date(postgres: Server, opened: Open) -> None:
    schema = postgres.new_schema()
    url = postgres.url(schema)
    store = opened(url)
    old = store.begin([KEY], at_ns=START_NS)
    store.append(old.id, run_of([snapshot(), trade(1.0)]))
    store.end(old.id, at_ns=START_NS + SECOND_NS)
    store.close()
    names(postgres, schema, "SELECT 1", before=AS_VERSION_1)
    reader = open_store(url, read_only=True)
    assert exactly(list(reader.read(old.id))) == exactly(run_of([snapshot(), trade(1.0)]))
    assert (reader.recording(old.id).orders, reader.recording(old.id).fills) == (0, 0)
    reader.close()
    assert names(postgres, schema, "SELECT max(version) FROM schema_version") == ["1"]
    for _ in range(2):  # the second finds it done
        store = opened(url)
        made = store.begin([KEY], at_ns=START_NS)
        store.append(made.id, run_of([order(), fill(1.0)]))
        assert exactly(list(store.read(made.id))) == exactly(run_of([order(), fill(1.0)]))
        assert (store.recording(made.id).orders, store.recording(made.id).fills) == (1, 1)
        assert exactly(list(store.read(old.id))) == exactly(run_of([snapshot(), trade(1.0)]))
    assert names(postgres, schema, "SELECT max(version) FROM schema_version") == ["2"]
    assert "market_depth_recording_ts_utc_idx" in names(postgres, schema, "SELECT indexname FROM pg_indexes")


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("psycopg", "psycopg.conninfo"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("engine.store.postgres.store", "engine.store.postgres.door"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(StoreError, match="psycopg") as caught:
        open_store("postgresql://127.0.0.1/x")
    assert "requirements-postgres.txt" in caught.value.hint


STAND_IN = """
CREATE TABLE pg_extension(extname text); INSERT INTO pg_extension VALUES ('timescaledb');
CREATE TABLE asked(name text, by_column text, length bigint);
CREATE FUNCTION create_hypertable(regclass, name, chunk_time_interval bigint) RETURNS void LANGUAGE sql AS
    'INSERT INTO asked VALUES ($1::text, $2, $3)';
CREATE SCHEMA timescaledb_information;
CREATE VIEW timescaledb_information.hypertables AS
    SELECT current_schema() AS hypertable_schema, name AS hypertable_name FROM asked;
"""


def test_where_timescaledb_is_present_it_is_asked_to_keep_the_large_tables(postgres: Server, opened: Open) -> None:
    # The server of the tests has no TimescaleDB: a table and a function of the same names stand in for it, and they
    # are found first because the schema is named before the server's own.
    schema = postgres.new_schema()
    names(postgres, f"{schema},pg_catalog", "SELECT 1", before=STAND_IN)
    store = opened(postgres.url(f"{schema},pg_catalog"))
    assert store.hypertables
    asked = names(postgres, schema, "SELECT name || ' ' || by_column || ' ' || length / 86400000 FROM asked ORDER BY 1")
    assert asked == [
        "books at_ns 1000000", "candle_bars ts_utc 30", "market_depth ts_utc 1", "notes at_ns 1000000",
        "quotes at_ns 1000000", "trades at_ns 1000000",
    ]  # fmt: skip


def test_people_find_the_tables_of_the_documents_by_name(postgres: Server, opened: Open) -> None:
    schema = postgres.new_schema()
    store: Store = opened(postgres.url(schema))
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot(), trade(1.0)]))
    assert names(postgres, schema, "SELECT symbol FROM market_depth") == []
    assert names(postgres, schema, "SELECT prices[1] FROM books") == ["100.0"]
    assert names(postgres, schema, "SELECT price FROM trades") == ["100.0"]


def test_what_was_deleted_no_longer_counts(postgres: Server, opened: Open) -> None:
    store = opened(postgres.url(postgres.new_schema()))
    recordings = [store.begin([KEY], at_ns=START_NS + at) for at in range(2)]
    for recording in recordings:
        store.append(recording.id, run_of([trade(number / 10) for number in range(1_000)]))
        store.end(recording.id, at_ns=START_NS + SECOND_NS)
    sizes = [one.size_bytes for one in store.recordings()]
    assert sizes[0] == sizes[1] == store.size() // 2 > 50_000
    store.delete(recordings[0].id)
    assert store.size() == sizes[1]


def test_who_only_reads_makes_nothing_and_ends_nothing(postgres: Server, opened: Open) -> None:
    url = postgres.url(postgres.new_schema())
    with pytest.raises(StoreError, match="holds no recordings"):
        open_store(url, read_only=True)
    store = opened(url)
    store.begin([KEY], at_ns=START_NS)
    store.close()
    reader = open_store(url, read_only=True)
    assert [one.ending for one in reader.recordings()] == ["running"]
    reader.close()


def test_arrays_may_be_empty(postgres: Server, opened: Open) -> None:
    store = opened(postgres.url(postgres.new_schema()))
    recording = store.begin([KEY], at_ns=START_NS)
    entries = run_of([snapshot(bids=(), asks=()), snapshot(1.0, bids=())])
    store.append(recording.id, entries)
    assert list(store.read(recording.id)) == entries
