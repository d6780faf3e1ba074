"""A tape that is played says what the market said; what somebody did then is not done again."""

from __future__ import annotations

from engine.clock import ManualClock
from engine.store.play_tape import PlayableTape
from tests.engine.store.events import KEY, START_NS, fill, order, run_of, snapshot, status, trade
from tests.fakes.memory_store import MemoryStore


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
