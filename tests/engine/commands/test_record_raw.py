from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.__main__ import main


def record(tmp_path: Path, place: Path, *feeds: str) -> int:
    # The minutes leave time for the book, and for a second of what follows.
    url = f"duckdb:///{tmp_path}/tape.duckdb"
    return main(["record", *feeds, "--minutes", "0.025", "--store", url, "--raw", str(place)])


def test_raw_frames_of_a_recording_are_sound_and_hold_what_the_store_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "mock.jsonl.gz"
    assert record(tmp_path, place, "mock:BTC/USDT") == 0
    said = capsys.readouterr().out
    assert f"raw frames of mock into {place}" in said
    assert "raw records of mock" in said
    assert main(["verify", str(place), "--json"]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["connector"], printed.err) == ("mock", "")
    [found] = report["symbols"].values()
    assert found["applied"] > 5


def test_several_venues_are_recorded_into_a_folder_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record(tmp_path, tmp_path / "flights", "mock:BTC/USDT", "mock:alpha:BTC-USDT") == 0
    folders = list((tmp_path / "flights").iterdir())
    assert {folder.name[23:] for folder in folders} == {"mock", "mock-alpha"}
    for folder in folders:
        assert main(["verify", str(folder)]) == 0
    assert "nothing wrong" in capsys.readouterr().out


def test_without_a_place_they_go_to_where_captures_are_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPTURES_DIR", str(tmp_path / "captures"))
    store = f"duckdb:///{tmp_path}/tape.duckdb"
    assert main(["record", "mock:BTC/USDT", "--raw", "--minutes", "0.025", "--store", store]) == 0
    [folder] = (tmp_path / "captures").iterdir()
    assert f"raw frames of mock into {folder}" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_ends_the_command_before_anything_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "there.jsonl.gz"
    place.write_text("mine")
    assert record(tmp_path, place, "mock:BTC/USDT") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert record(tmp_path, tmp_path / "two.jsonl.gz", "mock:BTC/USDT", "mock:alpha:BTC-USDT") == 2
    assert "one file for 2 venues" in capsys.readouterr().err
    assert place.read_text() == "mine"
