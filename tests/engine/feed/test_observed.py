"""What a feed tells the observer of its order flow."""

from __future__ import annotations

from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.sync import WholeBooks
from engine.flow.section import Changes, Observer, Section
from engine.market.book import Book
from engine.market.events import FeedState, Levels
from tests.engine.support import START_NS, delta, make_feed, quote, snapshot, trade


class Diary(Section):
    """Every word of a feed; books by their levels."""

    def __init__(self) -> None:
        self.quotes: list[float] = []
        self.books: list[tuple[Levels, Levels]] = []
        self.changes: list[Changes | None] = []
        self.times: list[int] = []
        self.trades: list[object] = []
        self.lost: list[int] = []
        self.resets = 0

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.quotes.append(bid)

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        self.books.append((book.bids(), book.asks()))
        self.changes.append(changes)
        self.times.append(t_ns)

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.trades.append(trade_id)

    def on_lost_trades(self, count: int) -> None:
        self.lost.append(count)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.resets += 1


def observed(feed: Feed | None = None) -> tuple[Feed, Diary]:
    feed, diary = feed or make_feed(), Diary()
    feed.observer = Observer([diary])
    return feed, diary


def test_kept_updates_are_told_one_by_one_at_the_time_of_the_snapshot() -> None:
    feed, diary = observed()
    feed.push(delta(101, bids=((100.0, 5.0),)))
    feed.push(delta(102, asks=((101.0, 0.0),)))
    assert not diary.books
    feed.push(snapshot(100, at_ns=START_NS + 7))
    feed.push(delta(103, bids=((98.0, 4.0),), at_ns=START_NS + 9))
    assert [bids[0] for bids, _ in diary.books] == [(100.0, 1.0), (100.0, 5.0), (100.0, 5.0), (100.0, 5.0)]
    assert [asks[0][0] for _, asks in diary.books] == [101.0, 101.0, 102.0, 102.0]
    assert diary.times == [START_NS + 7] * 3 + [START_NS + 9]
    assert diary.changes == [
        None,
        Changes(((100.0, 5.0),), (), [1.0], []),
        Changes((), ((101.0, 0.0),), [], [1.0]),
        Changes(((98.0, 4.0),), (), [0.0], []),
    ]


def test_a_gap_a_loss_and_a_lost_connection_reset() -> None:
    feed, diary = observed()
    feed.push(snapshot(100))
    feed.push(delta(105))
    assert diary.resets == 1
    feed.push(snapshot(110))
    feed.lose("a bad checksum")
    assert diary.resets == 2
    feed.push(snapshot(120))
    feed.connection_lost()
    assert diary.resets == 3
    assert diary.changes == [None] * 3


def test_a_crossed_update_is_not_told_but_ends_the_book() -> None:
    feed, diary = observed()
    feed.push(snapshot(100))
    feed.push(delta(101, bids=((105.0, 1.0),)))
    assert (len(diary.books), diary.resets) == (1, 1)


def test_quotes_are_told_in_their_own_order_even_behind_the_book() -> None:
    feed, diary = observed()
    feed.push(quote(90, bid=90.0))
    feed.push(snapshot(100))
    feed.push(quote(95, bid=95.0))
    feed.push(quote(94, bid=94.0))
    feed.push(quote(95, bid=95.5))
    assert diary.quotes == [90.0, 95.0, 95.5]


def test_quotes_without_sense_are_not_told() -> None:
    feed, diary = observed()
    feed.push(quote(1, bid=0.0))
    feed.push(quote(2, ask=float("inf")))
    feed.push(quote(3, bid=float("nan")))
    assert not diary.quotes


def test_trades_are_told_once_and_late_ones_too() -> None:
    feed, diary = observed()
    for number in (1, 2, 5, 2, 4):
        feed.push(trade(number))
    feed.push(trade(6, backfill=True))
    assert diary.trades == [1, 2, 5, 4]


def test_whole_books_continue_each_other_and_polls_do_not() -> None:
    feed, diary = observed(Feed("venue", "BTCUSDT", WholeBooks(), clock=ManualClock(START_NS)))
    feed.push(snapshot(None))
    feed.push(snapshot(None, bids=((100.0, 3.0), (98.0, 1.0))))
    assert diary.changes[0] is None
    changes = diary.changes[1]
    assert changes is not None
    assert dict(zip(changes.bids, changes.bids_before, strict=True)) == {
        (99.0, 0.0): 2.0, (100.0, 3.0): 1.0, (98.0, 1.0): 0.0,
    }  # fmt: skip
    assert (changes.asks, changes.asks_before) == ((), [])
    feed.push(snapshot(None, bids=((90.0, 3.0),), source="poll"))
    assert diary.changes[2] is None
    assert feed.state is FeedState.POLLING


def test_trades_that_never_came_are_told_and_so_is_each_that_came_after_all() -> None:
    feed, diary = observed()
    for number in (7, 8, 12, 10, 10, 13):
        feed.push(trade(number))
    assert diary.trades == [7, 8, 12, 10, 13]
    assert diary.lost == [3, -1]
