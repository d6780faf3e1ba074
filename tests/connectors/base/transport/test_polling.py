from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from connectors.base import Limits, Patience, PollingConnector
from engine.connector import Capabilities
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited, StreamUnsupported
from engine.market.events import BookSnapshot, FeedState
from engine.market.instrument import Instrument
from tests.connectors.base.transport.world import NEVER, START_NS, Listener, World


class Bulletin(PollingConnector):
    """A venue that can only be asked."""

    name = "bulletin"
    capabilities = Capabilities(streaming=False, polling=True, depth=1, trades=False)
    limits = Limits(rest_per_s=10.0, rest_burst=5)

    def __init__(self, world: World, **options: object) -> None:
        super().__init__(runtime=world, patience=Patience())
        self.world = world
        self.asked: list[tuple[float, str]] = []
        self.answers: list[FeedError | Exception | None] = []
        self.takes_s = 0.0
        self.numbered = True
        self.frozen = False

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        self.asked.append((self.world.now_s, symbol))
        if self.takes_s:
            self.world.wait(NEVER, self.takes_s)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        now_ns = self.world.clock.now_ns()
        number = 1 if self.frozen else (now_ns - START_NS) // 1_000_000 + 1
        bids = ((10.0, float(number)),)
        sequence = number if self.numbered else None
        return BookSnapshot(self.name, symbol, bids, ((11.0, 1.0),), sequence, None, now_ns, "poll")

    def instruments(self) -> Sequence[Instrument]:
        return [Instrument(self.name, symbol, symbol, "USD") for symbol in ("AAA", "BBB")]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def venue(world: World) -> Bulletin:
    return Bulletin(world)


def test_it_does_not_stream_and_says_so_in_its_own_words(venue: Bulletin, world: World) -> None:
    with pytest.raises(StreamUnsupported, match=r"^bulletin connector does not support WebSocket streaming$"):
        venue.start_stream("AAA", Listener(world))


def test_books_come_at_the_wished_interval_give_or_take_a_tenth(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    stream = venue.start_polling("AAA", listener, 2.0)
    world.pass_(60.0)
    times = [at for at, _ in venue.asked]
    pauses = [b - a for a, b in itertools.pairwise(times)]
    assert all(1.79 <= pause <= 2.31 for pause in pauses)
    assert len(set(pauses)) > 5
    assert listener.states == [FeedState.POLLING]
    assert {book.source for book in listener.books} == {"poll"}
    assert stream.feed.state is FeedState.POLLING
    assert venue.latest_snapshot("AAA") is not None
    venue.close()
    assert listener.problems == []


def test_a_book_that_did_not_change_is_not_told_twice(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.frozen, venue.numbered = True, False
    venue.start_polling("AAA", listener, 1.0)
    world.pass_(30.0)
    assert len(venue.asked) > 20
    assert len(listener.books) == 1
    assert listener.state is FeedState.POLLING
    venue.close()


def test_a_long_interval_is_not_stale_in_between(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.start_polling("AAA", listener, 20.0)
    world.pass_(100.0)
    assert listener.states == [FeedState.POLLING]
    venue.close()


def test_many_symbols_share_the_budget(venue: Bulletin, world: World) -> None:
    listeners = [Listener(world) for _ in range(40)]
    for number, listener in enumerate(listeners):
        venue.start_polling(f"S{number}", listener, 1.0)
    world.pass_(40.0)
    late = [at for at, _ in venue.asked if at >= 20.0]
    assert len(late) <= 20.0 * 10.0 * 1.05
    assert all(len(listener.books) >= 6 for listener in listeners)
    assert world.alive == {"bulletin polling"}
    venue.close()


def test_failures_are_told_and_tried_again_ever_more_slowly(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.answers = [Disconnected("HTTP 500")] * 6
    venue.start_polling("AAA", listener, 0.5)
    world.until(lambda: listener.state is FeedState.POLLING)
    assert [status.attempt for status in listener.statuses[:-1]] == [1, 2, 3, 4, 5, 6]
    assert all(status.next_try_ns is not None for status in listener.statuses[:-1])
    venue.close()


def test_a_failing_poll_lets_the_book_grow_stale_and_recovers(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.start_polling("AAA", listener, 1.0)
    world.pass_(3.0)
    venue.answers = [Disconnected("timed out")] * 8
    world.until(lambda: listener.state is FeedState.STALE)
    world.until(lambda: listener.state is FeedState.POLLING, 120.0)
    assert FeedState.RECONNECTING not in listener.states
    venue.close()


def test_a_wrong_symbol_is_invalid_with_near_names_and_not_asked_for_again(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.answers = [InvalidSymbol("no AAB here")]
    venue.start_polling("AAB", listener, 1.0)
    world.pass_(30.0)
    assert listener.state is FeedState.INVALID
    assert "AAA" in listener.statuses[-1].hint
    assert len(venue.asked) == 1
    venue.close()


def test_a_refusal_is_final(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.answers = [Blocked("HTTP 451", hint="elsewhere")]
    venue.start_polling("AAA", listener, 1.0)
    world.pass_(600.0)
    assert listener.state is FeedState.BLOCKED
    assert listener.statuses[-1].hint == "elsewhere"
    assert len(venue.asked) == 1
    assert world.alive == set()
    venue.close()


def test_slow_down_holds_every_symbol_back(venue: Bulletin, world: World) -> None:
    for symbol in ("AAA", "BBB"):
        venue.start_polling(symbol, Listener(world), 1.0)
    world.pass_(2.5)
    venue.answers = [RateLimited("HTTP 429", retry_after_s=8.0)]
    world.until(lambda: not venue.answers)
    told_s = venue.asked[-1][0]
    world.pass_(20.0)
    after = [at for at, _ in venue.asked if at > told_s]
    assert after[0] - told_s >= 8.0
    venue.close()


def test_who_waits_because_another_symbol_was_throttled_says_so(venue: Bulletin, world: World) -> None:
    first, second = Listener(world), Listener(world)
    venue.answers = [RateLimited("HTTP 429", retry_after_s=8.0)]
    venue.start_polling("AAA", first, 1.0)
    venue.start_polling("BBB", second, 1.0)
    world.until(lambda: first.statuses and second.statuses)
    assert [status.reason for status in (first.statuses[0], second.statuses[0])] == ["HTTP 429"] * 2
    world.until(lambda: {first.state, second.state} == {FeedState.POLLING})
    venue.close()


def test_an_authors_mistake_is_told_and_survived(
    venue: Bulletin, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(world)
    venue.answers = [KeyError("bids")]
    venue.start_polling("AAA", listener, 1.0)
    world.until(lambda: listener.state is FeedState.POLLING)
    assert "internal error: KeyError" in listener.statuses[0].reason
    venue.close()


def test_stop_ends_the_delivery_and_the_last_stop_the_thread(venue: Bulletin, world: World) -> None:
    one, two = Listener(world), Listener(world)
    first, second = venue.start_polling("AAA", one, 1.0), venue.start_polling("BBB", two, 1.0)
    world.pass_(3.0)
    first.stop()
    one.deaf = True
    world.pass_(3.0)
    assert len(two.books) >= 5
    second.stop()
    two.deaf = True
    world.pass_(3.0)
    assert world.alive == set()
    assert one.problems == two.problems == []
    venue.close()


def test_stop_during_a_call_discards_what_it_brings(venue: Bulletin, world: World) -> None:
    listener = Listener(world)
    venue.takes_s = 9.0
    stream = venue.start_polling("AAA", listener, 1.0)
    world.pass_(1.0)
    before = world.now_s
    stream.stop()
    venue.close()
    listener.deaf = True
    assert world.now_s - before < 2.0
    world.pass_(20.0)
    assert listener.problems == []
    assert world.alive == set()
