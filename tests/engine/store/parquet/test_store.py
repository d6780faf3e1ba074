from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings

from engine.errors import StoreError
from engine.feed.quality import FeedQuality
from engine.store.base import CandleBar, Entry, Gap, QualityNote, Store, time_ns
from engine.store.opening import open_store
from engine.store.parquet import export as parquet_export
from engine.store.parquet import store as parquet_store
from engine.store.parquet.export import DAY_NS, export_parquet
from tests.engine.store.events import FILM, KEY, OTHER, SECOND_NS, START_NS, any_entries, exactly, run_of, snapshot
from tests.engine.store.events import trade as a_trade
from tests.engine.store.test_store import depth_row
from tests.fakes.s3 import FakeS3


@contextmanager
def archived(entries: Sequence[Entry], folder: Path) -> Iterator[tuple[Store, Store, str]]:
    """A recording of these entries, the archive that it was exported to, and its id."""
    store = open_store(f"duckdb:///{folder}/tape.duckdb")
    recording = store.begin([KEY, OTHER], at_ns=START_NS, note="to keep")
    store.append(recording.id, entries)
    store.end(recording.id, at_ns=START_NS + SECOND_NS)
    export_parquet(store, recording.id, folder / "archive")
    archive = open_store(f"parquet:///{folder}/archive")
    yield store, archive, recording.id
    archive.close()
    store.close()


def asked(query: str) -> list[Any]:
    """What DuckDB answers."""
    return duckdb.connect().execute(query).fetchall()


def many() -> list[Entry]:
    """Two feeds over three days."""
    moments = [(number * 7_200.0, key) for number in range(30) for key in (KEY, OTHER)]
    made = [(key, make(at_s, key)) for at_s, key in moments for make in (snapshot, a_trade)]
    return [Entry(index, key, event) for index, (key, event) in enumerate(made)]


def test_what_is_read_from_an_archive_is_what_was_recorded_bit_for_bit(tmp_path: Path) -> None:
    store = open_store(f"duckdb:///{tmp_path}/tape.duckdb")

    @settings(max_examples=8, deadline=None)
    @given(entries=any_entries())
    def every_recording_comes_back(entries: list[Entry]) -> None:
        recording = store.begin([KEY, OTHER], at_ns=START_NS)
        store.append(recording.id, entries)
        store.end(recording.id, at_ns=START_NS + SECOND_NS)
        export_parquet(store, recording.id, tmp_path / recording.id)
        archive = open_store(f"parquet:///{tmp_path}/{recording.id}")
        assert exactly(list(archive.read(recording.id))) == exactly(entries)

    every_recording_comes_back()
    store.close()


def test_an_archive_knows_all_that_the_store_knew_of_a_recording(tmp_path: Path) -> None:
    store = open_store(f"duckdb:///{tmp_path}/tape.duckdb")
    recording = store.begin([KEY, FILM], at_ns=START_NS, note="to keep")
    gaps = [
        Gap(None, START_NS, START_NS + 1, None, "the disk was full"),
        Gap(KEY, START_NS + 2, START_NS + 3, 7, "slow"),
    ]
    notes = [QualityNote(KEY, START_NS + at, FeedQuality().report(START_NS)) for at in range(2)]
    rows = [depth_row(START_NS // 1_000_000 + 40_000_000 * at, recording=recording.id) for at in range(5)]
    bar = CandleBar("BTCUSDT", "1m", 60_000, 1.0, 2.0, 0.5, 1.5, 10.0, 6.0, 3.0, "mock", recording.id)
    store.append(recording.id, run_of([snapshot()]), gaps=gaps, quality=notes, depth=rows, bars=[bar])
    ended = store.end(recording.id, at_ns=START_NS + SECOND_NS)
    export_parquet(store, recording.id, tmp_path / "archive")
    archive = open_store(f"parquet:///{tmp_path}/archive")
    [found] = archive.recordings()
    assert found.size_bytes == archive.size() > 0
    assert [getattr(found, name) for name in found.__struct_fields__ if name != "size_bytes"] == [
        getattr(ended, name) for name in ended.__struct_fields__ if name != "size_bytes"
    ]
    assert (archive.gaps(found.id), archive.quality(found.id)) == (gaps, notes)
    assert archive.market_depth(limit=3) == store.market_depth(limit=3) == rows[:1:-1]
    assert archive.market_depth("BTCUSDT", since_ms=rows[3].ts_utc) == rows[:2:-1]
    assert (archive.market_depth("ETHUSDT"), archive.candle_bars(timeframe="5m")) == ([], [])
    assert archive.candle_bars(recording=found.id) == [bar]
    store.close()


def test_reading_can_be_limited_as_in_any_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_store, "PAGE", 40)
    monkeypatch.setattr(parquet_export, "PIECE", 33)
    monkeypatch.setattr(parquet_export, "OPEN_FILES", 2)
    entries = many()
    start, end = START_NS + DAY_NS // 2, START_NS + 2 * DAY_NS
    with archived(entries, tmp_path) as (store, archive, recording_id):
        assert list(archive.read(recording_id)) == entries
        for keys in (None, {OTHER}, {FILM}):
            for start_ns, end_ns, from_index in ((start, None, 0), (None, end, 7), (start, end, 70)):
                found = list(
                    archive.read(recording_id, keys=keys, start_ns=start_ns, end_ns=end_ns, from_index=from_index)
                )
                again = store.read(recording_id, keys=keys, start_ns=start_ns, end_ns=end_ns, from_index=from_index)
                assert found == list(again)
                assert found == [
                    one
                    for one in entries
                    if (keys is None or one.key in keys)
                    and (start_ns is None or time_ns(one.event) >= start_ns)
                    and (end_ns is None or time_ns(one.event) < end_ns)
                    and one.index >= from_index
                ]


def test_other_tools_find_venue_symbol_and_date_in_the_paths(tmp_path: Path) -> None:
    slashed = ("kraken", "BTC/USD", "stream")
    entries = [*many(), *run_of([a_trade(1.0, slashed, 50.0)], slashed, start=1_000)]
    with archived(entries, tmp_path):
        days = sorted({path.parent.name for path in (tmp_path / "archive/trades").rglob("*.parquet")})
        assert days == ["date=2023-11-14", "date=2023-11-15", "date=2023-11-16", "date=2023-11-17"][: len(days)]
        assert len(days) >= 3
        rows = asked(
            f"SELECT venue, symbol, count(*), sum(price) FROM '{tmp_path}/archive/trades/**/*.parquet' "
            "GROUP BY ALL ORDER BY ALL"
        )
        assert rows == [
            ("kraken", "BTC/USD", 1, 50.0),
            ("mock", "BTCUSDT", 30, 3000.0),
            ("mock", "ETHUSDT", 30, 3000.0),
        ]
        [(count,)] = asked(
            f"SELECT count(*) FROM read_parquet('{tmp_path}/archive/books/*/*/*/*.parquet', hive_partitioning = true) "
            "WHERE symbol = 'ETHUSDT' AND date = DATE '2023-11-15' AND prices[1] = 100.0"
        )
        assert count == 12


def test_types_are_those_that_every_tool_reads(tmp_path: Path) -> None:
    plain = {"BIGINT", "INTEGER", "TINYINT", "DOUBLE", "VARCHAR", "BOOLEAN", "BLOB", "DOUBLE[]"}
    with archived(many(), tmp_path):
        for table in ("books", "trades"):
            described = asked(
                f"DESCRIBE SELECT * FROM read_parquet('{tmp_path}/archive/{table}/**/*.parquet', "
                "hive_partitioning = false)"
            )
            assert {row[1] for row in described} <= plain


def test_an_export_that_fails_leaves_nothing_and_one_that_is_repeated_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> list[str]:
        return sorted(path.name for path in (tmp_path / "archive").rglob("*") if path.is_file())

    told: list[tuple[int, int]] = []
    with archived(many(), tmp_path) as (store, archive, recording_id):
        before = files()
        export_parquet(store, recording_id, tmp_path / "archive", lambda done, of: told.append((done, of)))
        assert (files(), told) == (before, [(120, 120)])
        assert list(archive.read(recording_id)) == many()
        monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", _full)
        other = tmp_path / "other"
        with pytest.raises(StoreError, match="No space left") as caught:
            export_parquet(store, recording_id, other)
        assert "free space" in caught.value.hint
        assert [path for path in other.rglob("*") if path.is_file()] == []


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_runs_is_not_exported_and_what_is_not_there_is_named(tmp_path: Path) -> None:
    with archived(many(), tmp_path) as (store, archive, recording_id):
        running = store.begin([KEY], at_ns=START_NS)
        with pytest.raises(StoreError, match="running"):
            export_parquet(store, running.id, tmp_path / "archive")
        with pytest.raises(StoreError, match="no recording") as caught:
            archive.read(recording_id[:-1] + "x")
        assert recording_id in caught.value.hint
    with pytest.raises(StoreError, match="holds no archive"):
        open_store(f"parquet:///{tmp_path}/nowhere")
    with pytest.raises(StoreError, match="names no folder"):
        open_store("parquet://folder")


def test_an_archive_is_not_changed(tmp_path: Path) -> None:
    with archived(many(), tmp_path) as (_, archive, recording_id):
        for attempt in (
            lambda: archive.begin([KEY], at_ns=START_NS),
            lambda: archive.append(recording_id, []),
            lambda: archive.end(recording_id, at_ns=START_NS),
            lambda: archive.add_market_depth([]),
            lambda: archive.delete(recording_id),
            lambda: archive.forget_rows_before(0),
        ):
            with pytest.raises(StoreError, match="is an archive") as caught:
                attempt()
            assert "duckdb:///" in caught.value.hint
        archive.close()
        with pytest.raises(StoreError, match="closed"):
            archive.recordings()


def test_damage_is_told_with_the_file(tmp_path: Path) -> None:
    with archived(many(), tmp_path) as (_, archive, recording_id):
        [book, *_] = sorted((tmp_path / "archive/books").rglob("*.parquet"))
        book.write_bytes(book.read_bytes()[:100])
        with pytest.raises(StoreError, match=book.parent.name):
            list(archive.read(recording_id))
        path = tmp_path / f"archive/recordings/{recording_id}.json"
        path.write_text(json.dumps({"recording": 1}))
        with pytest.raises(StoreError, match="damaged") as caught:
            archive.recordings()
        assert "Export" in caught.value.hint


def test_an_archive_at_a_place_that_speaks_s3_is_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "k3y"), ("AWS_SECRET_ACCESS_KEY", "s3cr3t"), ("AWS_REGION", "eu-west-1")):
        monkeypatch.setenv(name, value)
    entries = many()
    with archived(entries, tmp_path) as (_, archive, recording_id), FakeS3("tape", tmp_path) as place:
        monkeypatch.setenv("AWS_ENDPOINT_URL", place.url)
        far = open_store("s3://tape/archive")
        assert far.recordings() == archive.recordings()
        assert list(far.read(recording_id, keys={OTHER}, from_index=50)) == [
            one for one in entries if one.key == OTHER and one.index >= 50
        ]
        assert [line for line in place.asked if "/tape/archive/trades/" in line]
        with pytest.raises(StoreError, match="is an archive"):
            far.delete(recording_id)
        place.down = True
        with pytest.raises(StoreError, match="s3://tape/archive cannot be read") as caught:
            far.recordings()
        assert "s3cr3t" not in str(caught.value)
        with pytest.raises(StoreError):
            open_store("s3://tape/archive")
