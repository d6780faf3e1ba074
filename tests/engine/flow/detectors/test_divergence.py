from __future__ import annotations

from engine.flow.detectors.divergence import BARS, DeltaDivergence


def _after(closes_rise: bool, last_close: float, last_delta: float) -> int | None:
    divergence = DeltaDivergence()
    for number in range(BARS):
        close = 100.0 + number if closes_rise else 100.0 - number
        assert divergence.on_bar(number, close, 1.0 if number % 2 else 3.0 if closes_rise else -3.0) is None
    found = divergence.on_bar(BARS, last_close, last_delta)
    return found.side if found else None


def test_a_new_high_that_the_delta_does_not_confirm_is_bearish() -> None:
    assert _after(True, 130.0, -5.0) == -1


def test_a_new_high_with_a_new_high_of_the_delta_is_none() -> None:
    assert _after(True, 130.0, 1.0) is None


def test_without_a_new_extreme_there_is_none() -> None:
    assert _after(True, 110.0, -50.0) is None


def test_a_new_low_that_the_delta_does_not_confirm_is_bullish() -> None:
    assert _after(False, 50.0, 20.0) == 1


def test_nothing_is_said_until_the_bars_are_there_nor_after_a_new_anchor() -> None:
    divergence = DeltaDivergence()
    for number in range(BARS - 1):
        divergence.on_bar(number, 100.0 + number, float(number % 3))
    assert divergence.warm == (BARS - 1) / BARS
    assert divergence.on_bar(BARS, 500.0, -100.0) is None
    divergence.clear()
    assert divergence.warm == 0.0
    assert divergence.on_bar(BARS + 1, 900.0, -100.0) is None


def test_bars_whose_deltas_never_differ_have_no_measure() -> None:
    divergence = DeltaDivergence()
    for number in range(BARS):
        divergence.on_bar(number, 100.0 + number, -1.0)
    assert divergence.on_bar(BARS, 200.0, -1.0) is None
