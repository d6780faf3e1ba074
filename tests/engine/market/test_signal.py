from __future__ import annotations

import pytest

from engine.market.signal import Signal


def test_a_signal_says_nothing_of_a_confidence_that_nobody_measured() -> None:
    signal = Signal("book_pressure", "binance", "BTCUSDT", "buy", 0.7, 100.0, 1, "why")
    assert signal.confidence is None
    assert signal.source == "stream"


def test_a_signal_cannot_be_changed_after_it_was_given() -> None:
    signal = Signal("book_pressure", "binance", "BTCUSDT", "buy", 0.7, 100.0, 1, "why")
    with pytest.raises(AttributeError):
        signal.direction = "sell"  # type: ignore[misc]
