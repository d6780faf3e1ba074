"""`python -m engine replay`: what a strategy says of a recording, its outcomes and the digest; and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.replay import replay_connectors
from engine.__main__ import main
from engine.hub import Hub
from engine.market.events import BookSnapshot, FeedState, FeedStatus, MarketEvent
from engine.market.signal import Signal
from engine.store.base import Entry
from engine.store.captures.reader import SEGMENT_ENDINGS
from engine.store.opening import open_store
from engine.store.parquet.export import export_parquet
from engine.store.play_tape import PlayableTape
from engine.strategy.host import StrategyHost
from strategies.book_pressure import BookPressure
from tests.app.support import wait_until
from tests.connectors.base.playback.replay_rig import KEY
from tests.connectors.test_replay import recording
from tests.engine.support import START_NS

SECOND = 1_000_000_000
ASKED = ["--strategy", "book_pressure", "--param", "threshold=0.3", "--param", "half_life_s=0.05"]


def line(seconds: int = 90) -> list[MarketEvent]:
    """A book that leans to one side and then to the other, every six seconds, with the price going its way."""
    said: list[MarketEvent] = [
        FeedStatus("binance", "BTCUSDT", FeedState.LIVE, "", "", 0, None, START_NS, "stream"),
    ]
    for tenth in range(seconds * 10):
        up = (tenth // 60) % 2 == 0
        mid = 100.0 + (tenth % 60 if up else 60 - tenth % 60) * 0.01
        bids, asks = ((mid - 0.5, 9.0 if up else 1.0),), ((mid + 0.5, 1.0 if up else 9.0),)
        at_ns = START_NS + tenth * SECOND // 10
        said.append(BookSnapshot("binance", "BTCUSDT", bids, asks, tenth + 1, None, at_ns, "stream"))
    return said


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path / 'tape.duckdb'}"


@pytest.fixture
def recorded(store_url: str) -> str:
    """A recording in the store; its id."""
    return record(store_url, line())


def record(store_url: str, said: list[MarketEvent], signals: list[Signal] | None = None) -> str:
    store = open_store(store_url)
    recording = store.begin([KEY], at_ns=START_NS, note="leaning")
    events = [*said, *(signals or [])]
    store.append(recording.id, [Entry(index, KEY, event) for index, event in enumerate(events)])
    store.end(recording.id, at_ns=START_NS + 90 * SECOND)
    store.close()
    return recording.id


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["replay", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_it_prints_signals_outcomes_and_the_digest(
    recorded: str, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, recorded, *ASKED, "--store", store_url, "--json")
    found = json.loads(out)
    [trial] = found["evaluation"]["trials"]
    assert (status, found["recording"], found["losses"]) == (0, "leaning", "")
    assert found["parameters"] == {"threshold": 0.3, "half_life_s": 0.05}
    assert [signal["direction"] for signal in trial["signals"]] == ["buy", "sell"] * 7 + ["buy"]
    assert found["evaluation"]["digest"] == trial["digest"]
    first = next(score for score in trial["outcomes"] if score["horizon_s"] == 1.0)
    assert (first["type"], first["count"], first["hit_rate"]) == ("book_pressure", 15, 1.0)
    assert first["mean_bps"] > 0.0
    assert any(score["type"] == "placebo:book_pressure" for score in trial["outcomes"])


def test_the_digest_is_that_of_the_same_strategy_behind_the_hub(
    recorded: str, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, recorded, *ASKED, "--store", store_url, "--json")
    store = open_store(store_url, read_only=True)
    [connector] = replay_connectors(PlayableTape(store, store.recording(recorded)), "one", None, paused=True)
    hub = Hub({connector.name: connector})
    host = StrategyHost(hub, {"book_pressure": BookPressure})
    try:
        asked = host.acquire(
            "book_pressure", (connector.name, "BTCUSDT", "stream"), {"threshold": 0.3, "half_life_s": 0.05}
        )
        connector.controls.resume()
        assert wait_until(lambda: asked.updates == 900 and asked.report().signals == 15)
        assert asked.report().digest == json.loads(out)["evaluation"]["digest"]
    finally:
        host.close()
        hub.close()
        store.close()


@pytest.mark.parametrize("same", [True, False])
def test_signals_that_were_recorded_are_compared(
    same: bool, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = record(store_url, line())
    _, out, _ = run(capsys, first, *ASKED, "--store", store_url, "--json")
    [trial] = json.loads(out)["evaluation"]["trials"]
    signals = [Signal(**{name: value for name, value in said.items() if name != "type"}) for said in trial["signals"]]
    again = record(store_url, line(), signals if same else signals[:-1])
    _, out, _ = run(capsys, again, *ASKED, "--store", store_url, "--json")
    assert json.loads(out)["recorded"]["same"] is same
    _, out, _ = run(capsys, again, *ASKED, "--store", store_url)
    assert ("15 signals were recorded: the same" in out) is same


def test_words_for_people(recorded: str, store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, recorded[:15], *ASKED, "--store", store_url)
    assert status == 0
    assert "leaning: 901 events, book_pressure" in out
    assert "binance BTCUSDT: 900 updates, 15 signals" in out
    assert "book_pressure after 1 s: 15 outcomes, 100% came true" in out
    assert "sha256 of the signals: " in out


def test_the_newest_recording_of_a_file_an_archive_or_a_url_is_meant_by_its_name(
    recorded: str, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(store_url)
    export_parquet(store, recorded, tmp_path / "archive")
    store.close()
    for name in (store_url.removeprefix("duckdb:///"), "newest", store_url, str(tmp_path / "archive")):
        status, out, _ = run(capsys, name, *ASKED, "--store", store_url, "--symbol", "BTCUSDT")
        assert status == 0, name
        assert "15 signals" in out


def test_a_folder_of_segments_is_one_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = recording(tmp_path / "whole.jsonl", every_s=0.02)
    lines = whole.read_text().splitlines(keepends=True)
    (tmp_path / "monday").mkdir()
    for number, part in enumerate((lines[:5], lines[5:])):
        (tmp_path / "monday" / f"{number}{SEGMENT_ENDINGS[0]}").write_text("".join(part))
    digests = set()
    for name in (whole, tmp_path / "monday"):
        status, out, _ = run(capsys, str(name), "--strategy", "book_pressure", "--param", "threshold=0.05")
        assert (status, "11 updates" in out or "12 updates" in out) == (0, True)
        digests.add(out.splitlines()[-1])
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RECORDING", "--strategy", "book_presure"], "Did you mean 'book_pressure'?"),
        (["RECORDING", "--strategy", "book_pressure", "--param", "treshold=1"], "Did you mean 'threshold'?"),
        (["RECORDING", "--strategy", "book_pressure", "--param", "threshold=7"], "lies outside 0.05 … 0.95"),
        (["RECORDING", "--strategy", "book_pressure", "--param", "threshold"], "Write it like --param threshold=0.7."),
        (["RECORDING", "--strategy", "book_pressure", "--param", "threshold=high"], "is no parameter"),
        (["RECORDING", "--strategy", "book_pressure", "--symbol", "BTCUSD"], "Did you mean 'BTCUSDT'?"),
        (["20010101-000000-abcdef", "--strategy", "book_pressure"], "no recording '20010101-000000-abcdef'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    arguments: list[str], said: str, recorded: str, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [recorded if argument == "RECORDING" else argument for argument in arguments]
    status, out, err = run(capsys, *given, "--store", store_url)
    assert (status, out) == (2, "")
    assert said in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_name_that_is_nearly_a_capture_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "monday.jsonl").write_text("")
    monkeypatch.setenv("CAPTURES_DIR", str(tmp_path))
    status, _, err = run(capsys, "munday.jsonl", *ASKED, "--store", f"duckdb:///{tmp_path / 'none.duckdb'}")
    assert status == 2
    assert "Did you mean monday.jsonl?" in err
