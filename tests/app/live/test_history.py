from __future__ import annotations

from itertools import pairwise

from app.live.history import COARSE_POINTS, FINE_POINTS, History
from engine.market.events import FeedState, FeedStatus
from tests.app.live.market import point

SECOND = 1_000_000_000


def status(state: FeedState, at_ns: int) -> FeedStatus:
    return FeedStatus("mock", "BTCUSDT", state, "", "", 0, None, at_ns, "mock")


def test_at_most_a_thousand_points_are_kept_and_the_older_ones_are_a_second_apart() -> None:
    history = History()
    history.add_points([point(n * SECOND // 20) for n in range(20_000)])
    points = history.points()
    assert len(points) == FINE_POINTS + COARSE_POINTS
    times = [p.received_ns for p in points]
    assert times == sorted(set(times))
    assert all(b - a >= SECOND for a, b in pairwise(times[:COARSE_POINTS]))
    assert times[-1] - times[0] > 400 * SECOND


def test_a_point_that_was_there_already_is_no_news() -> None:
    history = History()
    assert len(history.add_points([point(1), point(2)])) == 2
    assert history.add_points([point(2), point(1)]) == []
    assert len(history.points()) == 2


def test_silence_began_with_the_last_word_and_not_when_it_was_noticed() -> None:
    history = History()
    history.add_points([point(SECOND)])
    assert history.observe_status(status(FeedState.STALE, 6 * SECOND), SECOND)
    assert list(history.gaps) == [(SECOND, None)]


def test_polling_is_not_a_gap_and_starting_up_is_not_one_either() -> None:
    history = History()
    assert not history.observe_status(status(FeedState.CONNECTING, 0), None)
    history.add_points([point(SECOND)])
    assert not history.observe_status(status(FeedState.POLLING, 2 * SECOND), SECOND)
    assert not history.gaps


def test_one_outage_with_several_states_is_one_gap() -> None:
    history = History()
    history.add_points([point(SECOND)])
    history.observe_status(status(FeedState.RECONNECTING, 2 * SECOND), SECOND)
    assert not history.observe_status(status(FeedState.SYNCING, 3 * SECOND), SECOND)
    assert history.observe_status(status(FeedState.LIVE, 4 * SECOND), SECOND)
    assert list(history.gaps) == [(2 * SECOND, 4 * SECOND)]


def test_time_that_runs_back_begins_the_history_again() -> None:
    history = History()
    history.add_points([point(SECOND * second) for second in range(1, 20)])
    history.observe_status(status(FeedState.RECONNECTING, 20 * SECOND), 19 * SECOND)
    assert history.add_points([point(5 * SECOND), point(6 * SECOND)]) == [point(5 * SECOND), point(6 * SECOND)]
    assert history.points() == [point(5 * SECOND), point(6 * SECOND)]
    assert (history.beginnings, list(history.gaps)) == (1, [])


def test_a_point_that_is_a_little_late_is_left_out_and_nothing_else_happens() -> None:
    history = History()
    history.add_points([point(5 * SECOND)])
    assert history.add_points([point(5 * SECOND - 1000)]) == []
    assert history.beginnings == 0
