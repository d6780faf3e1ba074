from __future__ import annotations

from engine.flow.book.flicker import Flicker
from engine.flow.book.top import TopOfBook
from tests.engine.flow.books import at, quote


def told(steps: list[tuple[float, float]]) -> tuple[TopOfBook, Flicker]:
    """Bids that move as said, asks that stand."""
    top = TopOfBook(1.0)
    flicker = Flicker(top)
    for seconds, bid in steps:
        quote(top, seconds, bid, 1, 200, 1)
    return top, flicker


def test_a_price_that_is_left_and_taken_again_within_250_ms_flickers() -> None:
    _, flicker = told([(0, 100), (1, 101), (1.25, 100), (3, 101), (3.251, 100)])
    assert (flicker.bids.changes, flicker.bids.flickers) == (4, 1)
    assert (flicker.asks.changes, flicker.asks.flickers) == (0, 0)


def test_a_way_back_by_two_steps_is_no_flicker() -> None:
    _, flicker = told([(0, 100), (1, 101), (1.1, 102), (1.2, 100)])
    assert flicker.bids.flickers == 0


def test_nothing_is_compared_across_a_reset() -> None:
    top, flicker = told([(0, 100), (1, 101)])
    top.on_reset(at(1.05), "a gap")
    flicker.on_reset(at(1.05), "a gap")
    quote(top, 1.1, 100, 1, 200, 1)
    assert (flicker.bids.changes, flicker.bids.flickers) == (1, 0)


def test_the_rate_is_that_of_the_last_minute_once_it_is_full() -> None:
    top = TopOfBook(1.0)
    flicker = Flicker(top)
    for second in range(125):
        flicker.on_timer(at(second))
        quote(top, second + 0.1, 101, 1, 200, 1)
        quote(top, second + 0.2 if second >= 62 else second + 0.7, 100, 1, 200, 1)
        if second < 60:
            assert flicker.rates() == (None, None)
    flicker.on_timer(at(125))
    bids, asks = flicker.rates()
    assert (bids, asks) == (0.5, None), "of two changes a second one is a flicker; asks never moved"
