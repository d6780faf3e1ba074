from __future__ import annotations

from engine.flow.detectors.large_order import LargeOrders
from engine.flow.trades.taker_orders import TakerOrder


def order(size: float, price: float = 100.0) -> TakerOrder:
    return TakerOrder(7, 1, size, 1, 1, price, price, price, True)


def _after(sizes: range, warm_after: int, floor: float = 0.0) -> LargeOrders:
    large = LargeOrders(warm_after=warm_after, floor=floor)
    for size in sizes:
        large.on_order(order(float(size)))
    return large


def test_an_order_is_held_against_those_before_it_and_never_against_itself() -> None:
    # The hand-worked case T13.
    assert _after(range(1, 101), 100).threshold == 99.0
    assert _after(range(1, 101), 100).on_order(order(98.5)) is None
    found = _after(range(1, 101), 100).on_order(order(99.0))
    assert found is not None
    assert (found.kind, found.side, found.size, found.evidence["threshold"]) == ("large_order", 1, 99.0, 99.0)


def test_nothing_is_large_while_warming_up() -> None:
    large = _after(range(1, 200), 200)
    assert large.threshold is None
    assert large.on_order(order(1e9)) is None
    assert large.warm == 1.0
    assert large.threshold is not None


def test_a_floor_in_quote_units_holds_back_what_is_large_only_for_a_quiet_market() -> None:
    assert _after(range(1, 101), 100, floor=20_000.0).on_order(order(150.0)) is None
    assert _after(range(1, 101), 100, floor=20_000.0).on_order(order(200.0)) is not None


def test_the_price_is_in_quote_units() -> None:
    large = LargeOrders(tick=0.5, warm_after=0)
    large.on_order(order(1.0))
    found = large.on_order(order(2.0, price=201.0))
    assert found is not None
    assert found.price == 100.5


def test_in_a_market_that_falls_quiet_the_threshold_falls_too() -> None:
    large = LargeOrders()
    for number in range(4_000):
        large.on_order(order(100.0 + number % 50))
    for number in range(2_000):
        large.on_order(order(1.0 + number % 50 / 50))
    found = large.on_order(order(2.5))
    assert found is not None
    assert found.evidence["threshold"] == 1.98
