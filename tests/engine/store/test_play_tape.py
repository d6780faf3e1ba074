"""When a tape is played, and what of it: what the market said; what somebody did then is not done again."""

from __future__ import annotations

from msgspec.structs import replace

from engine.clock import ManualClock
from engine.store.base import Entry
from engine.store.play_tape import PlayableTape
from tests.engine.store.events import KEY, SECOND_NS, START_NS, fill, order, run_of, snapshot, status, trade
from tests.fakes.memory_store import MemoryStore

YEAR_NS = 365 * 86_400 * SECOND_NS


def taped(source: str, began_ns: int) -> PlayableTape:
    """A book and two trades from START_NS on, recorded by a machine whose clock said `began_ns`."""
    store = MemoryStore()
    recording = store.begin([KEY], at_ns=began_ns)
    events = [replace(event, source=source) for event in (snapshot(), trade(1.0), trade(20.0))]
    store.append(recording.id, [Entry(index, KEY, event) for index, event in enumerate(events)])
    return PlayableTape(store, store.end(recording.id, at_ns=began_ns + 60 * SECOND_NS))


def test_what_was_recorded_live_is_played_by_the_recorders_clock() -> None:
    tape = taped("stream", START_NS - SECOND_NS)
    assert (tape.start_ns, tape.end_ns) == (START_NS - SECOND_NS, START_NS + 59 * SECOND_NS)


def test_a_recording_of_a_replay_is_played_by_the_time_of_what_was_replayed() -> None:
    tape = taped("replay", START_NS + YEAR_NS)
    assert (tape.start_ns, tape.end_ns) == (START_NS, START_NS + 20 * SECOND_NS)


def test_what_a_tape_lacks_is_told() -> None:
    assert "overtaken" in taped("stream", START_NS).about(KEY[0]).lacks


def test_orders_and_fills_of_the_past_are_not_told_in_the_line() -> None:
    store = MemoryStore()
    recording = store.begin([KEY], at_ns=START_NS)
    store.append(
        recording.id, run_of([status(), order(), snapshot(1.0), order(2.0), fill(2.0), trade(3.0), fill(4.0, number=2)])
    )
    playable = PlayableTape(store, store.end(recording.id, at_ns=START_NS))
    feed = playable.make_feed(KEY, ManualClock(START_NS))
    played = playable.begin(lambda key: feed)
    said = [type(event).__name__ for _, moment in played.moments() for _, event in played.take(moment)]
    assert said == ["FeedStatus", "BookSnapshot", "Trade"]
    assert played.losses() == ""
