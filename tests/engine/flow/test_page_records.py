"""What is kept for charts: seconds, levels, bubbles."""

from __future__ import annotations

import pytest

from engine.flow.book.level_record import PRICES_KEPT, LevelHistory, LevelRecord
from engine.flow.book.top import TopOfBook
from engine.flow.second_bars import SECONDS_KEPT, SecondBars
from engine.flow.section import SECOND_NS, Changes, Observer
from engine.flow.tape import Tape
from engine.flow.trades.bubbles import BUBBLES_KEPT, Bubble, Bubbles
from engine.market.book import Book
from tests.engine.flow.market import TICK, Player, events

BEGIN = 1_000 * SECOND_NS


def test_a_second_bears_its_prices_its_volumes_and_the_running_delta() -> None:
    top, tape = TopOfBook(TICK), Tape(TICK)
    bars = SecondBars(top, tape)
    observer = Observer((top, tape, bars))
    observer.on_bbo(BEGIN + 1, 100.0, 1.0, 100.02, 1.0)
    for after, price, size, side in ((2, 100.02, 1.0, 1), (3, 100.04, 2.0, 1), (4, 100.0, 0.5, -1)):
        observer.on_trade(BEGIN + after, price, size, side, None, None)
    observer.on_bbo(BEGIN + 2 * SECOND_NS + 1, 100.0, 1.0, 100.04, 1.0)
    first, second = bars.bars
    assert (first.open, first.high, first.low, first.close) == (100.02, 100.04, 100.0, 100.0)
    assert (first.buy, first.sell, first.cvd) == (3.0, 0.5, 2.5)
    assert first.mid == pytest.approx(100.01)
    assert (second.open, second.close, second.buy, second.cvd) == (None, None, 0.0, 2.5)


def test_only_seconds_that_are_new_are_asked_for() -> None:
    top, tape = TopOfBook(TICK), Tape(TICK)
    bars = SecondBars(top, tape)
    Player(Observer((top, tape, bars))).play(events(20))
    assert bars.since(bars.count) == []
    assert bars.since(bars.count - 2) == list(bars.bars)[-2:]
    assert bars.since(-5) == list(bars.bars)
    assert bars.bars.maxlen == SECONDS_KEPT


def level(record: LevelRecord, price: float) -> LevelHistory | None:
    return next(iter(record.levels([price])), None)


def record_with_mid() -> tuple[Observer, LevelRecord]:
    top = TopOfBook(TICK)
    record = LevelRecord(top)
    observer = Observer((top, record))
    observer.on_bbo(BEGIN + 1, 100.0, 1.0, 100.01, 1.0)
    observer.on_time(BEGIN + SECOND_NS + 1)
    return observer, record


def change(observer: Observer, t_ns: int, price: float, size: float, before: float) -> None:
    observer.on_book(t_ns, Book(), Changes(((price, size),), (), [before], []))


def test_what_went_without_a_trade_was_pulled_and_what_a_trade_took_was_not() -> None:
    observer, record = record_with_mid()
    t_ns = BEGIN + SECOND_NS + 10
    change(observer, t_ns, 100.0, 5.0, 1.0)
    observer.on_trade(t_ns + 1, 100.0, 1.5, -1, None, None)
    change(observer, t_ns + 2, 100.0, 1.0, 5.0)
    assert level(record, 100.0) == LevelHistory(100.0, 0.0, 1.5, 4.0, 2.5)


def test_added_and_pulled_are_forgotten_after_ten_seconds_and_traded_is_not() -> None:
    observer, record = record_with_mid()
    change(observer, BEGIN + SECOND_NS + 10, 100.0, 5.0, 1.0)
    observer.on_trade(BEGIN + SECOND_NS + 11, 100.01, 1.0, 1, None, None)
    for second in range(2, 10):
        observer.on_bbo(BEGIN + second * SECOND_NS + 5, 100.0, 1.0, 100.01, 1.0)
    assert level(record, 100.0) == LevelHistory(100.0, 0.0, 0.0, 4.0, 0.0)
    observer.on_time(BEGIN + 12 * SECOND_NS + 1)
    assert level(record, 100.0) is None
    assert level(record, 100.01) == LevelHistory(100.01, 1.0, 0.0, 0.0, 0.0)


def test_prices_far_from_the_mid_are_not_recorded_and_their_number_is_bounded() -> None:
    observer, record = record_with_mid()
    t_ns = BEGIN + SECOND_NS + 10
    change(observer, t_ns, 99.0, 5.0, 1.0)
    assert level(record, 99.0) is None
    for step in range(PRICES_KEPT + 3):
        observer.on_trade(t_ns + 1, 100.0 + step, 1.0, 1, None, None)
    assert record.dropped == 3


def test_after_a_hole_nothing_is_known_of_what_was_added() -> None:
    observer, record = record_with_mid()
    change(observer, BEGIN + SECOND_NS + 10, 100.0, 5.0, 1.0)
    observer.on_reset(BEGIN + SECOND_NS + 11, "gap")
    assert level(record, 100.0) is None


def test_trades_of_half_a_second_are_one_bubble_a_side_at_their_mean_price() -> None:
    bubbles = Bubbles()
    for after, price, size, side in ((1, 10.0, 1.0, 1), (2, 13.0, 2.0, 1), (3, 9.0, 1.0, -1), (4, 9.5, 4.0, 0)):
        bubbles.on_trade(BEGIN + after, price, size, side, None, None)
    assert not bubbles.bubbles
    bubbles.on_timer(BEGIN + SECOND_NS)
    assert list(bubbles.bubbles) == [
        Bubble(BEGIN, 12.0, 3.0, 1), Bubble(BEGIN, 9.0, 1.0, -1), Bubble(BEGIN, 9.5, 4.0, 0)
    ]  # fmt: skip
    assert bubbles.since(2) == [Bubble(BEGIN, 9.5, 4.0, 0)]
    assert bubbles.bubbles.maxlen == BUBBLES_KEPT
