"""Exports: complete files only, exact where they promise it, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store import copying
from engine.store.base import CandleBar, Entered, Gap, MarketDepth, Recording, Store
from engine.store.duckdb_file import store as duckdb_store
from engine.store.exports.bundle_reader import Bundle
from engine.store.exports.csv_tables import safe
from engine.store.exports.exporting import ENDINGS, Kind, export
from engine.store.opening import open_store
from engine.store.parquet import store as parquet_store
from engine.store.work import Cancelled, unwatched
from tests.engine.store.events import KEY, START_NS, exactly, fill, order, run_of, snapshot, status, trade

EVIL = "=cmd|' /C calc'!A0"
EVENTS: list[Entered] = [
    snapshot(), trade(1.0, price=0.1 + 0.2, aggressor=-1), status(EVIL, 2.0), trade(3.0),
    order(4.0, reason=EVIL, average_price=Decimal("100.10")), fill(5.0, fee=Decimal("-0.00000150")),
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One store is enough here: what the stores can do is tested with them."""
    made = open_store(f"duckdb:///{tmp_path}/here/tape.duckdb")
    yield made
    made.close()


@pytest.fixture
def recording(store: Store) -> Recording:
    made = store.begin([KEY], at_ns=START_NS)
    store.append(made.id, run_of(EVENTS), gaps=[Gap(None, START_NS, START_NS + 5, 7, "+too slow")])
    return store.end(made.id, at_ns=START_NS + 10**10)


def exported(kind: Kind, store: Store, recording: Recording, folder: Path) -> Path:
    path = export(kind, store, recording.id, folder, {}, unwatched, at_ns=START_NS).path
    assert path == folder / f"{recording.id}{ENDINGS[kind]}"
    assert [file.name for file in folder.iterdir()] == [path.name], "nothing else is left"
    return path


def table(path: Path, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(name).decode())))


def test_csv_tables_hold_every_event(store: Store, recording: Recording, tmp_path: Path) -> None:
    path = exported("csv", store, recording, tmp_path / "exports")
    books = table(path, "books.csv")
    assert [(row["side"], float(row["price"]), float(row["size"])) for row in books] == [
        ("bid", 100.0, 1.0), ("bid", 99.5, 2.0), ("ask", 100.5, 1.5), ("ask", 101.0, 3.0)
    ]  # fmt: skip
    trades = table(path, "trades.csv")
    assert [(float(row["price"]), row["side"]) for row in trades] == [(0.1 + 0.2, "sell"), (100.0, "buy")]
    assert trades[0]["time_utc"] == "2023-11-14T22:13:21.000000000Z"
    assert [row["lost"] for row in table(path, "gaps.csv")] == ["7"]
    assert len(table(path, "statuses.csv")) == 1


def test_csv_keeps_money_as_it_was_written_and_what_is_unknown_empty(
    store: Store, recording: Recording, tmp_path: Path
) -> None:
    path = exported("csv", store, recording, tmp_path / "exports")
    [row] = table(path, "orders.csv")
    assert (row["quantity"], row["price"], row["average_price"], row["filled_quantity"]) == (
        "0.50", "100.10", "100.10", ""
    )  # fmt: skip
    assert (row["status"], row["reason"], row["broker"]) == ("new", f"'{EVIL}", "paper")
    [row] = table(path, "fills.csv")
    assert (row["quantity"], row["liquidity"], row["strategy"]) == ("0.20", "maker", "echo")
    assert Decimal(row["fee"]).as_tuple() == Decimal("-0.00000150").as_tuple()


@pytest.mark.parametrize("kind", ENDINGS)
def test_every_sampled_row_comes_along_however_many(
    store: Store, tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (duckdb_store, parquet_store):
        monkeypatch.setattr(module, "PAGE_ROWS", 7)
    monkeypatch.setattr(copying, "BATCH_ROWS", 10)
    made = store.begin([KEY], at_ns=START_NS)
    depth = [
        MarketDepth("BTCUSDT", at_ms, "[]", "[]", "mock", None, None, None, made.id) for at_ms in range(1000, 1045)
    ]
    bars = [
        CandleBar("BTCUSDT", "1m", at * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, "mock", made.id) for at in range(33)
    ]
    store.append(made.id, [], depth=depth, bars=bars)
    path = exported(kind, store, store.end(made.id, at_ns=START_NS + 1), tmp_path / "exports")
    assert rows_in(kind, path, tmp_path / "elsewhere") == (
        [row.ts_utc for row in depth], [row.ts_utc for row in bars]
    )  # fmt: skip


def rows_in(kind: Kind, path: Path, folder: Path) -> tuple[list[int], list[int]]:
    """The times of all sampled rows in an export."""
    if kind == "csv":
        depth, bars = [
            [int(row["ts_utc"]) for row in table(path, f"{name}.csv")] for name in ("market_depth", "candle_bars")
        ]
        return depth, bars
    if kind == "parquet":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    place = {"parquet": f"parquet:///{folder}", "duckdb": f"duckdb:///{path}"}.get(
        kind, f"duckdb:///{folder}/tape.duckdb"
    )
    store = open_store(place)
    if kind == "bundle":
        with Bundle(path) as opened:
            assert len([one for one in opened.manifest.files if one.name.startswith("rows/market_depth")]) == 5
            opened.restore(store, unwatched)
    [found] = store.recordings()
    times = [row.ts_utc for row in store.depth_of(found.id)], [row.ts_utc for row in store.bars_of(found.id)]
    store.close()
    return times


def test_no_text_becomes_a_formula(store: Store, recording: Recording, tmp_path: Path) -> None:
    path = exported("csv", store, recording, tmp_path / "exports")
    assert table(path, "statuses.csv")[0]["reason"] == f"'{EVIL}"
    assert table(path, "gaps.csv")[0]["reason"] == "'+too slow"
    assert [safe(text) for text in ("@x", "-1", "BTC-USD", "")] == ["'@x", "'-1", "BTC-USD", ""]


def test_a_duckdb_export_is_a_store_with_this_recording_alone(
    store: Store, recording: Recording, tmp_path: Path
) -> None:
    other = store.begin([KEY], at_ns=START_NS)
    store.end(other.id, at_ns=START_NS)
    path = exported("duckdb", store, recording, tmp_path / "exports")
    copy = open_store(f"duckdb:///{path}")
    (found,) = copy.recordings()
    assert exactly(list(copy.read(found.id))) == exactly(run_of(EVENTS))
    assert copy.gaps(found.id) == store.gaps(recording.id)
    copy.close()


@pytest.mark.parametrize("kind", ENDINGS)
def test_what_is_called_off_leaves_no_file(store: Store, recording: Recording, tmp_path: Path, kind: Kind) -> None:
    def call_off(done: int, total: int, words: str = "") -> None:
        raise Cancelled("called off")

    folder = tmp_path / "exports"
    with pytest.raises(Cancelled):
        export(kind, store, recording.id, folder, {}, call_off, at_ns=START_NS)
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_folder_that_cannot_be_made_is_told(store: Store, recording: Recording, tmp_path: Path, kind: Kind) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError):
        export(kind, store, recording.id, tmp_path / "file" / "exports", {}, unwatched, at_ns=START_NS)


def test_a_parquet_export_reads_back_as_the_same_recording(store: Store, recording: Recording, tmp_path: Path) -> None:
    path = exported("parquet", store, recording, tmp_path / "exports")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    copy = open_store(f"parquet:///{tmp_path}/unpacked")
    assert exactly(list(copy.read(recording.id))) == exactly(run_of(EVENTS))
    copy.close()
