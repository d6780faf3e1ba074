"""A feed of a venue without books: it is LIVE while it speaks, and shows nothing that nobody said."""

from __future__ import annotations

import pytest

from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.sync import NoBook, WholeBooks
from engine.market.events import FeedState, FeedStatus, MarketEvent, Quote, Source, Trade

S = 1_000_000_000


def feed() -> Feed:
    return Feed("v", "AAPL", NoBook(), clock=ManualClock(0))


def trade(at_s: float, *, size: float = 1.0, backfill: bool = False) -> Trade:
    return Trade("v", "AAPL", 100.0, size, 0, None, None, round(at_s * S), "stream", backfill)


def quote(at_s: float, source: Source = "poll") -> Quote:
    return Quote("v", "AAPL", 99.0, 1.0, 101.0, 2.0, None, None, round(at_s * S), source)


def states(events: tuple[MarketEvent, ...]) -> list[FeedState]:
    return [event.state for event in events if isinstance(event, FeedStatus)]


@pytest.mark.parametrize("before", [None, FeedState.CONNECTING, FeedState.SYNCING, FeedState.RECONNECTING])
def test_the_first_word_makes_it_live_and_the_next_says_nothing_new(before: FeedState | None) -> None:
    one = feed()
    if before is not None:
        one.set_state(before)
    first, second = one.push(trade(1)), one.push(trade(2))
    assert states(first) == [FeedState.LIVE]
    assert isinstance(first[-1], Trade)
    assert second == (trade(2),)
    assert (one.view, one.snapshot(), one.needs_snapshot) == (None, None, False)


@pytest.mark.parametrize("final", [FeedState.STOPPED, FeedState.BLOCKED, FeedState.INVALID, FeedState.FAILED])
def test_a_late_word_does_not_revive_what_has_ended(final: FeedState) -> None:
    one = feed()
    one.set_state(final)
    assert states(one.push(trade(1))) == []
    assert one.state is final


def test_silence_is_stale_and_the_next_word_ends_it() -> None:
    one = feed()
    one.push(trade(1))
    assert states(one.tick(6 * S)) == [FeedState.STALE]
    assert states(one.push(trade(7))) == [FeedState.LIVE]


def test_polled_quotes_are_polling_and_a_trade_is_the_way_back() -> None:
    one = feed()
    assert states(one.push(quote(1))) == [FeedState.POLLING]
    one.set_state(FeedState.POLLING, "stream lost", source="poll")
    assert one.push(quote(2)) == (quote(2),)
    assert one.status is not None
    assert one.status.reason == "stream lost"
    assert states(one.push(trade(3))) == [FeedState.LIVE]


def test_trades_that_are_repeated_prove_nothing() -> None:
    one = feed()
    assert one.push(trade(1, backfill=True)) == (trade(1, backfill=True),)
    assert one.state is FeedState.CONNECTING


def test_a_price_without_an_amount_counts_only_where_there_is_no_book() -> None:
    assert feed().push(trade(1, size=0.0))[-1] == trade(1, size=0.0)
    with_books = Feed("v", "AAPL", WholeBooks(), clock=ManualClock(0))
    assert with_books.push(trade(1, size=0.0)) == ()
    assert with_books.quality.decode_errors == 1


@pytest.mark.parametrize("size", [-1.0, float("nan"), float("inf")])
def test_an_impossible_size_is_refused_all_the_same(size: float) -> None:
    one = feed()
    assert one.push(trade(1, size=size)) == ()
    assert one.quality.decode_errors == 1


def test_a_connection_that_is_lost_and_made_anew_needs_no_book() -> None:
    one = feed()
    one.push(trade(1))
    one.connection_lost()
    one.set_state(FeedState.RECONNECTING, "lost")
    assert states(one.push(trade(2))) == [FeedState.LIVE]
    assert not one.needs_snapshot
