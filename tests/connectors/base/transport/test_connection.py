from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from connectors.base import Limits, Patience, PlannedClose
from engine.errors import Blocked, Disconnected, InvalidSymbol, RateLimited, StreamUnsupported
from engine.market.events import FeedState
from tests.connectors.base.transport.world import Exchange, FakeConnector, Listener, UnnumberedContinuity, World

LIVE, POLLING, STALE, SYNCING = FeedState.LIVE, FeedState.POLLING, FeedState.STALE, FeedState.SYNCING
RECONNECTING, BLOCKED, INVALID = FeedState.RECONNECTING, FeedState.BLOCKED, FeedState.INVALID


class Stage:
    """An exchange, its connector, and one listener per symbol that was started."""

    def __init__(self, **options: object) -> None:
        self.world = World()
        self.exchange = Exchange(self.world)
        self.options = options
        self.listeners: dict[str, Listener] = {}
        self._connector: FakeConnector | None = None

    @property
    def connector(self) -> FakeConnector:
        if self._connector is None:
            limits = {key: value for key, value in self.options.items() if key in Limits.__struct_fields__}
            patience = {key: value for key, value in self.options.items() if key in Patience.__struct_fields__}
            kind = type("Adjusted", (FakeConnector,), {"limits": replace(FakeConnector.limits, **limits)})
            lags = self.options.get("lags", ())
            self._connector = kind(self.exchange, Patience(**patience), lags)  # type: ignore[arg-type]
        return self._connector

    @property
    def listener(self) -> Listener:
        return next(iter(self.listeners.values()))

    def play(self, *symbols: str) -> Stage:
        for symbol in symbols or ("AAA",):
            listener = self.listeners[symbol] = Listener(self.world)
            self.connector.start_stream(symbol, listener)
        return self

    def live(self, *symbols: str) -> Stage:
        self.play(*symbols)
        self.world.until(lambda: all(one.state is LIVE for one in self.listeners.values()), 10.0)
        return self

    def until(self, state: FeedState, at_most_s: float = 60.0) -> float:
        return self.world.until(lambda: self.listener.state is state, at_most_s)

    def leave(self) -> None:
        before = self.world.now_s
        self.connector.close()
        assert self.world.now_s - before < 2.0
        for listener in self.listeners.values():
            listener.deaf = True
        self.world.pass_(5.0)
        assert [listener.problems for listener in self.listeners.values() if listener.problems] == []
        assert self.world.alive == set()
        assert self.exchange.open_links == []


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage with the options of the test's `with_` mark; what was wrong by its end fails the test."""
    made = Stage(**getattr(request, "param", {}))
    yield made
    made.leave()


def with_(**options: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", [options], indirect=True, ids=[""])


# ---- a good day


def test_a_line_opens_with_a_snapshot_and_goes_on_without_a_hole(stage: Stage) -> None:
    stage.live()
    stage.world.pass_(3.0)
    assert stage.listener.states[-2:] == [SYNCING, LIVE]
    updates = stage.listener.updates
    assert updates == list(range(updates[0] or 0, (updates[0] or 0) + len(updates)))
    assert len(updates) >= 25


def test_one_connection_carries_many_symbols(stage: Stage) -> None:
    stage.live("AAA", "BBB", "CCC")
    assert len(stage.exchange.attempts) == 1


def test_the_connection_ends_with_its_last_symbol(stage: Stage) -> None:
    first, second = Listener(stage.world), Listener(stage.world)
    one = stage.connector.start_stream("AAA", first)
    two = stage.connector.start_stream("BBB", second)
    stage.world.until(lambda: first.state is LIVE and second.state is LIVE)
    one.stop()
    first.deaf = True
    stage.world.pass_(1.0)
    assert "unsubscribe AAA" in [text for _, text in stage.exchange.link.sent]
    assert stage.exchange.open_links
    two.stop()
    second.deaf = True
    assert stage.exchange.open_links == []
    assert first.problems == second.problems == []


@with_(symbols_per_connection=2)
def test_more_symbols_than_a_connection_takes_open_another(stage: Stage) -> None:
    stage.live("AAA", "BBB", "CCC")
    assert len(stage.exchange.open_links) == 2


def test_a_second_listener_is_told_how_things_stand_and_shares_the_line(stage: Stage) -> None:
    stage.live()
    late = stage.listeners["late"] = Listener(stage.world)
    stage.connector.start_stream("AAA", late)
    stage.world.pass_(2.0)
    assert late.states == [LIVE]
    assert len(late.books) == 1
    assert len(stage.exchange.attempts) == 1


def test_messages_are_paced(stage: Stage) -> None:
    for symbol in ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF"):
        stage.play(symbol)
        stage.world.pass_(0.06)
    stage.world.pass_(3.0)
    times = [at for at, _ in stage.exchange.link.sent]
    assert len(times) >= 4
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.249


def test_a_quiet_symbol_is_live_once_its_snapshot_is_there(stage: Stage) -> None:
    stage.exchange.quiet.add("AAA")
    stage.play()
    assert stage.until(LIVE) < 3.0


def test_the_latest_snapshot_needs_no_network(stage: Stage) -> None:
    stage.live("AAA", "BBB")
    before = len(stage.exchange.fetched)
    book = stage.connector.latest_snapshot("BBB")
    assert book is not None
    assert book.symbol == "BBB"
    assert stage.connector.latest_snapshot() is not None
    assert stage.connector.latest_snapshot("ZZZ") is None
    assert len(stage.exchange.fetched) == before


# ---- lost connections


def test_a_lost_connection_is_told_and_made_anew(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.end()
    stage.world.until(lambda: stage.listener.state is not LIVE)
    stage.until(LIVE)
    assert RECONNECTING in stage.listener.states
    lost = next(status for status in stage.listener.statuses if status.state is RECONNECTING)
    assert lost.reason == "reset by peer"
    assert lost.attempt == 1
    assert lost.next_try_ns is not None


@with_(connect_per_s=100.0, connect_burst=100, fallback_s=10_000.0, fallback_attempts=10_000)
def test_pauses_grow_are_jittered_and_stay_under_the_cap(stage: Stage) -> None:
    stage.live()
    stage.exchange.refuses = Disconnected("no route")
    stage.exchange.link.end()
    stage.world.pass_(400.0)
    attempts = stage.exchange.attempts[1:]
    pauses = [b - a - stage.exchange.connect_s for a, b in itertools.pairwise(attempts)]
    for number, pause in enumerate(pauses):
        assert -0.001 <= pause <= min(30.0, 0.5 * 2 ** (number + 1)) + 0.001
    assert max(pauses) > 10.0
    assert len(set(pauses)) == len(pauses)
    stage.exchange.refuses = None
    stage.until(LIVE, 100.0)


def test_a_planned_close_is_followed_at_once_but_only_once(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.end(PlannedClose("1012 service restart"))
    stage.world.pass_(0.3)
    assert len(stage.exchange.attempts) == 2
    stage.exchange.link.end(PlannedClose("1012 service restart"))
    stage.world.until(lambda: stage.listener.state is RECONNECTING)
    assert stage.listener.statuses[-1].attempt == 1
    stage.until(LIVE)


def test_half_a_minute_of_data_forgives_past_failures(stage: Stage) -> None:
    stage.exchange.openings = [Disconnected("no")] * 2
    stage.live()
    stage.world.pass_(31.0)
    stage.exchange.link.end()
    stage.world.until(lambda: stage.listener.state is RECONNECTING)
    assert stage.listener.statuses[-1].attempt == 1


def test_retry_after_is_honoured(stage: Stage) -> None:
    stage.exchange.openings = [RateLimited("HTTP 429", retry_after_s=7.0)]
    stage.play()
    stage.until(LIVE)
    first, second = stage.exchange.attempts
    assert second - first >= 7.0


@with_(connect_per_s=0.5, connect_burst=1)
def test_connection_attempts_keep_to_the_venues_budget(stage: Stage) -> None:
    stage.exchange.openings = [PlannedClose("go away")] * 1 + [Disconnected("no")] * 3
    stage.play()
    stage.until(LIVE)
    times = stage.exchange.attempts
    assert min(b - a for a, b in itertools.pairwise(times)) >= 1.99


# ---- watchdogs


def test_a_silent_connection_is_stale_and_then_made_anew(stage: Stage) -> None:
    stage.live("AAA", "BBB")
    stage.exchange.link.silent = True
    silent_s = stage.world.now_s
    stage.until(RECONNECTING)
    assert 4.9 <= stage.world.now_s - silent_s <= 5.6
    assert "nothing received for 5 s" in stage.listener.statuses[-1].reason
    stage.until(LIVE)


@with_(silence_s=60.0)
def test_silence_shows_as_stale_long_before_the_connection_is_given_up(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.silent = True
    stage.until(STALE)
    assert len(stage.exchange.attempts) == 1
    stage.exchange.link.silent = False
    stage.until(LIVE)
    assert stage.listener.states[-3:] == [LIVE, STALE, LIVE]


def test_one_silent_symbol_is_asked_for_once_more_while_the_others_go_on(stage: Stage) -> None:
    stage.live("AAA", "BBB")
    stage.world.pass_(3.0)
    stage.exchange.mute.add("AAA")
    stage.world.pass_(20.0)
    sent = [text for _, text in stage.exchange.link.sent]
    assert sent.count("unsubscribe AAA") == 1
    assert stage.listeners["AAA"].state is STALE
    assert STALE not in stage.listeners["BBB"].states
    stage.exchange.mute.clear()
    stage.world.until(lambda: stage.listeners["AAA"].state is LIVE)
    assert len(stage.exchange.attempts) == 1


@with_(ping_interval_s=2.0)
def test_pings_are_sent_where_the_venue_sends_none(stage: Stage) -> None:
    stage.live()
    stage.world.pass_(10.0)
    assert 4 <= len(stage.exchange.link.pings) <= 6


@with_(silence_s=1e9, fallback_s=1e9)
def test_a_subscription_that_stays_without_data_says_so(stage: Stage) -> None:
    stage.exchange.mute.add("AAA")
    stage.exchange.rest_refuses = Disconnected("HTTP 500")
    stage.play()
    stage.world.pass_(45.0)
    assert any("no data in 30 s" in status.reason for status in stage.listener.statuses)


# ---- lost books


def test_a_gap_is_repaired_in_place(stage: Stage) -> None:
    stage.live()
    stage.world.pass_(1.0)
    stage.exchange.lose.add(("AAA", stage.exchange.update("AAA") + 2))
    stage.world.pass_(2.0)
    assert stage.listener.states[-3:] == [LIVE, SYNCING, LIVE]
    assert len(stage.exchange.attempts) == 1
    assert len(stage.listener.books) == 2


def test_a_snapshot_older_than_the_kept_updates_is_asked_for_again(stage: Stage) -> None:
    stage.exchange.rest_lag = 20
    stage.play()
    stage.world.pass_(2.0)
    assert stage.listener.state is SYNCING
    asked = [at for at, _ in stage.exchange.fetched]
    assert 3 <= len(asked) <= 6
    assert all(b - a >= 0.2 for a, b in itertools.pairwise(asked))
    stage.exchange.rest_lag = 0
    stage.until(LIVE)


@with_(fallback_s=1e9, stale_snapshots=4)
def test_snapshots_that_stay_too_old_are_given_a_pause(stage: Stage) -> None:
    stage.exchange.rest_lag = 10_000
    stage.play()
    stage.world.pass_(12.0)
    assert any("4 snapshots in a row were too old" in status.reason for status in stage.listener.statuses)
    stage.exchange.rest_lag = 0
    stage.until(LIVE)


@with_(resyncs_per_minute=1_000)
def test_a_book_that_breaks_again_and_again_is_repaired_ever_more_slowly(stage: Stage) -> None:
    stage.live()
    stage.world.pass_(1.0)
    here = stage.exchange.update("AAA")
    stage.exchange.lose.update(("AAA", number) for number in range(here, here + 10_000, 3))
    stage.world.pass_(100.0)
    asked = [at for at, url in stage.exchange.fetched if url.endswith("AAA")][1:]
    pauses = [b - a for a, b in itertools.pairwise(asked)]
    assert len(asked) <= 12
    assert pauses == sorted(pauses)
    assert max(pauses) >= 16.0


@with_(resyncs_per_minute=3)
def test_too_many_repairs_restart_the_connection_and_too_many_restarts_end_in_polling(stage: Stage) -> None:
    stage.live()
    stage.world.pass_(1.0)
    here = stage.exchange.update("AAA")
    stage.exchange.lose.update(("AAA", number) for number in range(here, here + 6_000, 4))
    stage.until(POLLING, 300.0)
    assert len(stage.exchange.attempts) == 4
    assert "resyncs within a minute" in stage.listener.statuses[-1].reason
    stage.world.pass_(55.0)
    assert len(stage.exchange.attempts) == 4
    assert stage.listener.state is POLLING


@with_(lags=(0, 0))
def test_a_venue_that_sends_its_book_on_subscribing_is_asked_again_after_a_gap(stage: Stage) -> None:
    stage.exchange.numbered = False
    stage.exchange.snapshot_on_subscribe = True
    stage.connector.continuity = UnnumberedContinuity()  # type: ignore[misc]
    stage.live()
    stage.world.pass_(1.0)
    stage.exchange.link.say({"kind": "restart", "reason": "checksum"})
    stage.world.until(lambda: len(stage.exchange.attempts) == 2)
    stage.until(LIVE)
    assert stage.exchange.fetched == []


# ---- unreadable frames and what the venue says


def test_a_frame_that_cannot_be_read_is_counted_and_dropped(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.say_raw(b"{")
    stage.world.pass_(1.0)
    connection = stage.connector._connections[0]
    assert connection.channels["AAA"].feed.quality.decode_errors == 1
    assert stage.listener.state is LIVE


def test_too_many_unreadable_frames_end_the_connection(stage: Stage) -> None:
    stage.live()
    for _ in range(12):
        stage.exchange.link.say_raw(b"{")
    stage.world.until(lambda: len(stage.exchange.attempts) == 2)
    stage.until(LIVE)


def test_a_symbol_that_the_venue_does_not_know_is_invalid_and_not_asked_for_again(stage: Stage) -> None:
    stage.exchange.unknown.add("AAB")
    stage.play("AAB", "BBB")
    stage.world.pass_(10.0)
    status = stage.listeners["AAB"].statuses[-1]
    assert status.state is INVALID
    assert "AAA" in status.hint
    assert stage.listeners["BBB"].state is LIVE
    asked = [text for _, text in stage.exchange.link.sent if text.startswith("subscribe") and "AAB" in text]
    assert len(asked) == 1


def test_a_symbol_that_only_rest_knows_to_be_wrong_is_invalid(stage: Stage) -> None:
    stage.exchange.mute.add("AAB")
    stage.exchange.answers = [InvalidSymbol("HTTP 400")]
    stage.play("AAB")
    stage.until(INVALID)
    assert stage.world.now_s < 5.0


# ---- polling in the stream's place


def test_a_venue_that_refuses_its_stream_is_polled(stage: Stage) -> None:
    stage.exchange.refuses = Blocked("HTTP 451", hint="another venue")
    stage.play()
    stage.until(POLLING)
    assert "HTTP 451" in stage.listener.statuses[-1].reason
    stage.world.pass_(60.0)
    assert len(stage.exchange.attempts) == 1
    assert stage.listener.state is POLLING
    assert {book.source for book in stage.listener.books} == {"poll"}
    assert 50 <= len(stage.listener.books) <= 70


def test_a_venue_that_refuses_everything_is_blocked_until_someone_starts_anew(stage: Stage) -> None:
    stage.exchange.refuses = stage.exchange.rest_refuses = Blocked("HTTP 451", hint="another venue")
    stage.play()
    stage.until(BLOCKED)
    assert stage.listener.statuses[-1].hint == "another venue"
    stage.world.pass_(600.0)
    assert len(stage.exchange.attempts) == 1
    assert len(stage.exchange.fetched) == 1


def test_what_was_refused_for_good_is_tried_again_when_somebody_wants_to(stage: Stage) -> None:
    stage.exchange.refuses = Blocked("HTTP 451")
    stage.play("AAA", "BBB")
    stage.until(POLLING)
    stage.world.pass_(30.0)
    assert len(stage.exchange.attempts) == 1
    assert "start the feed again" in stage.listener.statuses[-1].reason
    stage.connector.start_again()
    stage.world.pass_(1.0)
    assert len(stage.exchange.attempts) == 2
    assert stage.listener.state is POLLING
    stage.exchange.refuses = None
    stage.connector.start_again()
    stage.world.until(lambda: all(one.state is LIVE for one in stage.listeners.values()), 10.0)
    stage.connector.start_again()
    assert len(stage.exchange.attempts) == 3


def test_starting_another_feed_tries_the_refused_stream_again(stage: Stage) -> None:
    stage.exchange.refuses = Blocked("HTTP 451")
    stage.play("AAA")
    stage.until(POLLING)
    stage.world.pass_(5.0)
    stage.exchange.refuses = None
    stage.play("BBB")
    stage.world.until(lambda: all(one.state is LIVE for one in stage.listeners.values()), 10.0)
    assert len(stage.exchange.attempts) == 2


@with_(silence_s=600.0)
def test_a_symbol_whose_book_was_refused_comes_back_when_somebody_wants_to(stage: Stage) -> None:
    stage.exchange.rest_refuses = Blocked("HTTP 451")
    stage.play("AAA")
    stage.until(BLOCKED)
    stage.exchange.rest_refuses = None
    stage.world.pass_(60.0)
    assert stage.listener.state is BLOCKED
    stage.connector.start_again()
    stage.until(LIVE)
    assert len(stage.exchange.attempts) == 1


def test_a_venue_that_refuses_polling_too_is_not_asked_again_and_again(stage: Stage) -> None:
    stage.live()
    stage.exchange.refuses = Disconnected("refused")
    stage.exchange.rest_refuses = Blocked("HTTP 451")
    stage.exchange.link.end()
    stage.world.pass_(60.0)
    assert len(stage.exchange.attempts) > 4
    asked = [at for at, url in stage.exchange.fetched if at > 1.0 and url == "rest://fake/AAA"]
    assert len(asked) == 1
    assert "HTTP 451" in stage.listener.statuses[-1].reason
    stage.exchange.refuses = stage.exchange.rest_refuses = None
    stage.until(LIVE)


@with_(silence_s=600.0)
def test_a_quiet_stream_with_a_whole_book_is_not_replaced_by_polling(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.silent = True
    stage.until(STALE)
    connector = stage.connector
    [channel] = connector._connections[0].channels.values()
    connector._poller.add(channel, 1.0, stage.world.clock.now_ns(), "because it is slow")
    stage.world.pass_(5.0)
    assert POLLING not in stage.listener.states
    stage.exchange.link.silent = False
    stage.until(LIVE)


# ---- subscriptions that the venue answers


@with_(silence_s=60.0)
def test_a_subscription_without_an_answer_is_made_again(stage: Stage) -> None:
    stage.exchange.answers_subscriptions, stage.exchange.lose_subscriptions = True, 1
    stage.play("AAA")
    live_s = stage.until(LIVE)
    asked = [text for _, text in stage.exchange.link.sent]
    assert asked == ["subscribe AAA #1", "subscribe AAA #2"]
    assert 5.0 <= live_s < 7.0
    assert len(stage.exchange.attempts) == 1


@with_(silence_s=60.0)
def test_a_refused_subscription_is_made_again_ever_later_and_told(stage: Stage) -> None:
    stage.exchange.answers_subscriptions, stage.exchange.refuse_subscriptions = True, 5
    stage.play("AAA")
    stage.until(LIVE)
    at = [at for at, text in stage.exchange.link.sent if text.startswith("subscribe")]
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert len(at) == 6
    assert [round(pause) for pause in pauses[1:]] == [1, 2, 4, 8]
    assert any(
        "refused the subscription: not now" in reason for reason in [one.reason for one in stage.listener.statuses]
    )


def test_one_lost_subscription_disturbs_no_other_symbol(stage: Stage) -> None:
    stage.exchange.answers_subscriptions = True
    stage.live("AAA")
    stage.exchange.lose_subscriptions = 1
    stage.play("BBB")
    stage.world.until(lambda: stage.listeners["BBB"].state is LIVE, 10.0)
    assert stage.listeners["AAA"].states.count(LIVE) == 1
    assert [text for _, text in stage.exchange.link.sent if "BBB" in text] == ["subscribe BBB #2", "subscribe BBB #3"]


def test_a_venue_without_a_stream_at_this_address_is_polled(stage: Stage) -> None:
    stage.exchange.refuses = StreamUnsupported("HTTP 404")
    stage.play()
    stage.until(POLLING)


def test_three_failed_attempts_bring_polling(stage: Stage) -> None:
    stage.live()
    stage.exchange.refuses = Disconnected("no route")
    stage.exchange.link.end()
    stage.until(POLLING, 10.0)
    assert len(stage.exchange.attempts) - 1 <= 3


def test_ten_seconds_without_the_stream_bring_polling_even_while_connecting_hangs(stage: Stage) -> None:
    stage.live()
    stage.exchange.connect_s = 1e6
    lost_s = stage.world.now_s
    stage.exchange.link.end()
    stage.until(POLLING)
    assert stage.world.now_s - lost_s <= 11.0


def test_the_way_to_polling_and_back_repeats_and_loses_no_point(stage: Stage) -> None:
    stage.live()
    stage.exchange.refuses = Disconnected("no route")
    stage.exchange.link.end()
    stage.until(POLLING)
    stage.world.pass_(5.0)
    stage.exchange.refuses = None
    stage.until(LIVE)
    stage.world.pass_(3.0)
    assert stage.listener.states[-3:] == [RECONNECTING, POLLING, LIVE]
    updates = [number for number in stage.listener.updates if number is not None]
    assert updates == sorted(set(updates))
    polled = len([at for at, _ in stage.exchange.fetched])
    stage.world.pass_(5.0)
    assert len(stage.exchange.fetched) == polled


def test_the_status_while_polling_tells_when_the_stream_is_tried_next(stage: Stage) -> None:
    stage.live()
    stage.exchange.refuses = Disconnected("no route")
    stage.exchange.link.end()
    stage.until(POLLING)
    stage.world.pass_(20.0)
    status = stage.listener.statuses[-1]
    assert status.state is POLLING
    assert status.attempt >= 3
    assert status.next_try_ns is not None
    assert "no route" in status.reason


def test_a_stream_that_breaks_right_after_its_return_stays_away_for_ever_longer(stage: Stage) -> None:
    stage.live()
    stage.exchange.refuses = Disconnected("no route")
    stage.exchange.link.end()
    stage.until(POLLING)
    stage.exchange.refuses = None
    holds = []
    for _ in range(4):
        stage.until(LIVE, 400.0)
        stage.world.pass_(2.0)
        broke_s = stage.world.now_s
        stage.exchange.link.end()
        stage.world.until(lambda: stage.listener.state is not LIVE)
        stage.until(LIVE, 400.0)
        holds.append(stage.world.now_s - broke_s)
    assert [hold > least for hold, least in zip(holds, (10, 20, 40, 80), strict=True)] == [True] * 4


def test_polling_keeps_to_the_rest_budget_however_many_symbols(stage: Stage) -> None:
    stage.exchange.refuses = Blocked("HTTP 451")
    stage.exchange.rest_s = 0.0
    symbols = [f"S{number:02}" for number in range(60)]
    stage.play(*symbols)
    stage.world.pass_(30.0)
    times = [at for at, _ in stage.exchange.fetched]
    late = [at for at in times if at > 10.0]
    assert len(late) / 20.0 <= 20.0 * 1.05
    assert all(listener.state is POLLING for listener in stage.listeners.values())


def test_slow_down_from_rest_is_obeyed(stage: Stage) -> None:
    stage.exchange.refuses = Blocked("HTTP 451")
    stage.play()
    stage.until(POLLING)
    stage.exchange.answers = [RateLimited("HTTP 429", retry_after_s=9.0)]
    stage.world.until(lambda: not stage.exchange.answers)
    limited_s = stage.exchange.fetched[-1][0]
    stage.world.pass_(15.0)
    after = [at for at, _ in stage.exchange.fetched if at > limited_s]
    assert after[0] - limited_s >= 9.0
    assert stage.listener.state is POLLING


# ---- make before break


@with_(rotate_after_s=20.0, lags=(0, 30_000_000))
def test_an_old_connection_is_replaced_without_a_hole_or_a_word_twice(stage: Stage) -> None:
    stage.live("AAA", "BBB")
    stage.world.pass_(40.0)
    assert len(stage.exchange.attempts) >= 2
    assert len(stage.exchange.open_links) == 1
    for listener in stage.listeners.values():
        assert listener.states[-1] is LIVE
        assert listener.states.count(LIVE) == 1
        assert len(listener.books) == 1
        updates = listener.updates
        assert updates == list(range(updates[0] or 0, (updates[0] or 0) + len(updates)))
        trades = listener.trades
        assert trades == list(range(trades[0], trades[0] + len(trades)))


@with_(rotate_after_s=20.0, lags=(350_000_000, 0))
def test_a_faster_successor_hands_over_just_as_well(stage: Stage) -> None:
    stage.live("AAA")
    stage.world.pass_(30.0)
    assert len(stage.exchange.open_links) == 1
    assert stage.listener.states.count(LIVE) == 1
    updates = stage.listener.updates
    assert updates == list(range(updates[0] or 0, (updates[0] or 0) + len(updates)))
    assert stage.listener.trades == list(range(stage.listener.trades[0], stage.listener.trades[-1] + 1))


@with_(rotate_after_s=20.0)
def test_books_without_numbers_are_handed_over_with_a_snapshot(stage: Stage) -> None:
    stage.exchange.numbered = False
    stage.exchange.snapshot_on_subscribe = True
    stage.connector.continuity = UnnumberedContinuity()  # type: ignore[misc]
    stage.live()
    stage.world.pass_(30.0)
    assert stage.listener.states.count(LIVE) == 1
    assert len(stage.listener.books) == 2
    assert stage.listener.trades == list(range(stage.listener.trades[0], stage.listener.trades[-1] + 1))


@with_(rotate_after_s=20.0)
def test_a_failed_second_connection_leaves_the_first_alone(stage: Stage) -> None:
    stage.live()
    stage.exchange.openings = [Disconnected("no")]
    stage.world.pass_(60.0)
    assert stage.listener.states.count(LIVE) == 1
    assert len(stage.exchange.attempts) == 2
    stage.world.pass_(30.0)
    assert len(stage.exchange.attempts) == 3
    assert stage.listener.states.count(LIVE) == 1


@with_(rotate_after_s=3600.0)
def test_an_announced_shutdown_is_answered_by_a_second_connection(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.say({"kind": "shutdown", "reason": "restarting"})
    stage.world.pass_(5.0)
    assert len(stage.exchange.attempts) == 2
    assert len(stage.exchange.open_links) == 1
    assert stage.listener.states.count(LIVE) == 1


@with_(rotate_after_s=20.0)
def test_a_symbol_that_comes_or_goes_during_a_handover_is_neither_lost_nor_kept(stage: Stage) -> None:
    stage.live("AAA", "BBB")
    gone = stage.connector.start_stream("CCC", Listener(stage.world))
    stage.world.pass_(19.0)
    stage.world.until(lambda: len(stage.exchange.attempts) == 2)
    gone.stop()
    stage.play("DDD")
    stage.world.pass_(5.0)
    assert stage.listeners["DDD"].state is LIVE
    assert len(stage.exchange.open_links) == 1
    assert "CCC" not in stage.exchange.open_links[0]._told


# ---- stop


def test_stop_while_connecting_is_at_once(stage: Stage) -> None:
    stage.exchange.connect_s = 1e6
    stage.play()
    stage.world.pass_(1.0)


def test_stop_while_waiting_for_the_next_attempt_is_at_once(stage: Stage) -> None:
    stage.exchange.refuses = RateLimited("HTTP 429", retry_after_s=1e6)
    stage.play()
    stage.world.pass_(1.0)


def test_stop_while_sending_is_at_once(stage: Stage) -> None:
    stage.live()
    stage.exchange.link.hang_send = True
    stage.play("BBB")
    stage.world.pass_(0.5)


def test_stop_from_within_the_callback_is_possible(stage: Stage) -> None:
    heard = []

    def callback(event: object) -> None:
        heard.append(event)
        if len(heard) == 5:
            stream.stop()

    stream = stage.connector.start_stream("AAA", callback)
    stage.world.pass_(3.0)
    assert len(heard) == 5
    assert stage.exchange.open_links == []


def test_an_error_that_nobody_foresaw_is_told_and_survived(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.live()
    stage.exchange.link.say({"nonsense": True})
    stage.world.until(lambda: stage.listener.state is RECONNECTING)
    assert "internal error: KeyError" in stage.listener.statuses[-1].reason
    stage.until(LIVE)
