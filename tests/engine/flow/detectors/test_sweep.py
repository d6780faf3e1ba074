from __future__ import annotations

import pytest

from engine.flow.detectors.sweep import sweep_of
from engine.flow.trades.taker_orders import TakerOrder, TakerOrders


def _order(prices: list[float], side: int = 1) -> TakerOrder:
    orders = TakerOrders()
    for price in prices:
        orders.add(3, price, 1.0, side, 1)
    closed = orders.close()
    assert closed is not None
    return closed


def test_three_prices_in_one_direction_are_a_sweep() -> None:
    # The hand-worked case T14.
    orders = TakerOrders()
    for price, size in ((100.0, 1.0), (100.0, 2.0), (101.0, 1.0), (102.0, 1.0)):
        assert orders.add(10, price, size, 1, 10) is None
    first = orders.add(10, 102.0, 4.0, -1, 10)
    second = orders.close()
    assert first is not None
    assert second is not None
    found = sweep_of(first, 1.0)
    assert found is not None
    assert (found.size, found.evidence["levels"], found.price) == (5.0, 3.0, 102.0)
    assert found.evidence["slip_bps"] == pytest.approx(59.99999999999944)
    assert sweep_of(second, 1.0) is None


def test_two_prices_or_a_turn_on_the_way_are_none() -> None:
    assert sweep_of(_order([100.0, 101.0]), 1.0) is None
    assert sweep_of(_order([100.0, 102.0, 101.0]), 1.0) is None
    assert sweep_of(_order([100.0, 101.0, 102.0], side=-1), 1.0) is None


@pytest.mark.parametrize(("large", "alert"), [(None, 0.0), (3.0, 1.0), (3.1, 0.0)])
def test_only_a_large_sweep_is_worth_an_alert(large: float | None, alert: float) -> None:
    found = sweep_of(_order([100.0, 101.0, 102.0]), 1.0, large)
    assert found is not None
    assert found.evidence["alert"] == alert
