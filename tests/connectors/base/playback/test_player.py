"""A tape deck: what was recorded comes out as it was, at any speed, from any place."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from connectors.base.playback.player import Player
from engine.errors import StoreError
from engine.market.events import BookSnapshot, FeedState, FeedStatus
from engine.store.base import Gap
from engine.store.play_tape import PlayableTape
from tests.connectors.base.playback.replay_rig import (
    KEY,
    SECOND,
    Ear,
    HurriedPace,
    as_replayed,
    books,
    ended,
    line,
    tape,
    wait_until,
)
from tests.engine.support import START_NS
from tests.fakes.memory_store import MemoryStore

OTHER = ("kraken", "BTC/USD", "stream")


def play(player: Player) -> Ear:
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    ear.wait_end()
    stream.stop()
    return ear


@pytest.mark.parametrize("speed", [1.0, 10.0, 100.0, None])
def test_what_was_recorded_comes_out_event_for_event_at_every_speed(speed: float | None) -> None:
    said = line(50)
    pace = HurriedPace()
    ear = play(Player(tape((KEY, said)), speed, pace=pace))
    assert ear.events[:-1] == as_replayed(said)
    assert ended(ear.events) == ear.events[-1:]
    if speed is not None:
        assert pace.waited_s == pytest.approx(50 / speed, abs=0.3)


def test_the_clock_stands_at_every_event_when_it_is_heard() -> None:
    player = Player(tape((KEY, line())), 10.0, paused=True, pace=HurriedPace())
    shown: list[tuple[int, int]] = []
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", lambda event: shown.append((event.received_ns, player.clock.now_ns())))
    second = player.add(KEY, "BTCUSDT", ear)
    player.resume()
    ear.wait_end()
    assert [now for _, now in shown] == [at for at, _ in shown]
    stream.stop()
    second.stop()


def test_several_venues_are_played_by_one_clock() -> None:
    ours, theirs = line(5), [event for event in line(5, 0.7) if event.received_ns >= START_NS]
    player = Player(tape((KEY, ours), (OTHER, theirs)), 1.0, paused=True, pace=HurriedPace())
    heard: list[int] = []
    ears = [Ear(heard), Ear(heard)]
    streams = [
        player.add(KEY, "BTCUSDT", ears[0]),
        player.add(OTHER, "BTC/USD", ears[1]),
    ]
    player.resume()
    for ear in ears:
        ear.wait_end()
    assert all(one <= other for one, other in pairwise(heard))
    assert [len(ear.events) for ear in ears] == [len(ours) + 1, len(theirs) + 1]
    for stream in streams:
        stream.stop()


def test_pause_holds_everything_and_resume_goes_on() -> None:
    player = Player(tape((KEY, line())), None, paused=True)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    player.step("book")
    ear.wait(lambda events: books(events) == [100])
    assert player.state().paused
    player.resume()
    ear.wait_end()
    assert ear.events[:-1] == as_replayed(line())
    stream.stop()


def test_a_step_is_one_event_or_one_change_of_a_book() -> None:
    player = Player(tape((KEY, line(6))), 1.0, paused=True)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    for count in (1, 2, 3):
        player.step("event")
        ear.wait(lambda events, count=count: len(events) == count)  # type: ignore[misc]
        wait_until(player, lambda deck: deck._step is None)
    assert len(ear.events) == 3
    for count in (3, 4, 5):
        player.step("book")
        ear.wait(lambda events, count=count: len(books(events)) == count)  # type: ignore[misc]
        wait_until(player, lambda deck: deck._step is None)
    assert books(ear.events) == [100, 101, 102, 103, 104]
    assert player.state().at_ns == ear.events[-1].received_ns
    stream.stop()


@pytest.mark.parametrize("to_s", [7, 3])
def test_it_can_be_moved_forward_and_back(to_s: int) -> None:
    player = Player(tape((KEY, line())), 1.0, paused=True)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    player.seek(START_NS + 5 * SECOND)
    ear.wait(lambda events: books(events) == [104])
    ear.clear()
    player.seek(START_NS + to_s * SECOND)
    ear.wait(lambda events: len(books(events)) == 1)
    first, status, book = ear.events
    assert isinstance(first, FeedStatus)
    assert isinstance(status, FeedStatus)
    assert (first.state, status.state) == (FeedState.CONNECTING, FeedState.LIVE)
    assert "moved" in first.reason
    # The event of that very moment is still to come.
    assert books([book]) == [100 + to_s - 1]
    assert book.received_ns < START_NS + to_s * SECOND == player.state().at_ns
    player.set_speed(None)
    player.resume()
    ear.wait_end()
    assert books(ear.events) == list(range(100 + to_s - 1, 111))
    assert stream.feed.snapshot() is None
    stream.stop()


def test_a_moment_outside_is_the_nearest_one_inside() -> None:
    player = Player(tape((KEY, line())), None, paused=True)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    player.seek(START_NS + 10**15)
    ear.wait(lambda events: books(events) == [109])
    player.seek(0)
    ear.wait(lambda events: len(events) >= 4)
    wait_until(player, lambda deck: not deck.state().seeking)
    assert player.state().at_ns == START_NS
    player.resume()
    ear.wait_end()
    assert ear.events[-14:-1] == as_replayed(line())
    stream.stop()


def test_after_the_end_it_can_be_moved_back() -> None:
    player = Player(tape((KEY, line())), None)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    ear.wait_end()
    assert player.state().ended
    player.seek(START_NS + 8 * SECOND)
    ear.wait_end(2)
    assert books(ear.events)[-4:] == [107, 108, 109, 110]
    stream.stop()


def test_a_loop_begins_again_and_says_the_same() -> None:
    player = Player(tape((KEY, line())), None)
    player.set_loop(True)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    ear.wait(lambda events: books(events).count(110) >= 3)
    player.set_loop(False)
    ear.wait_end()
    once = [as_replayed(line())]
    rounds = [[]]  # type: ignore[var-annotated]
    for event in ear.events[:-1]:
        if isinstance(event, FeedStatus) and event.state is FeedState.CONNECTING:
            assert event.reason == "the recording begins again"
            rounds.append([])
        else:
            rounds[-1].append(event)
    assert rounds == once * len(rounds)
    stream.stop()


def test_a_gap_arrives_as_a_gap_and_never_as_continuous_data() -> None:
    said = line(10)
    missing = [event for event in said if not START_NS + 4 * SECOND <= event.received_ns <= START_NS + 6 * SECOND]
    again = [event for event in missing if event.received_ns > START_NS + 6 * SECOND]
    lines = [event for event in missing if event not in again]
    whole = said[1]
    assert isinstance(whole, BookSnapshot)
    lines += [
        # As a reader who lost its place is told again: the status as it stood, and a book.
        said[0],
        replace(whole, sequence=106, received_ns=START_NS + 6 * SECOND + 1),
        *again,
    ]  # fmt: skip
    gap = Gap(KEY, START_NS + 4 * SECOND, START_NS + 6 * SECOND, 3, "the disk was full")
    store_order = tape((KEY, lines), gaps=[gap])
    ear = play(Player(store_order, None))
    at = next(place for place, event in enumerate(ear.events) if getattr(event, "state", None) is FeedState.SYNCING)
    told = ear.events[at]
    assert isinstance(told, FeedStatus)
    assert told.reason == "gap in the recording: the disk was full, 3 events lost"
    assert books(ear.events[:at]) == [100, 101, 102, 103]
    assert books(ear.events[at:]) == [106, 107, 108, 109, 110]
    status, book = ear.events[at + 1 : at + 3]
    assert isinstance(status, FeedStatus)
    assert status.state is FeedState.LIVE
    assert books([book]) == [106]
    assert ear.events[-1].reason == "the recording has ended (1 gap)"  # type: ignore[union-attr]


def test_who_comes_late_is_told_how_things_stand() -> None:
    player = Player(tape((KEY, line())), 1.0, paused=True)
    early, late = Ear(), Ear()
    first = player.add(KEY, "BTCUSDT", early)
    for count in (1, 2, 3):
        player.step("book")
        early.wait(lambda events, count=count: len(books(events)) == count)  # type: ignore[misc]
    second = player.add(KEY, "BTCUSDT", late)
    late.wait(lambda events: len(events) == 2)
    assert getattr(late.events[0], "state", None) is FeedState.LIVE
    assert books(late.events) == [102]
    first.stop()
    second.stop()


def test_who_comes_after_the_end_is_told_of_it_also_where_nothing_was_recorded() -> None:
    store = MemoryStore()
    recording = store.begin([KEY, OTHER], at_ns=START_NS)
    player = Player(PlayableTape(store, store.end(recording.id, at_ns=START_NS + SECOND)), None, pace=HurriedPace())
    early, late = Ear(), Ear()
    first = player.add(KEY, "BTCUSDT", early)
    early.wait_end()
    second = player.add(OTHER, "BTC/USD", late)
    late.wait_end()
    first.stop()
    second.stop()


def test_a_reader_whose_queue_is_full_is_waited_for() -> None:
    player = Player(tape((KEY, line(1000, 0.001))), None)
    full = [1.0] * 5 + [0.0]
    looks: list[float] = []

    def pressure() -> float:
        looks.append(full.pop(0) if len(full) > 1 else 0.0)
        return looks[-1]

    player.heed(pressure)
    assert len(play(player).events) == 1004
    assert looks[:6] == [1.0] * 5 + [0.0]


def test_a_reader_that_never_takes_anything_holds_nobody_up_for_ever() -> None:
    pace = HurriedPace()
    player = Player(tape((KEY, line(1000, 0.001))), None, pace=pace)
    player.heed(lambda: 1.0)
    play(player)
    assert 5.0 <= pace.waited_s <= 60.0


def test_stopping_is_quick_and_the_next_start_begins_anew() -> None:
    player = Player(tape((KEY, line(10, 3600.0))), 1.0)
    first = Ear()
    stream = player.add(KEY, "BTCUSDT", first)
    first.wait(lambda events: len(events) == 2)
    stream.stop()
    assert player._thread is None
    heard = len(first.events)
    second = Ear()
    again = player.add(KEY, "BTCUSDT", second)
    second.wait(lambda events: len(events) == 2)
    assert second.events == first.events[:heard]
    again.stop()
    assert len(first.events) == heard


def test_what_goes_wrong_while_playing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    recorded = tape((KEY, line()))
    recorded.store.delete(recorded.recording.id)
    player = Player(recorded, None)
    ear = Ear()
    stream = player.add(KEY, "BTCUSDT", ear)
    ear.wait(lambda events: len(events) == 1)
    assert getattr(ear.events[0], "state", None) is FeedState.FAILED
    assert StoreError.__name__ in player.state().error
    stream.stop()
