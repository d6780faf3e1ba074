from __future__ import annotations

from threading import Event

import pytest

from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Trade
from engine.market.orders import Fill
from engine.market.signal import Signal
from engine.store.recording import recording_queue
from engine.store.recording.recording_queue import TOO_SLOW, RecordingQueue
from tests.engine.store.events import fill, order
from tests.engine.support import START_NS, delta, make_feed, snapshot, trade

BTC = ("binance", "BTCUSDT", "stream")
ETH = ("binance", "ETHUSDT", "stream")
FEED = make_feed()


def put(queue: RecordingQueue, *events: MarketEvent, key: tuple[str, str, str] = BTC) -> None:
    for event in events:
        queue.put(key, event, FEED)


def at(seconds: int) -> int:
    return START_NS + seconds * 1_000_000_000


def status(state: FeedState) -> FeedStatus:
    return FeedStatus("binance", "BTCUSDT", state, "", "", 0, None, START_NS, "stream")


def test_everything_comes_out_in_the_order_in_which_it_was_put_in() -> None:
    queue = RecordingQueue(10)
    put(queue, snapshot(1), delta(2))
    put(queue, trade(1), key=ETH)
    signal = Signal("echo", "binance", "BTCUSDT", "buy", 1.0, 100.0, START_NS, "")
    queue.put_signal(BTC, signal)
    assert queue.drain() == ([(BTC, snapshot(1)), (BTC, delta(2)), (ETH, trade(1)), (BTC, signal)], [])
    assert queue.drain() == ([], [])


def test_a_full_queue_drops_all_and_goes_on_with_a_snapshot_after_a_gap() -> None:
    queue = RecordingQueue(3)
    put(queue, snapshot(1, at_ns=at(1)), delta(2, at_ns=at(2)), delta(3, at_ns=at(3)), delta(4, at_ns=at(4)))
    assert queue.lost == {BTC}
    put(queue, delta(5, at_ns=at(5)))
    assert queue.drain() == ([], [])
    put(queue, snapshot(5, at_ns=at(6)), delta(6, at_ns=at(7)))
    items, [gap] = queue.drain()
    assert [type(event) for _, event in items] == [BookSnapshot, BookDelta]
    assert (gap.key, gap.from_ns, gap.to_ns, gap.lost, gap.reason) == (BTC, at(1), at(6), 5, TOO_SLOW)
    assert queue.dropped == 5
    assert not queue.lost


def test_trades_and_statuses_are_kept_while_a_feed_waits_for_its_snapshot() -> None:
    queue = RecordingQueue(3)
    put(queue, snapshot(1), delta(2), delta(3), delta(4), trade(7), status(FeedState.SYNCING))
    items, gaps = queue.drain()
    assert [type(event) for _, event in items] == [Trade, FeedStatus]
    assert gaps == []


def test_a_feed_without_a_book_goes_on_at_once() -> None:
    queue = RecordingQueue(2)
    put(queue, trade(1, at_ns=at(1)), trade(2, at_ns=at(2)), trade(3, at_ns=at(3)))
    items, [gap] = queue.drain()
    assert [event for _, event in items] == [trade(3, at_ns=at(3))]
    assert (gap.from_ns, gap.to_ns, gap.lost) == (at(1), at(3), 2)
    assert not queue.lost


def test_feeds_that_lost_nothing_have_no_gap() -> None:
    queue = RecordingQueue(3)
    put(queue, snapshot(1, symbol="ETHUSDT"), key=ETH)
    queue.drain()
    put(queue, snapshot(1), delta(2), delta(3), delta(4))
    put(queue, delta(2, symbol="ETHUSDT"), key=ETH)
    assert [key for key, _ in queue.drain()[0]] == [ETH]
    assert queue.lost == {BTC}


def test_what_could_not_be_written_takes_what_waits_behind_it_along() -> None:
    queue = RecordingQueue(10)
    put(queue, snapshot(1), delta(2))
    taken, _ = queue.drain()
    put(queue, delta(3))
    queue.lose(taken, "half a letter")
    assert queue.lost == {BTC}
    put(queue, delta(4), snapshot(4, at_ns=at(1)))
    items, [gap] = queue.drain()
    assert [event for _, event in items] == [snapshot(4, at_ns=at(1))]
    assert (gap.lost, gap.reason) == (4, "half a letter")


def test_a_queue_that_was_full_while_nothing_could_be_written_stays_shut_until_it_can() -> None:
    queue = RecordingQueue(3)
    queue.pause("the disk is full")
    for number in range(1, 30):
        put(queue, snapshot(1) if number == 1 else delta(number))
        assert not queue.lost, "the hub must not be asked for snapshots that nobody can write"
    assert queue.drain() == ([], [])
    queue.resume()
    assert queue.lost == {BTC}
    put(queue, delta(30), snapshot(30, at_ns=at(1)))
    items, [gap] = queue.drain()
    assert [event for _, event in items] == [snapshot(30, at_ns=at(1))]
    assert (gap.lost, gap.reason) == (30, "the disk is full")


def test_holes_that_are_open_in_the_end_become_gaps() -> None:
    queue = RecordingQueue(2)
    put(queue, snapshot(1, at_ns=at(1)), delta(2), delta(3))
    assert [(gap.key, gap.from_ns, gap.to_ns) for gap in queue.end_holes(at(9))] == [(BTC, at(1), at(9))]
    assert queue.end_holes(at(9)) == []


def test_a_signal_that_finds_no_room_is_counted_and_told() -> None:
    queue = RecordingQueue(1)
    put(queue, trade(1))
    queue.put_signal(BTC, Signal("echo", "binance", "BTCUSDT", "buy", 1.0, 100.0, at(1), ""))
    items, [gap] = queue.drain()
    assert len(items) == queue.dropped == 1
    assert (gap.lost, gap.reason) == (1, "signals that found no room")


def test_orders_and_fills_stay_when_the_events_of_the_market_are_dropped() -> None:
    queue = RecordingQueue(2)
    queue.pause("the disk is full")
    put(queue, snapshot(1), delta(2))
    queue.put_report(BTC, order())
    put(queue, delta(3))
    queue.put_report(BTC, fill())
    put(queue, delta(4))
    assert queue.drain() == ([(BTC, order()), (BTC, fill())], [])
    assert queue.dropped == 4
    queue.resume()
    put(queue, snapshot(9, at_ns=at(1)))
    _, [gap] = queue.drain()
    assert (gap.lost, gap.reason) == (4, "the disk is full")


def test_orders_and_fills_stay_when_a_batch_that_cannot_be_kept_takes_the_events_along() -> None:
    queue = RecordingQueue(10)
    put(queue, snapshot(1))
    taken, _ = queue.drain()
    put(queue, delta(2))
    queue.put_report(BTC, fill())
    queue.lose(taken, "half a letter")
    assert queue.drain() == ([(BTC, fill())], [])


def test_orders_and_fills_take_no_room_from_the_market_and_beyond_their_own_are_counted_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording_queue, "MOST_REPORTS", 3)
    queue = RecordingQueue(2)
    for number in range(5):
        queue.put_report(BTC, fill(float(number), number=number))
    put(queue, trade(1), trade(2))
    items, [gap] = queue.drain()
    assert [type(event) for _, event in items] == [Fill, Fill, Fill, Trade, Trade]
    assert (gap.key, gap.lost, gap.reason) == (None, 2, "orders and fills that found no room")
    assert gap.from_ns == fill(3.0).received_ns
    assert queue.dropped == 2
    queue.put_report(BTC, order())
    assert queue.drain() == ([(BTC, order())], [])


def test_the_writer_is_woken_when_a_fifth_waits() -> None:
    wake = Event()
    queue = RecordingQueue(10, wake=wake)
    put(queue, trade(1))
    assert not wake.is_set()
    put(queue, trade(2))
    assert wake.is_set()


def test_a_closed_queue_takes_nothing_and_gives_what_it_has() -> None:
    queue = RecordingQueue(10)
    put(queue, trade(1))
    queue.close()
    put(queue, trade(2))
    queue.put_signal(BTC, Signal("echo", "binance", "BTCUSDT", "buy", 1.0, 100.0, START_NS, ""))
    queue.put_report(BTC, fill())
    assert queue.drain() == ([(BTC, trade(1))], [])
