"""From when to when a recording of the tape is played."""

from __future__ import annotations

from msgspec.structs import replace

from engine.store.base import Entry
from engine.store.play_tape import PlayableTape
from tests.engine.store.events import KEY, SECOND_NS, START_NS, snapshot, trade
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
