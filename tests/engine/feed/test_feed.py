from __future__ import annotations

import pytest

from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.sync import WholeBooks
from engine.feed.trade_numbers import MISSING_TRADES_KEPT
from engine.flow.book.top import TopOfBook
from engine.flow.section import Observer
from engine.flow.state import BookState
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Quote, Source, Trade
from tests.engine.support import (
    ASKS,
    BIDS,
    START_NS,
    delta,
    live_feed,
    make_feed,
    push_all,
    quote,
    snapshot,
    trade,
)

S = 1_000_000_000


def states(events: list[MarketEvent] | tuple[MarketEvent, ...]) -> list[FeedState]:
    return [event.state for event in events if isinstance(event, FeedStatus)]


def books(events: list[MarketEvent] | tuple[MarketEvent, ...]) -> list[BookSnapshot | BookDelta]:
    return [event for event in events if isinstance(event, BookSnapshot | BookDelta)]


def sequence(event: BookSnapshot | BookDelta) -> int | None:
    return event.sequence if isinstance(event, BookSnapshot) else event.last_sequence


def test_updates_before_the_snapshot_ask_for_one_and_publish_no_book() -> None:
    feed = make_feed()
    published = push_all(feed, [delta(100), delta(101)])
    assert states(published) == [FeedState.SYNCING]
    assert books(published) == []
    assert feed.needs_snapshot
    assert feed.view is None
    assert feed.snapshot() is None


def test_a_feed_is_live_after_the_snapshot_has_joined_the_kept_updates() -> None:
    feed = make_feed()
    push_all(feed, [delta(95, 98), delta(99, 101, ((100.5, 3.0),)), delta(102, 102, (), ((101.0, 0.0),))])
    opening = snapshot(99)
    published = feed.push(opening)
    assert published[1:] == (opening, delta(99, 101, ((100.5, 3.0),)), delta(102, 102, (), ((101.0, 0.0),)))
    assert states(published) == [FeedState.LIVE]
    assert feed.view is not None
    assert (feed.view.best_bid, feed.view.best_ask, feed.view.sequence) == (100.5, 102.0, 102)
    assert feed.view.state is FeedState.LIVE
    assert not feed.needs_snapshot
    assert (feed.quality.applied, feed.quality.ignored, feed.quality.snapshots) == (2, 1, 1)


def test_a_snapshot_that_is_too_old_is_asked_for_again() -> None:
    feed = make_feed()
    feed.push(delta(200))
    assert feed.push(snapshot(100)) == ()
    assert feed.needs_snapshot
    assert feed.view is None
    assert states(feed.push(snapshot(199))) == [FeedState.LIVE]


def test_an_update_in_order_is_published_as_it_came() -> None:
    feed = live_feed(100)
    update = delta(101, 103, ((100.0, 0.0),))
    assert feed.push(update) == (update,)
    assert feed.view is not None
    assert feed.view.bids == ((99.0, 2.0),)
    assert feed.view.sequence == 103


def test_a_gap_empties_the_book_and_asks_for_a_snapshot() -> None:
    feed = live_feed(100)
    published = feed.push(delta(105))
    assert states(published) == [FeedState.SYNCING]
    assert isinstance(published[0], FeedStatus)
    assert "expected update 101, received 105" in published[0].reason
    assert (feed.view, feed.quote, feed.snapshot(), feed.levels) == (None, None, None, (0, 0))
    assert feed.needs_snapshot
    assert (feed.quality.gaps, feed.quality.resyncs) == (1, 1)
    assert states(feed.push(snapshot(104))) == [FeedState.LIVE]
    assert feed.view is not None
    assert feed.view.sequence == 105


def test_an_update_said_twice_is_a_duplicate_and_an_older_one_is_out_of_order() -> None:
    feed = live_feed(100)
    push_all(feed, [delta(101), delta(102)])
    assert push_all(feed, [delta(102), delta(101)]) == []
    assert (feed.quality.duplicates, feed.quality.out_of_order, feed.quality.gaps) == (1, 1, 0)
    assert feed.push(delta(103)) == (delta(103),)


def test_updates_that_the_snapshot_holds_already_are_ignored_and_no_fault() -> None:
    feed = live_feed(100)
    assert push_all(feed, [delta(98), delta(99, 100)]) == []
    assert (feed.quality.ignored, feed.quality.duplicates, feed.quality.out_of_order) == (2, 0, 0)


@pytest.mark.parametrize("bad", [delta(101, 101, ((101.0, 1.0),)), delta(101, 101, ((150.0, 1.0),))])
def test_a_crossed_book_is_never_shown(bad: BookDelta) -> None:
    feed = live_feed(100)
    assert states(feed.push(bad)) == [FeedState.SYNCING]
    assert feed.view is None
    assert feed.needs_snapshot
    assert (feed.quality.crossed, feed.quality.resyncs, feed.quality.applied) == (1, 1, 0)


def test_a_crossed_snapshot_does_not_open_a_book() -> None:
    feed = make_feed()
    published = feed.push(snapshot(100, ((101.0, 1.0),), ((100.0, 1.0),)))
    assert books(published) == []
    assert feed.view is None
    assert feed.needs_snapshot


def test_a_book_that_is_crossed_anywhere_on_its_way_is_not_opened() -> None:
    feed = make_feed()
    push_all(feed, [delta(101, 101, ((101.5, 1.0),)), delta(102, 102, ((101.5, 0.0),))])
    published = feed.push(snapshot(100))
    assert books(published) == []
    assert feed.quality.crossed == 1


def test_a_venue_that_may_cross_is_let_cross() -> None:
    feed = Feed("v", "s", WholeBooks(), clock=ManualClock(), crossed_allowed=True)
    assert states(feed.push(snapshot(1, ((101.0, 1.0),), ((100.0, 1.0),)))) == [FeedState.LIVE]


@pytest.mark.parametrize("bad", [((-1.0, 1.0),), ((float("nan"), 1.0),), ((50.0, -1.0),), ((50.0, float("inf")),)])
def test_an_impossible_level_loses_the_book_and_is_counted(bad: tuple[tuple[float, float], ...]) -> None:
    feed = live_feed(100)
    assert states(feed.push(delta(101, 101, bad))) == [FeedState.SYNCING]
    assert feed.quality.decode_errors == 1
    assert feed.snapshot() is None
    feed.push(delta(102))
    assert books(feed.push(snapshot(103, bad))) == []
    assert feed.quality.decode_errors == 2
    assert feed.view is None
    assert states(feed.push(snapshot(104))) == [FeedState.LIVE]


def test_a_quote_of_the_same_update_must_agree_with_the_book() -> None:
    feed = live_feed(100)
    agreeing = quote(100)
    assert feed.push(agreeing) == (agreeing,)
    assert feed.quality.quote_mismatches == 0
    other = live_feed(100)
    assert states(other.push(quote(100, size=1.5))) == [FeedState.SYNCING]
    assert (other.quality.quote_mismatches, other.view, other.needs_snapshot) == (1, None, True)


def test_a_quote_older_than_the_book_is_ignored() -> None:
    feed = live_feed(100)
    assert feed.push(quote(99, 50.0, 51.0)) == ()
    assert feed.quote is None
    assert feed.quality.ignored == 1


def test_quotes_run_ahead_of_the_book_in_their_own_order() -> None:
    feed = live_feed(100)
    assert feed.push(quote(105, 100.0, 100.5)) == (quote(105, 100.0, 100.5),)
    assert feed.push(quote(104)) == ()
    assert feed.push(quote(105, 100.0, 100.5)) == ()
    assert (feed.quality.out_of_order, feed.quality.duplicates) == (1, 1)
    assert feed.quote == quote(105, 100.0, 100.5)


@pytest.mark.parametrize(
    ("bid", "ask", "size"),
    [
        (101.0, 100.0, 1.0), (100.0, 100.0, 1.0), (0.0, 100.0, 1.0), (-1.0, 1.0, 1.0), (float("nan"), 1.0, 1.0),
        (1.0, float("inf"), 1.0), (1.0, float("nan"), 1.0), (1.0, 2.0, float("nan")), (1.0, 2.0, -1.0),
        (1.0, 2.0, float("inf")),
    ],
)  # fmt: skip
def test_an_impossible_quote_is_not_published(bid: float, ask: float, size: float) -> None:
    feed = live_feed(100)
    assert feed.push(quote(200, bid, ask, size)) == ()
    assert feed.quote is None
    assert feed.quality.crossed + feed.quality.decode_errors == 1


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 100.0), (100.0, 0.0), (100.0, float("inf"))])
def test_a_quote_without_a_side_ends_what_the_observer_knows(bid: float, ask: float) -> None:
    feed, top = live_feed(100), TopOfBook(0.5)
    feed.observer = Observer([top])
    feed.push(quote(105, 100.0, 100.5))
    feed.push(quote(106, bid, ask))
    assert top.state is BookState.RESYNC
    feed.push(quote(107, 100.0, 100.5))
    assert (top.mid, top.ofi_last) == (100.25, None)


def test_trades_in_order_are_published_and_counted() -> None:
    feed = make_feed()
    assert push_all(feed, [trade(1), trade(2), trade(None), trade("x")]) == [
        trade(1),
        trade(2),
        trade(None),
        trade("x"),
    ]
    assert (feed.quality.trades, feed.quality.trade_gaps, feed.last_trade) == (4, 0, 2)


def test_a_hole_in_the_trade_numbers_is_counted_once() -> None:
    feed = make_feed()
    push_all(feed, [trade(1), trade(5)])
    assert (feed.quality.trades, feed.quality.trade_gaps) == (2, 1)


def test_a_late_trade_is_accepted_once() -> None:
    feed = make_feed()
    push_all(feed, [trade(1), trade(5)])
    assert feed.push(trade(3)) == (trade(3),)
    assert feed.push(trade(3)) == ()
    assert (feed.quality.out_of_order, feed.quality.duplicates, feed.quality.trades) == (1, 1, 3)
    assert feed.last_trade == 5


def test_a_trade_said_twice_is_dropped() -> None:
    feed = make_feed()
    assert push_all(feed, [trade(1), trade(1), trade(2), trade(1)]) == [trade(1), trade(2)]
    assert feed.quality.duplicates == 2


def test_a_huge_hole_in_the_trade_numbers_costs_a_bounded_memory() -> None:
    feed = make_feed()
    push_all(feed, [trade(1), trade(10**12)])
    assert len(feed._trades.missing) == MISSING_TRADES_KEPT
    assert feed.push(trade(10**12 - 1)) == (trade(10**12 - 1),)
    assert feed.push(trade(2)) == ()


def test_past_trades_that_the_venue_repeats_are_passed_on_and_are_no_news() -> None:
    feed = make_feed()
    past = trade(7, backfill=True)
    assert feed.push(past) == (past,)
    assert (feed.quality.trades, feed.quality.updates, feed.last_trade) == (0, 0, None)


@pytest.mark.parametrize(
    ("price", "size"),
    [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("inf"))],
)
def test_an_impossible_trade_is_not_published(price: float, size: float) -> None:
    feed = make_feed()
    assert feed.push(trade(1, price, size)) == ()
    assert feed.quality.decode_errors == 1


def test_a_feed_is_stale_at_exactly_five_seconds() -> None:
    feed = live_feed(100)
    assert feed.tick(START_NS + 5 * S - 1) == ()
    assert states(feed.tick(START_NS + 5 * S)) == [FeedState.STALE]
    assert feed.tick(START_NS + 6 * S) == ()


def test_the_picture_of_a_stale_feed_does_not_say_that_it_may_be_traded_on() -> None:
    feed = live_feed(100)
    feed.tick(START_NS + 5 * S)
    assert feed.view is not None
    assert feed.view.state is FeedState.STALE
    feed.push(trade(1, at_ns=START_NS + 6 * S))
    revived = feed.view
    assert revived.state is FeedState.LIVE


@pytest.mark.parametrize(
    "word",
    [
        delta(101, at_ns=START_NS + 7 * S), quote(101, at_ns=START_NS + 7 * S), trade(1, at_ns=START_NS + 7 * S),
    ],
)  # fmt: skip
def test_any_word_revives_a_stale_feed(word: MarketEvent) -> None:
    feed = live_feed(100)
    feed.tick(START_NS + 6 * S)
    published = feed.push(word)
    assert states(published) == [FeedState.LIVE]
    assert published[-1] == word
    assert feed.tick(START_NS + 12 * S - 1) == ()
    assert states(feed.tick(START_NS + 12 * S)) == [FeedState.STALE]


@pytest.mark.parametrize(("source", "state"), [("stream", FeedState.LIVE), ("poll", FeedState.POLLING)])
def test_a_trade_revives_whole_books_as_what_they_were(source: Source, state: FeedState) -> None:
    clock = ManualClock(START_NS)
    feed = Feed("venue", "BTCUSDT", WholeBooks(), clock=clock)
    book = BookSnapshot("venue", "BTCUSDT", BIDS, ASKS, None, None, START_NS, source)
    assert states(feed.push(book)) == [state]
    assert states(feed.tick(START_NS + 5 * S)) == [FeedState.STALE]
    word = Trade("venue", "BTCUSDT", 101.0, 1.0, 1, "a", None, START_NS + 6 * S, source)
    assert states(feed.push(word)) == [state]


def test_whole_books_that_begin_anew_on_another_connection_stay_live() -> None:
    feed = Feed("venue", "BTCUSDT", WholeBooks(), clock=ManualClock(START_NS))
    book = BookSnapshot("venue", "BTCUSDT", BIDS, ASKS, None, None, START_NS, "stream")
    feed.push(book)
    feed.connection_lost()
    word = Trade("venue", "BTCUSDT", 101.0, 1.0, 1, "a", None, START_NS, "stream")
    published = [*feed.push(book), *feed.push(word)]
    assert states(published) == []
    assert feed.state is FeedState.LIVE


def test_a_feed_without_data_does_not_turn_stale() -> None:
    feed = make_feed()
    assert feed.tick(START_NS + 100 * S) == ()
    feed.push(delta(1))
    assert feed.tick(START_NS + 100 * S) == ()
    assert feed.state is FeedState.SYNCING


def test_polled_books_are_shown_and_say_that_they_were_polled() -> None:
    feed = make_feed()
    polled = snapshot(100, source="poll")
    published = feed.push(polled)
    assert published[-1] == polled
    assert states(published) == [FeedState.POLLING]
    assert feed.view is not None
    assert (feed.view.source, feed.view.state, feed.view.sequence) == ("poll", FeedState.POLLING, 100)


@pytest.mark.parametrize("number", [100, 99])
def test_a_repeated_or_older_poll_publishes_nothing_and_refreshes_the_age(number: int) -> None:
    feed = make_feed()
    feed.push(snapshot(100, source="poll"))
    assert feed.push(snapshot(number, source="poll", at_ns=START_NS + 4 * S)) == ()
    assert feed.quality.duplicates == 1
    assert feed.tick(START_NS + 9 * S - 1) == ()
    assert states(feed.tick(START_NS + 9 * S)) == [FeedState.STALE]


def test_a_repeated_poll_revives_a_stale_feed_without_a_new_book() -> None:
    feed = make_feed()
    feed.push(snapshot(100, source="poll"))
    feed.tick(START_NS + 5 * S)
    published = feed.push(snapshot(100, source="poll", at_ns=START_NS + 6 * S))
    assert states(published) == [FeedState.POLLING]
    assert books(published) == []
    assert feed.view is not None
    assert feed.view.state is FeedState.POLLING


def test_a_poll_without_a_number_is_repeated_when_its_levels_are_the_same() -> None:
    feed = Feed("v", "s", WholeBooks(), clock=ManualClock())
    assert len(books(feed.push(snapshot(None, source="poll")))) == 1
    assert feed.push(snapshot(None, source="poll", at_ns=START_NS + S)) == ()
    assert len(books(feed.push(snapshot(None, ((100.0, 9.0),), source="poll")))) == 1


def test_a_polled_book_that_cannot_be_read_leaves_no_half_of_it() -> None:
    feed = make_feed()
    feed.push(snapshot(100, source="poll"))
    published = feed.push(snapshot(101, ((98.0, 1.0),), ((99.0, -1.0),), source="poll"))
    assert states(published) == [FeedState.SYNCING]
    assert feed.view is None
    assert feed.snapshot() is None
    assert feed.quality.decode_errors == 1


def test_a_crossed_poll_leaves_no_book() -> None:
    feed = make_feed()
    feed.push(snapshot(100, source="poll"))
    assert states(feed.push(snapshot(101, ASKS, BIDS[::-1], source="poll"))) == [FeedState.SYNCING]
    assert feed.view is None


def test_a_polled_snapshot_while_the_stream_is_live_is_ignored() -> None:
    feed = live_feed(100)
    assert feed.push(snapshot(150, source="poll")) == ()
    assert feed.push(snapshot(150)) == ()
    assert feed.quality.ignored == 2
    assert feed.view is not None
    assert feed.view.sequence == 100
    assert feed.push(delta(101)) == (delta(101),)


def to_polling(feed: Feed) -> None:
    feed.connection_lost()
    feed.set_state(FeedState.RECONNECTING, "the connection broke", attempt=1)


def test_from_stream_to_polls_and_back_no_point_is_missing_or_twice() -> None:
    feed = live_feed(100)
    line = push_all(feed, [delta(101), delta(102)])
    to_polling(feed)
    line += push_all(feed, [snapshot(n, source="poll") for n in (102, 110, 110, 120)])
    feed.connection_lost()
    line += push_all(feed, [delta(113, 118), delta(119, 119), snapshot(115)])
    assert feed.state is FeedState.LIVE
    line += push_all(feed, [delta(120), delta(121), delta(122)])
    numbers = [sequence(event) for event in books(line)]
    assert numbers == [101, 102, 110, 120, 121, 122]


def test_the_stream_opens_with_a_book_of_its_own_after_polls() -> None:
    feed = make_feed()
    feed.push(snapshot(120, source="poll"))
    push_all(feed, [delta(113, 119)])
    push_all(feed, [snapshot(115), delta(120)])
    opening = books(feed.push(delta(121, 121, ((100.5, 1.0),))))
    assert opening == [snapshot(121, ((100.5, 1.0), *BIDS), ASKS)]
    assert feed.push(delta(122)) == (delta(122),)


def test_who_joins_while_the_stream_catches_up_with_the_polls_gets_the_newest_book() -> None:
    feed = make_feed()
    newest = snapshot(120, ((100.0, 7.0),), source="poll")
    feed.push(newest)
    push_all(feed, [delta(113, 116), snapshot(115)])
    assert feed.state is FeedState.LIVE
    assert feed.view is not None
    assert feed.view.sequence == 120
    assert feed.snapshot() == newest
    feed.push(delta(117, 118))
    assert feed.view.sequence == 120
    feed.push(delta(119, 125))
    found = feed.snapshot()
    assert found is not None
    assert (found.sequence, feed.view.sequence, feed.view.source) == (125, 125, "stream")


def test_the_picture_of_a_poll_stays_its_own_while_the_stream_catches_up_looked_at_or_not() -> None:
    feed = make_feed()
    newest = snapshot(120, ((100.0, 7.0),), source="poll")
    feed.push(newest)
    push_all(feed, [delta(101), snapshot(100), delta(102, bids=((100.0, 3.0),))])

    view = feed.view
    assert view is not None
    assert (view.sequence, view.source, view.bids) == (120, "poll", newest.bids)

    feed.push(delta(103, 121, bids=((100.0, 8.0),)))
    view = feed.view
    assert view is not None
    assert (view.sequence, view.bid_sizes[0]) == (121, 8.0)


def test_a_stream_whose_snapshot_is_older_than_the_last_poll_opens_once_with_the_joined_book() -> None:
    feed = make_feed()
    feed.push(snapshot(120, source="poll"))
    push_all(feed, [delta(113, 119), delta(120, 125, ((100.5, 4.0),))])
    opening = books(feed.push(snapshot(115)))
    assert opening == [snapshot(125, ((100.5, 4.0), *BIDS), ASKS)]


def test_a_polled_snapshot_that_joins_the_stream_is_part_of_the_stream() -> None:
    feed = make_feed()
    feed.push(snapshot(100, source="poll"))
    feed.push(delta(105))
    published = feed.push(snapshot(104, source="poll"))
    assert states(published) == [FeedState.LIVE]
    assert [event.source for event in books(published)] == ["stream", "stream"]


def test_a_poll_that_cannot_join_the_stream_is_still_shown() -> None:
    feed = make_feed()
    push_all(feed, [snapshot(100, source="poll"), delta(105)])
    assert [sequence(event) for event in books(feed.push(snapshot(102, source="poll")))] == [102]
    assert feed.needs_snapshot
    assert feed.state is FeedState.POLLING


def test_a_poll_behind_the_broken_stream_is_shown_but_not_said_again() -> None:
    feed = live_feed(100)
    to_polling(feed)
    published = feed.push(snapshot(95, source="poll"))
    assert states(published) == [FeedState.POLLING]
    assert books(published) == []
    assert feed.view is not None
    assert feed.view.sequence == 95


def test_a_lost_connection_drops_the_streamed_book_and_keeps_the_polled_one() -> None:
    streamed = live_feed(100)
    streamed.connection_lost()
    assert streamed.view is None
    polled = make_feed()
    polled.push(snapshot(100, source="poll"))
    polled.connection_lost()
    assert polled.view is not None


def test_a_connection_that_is_replaced_without_a_word_leaves_no_seam() -> None:
    feed = live_feed(100)
    feed.connection_lost()
    assert feed.view is None
    published = feed.push(snapshot(200, ((100.0, 5.0), (98.0, 1.0)), ASKS))
    assert published == (delta(101, 200, ((99.0, 0.0), (100.0, 5.0), (98.0, 1.0))),)
    assert feed.view is not None
    assert (feed.view.sequence, feed.view.bids) == (200, ((100.0, 5.0), (98.0, 1.0)))
    assert feed.push(delta(201)) == (delta(201),)


def test_a_connection_that_is_replaced_by_an_older_book_is_announced() -> None:
    feed = live_feed(100)
    feed.connection_lost()
    published = feed.push(snapshot(90))
    assert states(published) == [FeedState.SYNCING, FeedState.LIVE]
    assert books(published) == [snapshot(90)]


def test_a_quote_after_a_silent_loss_tells_the_readers_first() -> None:
    feed = live_feed(100)
    feed.connection_lost()
    published = feed.push(quote(101))
    assert states(published) == [FeedState.SYNCING]
    assert published[-1] == quote(101)
    assert feed.push(quote(101)) == ()


def test_a_book_without_numbers_is_replaced_without_a_word() -> None:
    feed = make_feed()
    feed.push(snapshot(None))
    feed.connection_lost()
    assert feed.push(snapshot(None)) == (snapshot(None),)


@pytest.mark.parametrize("state", [state for state in FeedState if not state.has_data and state is not FeedState.STALE])
def test_a_status_without_data_drops_the_book(state: FeedState) -> None:
    feed = live_feed(100)
    feed.push(quote(101))
    assert states(feed.set_state(state, "why")) == [state]
    assert (feed.view, feed.quote, feed.snapshot()) == (None, None, None)
    assert feed.push(delta(101)) == () or feed.state is FeedState.SYNCING


def test_a_status_is_published_only_when_it_is_news() -> None:
    feed = make_feed()
    assert len(feed.set_state(FeedState.CONNECTING, "first")) == 1
    assert feed.set_state(FeedState.CONNECTING, "first") == ()
    assert len(feed.set_state(FeedState.CONNECTING, "second")) == 1
    assert len(feed.set_state(FeedState.CONNECTING, "second", attempt=2)) == 1
    assert len(feed.set_state(FeedState.CONNECTING, "second", attempt=2, next_try_ns=5)) == 1
    assert feed.set_state(FeedState.CONNECTING, "second", attempt=2, next_try_ns=5) == ()
    assert feed.state is FeedState.CONNECTING


def test_what_was_kept_for_the_snapshot_survives_a_status() -> None:
    feed = make_feed()
    feed.push(delta(100))
    feed.set_state(FeedState.SYNCING, "asking for a snapshot", attempt=1)
    assert [sequence(event) for event in books(feed.push(snapshot(99)))] == [99, 100]


def test_losing_the_book_on_purpose_says_why() -> None:
    feed = live_feed(100)
    published = feed.lose("checksum")
    assert isinstance(published[0], FeedStatus)
    assert (published[0].state, published[0].reason) == (FeedState.SYNCING, "checksum")
    assert feed.needs_snapshot


def test_a_second_loss_for_the_same_reason_is_no_news() -> None:
    feed = make_feed()
    bad = snapshot(100, ((101.0, 1.0),), ((100.0, 1.0),))
    assert len(feed.push(bad)) == 1
    assert feed.push(bad) == ()


def test_a_snapshot_can_be_cut_to_a_depth() -> None:
    feed = live_feed(100)
    found = feed.snapshot(1)
    assert found is not None
    assert (found.bids, found.asks) == (BIDS[:1], ASKS[:1])
    assert found.sequence == 100
    assert feed.levels == (2, 2)


def test_updates_kept_in_vain_are_counted_as_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.feed.sync.BUFFER_LIMIT", 3)
    feed = make_feed()
    push_all(feed, [delta(number) for number in range(100, 110)])
    assert feed.quality.report(START_NS).dropped == 7


def test_every_event_counts_as_an_update_of_the_feed() -> None:
    feed = live_feed(100)
    push_all(feed, [delta(101), quote(102), trade(1), delta(50)])
    assert feed.quality.updates == 5
    assert isinstance(quote(1), Quote)
    assert isinstance(trade(1), Trade)
