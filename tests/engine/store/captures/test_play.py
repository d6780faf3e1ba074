"""What a capture says of itself before it is played."""

from __future__ import annotations

import json
from pathlib import Path

from engine.plugins import frame_readers
from engine.store.captures.play import PlayableCapture
from tests.engine.store.events import SECOND_NS

DEPTH = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 1, "u": 1, "b": [["100.00", "2.5"]], "a": []}


def lines(*seconds: float) -> str:
    """An update of a book at each of these times."""
    data = json.dumps({"stream": "btcusdt@depth@100ms", "data": DEPTH})
    url = "wss://stream.binance.com:9443/stream"
    rows = [{"t": at_s, "ch": "ws", "dir": "recv", "url": url, "data": data} for at_s in seconds]
    return "".join([f"{json.dumps(row)}\n" for row in rows])


def span(path: Path) -> tuple[float, float]:
    played = PlayableCapture(path, frame_readers()["binance"])
    assert [key[:2] for key in played.feeds] == [("binance", "BTCUSDT")]
    return played.start_ns / SECOND_NS, played.end_ns / SECOND_NS


def test_one_file_lasts_from_its_first_record_to_its_last(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(lines(1000.0, 1001.0, 1030.0))
    assert span(tmp_path / "one.jsonl") == (1000.0, 1030.0)


def test_several_files_last_from_the_first_to_the_end_of_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    for number, at_s in enumerate((1000.0, 2000.0, 3000.0), 1):
        (folder / f"{number:06d}.jsonl.gz").write_text(lines(at_s, at_s + 1.0))
    assert span(folder) == (1000.0, 3001.0)
