from __future__ import annotations

import pytest

from engine.flow.trades.taker_orders import OPEN_NS, TakerOrder, TakerOrders

MS = 1_000_000
# The hand-worked case T14: (price, size, side), all with the same venue time.
FILLS = [(100.0, 1.0, 1), (100.0, 2.0, 1), (101.0, 1.0, 1), (102.0, 1.0, 1), (102.0, 4.0, -1)]


def _orders(fills: list[tuple[float, float, int]], venue_ns: int | None = 10 * MS) -> list[TakerOrder]:
    orders = TakerOrders()
    found = [orders.add(5, price, size, side, venue_ns) for price, size, side in fills]
    return [order for order in (*found, orders.close()) if order is not None]


def test_fills_of_one_side_and_one_venue_time_are_one_order() -> None:
    first, second = _orders(FILLS)
    assert (first.size, first.levels, first.fills, first.side, first.monotone) == (5.0, 3, 4, 1, True)
    assert first.vwap == 100.6
    assert first.slip_bps == pytest.approx(59.99999999999944)
    assert first.reach_ticks == 2.0
    assert (second.size, second.levels, second.side, second.slip_bps) == (4.0, 1, -1, 0.0)


def test_another_venue_time_ends_an_order_and_no_venue_time_groups_by_arrival() -> None:
    orders = TakerOrders()
    assert orders.add(1, 100.0, 1.0, 1, 10) is None
    closed = orders.add(2, 100.0, 1.0, 1, 11)
    assert closed is not None
    assert closed.size == 1.0
    assert len(_orders([(100.0, 1.0, 1), (100.0, 1.0, 1)], None)) == 1


def test_an_order_that_turns_back_is_not_monotone_and_counts_distinct_prices() -> None:
    (order,) = _orders([(100.0, 1.0, 1), (101.0, 1.0, 1), (100.0, 1.0, 1)])
    assert not order.monotone
    assert order.levels == 2


def test_fills_without_a_side_end_an_order_and_form_none() -> None:
    assert [order.size for order in _orders([(100.0, 1.0, 1), (100.0, 9.0, 0), (100.0, 2.0, 1)])] == [1.0, 2.0]


def test_in_silence_an_order_closes_by_itself_once() -> None:
    orders = TakerOrders()
    orders.add(0, 100.0, 1.0, 1, 7)
    assert orders.expire(OPEN_NS) is None
    closed = orders.expire(OPEN_NS + 1)
    assert closed is not None
    assert closed.t_ns == 0
    assert orders.expire(10 * OPEN_NS) is None
    assert orders.close() is None
    assert orders.orders == 1
