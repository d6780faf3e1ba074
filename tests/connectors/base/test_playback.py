"""A capture in the place of a venue: the same frames, the same books, at a chosen speed."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import pytest

from connectors.base.playback import PlaybackConnector
from connectors.binance import BinanceConnector
from engine.errors import StreamUnsupported
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Trade

DEPTH = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": "BTCUSDT", "b": [["100.00", "2.5"]], "a": []}
TRADE = {
    "e": "trade",
    "E": 1,
    "s": "BTCUSDT",
    "t": 5,
    "p": "100.5",
    "q": "1",
    "T": 1_700_000_000_000,
    "m": True,
    "M": True,
}
BOOK = {"lastUpdateId": 10, "bids": [["100.00", "1"]], "asks": [["101.00", "1"]]}


def recording(path: Path, every_s: float = 0.001, damaged: bool = False) -> Path:
    """A small capture: a book, ten updates, a trade."""
    rows: list[object] = [
        {"t": 1000.0, "ch": "http", "dir": "resp", "url": "https://api.binance.com/api/v3/depth?symbol=BTCUSDT",
         "data": json.dumps(BOOK)},
    ]  # fmt: skip
    for number in range(11, 21):
        frame = {"stream": "btcusdt@depth@100ms", "data": {**DEPTH, "U": number, "u": number}}
        rows.append(frame_row(1000.0 + (number - 10) * every_s, frame))
    rows.append(frame_row(1000.0 + 11 * every_s, {"stream": "btcusdt@trade", "data": TRADE}))
    lines = [json.dumps(row) for row in rows]
    if damaged:
        lines.insert(3, "{this is no record")
        lines.insert(5, json.dumps({**json.loads(lines[4]), "data": "no json"}))
    path.write_text("\n".join(lines) + "\n")
    return path


def frame_row(at_s: float, frame: object) -> dict[str, object]:
    url = "wss://stream.binance.com:9443/stream"
    return {"t": at_s, "ch": "ws", "dir": "recv", "url": url, "data": json.dumps(frame, separators=(",", ":"))}


class Listener:
    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.ended = Event()

    def __call__(self, event: MarketEvent) -> None:
        self.events.append(event)
        if isinstance(event, FeedStatus) and event.state in (FeedState.STOPPED, FeedState.FAILED):
            self.ended.set()

    def of(self, *kinds: type) -> list[MarketEvent]:
        return [event for event in self.events if isinstance(event, kinds)]


def play(path: Path, speed: float | None = None) -> Listener:
    connector, listener = PlaybackConnector(BinanceConnector(), path, speed), Listener()
    stream = connector.start_stream("BTCUSDT", listener)
    assert listener.ended.wait(10.0)
    stream.stop()
    return listener


def test_everything_that_was_recorded_is_heard_as_a_replay(tmp_path: Path) -> None:
    heard = play(recording(tmp_path / "small.jsonl"))
    assert len(heard.of(BookSnapshot)) == 1
    assert len(heard.of(BookDelta)) == 10
    assert len(heard.of(Trade)) == 1
    assert {event.source for event in heard.events} == {"replay"}
    assert heard.events[-1].reason == "the recording has ended"  # type: ignore[union-attr]


def test_the_speed_changes_the_pace_and_nothing_else(tmp_path: Path) -> None:
    path = recording(tmp_path / "small.jsonl", every_s=0.02)
    fast, paced = play(path), play(path, 10.0)
    assert fast.of(BookSnapshot, BookDelta, Trade) == paced.of(BookSnapshot, BookDelta, Trade)


def test_damage_is_counted_and_the_rest_is_played(tmp_path: Path) -> None:
    path = recording(tmp_path / "damaged.jsonl", damaged=True)
    connector, listener = PlaybackConnector(BinanceConnector(), path, None), Listener()
    stream = connector.start_stream("BTCUSDT", listener)
    assert listener.ended.wait(10.0)
    assert [damage.line for damage in connector.damage] == [4]
    assert connector.dropped_frames == 1
    assert "1 damaged places, the first in line 4" in listener.events[-1].reason  # type: ignore[union-attr]
    assert "1 unreadable frames" in listener.events[-1].reason  # type: ignore[union-attr]
    assert len(listener.of(BookDelta)) == 10
    stream.stop()


def test_stopping_is_quick_and_a_second_start_begins_anew(tmp_path: Path) -> None:
    connector = PlaybackConnector(BinanceConnector(), recording(tmp_path / "slow.jsonl", every_s=3600.0), 1.0)
    first = Listener()
    stream = connector.start_stream("BTCUSDT", first)
    stream.stop()
    assert connector._thread is None
    heard = len(first.events)
    second = Listener()
    again = connector.start_stream("BTCUSDT", second)
    again.stop()
    assert len(first.events) == heard


def test_the_symbols_are_found_in_the_file(tmp_path: Path) -> None:
    connector = PlaybackConnector(BinanceConnector(), recording(tmp_path / "small.jsonl"), 1.0)
    assert [instrument.symbol for instrument in connector.instruments()] == ["BTCUSDT"]


def test_a_recording_cannot_be_polled(tmp_path: Path) -> None:
    connector = PlaybackConnector(BinanceConnector(), recording(tmp_path / "small.jsonl"), 1.0)
    with pytest.raises(StreamUnsupported):
        connector.start_polling("BTCUSDT", Listener(), 1.0)
