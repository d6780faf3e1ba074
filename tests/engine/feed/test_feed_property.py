"""Whatever goes wrong: a book that is shown is true, and the line of a feed, fed back in, comes out the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.feed.feed_copy import FeedCopy
from engine.market.book import BookView
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Quote, Trade
from tests.engine.feed.truth import ACTIONS, Truth, Venue
from tests.engine.support import make_feed

SCRIPTS = st.lists(st.sampled_from(ACTIONS), min_size=5, max_size=60)
SEEDS = st.integers(0, 2**32)


def assert_true(view: BookView, truth: Truth) -> None:
    assert view.sequence is not None
    shown = (view.bid_prices, view.bid_sizes, view.ask_prices, view.ask_sizes)
    assert shown == truth.top(view.sequence, 50)


@settings(max_examples=400, deadline=None)
@given(script=SCRIPTS, seed=SEEDS)
def test_a_book_that_is_shown_is_the_truth_at_its_number(script: list[str], seed: int) -> None:
    venue = Venue(seed)
    feed = make_feed(venue.clock)
    for action in script:
        for _ in venue.act(action, feed):
            if feed.view is not None:
                assert_true(feed.view, venue.truth)
                found = feed.snapshot()
                assert found is not None
                assert (found.bids, found.asks) == venue.truth.history[found.sequence or 0]
                assert found.sequence == feed.view.sequence
            if feed.state is FeedState.SYNCING:
                assert feed.view is None


@settings(max_examples=400, deadline=None)
@given(script=SCRIPTS, seed=SEEDS)
def test_the_line_of_a_feed_fed_back_in_comes_out_the_same(script: list[str], seed: int) -> None:
    venue = Venue(seed)
    feed, again = make_feed(venue.clock), make_feed(venue.clock)
    for action in script:
        for published in venue.act(action, feed):
            repeated: list[MarketEvent] = []
            for event in published:
                repeated.extend(again.push(event))
            assert repeated == list(published), action


@settings(max_examples=400, deadline=None)
@given(script=SCRIPTS, seed=SEEDS)
def test_a_copy_of_a_feed_says_the_same_and_shows_the_same_book(script: list[str], seed: int) -> None:
    venue = Venue(seed)
    feed, copy = make_feed(venue.clock), FeedCopy("binance", "BTCUSDT")
    for action in script:
        for published in venue.act(action, feed):
            assert [said for event in published for said in copy.push(event)] == list(published)
            if published and not isinstance(published[-1], FeedStatus | Trade | Quote):
                assert feed.view is not None
                assert copy.view is not None
                # An update that is older than the snapshot before it takes effect with that: time does not run back.
                assert copy.view.received_ns >= feed.view.received_ns
                assert replace(copy.view, received_ns=feed.view.received_ns) == feed.view, action
                assert without_times(copy.snapshot()) == without_times(feed.snapshot())


def without_times(snapshot: BookSnapshot | None) -> object:
    return snapshot and (snapshot.bids, snapshot.asks, snapshot.sequence)


@settings(max_examples=400, deadline=None)
@given(script=SCRIPTS, seed=SEEDS)
def test_the_published_books_continue_each_other(script: list[str], seed: int) -> None:
    venue = Venue(seed)
    feed = make_feed(venue.clock)
    last: int | None = None
    for action in script:
        for published in venue.act(action, feed):
            for event in published:
                if isinstance(event, FeedStatus) and not event.state.has_data and event.state is not FeedState.STALE:
                    last = None
                elif isinstance(event, BookSnapshot):
                    assert last is None or (event.sequence or 0) > last
                    last = event.sequence
                elif isinstance(event, BookDelta):
                    assert last is not None
                    assert event.first_sequence is not None
                    assert event.first_sequence <= last + 1 <= (event.last_sequence or 0)
                    last = event.last_sequence


@settings(max_examples=100, deadline=None)
@given(script=SCRIPTS, seed=SEEDS)
def test_after_any_faults_a_fresh_snapshot_makes_the_book_live_again(script: list[str], seed: int) -> None:
    venue = Venue(seed)
    feed = make_feed(venue.clock)
    for action in script:
        list(venue.act(action, feed))
    feed.connection_lost()
    feed.set_state(FeedState.CONNECTING, "once more")
    feed.push(venue.truth.step(venue.clock.now_ns()))
    feed.push(venue.truth.snapshot(0, venue.clock.now_ns(), "stream"))
    assert feed.state is FeedState.LIVE
    assert feed.view is not None
    assert feed.view.sequence == venue.truth.sequence
    assert_true(feed.view, venue.truth)
