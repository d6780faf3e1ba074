"""Missing, late and repeated trades by their numbers."""

from __future__ import annotations

from engine.feed.trade_numbers import MISSING_TRADES_KEPT, Place, TradeNumbers


def places(*numbers: int) -> list[Place]:
    trades = TradeNumbers()
    return [trades.take(number) for number in numbers]


def test_one_after_the_other_is_as_it_should_be() -> None:
    assert places(7, 8, 9) == [Place.NEXT, Place.NEXT, Place.NEXT]


def test_what_was_left_out_may_come_late_once() -> None:
    assert places(7, 10, 9, 9, 8) == [Place.NEXT, Place.AFTER_GAP, Place.LATE, Place.DUPLICATE, Place.LATE]


def test_what_came_before_is_a_duplicate() -> None:
    assert places(7, 8, 8, 7, 3) == [Place.NEXT, Place.NEXT, Place.DUPLICATE, Place.DUPLICATE, Place.DUPLICATE]


def test_the_highest_number_is_known() -> None:
    trades = TradeNumbers()
    assert trades.last is None
    for number in (7, 10, 8):
        trades.take(number)
    assert trades.last == 10


def test_the_memory_of_missing_ones_is_bounded_and_keeps_the_newest() -> None:
    trades = TradeNumbers()
    trades.take(1)
    trades.take(10**9)

    assert len(trades.missing) == MISSING_TRADES_KEPT
    assert trades.take(10**9 - 1) is Place.LATE
    assert trades.take(2) is Place.DUPLICATE
