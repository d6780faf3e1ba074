from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from msgspec.structs import replace

from engine.clock import ManualClock
from engine.connector import Capabilities
from engine.engine import Engine
from engine.errors import StoreError
from engine.market.orders import ExecutionReport, OrderStatus
from engine.market.signal import Signal
from engine.store.base import Recording
from engine.store.desk import RecordingDesk
from engine.store.duckdb_file.store import DuckdbStore
from engine.store.parquet.export import export_parquet
from engine.store.recording.options import RecordOptions
from engine.store.recording.retention import DAY_NS, enforce
from tests.engine.store.events import KEY, START_NS, fill, order, run_of, trade
from tests.engine.store.recording.test_recorder import BTC, ETH, until
from tests.engine.strategy.test_host import Echo
from tests.engine.support import FakeConnector
from tests.engine.support import snapshot as said
from tests.engine.support import trade as print_of


@pytest.fixture
def options(tmp_path: Path) -> RecordOptions:
    return RecordOptions(f"duckdb:///{tmp_path}/data/tape.duckdb", flush_s=0.02)


@pytest.fixture
def connector() -> FakeConnector:
    return FakeConnector(clock=ManualClock(START_NS))


@pytest.fixture
def engine(connector: FakeConnector, options: RecordOptions) -> Iterator[Engine]:
    engine = Engine({"binance": connector}, {"echo": Echo}, clock=connector.clock, recording=options)
    yield engine
    engine.close()


def old_recording(options: RecordOptions, days: float, size: int = 1) -> str:
    """A finished recording of so many days ago, with so many trades; its id."""
    store = DuckdbStore(Path(options.store_url[len("duckdb:///") :]))
    at_ns = START_NS - round(days * DAY_NS)
    recording = store.begin([KEY], at_ns=at_ns)
    store.append(recording.id, run_of([trade(number, price=number * 0.37) for number in range(size)]))
    store.end(recording.id, at_ns=at_ns + 1)
    store.close()
    return recording.id


def test_an_engine_records_what_runs_through_it_with_the_signals(engine: Engine, connector: FakeConnector) -> None:
    recording = engine.recording.start([BTC], "a test")
    run = engine.strategies.acquire("echo", BTC)
    [line] = connector.streams
    line.say(said(1))
    line.say(print_of(7))
    until(lambda: engine.recording.state().events >= 4 and engine.recording.state().bytes is not None)
    engine.strategies.release(run)
    state = engine.recording.state()
    assert state.recording is not None
    assert (state.recording.id, state.recording.note, state.error, state.dropped) == (recording.id, "a test", "", 0)
    assert (state.bytes or 0) > 0
    assert state.rate > 0
    engine.recording.stop()
    ended = engine.recording.finished()
    assert ended is not None
    assert ended.ending == "stopped"
    events = [entry.event for entry in engine.recording.store().read(recording.id)]
    assert [event.reason for event in events if isinstance(event, Signal)] == ["7"]
    assert engine.recording.state().recording is None
    assert engine.recording.stop() is None


def test_what_is_traded_while_a_recording_runs_is_in_it_where_it_came(
    engine: Engine, connector: FakeConnector, options: RecordOptions
) -> None:
    engine.recording.note(BTC, order(key=BTC))  # nothing runs: it is nobody's
    recording = engine.recording.start([BTC])
    [line] = connector.streams
    line.say(said(1))
    told: list[ExecutionReport] = [order(1.0, BTC), fill(2.0, BTC), order(3.0, BTC, OrderStatus.FILLED)]
    for report in told:
        engine.recording.note(BTC, report)
    engine.recording.note(ETH, order(key=ETH))
    line.say(print_of(7))
    engine.recording.stop()
    ended = engine.recording.finished()
    engine.recording.note(BTC, order(4.0, BTC))
    assert ended is not None
    assert (ended.orders, ended.fills) == (2, 1)
    events = [entry.event for entry in engine.recording.store().read(recording.id)]
    assert events[-4:] == [*told, print_of(7)]


def test_one_recording_runs_at_a_time(engine: Engine) -> None:
    first = engine.recording.start([BTC])
    with pytest.raises(StoreError, match=f"{first.id} runs already") as caught:
        engine.recording.start([ETH])
    assert "Stop it" in caught.value.hint
    engine.recording.stop()
    assert engine.recording.start([ETH]).id != first.id


def test_nothing_to_record_is_said(engine: Engine) -> None:
    with pytest.raises(StoreError, match="nothing to record"):
        engine.recording.start([])


def test_feeds_that_run_by_different_clocks_are_not_recorded_together(options: RecordOptions) -> None:
    class Played(FakeConnector):
        capabilities = Capabilities(streaming=True, polling=False, depth=50, trades=True, source="replay")

    names = ("replay:monday/binance", "replay:monday/kraken", "replay:tuesday")
    connectors = {"binance": FakeConnector(), **{name: Played(name) for name in names}}
    engine = Engine(connectors, {}, recording=options)
    monday, other, tuesday = [(name, "BTCUSDT", "stream") for name in names]
    for together in ([BTC, monday], [monday, tuesday]):
        with pytest.raises(StoreError, match="different clocks"):
            engine.recording.start(together)
    assert engine.recording.start([monday, other]).feeds == (monday, other)
    engine.close()


def test_a_closed_engine_has_ended_its_recording(options: RecordOptions, connector: FakeConnector) -> None:
    engine = Engine({"binance": connector}, {}, clock=connector.clock, recording=options)
    recording = engine.recording.start([BTC])
    engine.close()
    desk = RecordingDesk(engine.hub, options, clock=connector.clock)
    assert desk.store().recording(recording.id).ending == "stopped"
    assert desk.store().found_cut_off == []
    desk.close()


def test_no_file_is_made_by_looking_back(engine: Engine, options: RecordOptions, tmp_path: Path) -> None:
    engine.recording.look_back()
    assert not (tmp_path / "data").exists()
    assert engine.recording.state().found == ()


def test_looking_back_finds_what_was_cut_off(engine: Engine, options: RecordOptions) -> None:
    store = DuckdbStore(Path(options.store_url[len("duckdb:///") :]))
    recording = store.begin([KEY], at_ns=START_NS)
    store.close()
    engine.recording.look_back()
    assert [one.id for one in engine.recording.state().found] == [recording.id]


def test_a_store_that_cannot_be_opened_is_told_and_can_be_tried_again(
    engine: Engine, options: RecordOptions, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tape.duckdb").write_bytes(b"no database" * 100)
    engine.recording.look_back()
    state = engine.recording.state()
    assert "no DuckDB file" in state.error
    assert "STORE_URL" in state.hint
    with pytest.raises(StoreError):
        engine.recording.start([BTC])
    (tmp_path / "data" / "tape.duckdb").unlink()
    engine.recording.store()
    assert engine.recording.state().error == engine.recording.state().hint == ""
    engine.recording.start([BTC])


def test_recordings_that_are_too_old_go_when_the_store_is_opened(
    engine: Engine, connector: FakeConnector, options: RecordOptions
) -> None:
    old, young = old_recording(options, 31), old_recording(options, 29)
    desk = RecordingDesk(engine.hub, replace(options, keep_days=30.0), clock=connector.clock)
    assert [one.id for one in desk.store().recordings()] == [young]
    [line] = desk.state().removed
    assert line.startswith(f"recording {old} of 2023-10-14 22:13:20 UTC (mock BTCUSDT, ")
    assert line.endswith("deleted: older than 30 days")
    desk.close()


def test_the_oldest_recordings_go_while_all_together_are_too_large(
    options: RecordOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    oldest, newest = old_recording(options, 3, 60_000), old_recording(options, 2, 60_000)
    store = DuckdbStore(tmp_path / "data" / "tape.duckdb")
    room = store.size() * 0.75
    said = enforce(store, replace(options, max_gb=room / 1e9), START_NS)
    assert [one.id for one in store.recordings()] == [newest]
    assert len(said) == 1
    assert said[0].startswith(f"recording {oldest} of ")
    assert said[0].endswith(f"deleted: all recordings together exceed {room / 1e9:g} GB")
    assert said[0] in caplog.text
    assert enforce(store, replace(options, max_gb=room / 1e9), START_NS) == []
    store.close()


def test_a_limit_of_nothing_deletes_nothing(options: RecordOptions, tmp_path: Path) -> None:
    old_recording(options, 10_000)
    store = DuckdbStore(tmp_path / "data" / "tape.duckdb")
    assert enforce(store, replace(options, keep_days=0.0, max_gb=0.0), START_NS) == []
    assert len(store.recordings()) == 1
    store.close()


def test_what_will_go_is_logged_once_before_it_goes(
    engine: Engine, connector: FakeConnector, options: RecordOptions, caplog: pytest.LogCaptureFixture
) -> None:
    old = old_recording(options, 29.5)
    desk = RecordingDesk(engine.hub, replace(options, keep_days=30.0), clock=connector.clock)
    store = desk.store()
    assert desk.look_ahead(store) == desk.look_ahead(store) == desk.state().warnings
    assert f"Recording {old} of " in desk.state().warnings[0]
    assert caplog.text.count("will be deleted at") == 1
    assert desk.state().removed == ()
    desk.close()


def test_an_archive_is_left_as_it_is(engine: Engine, options: RecordOptions, tmp_path: Path) -> None:
    old_recording(options, 300)
    store = DuckdbStore(tmp_path / "data" / "tape.duckdb")
    export_parquet(store, store.recordings()[0].id, tmp_path / "archive")
    store.close()
    limited = replace(options, store_url=f"parquet:///{tmp_path}/archive", keep_days=1.0, max_gb=1e-9)
    desk = RecordingDesk(engine.hub, limited)
    assert len(desk.store().recordings()) == 1
    assert desk.look_ahead(desk.store()) == ()
    desk.close()


def test_a_recording_that_alone_is_too_large_ends_with_that_reason(
    engine: Engine, connector: FakeConnector, options: RecordOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.desk.CHECK_EVERY_S", 0.05)
    desk = RecordingDesk(engine.hub, replace(options, max_gb=1e-6), clock=connector.clock)
    desk.start([BTC])
    [line] = connector.streams
    line.say(said(1))
    until(lambda: desk.state().recording is None)
    assert "alone exceeds the 1e-06 GB that RECORD_MAX_GB allows" in desk.state().error
    desk.close()


def test_a_recording_refuses_when_its_place_does(engine: Engine, options: RecordOptions, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(StoreError) as caught:
        engine.recording.start([BTC])
    assert "STORE_URL" in caught.value.hint


def test_the_end_of_a_recording_is_written_although_the_disk_is_slow(
    engine: Engine, connector: FakeConnector, options: RecordOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.recording.recorder.STOP_S", 0.05)
    slow, end = Event(), DuckdbStore.end

    def end_slowly(self: DuckdbStore, recording_id: str, *, at_ns: int) -> Recording:
        slow.wait(0.5)
        return end(self, recording_id, at_ns=at_ns)

    monkeypatch.setattr(DuckdbStore, "end", end_slowly)
    desk = RecordingDesk(engine.hub, options, clock=connector.clock)
    recording = desk.start([BTC])
    desk.close()
    store = DuckdbStore(Path(options.store_url[len("duckdb:///") :]))
    assert store.found_cut_off == []
    assert store.recording(recording.id).ending == "stopped"
    store.close()
