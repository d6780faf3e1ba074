from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.base import Store
from engine.store.duckdb_file.store import DuckdbStore
from engine.store.recording.options import RecordOptions
from engine.store.recording.retention import DAY_NS, GB, enforce, forecast, outgrown
from tests.engine.store.events import KEY, START_NS, run_of, trade

FREE = RecordOptions(keep_days=0.0, max_gb=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = DuckdbStore(tmp_path / "tape.duckdb")
    yield store
    store.close()


def recorded(store: Store, days_ago: float) -> str:
    """A recording of some size that ended so many days ago; its id."""
    at_ns = START_NS - round(days_ago * DAY_NS)
    recording = store.begin([KEY], at_ns=at_ns)
    store.append(recording.id, run_of([trade(number, price=number * 0.37) for number in range(60_000)]))
    store.end(recording.id, at_ns=at_ns)
    return recording.id


def at_share(store: Store, share: float) -> RecordOptions:
    """A limit of size of which the store has this share."""
    return RecordOptions(keep_days=0.0, max_gb=store.size() / share / GB)


def test_what_goes_next_is_named_when_the_store_is_nearly_full_and_not_before(store: Store) -> None:
    oldest = recorded(store, 3.0)
    recorded(store, 2.0)
    assert forecast(store, at_share(store, 0.79), START_NS) == []
    [line] = forecast(store, at_share(store, 0.81), START_NS)
    assert "that RECORD_MAX_GB allows" in line
    assert f"the oldest recording will be deleted: {oldest} of 2023-11-11 22:13:20 UTC (mock BTCUSDT, " in line
    assert enforce(store, at_share(store, 0.81), START_NS) == []


def test_what_ended_within_the_last_day_makes_no_room_and_recording_ends_instead(store: Store) -> None:
    old, young = recorded(store, 1.5), recorded(store, 0.9)
    tiny = at_share(store, 1e6)
    [said] = enforce(store, tiny, START_NS)
    assert said.startswith(f"recording {old} of ")
    assert [one.id for one in store.recordings()] == [young]
    assert "the recordings of the last day exceed" in outgrown(store, tiny, START_NS)
    [line] = forecast(store, tiny, START_NS)
    assert "recording will end, since all that is here is less than a day old" in line


def test_while_something_may_go_nothing_has_to_end(store: Store) -> None:
    recorded(store, 1.5)
    assert outgrown(store, at_share(store, 2.0), START_NS) == ""
    assert outgrown(store, FREE, START_NS) == ""


def test_what_will_be_too_old_within_a_day_is_named_with_the_moment(store: Store) -> None:
    recorded(store, 5.0)
    due = recorded(store, 6.5)
    [line] = forecast(store, RecordOptions(keep_days=7.0, max_gb=0.0), START_NS)
    assert line.startswith(f"Recording {due} of ")
    assert "will be deleted at 2023-11-15 10:13:20 UTC, 7 days old." in line
    assert forecast(store, FREE, START_NS) == []


def test_of_many_that_go_the_first_are_named_and_the_rest_are_counted(store: Store) -> None:
    for _ in range(5):
        store.end(store.begin([KEY], at_ns=START_NS).id, at_ns=START_NS)
    said = forecast(store, RecordOptions(keep_days=0.5, max_gb=0.0), START_NS)
    assert len(said) == 4
    assert said[-1] == "2 more recordings will be deleted within a day for their age."
