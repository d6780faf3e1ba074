from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.commands.record import find_feeds
from engine.errors import ConfigError, InvalidSymbol
from engine.settings import Settings
from engine.store.duckdb_file.store import DuckdbStore

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 30.0


def record(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine", "record", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "MOCK_RATE": "200"},
    )  # fmt: skip


def test_the_simulated_market_is_recorded_for_as_long_as_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"duckdb:///{tmp_path}/tape.duckdb"
    status = main(["record", "mock:BTCUSDT,ETHUSDT", "--minutes", "0.02", "--store", url, "--note", "a trial"])
    assert status == 0
    store = DuckdbStore(tmp_path / "tape.duckdb")
    [recording] = store.recordings()
    assert recording.ending == "stopped"
    assert recording.note == "a trial"
    assert len(recording.feeds) == 2
    assert recording.events == len(list(store.read(recording.id))) > 20
    store.close()
    said = capsys.readouterr().out
    assert f"recording {recording.id} stopped: {recording.events:,} events of 2 feeds" in said
    assert "0 gaps, 0 lost" in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_a_good_end(tmp_path: Path, how: signal.Signals) -> None:
    process = record("mock:BTCUSDT", "--store", f"duckdb:///{tmp_path}/tape.duckdb")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    process.send_signal(how)
    process.send_signal(how)  # as `timeout` does, and an impatient hand
    out, error = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, error
    assert "stopped:" in out
    store = DuckdbStore(tmp_path / "tape.duckdb")
    assert store.found_cut_off == []
    assert store.recordings()[0].ending == "stopped"
    store.close()


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ("moc:BTCUSDT", "Did you mean mock?"),
        ("mock:BTCUSDX", "Did you mean"),
        ("mock", "names no symbol"),
        ("mock:", "names no symbol"),
    ],
)
def test_what_cannot_be_recorded_is_told_in_one_sentence(
    feed: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", feed, "--store", f"duckdb:///{tmp_path}/tape.duckdb"]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "tape.duckdb").exists()


def test_names_and_symbols_may_have_colons_of_their_own() -> None:
    connectors, keys = find_feeds(["mock:alpha:BTCUSDT", "mock:ethusdt,ETH/USDT"], Settings(), "poll:2")
    assert {key[0] for key in keys} == set(connectors) == {"mock:alpha", "mock"}
    assert keys[1:] == [("mock", keys[1][1], "poll:2")]
    for connector in connectors.values():
        connector.close()


def test_a_mode_or_symbol_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no mode"):
        find_feeds(["mock:BTCUSDT"], Settings(), "often")
    with pytest.raises(InvalidSymbol):
        find_feeds(["mock:BTCUSDT", "mock:NOTHING"], Settings(), "stream")
