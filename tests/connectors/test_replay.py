"""A recording in the place of its venues: what was recorded, at a chosen speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.replay import ReplayConnector, replay_connectors
from engine.errors import InvalidSymbol, StoreError, StreamUnsupported
from engine.feed.mailbox import EventQueue
from engine.hub import Hub
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Trade
from engine.plugins import discover, frame_readers
from engine.store.captures.play import PlayableCapture
from tests.connectors.base.playback.replay_rig import KEY, Ear, as_replayed, line, tape

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


def opened(path: Path, speed: float | None = None) -> ReplayConnector:
    [connector] = replay_connectors(PlayableCapture(path, frame_readers()["binance"]), path.name, speed)
    return connector


def play(path: Path, speed: float | None = None) -> Ear:
    connector, ear = opened(path, speed), Ear()
    stream = connector.start_stream("BTCUSDT", ear)
    ear.wait_end()
    stream.stop()
    return ear


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
    heard = play(recording(tmp_path / "damaged.jsonl", damaged=True))
    assert "1 damaged places, the first in line 4" in heard.events[-1].reason  # type: ignore[union-attr]
    assert "1 unreadable frames" in heard.events[-1].reason  # type: ignore[union-attr]
    assert len(heard.of(BookDelta)) == 10


def test_a_captures_events_and_statuses_bear_the_times_of_the_recording(tmp_path: Path) -> None:
    path = recording(tmp_path / "small.jsonl", every_s=0.02)
    for speed in (50.0, None):
        assert all(999 * 10**9 <= event.received_ns <= 1001 * 10**9 for event in play(path, speed).events)


def test_the_symbols_and_times_are_found_in_the_file(tmp_path: Path) -> None:
    connector = opened(recording(tmp_path / "small.jsonl"))
    assert [instrument.unified for instrument in connector.instruments()] == ["BTC/USDT"]
    state = connector.controls.state()
    assert (state.title, state.start_ns, state.end_ns) == ("small.jsonl", 1000 * 10**9, 1000 * 10**9 + 11_000_000)


def test_a_capture_in_which_nothing_is_recorded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text("")
    with pytest.raises(StoreError, match="nothing in it"):
        opened(path)


def test_a_recording_cannot_be_polled(tmp_path: Path) -> None:
    with pytest.raises(StreamUnsupported):
        opened(recording(tmp_path / "small.jsonl")).start_polling("BTCUSDT", Ear(), 1.0)


def test_what_was_not_recorded_is_refused_with_near_names(tmp_path: Path) -> None:
    with pytest.raises(InvalidSymbol) as refused:
        opened(recording(tmp_path / "small.jsonl")).start_stream("BTCUSD", Ear())
    assert "BTCUSDT" in refused.value.hint


def test_each_venue_of_a_recording_has_a_connector_and_all_share_the_controls() -> None:
    recorded = tape((KEY, line()), (("kraken", "BTC/USD", "stream"), line()), (("kraken", "BTC/USD", "poll:5"), line()))
    ours, theirs = replay_connectors(recorded, "two")
    assert (ours.name, theirs.name) == ("replay:two/binance", "replay:two/kraken")
    assert [instrument.symbol for instrument in theirs.instruments()] == ["BTC/USD", "BTC/USD (poll:5)"]
    assert ours.controls is theirs.controls
    assert (ours.capabilities.depth, ours.capabilities.trades, ours.capabilities.source) == (2, True, "replay")


def test_the_book_is_at_hand_while_it_is_played() -> None:
    [connector] = replay_connectors(tape((KEY, line())), "one", paused=True)
    assert connector.latest_snapshot() is None
    ear = Ear()
    stream = connector.start_stream("BTCUSDT", ear)
    connector.controls.step("book")
    ear.wait(lambda events: len(events) == 2)
    for found in (
        connector.latest_snapshot(),
        connector.latest_snapshot("BTCUSDT"),
        connector.fetch_snapshot("BTCUSDT"),
    ):
        assert found is not None
        assert (found.venue, found.sequence, found.source) == ("binance", 100, "replay")
    stream.stop()
    with pytest.raises(StoreError, match="no book"):
        connector.fetch_snapshot("BTCUSDT")


def test_nothing_is_offered_before_a_recording_is_opened() -> None:
    found = discover("connectors", "start_stream")
    assert not [name for name in found.found if "replay" in name]
    assert found.errors == []


def test_readers_of_a_hub_are_waited_for(tmp_path: Path) -> None:
    recorded = tape((KEY, line(3000, 0.001)))
    [connector] = replay_connectors(recorded, "one", None)
    hub = Hub({connector.name: connector})
    queue = EventQueue(capacity=400)
    hub.subscribe([(connector.name, "BTCUSDT", "stream")], queue)
    heard: list[MarketEvent] = []
    while not (heard and isinstance(heard[-1], FeedStatus) and heard[-1].state is FeedState.STOPPED):
        waiting = queue.drain(5.0)
        assert waiting
        heard += [update.event for update in waiting]
    hub.close()
    assert queue.dropped == 0
    assert heard[:-1] == as_replayed(line(3000, 0.001))
