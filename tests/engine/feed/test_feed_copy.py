"""Whatever a feed published: a copy made of it says the same, and holds the same book."""

from __future__ import annotations

from msgspec.structs import replace

from engine.feed.feed_copy import FeedCopy
from engine.flow.section import Changes, Observer, Section
from engine.market.book import Book
from engine.market.events import FeedState, FeedStatus, MarketEvent
from tests.engine.support import ASKS, BIDS, START_NS, delta, live_feed, quote, snapshot, trade


def status(state: FeedState, reason: str = "") -> FeedStatus:
    return FeedStatus("binance", "BTCUSDT", state, reason, "", 0, None, START_NS, "stream")


def make_copy() -> FeedCopy:
    return FeedCopy("binance", "BTCUSDT")


class Told(Section):
    """Notes what an observer is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.heard.append(("quote", t_ns, bid, ask))

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        self.heard.append(("book", t_ns, book.bids(), book.asks(), changes))

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.heard.append(("trade", t_ns, price, size, side, trade_id))

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.heard.append("reset")

    def on_lost_trades(self, count: int) -> None:
        self.heard.append(("lost", count))


def test_every_event_comes_out_as_it_went_in() -> None:
    copy = make_copy()
    events: list[MarketEvent] = [
        status(FeedState.LIVE), snapshot(100), delta(101), quote(101), trade(1), trade(5), trade(5),
        status(FeedState.STALE, "silence"), status(FeedState.STALE, "silence"), delta(900), snapshot(50),
    ]  # fmt: skip
    for event in events:
        [said] = copy.push(event)
        assert said is event


def test_its_source_takes_the_place_of_the_events_own() -> None:
    copy = FeedCopy("binance", "BTCUSDT", source="replay")
    for event in (status(FeedState.LIVE), snapshot(100), delta(101), trade(1)):
        assert copy.push(event) == (replace(event, source="replay"),)
    assert copy.view is not None
    assert copy.view.source == "replay"


def test_the_book_is_that_after_the_last_event_alone() -> None:
    copy = make_copy()
    assert copy.view is None
    copy.push(status(FeedState.LIVE))
    copy.push(snapshot(100))
    copy.push(delta(101, bids=((100.0, 0.0),), at_ns=START_NS + 5))
    view = copy.view
    assert view is not None
    assert (view.bids, view.asks) == (((99.0, 2.0),), ASKS)
    assert (view.sequence, view.received_ns, view.state) == (101, START_NS + 5, FeedState.LIVE)


def test_what_was_kept_for_a_snapshot_takes_effect_when_that_came() -> None:
    copy = make_copy()
    copy.push(snapshot(100, at_ns=START_NS + 100))
    copy.push(delta(101, at_ns=START_NS + 20))
    assert copy.view is not None
    assert copy.view.received_ns == START_NS + 100


def test_a_status_without_data_drops_the_book_and_silence_does_not() -> None:
    copy = make_copy()
    copy.push(snapshot(100))
    copy.push(status(FeedState.STALE, "silence"))
    assert copy.view is not None
    assert copy.view.state is FeedState.STALE
    copy.push(status(FeedState.SYNCING, "a gap"))
    assert copy.view is None
    assert copy.push(delta(101)) == (delta(101),)
    assert copy.view is None


def test_what_no_book_can_be_made_of_is_said_and_the_next_snapshot_mends_it() -> None:
    copy = make_copy()
    copy.push(snapshot(100))
    event, said = copy.push(delta(101, bids=((-1.0, 1.0),)))
    assert event == delta(101, bids=((-1.0, 1.0),))
    assert isinstance(said, FeedStatus)
    assert said.state is FeedState.SYNCING
    assert copy.view is None
    copy.push(snapshot(102))
    assert copy.view is not None


def test_levels_that_the_venue_does_not_keep_are_dropped_as_before() -> None:
    copy = make_copy()
    copy.push(replace(snapshot(None), depth=2))
    copy.push(delta(None, bids=((100.5, 1.0),)))
    assert copy.view is not None
    assert copy.view.bids == ((100.5, 1.0), (100.0, 1.0))


def test_who_comes_late_is_given_the_book_and_the_event_that_is_in_it() -> None:
    copy = make_copy()
    copy.push(snapshot(None))
    newest = delta(None, bids=((98.0, 3.0),))
    copy.push(newest)
    opening = copy.opening()
    assert opening is not None
    assert opening[0].bids == (*BIDS, (98.0, 3.0))
    assert opening[1] is newest


def test_an_observer_is_told_what_the_first_feeds_observer_was_told() -> None:
    first, copy = live_feed(100), make_copy()
    copy.push(snapshot(100))
    heard = []
    for feed in (first, copy):
        told = Told()
        feed.observe(Observer([told]))
        heard.append(told.heard)
    said: list[MarketEvent] = [delta(101, bids=((100.0, 4.0),)), quote(102), trade(1), trade(4), trade(2)]
    for number, event in enumerate(said):
        moved = replace(event, received_ns=START_NS + number)
        for published in first.push(moved):
            copy.push(published)
    assert heard[0] == heard[1]
    assert ("lost", 2) in heard[1]


def test_it_can_start_over_as_if_newly_made() -> None:
    copy = make_copy()
    copy.push(status(FeedState.LIVE))
    copy.push(snapshot(100, at_ns=START_NS + 10**12))
    copy.push(trade(7))
    copy.observe(Observer([Told()]))
    copy.start_over()
    assert (copy.view, copy.status, copy.observer, copy.quality.updates) == (None, None, None, 0)
    copy.push(snapshot(5))
    copy.push(trade(1))
    assert copy.view is not None
    assert (copy.view.sequence, copy.quality.trade_gaps) == (5, 0)
