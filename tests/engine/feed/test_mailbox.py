from __future__ import annotations

from threading import Event, Thread

from engine.feed.feed import Feed
from engine.feed.mailbox import STATUSES_KEPT, EventQueue, Mailbox
from engine.market.events import FeedState, FeedStatus, MarketEvent
from tests.engine.support import DEADLINE_S, START_NS, delta, live_feed, make_feed, quote, snapshot, trade

KEY = ("binance", "BTCUSDT", "stream")
OTHER = ("binance", "ETHUSDT", "stream")
MS = 1_000_000


def send(box: Mailbox | EventQueue, feed: Feed, *events: MarketEvent) -> None:
    for event in events:
        for published in feed.push(event):
            box.put(KEY, published, feed)


def status(reason: str) -> FeedStatus:
    return FeedStatus("binance", "BTCUSDT", FeedState.LIVE, reason, "", 0, None, START_NS, "stream")


def test_a_mailbox_gives_the_newest_book_and_counts_those_it_replaced() -> None:
    box, feed = Mailbox(), live_feed(100)
    send(box, feed, delta(101), delta(102), delta(103, 103, ((100.0, 9.0),)))
    [mail] = box.drain()
    assert mail.view is feed.view
    assert (mail.events, box.conflated, box.dropped, mail.newest_ns) == (3, 2, 0, START_NS)
    assert box.drain() == []


def test_trades_and_statuses_come_in_order_and_all() -> None:
    box, feed = Mailbox(), make_feed()
    send(box, feed, trade(1), delta(5), trade(2), snapshot(5))
    [mail] = box.drain()
    assert [one.trade_id for one in mail.trades] == [1, 2]
    assert [one.state for one in mail.statuses] == [FeedState.SYNCING, FeedState.LIVE]


def test_what_is_pushed_out_unread_is_counted() -> None:
    box, feed = Mailbox(points=3, trades=2, point_every_ms=0), live_feed(100)
    send(box, feed, *[trade(number) for number in range(1, 6)])
    send(box, feed, *[quote(200 + number) for number in range(5)])
    for number in range(STATUSES_KEPT + 4):
        box.put(KEY, status(str(number)), feed)
    [mail] = box.drain()
    assert (len(mail.trades), len(mail.points), len(mail.statuses)) == (2, 3, STATUSES_KEPT)
    assert box.dropped == 3 + 2 + 4
    assert mail.trades[-1].trade_id == 5


def test_at_most_one_point_per_interval_is_kept() -> None:
    box, feed = Mailbox(point_every_ms=50), live_feed(100)
    send(box, feed, *[quote(200 + number, at_ns=START_NS + number * 10 * MS) for number in range(20)])
    [mail] = box.drain()
    assert [(point.received_ns - START_NS) // MS for point in mail.points] == [0, 50, 100, 150]


def test_books_give_points_where_there_are_no_quotes() -> None:
    box, feed = Mailbox(point_every_ms=0), live_feed(100)
    send(box, feed, delta(101, 101, ((100.5, 1.0),)))
    [mail] = box.drain()
    assert [(point.bid, point.ask, point.source) for point in mail.points] == [(100.5, 101.0, "stream")]


def test_a_book_that_is_behind_the_quotes_gives_no_point() -> None:
    box, feed = Mailbox(point_every_ms=0), live_feed(100)
    send(box, feed, quote(105, 100.25, 100.75), delta(101), delta(102, 105, ((100.25, 1.0),), ((100.75, 1.0),)))
    [mail] = box.drain()
    assert [(point.bid, point.ask) for point in mail.points] == [(100.25, 100.75), (100.25, 100.75)]


def test_a_one_sided_book_gives_no_point_and_no_error() -> None:
    box, feed = Mailbox(point_every_ms=0), make_feed()
    send(box, feed, snapshot(100, ((100.0, 1.0),), ()))
    [mail] = box.drain()
    assert mail.points == []
    assert mail.view is not None


def test_a_status_without_data_takes_the_unread_book_away() -> None:
    box, feed = Mailbox(), live_feed(100)
    send(box, feed, delta(101), delta(105))
    [mail] = box.drain()
    assert mail.view is None
    assert mail.statuses[-1].state is FeedState.SYNCING


def test_every_feed_has_its_own_mail() -> None:
    box, feed = Mailbox(), make_feed()
    box.put(KEY, trade(1), feed)
    box.put(OTHER, trade(1), feed)
    assert {mail.key: len(mail.trades) for mail in box.drain()} == {KEY: 1, OTHER: 1}


def test_a_closed_mailbox_takes_nothing() -> None:
    box, feed = Mailbox(), make_feed()
    box.put(KEY, trade(1), feed)
    box.close()
    box.put(KEY, trade(2), feed)
    assert box.drain() == []


def test_a_queue_gives_every_event_in_order_with_the_book_after_it() -> None:
    queue, feed = EventQueue(), live_feed(100)
    send(queue, feed, delta(101), trade(1), delta(102))
    items = queue.drain()
    assert [item.event for item in items] == [delta(101), trade(1), delta(102)]
    assert [item.view.sequence if item.view else None for item in items] == [101, 101, 102]


def test_a_full_queue_drops_everything_counts_it_and_opens_anew() -> None:
    queue, feed = EventQueue(capacity=3), live_feed(100)
    send(queue, feed, delta(101), delta(102), delta(103), delta(104))
    assert queue.lost == {KEY}
    assert queue.dropped == 4
    send(queue, feed, delta(105), trade(1))
    assert queue.drain() == []
    assert queue.dropped == 6
    queue.reopen(KEY)
    opening = feed.snapshot()
    assert opening is not None
    queue.put(KEY, opening, feed)
    send(queue, feed, delta(106))
    assert [item.event for item in queue.drain()] == [opening, delta(106)]


def test_every_feed_in_a_full_queue_must_open_anew_and_no_other() -> None:
    queue, feed = EventQueue(capacity=2), live_feed(100)
    queue.put(OTHER, trade(1), feed)
    send(queue, feed, delta(101), delta(102))
    assert queue.lost == {KEY, OTHER}
    fresh = EventQueue(capacity=2)
    fresh.put(OTHER, trade(1), feed)
    fresh.drain()
    send(fresh, feed, delta(103), delta(104), delta(105))
    assert fresh.lost == {KEY}


def test_a_status_reaches_a_reader_that_has_lost_its_place() -> None:
    queue, feed = EventQueue(capacity=1), live_feed(100)
    send(queue, feed, delta(101), delta(102), delta(110))
    assert [type(item.event) for item in queue.drain()] == [FeedStatus]


def test_a_reader_that_waits_is_woken_by_the_first_event() -> None:
    queue, feed = EventQueue(), make_feed()
    got: list[int] = []
    done = Event()

    def read() -> None:
        got.append(len(queue.drain(DEADLINE_S)))
        done.set()

    Thread(target=read, daemon=True).start()
    queue.put(KEY, trade(1), feed)
    assert done.wait(DEADLINE_S)
    assert got == [1]


def test_closing_wakes_a_reader_that_waits() -> None:
    queue = EventQueue()
    done = Event()

    def read() -> None:
        queue.drain(60.0)
        done.set()

    Thread(target=read, daemon=True).start()
    queue.close()
    assert done.wait(DEADLINE_S)
    queue.put(KEY, trade(1), make_feed())
    assert queue.drain(60.0) == []


def test_points_go_on_when_time_has_run_back() -> None:
    box, feed = Mailbox(), live_feed(100)
    for at_ns in (START_NS, START_NS - 60 * 10**9):
        box.put(KEY, quote(None, at_ns=at_ns), feed)
    [mail] = box.drain()
    assert [point.received_ns for point in mail.points] == [START_NS, START_NS - 60 * 10**9]


def test_a_queue_may_want_neither_pictures_nor_quotes() -> None:
    queue, feed = EventQueue(capacity=4, views=False, quotes=False), live_feed(100)
    send(queue, feed, delta(101), quote(102))
    assert queue.fullness == 0.25
    [item] = queue.drain()
    assert (item.event, item.view) == (delta(101), None)
    assert queue.fullness == 0.0
