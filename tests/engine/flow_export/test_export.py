from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.__main__ import main
from engine.errors import StoreError
from engine.flow_export.export import count, export
from engine.plugins import frame_readers
from tests.shared import SHARED, capture, golden

STREAM = "wss://stream.binance.com:9443/stream"
REST = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
DEMO = "demo_binance_spot_btc_eth_20240808_650s.jsonl.gz"
PREFIXES = {"BTCUSDT": "spot_btc_20240808", "ETHUSDT": "spot_eth_20240808"}


def record(seconds: float, data: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"t": seconds, "ch": "ws", "dir": "recv", "url": STREAM, "data": json.dumps(data), **more}


def market(seconds: int = 40) -> Iterator[dict[str, Any]]:
    """A small market in Binance's frames: a book, then a quote, an update and a trade every tenth of a second."""
    random = Random(3)
    start, number, middle = 1_000.35, 10, 5000
    levels = [[f"{(middle - place) / 100:.2f}", "2.0"] for place in range(15)]
    above = [[f"{(middle + 1 + place) / 100:.2f}", "2.0"] for place in range(15)]
    book = {"lastUpdateId": number, "bids": levels, "asks": above}
    yield record(start, book, ch="http", dir="resp", url=REST)
    for step in range(seconds * 10):
        now, number = start + step / 10, number + 1
        sizes = [f"{random.uniform(0.5, 3):.3f}" for _ in range(2)]
        update = {"e": "depthUpdate", "E": 1000, "s": "BTCUSDT", "U": number, "u": number,
                  "b": [["50.00", sizes[0]]], "a": [["50.01", sizes[1]]]}  # fmt: skip
        quote = {"u": number, "s": "BTCUSDT", "b": "50.00", "B": sizes[0], "a": "50.01", "A": sizes[1]}
        trade = {
            "e": "trade",
            "E": 1,
            "s": "BTCUSDT",
            "t": step,
            "p": "50.01",
            "q": "0.5",
            "T": step,
            "m": step % 3 == 0,
        }
        yield record(now, {"stream": "btcusdt@bookTicker", "data": quote})
        yield record(now, {"stream": "btcusdt@depth@100ms", "data": update})
        yield record(now, {"stream": "btcusdt@trade", "data": trade})


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "market.jsonl"
    path.write_text("\n".join(map(json.dumps, market())) + "\n")
    return path


def test_the_first_pass_counts_events_and_finds_the_price_step(recording: Path) -> None:
    reader = frame_readers()["binance"]
    subject = count(recording, reader, ["BTCUSDT"])["BTCUSDT"].subject("binance", "BTCUSDT", None)
    assert (subject.tick, subject.quotes, subject.books, subject.trades) == (0.01, 400, 401, 400)
    assert subject.volume == pytest.approx(200.0)


def test_the_command_writes_one_set_of_files_per_symbol(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "out"
    call = [
        "flow",
        str(recording),
        "--connector",
        "binance",
        "--symbol",
        "BTCUSDT",
        "--prefix",
        "one",
        "--out",
        str(out),
    ]
    assert main(call) == 0
    written = capsys.readouterr().out.split()
    assert {Path(name).name for name in written} == {path.name for path in out.iterdir()}
    found = json.loads((out / "one.json").read_text())
    assert found["capture"] == "one"
    assert found["l1_checksums"]["spread_ticks"] == {"n": 400, "sum": 400.0, "sumsq": 400.0, "min": 1.0, "max": 1.0}
    with (out / "one.l1_samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["i"]) for row in rows] == [*range(0, 400, 6), 399]
    assert rows[0]["spread_z60"] == ""
    assert (rows[-1]["spread_z60"], rows[-1]["bid"]) == ("0.0", "5000.0")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--symbol", "btc-usdt", "--prefix", "x"], "says nothing of 'btc-usdt'. Did you mean BTCUSDT?"),
        (["--symbol", "BTCUSDT", "--symbol", "ETHUSDT", "--prefix", "x"], "as many --prefix as --symbol"),
        (["--symbol", "BTCUSDT", "--prefix", "x", "--connector", "nobody"], "no connector named 'nobody'"),
    ],
)
def test_a_wrong_call_is_refused_in_words(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert main(["flow", str(recording), "--out", str(tmp_path / "out"), *options]) == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_an_error(recording: Path) -> None:
    with pytest.raises(StoreError):
        export(recording, frame_readers()["binance"], {"BTCUSDT": "x"}, recording / "below a file")


@pytest.mark.slow
def test_the_demo_gives_the_golden_results(tmp_path: Path) -> None:
    export(capture(DEMO), frame_readers()["binance"], PREFIXES, tmp_path)
    truth = golden("README.md").parent
    tool = SHARED / "tools" / "compare_golden.py"
    call = [sys.executable, str(tool), str(truth), str(tmp_path), "--rtol", "1e-9", "--atol", "1e-6"]
    said = subprocess.run(call, capture_output=True, text=True, check=False, timeout=120).stdout
    assert " 0 mismatches" in said.splitlines()[-1], said
    assert int(said.splitlines()[-1].split()[3]) > 18_000, "nearly every figure is there"
    for prefix in PREFIXES.values():
        ours, theirs = (json.loads((folder / f"{prefix}.json").read_text()) for folder in (tmp_path, truth))
        assert set(theirs) - set(ours) <= {"source", "conventions", "load_stats"}
