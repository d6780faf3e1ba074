"""What every store of recordings must do; runs on each of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from engine.errors import StoreError
from engine.feed.quality import FeedQuality
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Store, time_ns
from engine.store.duckdb_file import store as duckdb_store
from engine.store.postgres import store as postgres_store
from tests.engine.store.conftest import Opener
from tests.engine.store.events import (
    FILM,
    KEY,
    OTHER,
    SECOND_NS,
    START_NS,
    any_entries,
    exactly,
    fill,
    order,
    run_of,
    snapshot,
    status,
    trade,
)


def depth_row(at_ms: int, **changed: object) -> MarketDepth:
    row = MarketDepth("BTCUSDT", at_ms, "[[100.0, 1.0]]", "[[101.0, 3.0]]", "mock", 100.5, 1.0, -0.5)
    return replace(row, **changed)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(entries=any_entries())
def test_what_is_read_is_what_was_appended_bit_for_bit(store: Store, entries: list[Entry]) -> None:
    recording = store.begin([KEY, OTHER], at_ns=START_NS)
    middle = len(entries) // 2
    store.append(recording.id, entries[:middle])
    store.append(recording.id, entries[middle:])
    assert exactly(list(store.read(recording.id))) == exactly(entries)


def test_what_was_appended_is_there_after_the_store_was_opened_anew(open_again: Opener) -> None:
    store = open_again()
    recording = store.begin([KEY], at_ns=START_NS, note="before lunch")
    entries = run_of([snapshot(), trade(1.0), trade(2.0)])
    store.append(recording.id, entries)
    ended = store.end(recording.id, at_ns=START_NS + 3 * SECOND_NS)
    store.close()
    store = open_again()
    assert exactly(list(store.read(recording.id))) == exactly(entries)
    assert [one.id for one in store.recordings()] == [recording.id]
    assert (ended.events, ended.level_rows, ended.gaps, ended.note) == (3, 4, 0, "before lunch")
    assert (ended.started_ns, ended.ended_ns, ended.ending) == (START_NS, START_NS + 3 * SECOND_NS, "stopped")
    assert store.found_cut_off == []


def test_orders_and_fills_are_counted_with_the_recording_and_go_with_it(store: Store) -> None:
    recording = store.begin([KEY, OTHER], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot(), order(1.0), fill(2.0)]))
    store.append(recording.id, run_of([order(3.0, OTHER), order(4.0, OTHER, expires_ns=2**63)], OTHER, 3))
    ended = store.end(recording.id, at_ns=START_NS + 5 * SECOND_NS)
    assert (ended.events, ended.orders, ended.fills) == (5, 3, 1)
    found = store.read(recording.id, keys={KEY}, start_ns=START_NS + SECOND_NS)
    assert exactly(list(found)) == exactly(run_of([order(1.0), fill(2.0)], start=1))
    store.delete(recording.id)
    assert store.recordings() == []


def test_a_recording_without_trading_has_none(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot(), trade(1.0)]))
    found = store.recording(recording.id)
    assert (found.orders, found.fills) == (0, 0)


def test_all_sampled_rows_of_a_recording_come_oldest_first_however_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (duckdb_store, postgres_store):
        monkeypatch.setattr(module, "PAGE_ROWS", 3)
    recording, other = [store.begin([KEY], at_ns=START_NS + at) for at in range(2)]
    moments = [1000, 1000, 1000, 1000, 2000, 3000, 3000, 4000, 4001, 5000, 9000]
    rows = [depth_row(at_ms, provider=str(number), recording=recording.id) for number, at_ms in enumerate(moments)]
    bars = [CandleBar("BTCUSDT", "1m", at * 60_000, 1.0, 2.0, 0.5, 1.5, 10.0, 6.0, 3.0, "mock", recording.id)
            for at in range(10)]  # fmt: skip
    store.append(recording.id, [], depth=rows, bars=bars)
    store.append(other.id, [], depth=[depth_row(1500, recording=other.id)])
    found = list(store.depth_of(recording.id))
    assert [row.ts_utc for row in found] == moments
    assert sorted(found, key=repr) == sorted(rows, key=repr)
    assert list(store.bars_of(recording.id)) == bars
    assert list(store.bars_of(other.id)) == []


def test_a_recording_that_nobody_ended_is_found_cut_off_at_its_last_event(open_again: Opener) -> None:
    store = open_again()
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot(), trade(1.0), trade(2.5)]))
    assert store.recording(recording.id).ending == "running"
    store.close()
    store = open_again()
    assert [one.id for one in store.found_cut_off] == [recording.id]
    found = store.recording(recording.id)
    assert (found.ending, found.ended_ns) == ("cut off", START_NS + round(2.5 * SECOND_NS))
    store.close()
    assert open_again().found_cut_off == []


def test_a_recording_without_any_event_ends_where_it_began_when_it_is_cut_off(open_again: Opener) -> None:
    store = open_again()
    recording = store.begin([KEY], at_ns=START_NS)
    store.close()
    assert open_again().recording(recording.id).ended_ns == START_NS


def test_reading_can_be_limited_to_feeds_times_and_numbers(store: Store) -> None:
    recording = store.begin([KEY, OTHER], at_ns=START_NS)
    entries = [
        Entry(index, key, event)
        for index, (key, event) in enumerate(
            (key, make(second, key)) for second in range(20) for key in (KEY, OTHER) for make in (snapshot, trade)
        )
    ]
    for begin in range(0, len(entries), 7):
        store.append(recording.id, entries[begin : begin + 7])
    first, last = START_NS + 5 * SECOND_NS, START_NS + 8 * SECOND_NS
    spans = [(None, None, 0), (first, None, 0), (None, last, 0), (first, last, 0), (None, None, 33), (first, last, 27)]
    for keys in (None, {KEY}, {OTHER}, {KEY, OTHER}, set[tuple[str, str, str]](), {FILM}):
        for start_ns, end_ns, from_index in spans:
            found = store.read(recording.id, keys=keys, start_ns=start_ns, end_ns=end_ns, from_index=from_index)
            assert list(found) == [
                one
                for one in entries
                if (keys is None or one.key in keys)
                and (start_ns is None or time_ns(one.event) >= start_ns)
                and (end_ns is None or time_ns(one.event) < end_ns)
                and one.index >= from_index
            ]


def test_a_feed_that_carries_another_venues_events_keeps_both_names(store: Store) -> None:
    recording = store.begin([FILM], at_ns=START_NS)
    entries = run_of([snapshot(0.0, KEY)], FILM)
    store.append(recording.id, entries)
    assert list(store.read(recording.id)) == entries
    assert store.recording(recording.id).feeds == (FILM,)


def test_long_recordings_are_read_page_by_page(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    entries = run_of([trade(number / 100) for number in range(25_000)])
    store.append(recording.id, entries)
    assert list(store.read(recording.id)) == entries
    reader = store.read(recording.id)
    assert next(reader) == entries[0]
    reader.close()  # type: ignore[attr-defined]


def test_a_recording_is_read_while_it_runs_up_to_its_last_flush(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, run_of([snapshot()]))
    reader = store.read(recording.id)
    store.append(recording.id, run_of([trade(1.0)], start=1))
    assert [type(one.event).__name__ for one in reader][:1] == ["BookSnapshot"]
    assert len(list(store.read(recording.id))) == 2


def test_gaps_and_quality_come_back_in_order_of_time(store: Store) -> None:
    recording = store.begin([KEY, OTHER], at_ns=START_NS)
    late = Gap(KEY, START_NS + 5, START_NS + 9, 12, "the reader was too slow")
    early = Gap(None, START_NS + 1, START_NS + 2, None, "the disk was full")
    notes = [QualityNote(OTHER, START_NS + at, FeedQuality().report(START_NS)) for at in (2, 7)]
    store.append(recording.id, [], gaps=[late, early], quality=notes[::-1])
    assert store.gaps(recording.id) == [early, late]
    assert store.quality(recording.id) == notes
    assert store.recording(recording.id).gaps == 2


def test_the_newest_rows_of_both_tables_come_first(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    rows = [depth_row(1000 * second, recording=recording.id) for second in range(5)]
    bar = CandleBar("BTCUSDT", "1m", 60_000, 1.0, 2.0, 0.5, 1.5, 10.0, 6.0, 3.0, "mock", recording.id)
    store.append(recording.id, [], depth=rows, bars=[bar])
    assert store.market_depth("BTCUSDT", limit=2) == [rows[4], rows[3]]
    assert store.market_depth("BTCUSDT", since_ms=3000, recording=recording.id) == [rows[4], rows[3]]
    assert store.market_depth("ETHUSDT") == store.market_depth(recording="another") == []
    assert store.candle_bars("BTCUSDT", "1m") == [bar]
    assert store.candle_bars("BTCUSDT", "5m") == []


def test_a_bar_that_has_grown_replaces_the_one_before_it(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    bars = [CandleBar("BTCUSDT", "1m", 60_000, 1.0, 2.0, 0.5, close, 10.0, 6.0, 3.0, "mock", recording.id)
            for close in (1.5, 1.7)]  # fmt: skip
    for bar in bars:
        store.append(recording.id, [], bars=[bar])
    assert store.candle_bars() == [bars[1]]


def test_a_deleted_recording_takes_its_rows_with_it_and_nothing_else(store: Store) -> None:
    kept, gone = [store.begin([KEY], at_ns=START_NS + at) for at in range(2)]
    entries = run_of([snapshot(), trade(1.0)])
    for recording in (kept, gone):
        row = depth_row(1000, recording=recording.id)
        store.append(recording.id, entries, gaps=[Gap(KEY, 1, 2, 3, "test")], depth=[row])
        store.end(recording.id, at_ns=START_NS + SECOND_NS)
    store.add_market_depth([depth_row(2000)])
    store.delete(gone.id)
    assert [one.id for one in store.recordings()] == [kept.id]
    assert list(store.read(kept.id)) == entries
    assert [row.recording for row in store.market_depth()] == ["", kept.id]
    with pytest.raises(StoreError, match="no recording"):
        store.read(gone.id)


def test_a_running_recording_cannot_be_deleted(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    with pytest.raises(StoreError, match="running") as caught:
        store.delete(recording.id)
    assert caught.value.hint == "Stop it first."


def test_old_rows_of_no_recording_are_forgotten_and_counted(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(recording.id, [], depth=[depth_row(500, recording=recording.id)])
    store.add_market_depth([depth_row(at_ms) for at_ms in (1000, 2000, 3000)])
    assert store.forget_rows_before(2000) == 1
    assert [row.ts_utc for row in store.market_depth()] == [3000, 2000, 500]


def test_a_recording_that_is_not_there_is_named_with_what_is_near(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    with pytest.raises(StoreError, match="no recording") as caught:
        store.recording(recording.id[:-1] + "x")
    assert recording.id in caught.value.hint
    for call in (store.read, store.gaps, store.delete):
        with pytest.raises(StoreError):
            call("nothing like it")


def test_an_event_that_cannot_be_kept_costs_its_batch_and_nothing_else(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    good = run_of([snapshot()])
    store.append(recording.id, good)
    with pytest.raises(StoreError, match="cannot be kept"):
        store.append(recording.id, run_of([trade(1.0), status("half a letter: \ud800")], start=1))
    store.append(recording.id, run_of([trade(3.0)], start=3))
    assert [one.index for one in store.read(recording.id)] == [0, 3]
    assert store.recording(recording.id).events == 2


def test_the_size_grows_with_what_is_kept(store: Store) -> None:
    recording = store.begin([KEY], at_ns=START_NS)
    before = store.size()
    store.append(recording.id, run_of([trade(number / 10, price=number * 0.37) for number in range(20_000)]))
    assert store.size() > before
    assert 0 < (store.recording(recording.id).size_bytes or 0) <= store.size()


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.recordings()
