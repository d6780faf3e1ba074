from __future__ import annotations

from engine.store.base import Recording
from engine.store.report import quality_text, traded_words
from tests.engine.store.events import KEY, START_NS


def recording(orders: int, fills: int) -> Recording:
    return Recording("r", START_NS, START_NS + 1, "stopped", (KEY,), 9, 4, 0, None, "", {}, orders, fills)


def test_orders_and_fills_are_told_where_there_are_any() -> None:
    assert traded_words(recording(1_200, 3)) == "orders 1,200 · fills 3"
    assert traded_words(recording(0, 1)) == "orders 0 · fills 1"
    assert traded_words(recording(0, 0)) == ""
    assert "orders 2 · fills 1\n" in quality_text(recording(2, 1), [], [])
    assert "orders" not in quality_text(recording(0, 0), [], [])
