from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.trades.quote_history import QuoteHistory, in_ticks

TICK = 0.01


def test_prices_on_the_grid_become_whole_ticks_and_others_stay_what_they_are() -> None:
    assert in_ticks(61837.63, TICK) == 6183763.0
    assert in_ticks(0.1 + 0.2, 0.1) == 3.0
    assert in_ticks(1.005, TICK) == pytest.approx(100.5)


def test_the_mid_that_stood_at_a_moment_is_the_last_one_at_or_before_it() -> None:
    quotes = QuoteHistory(1.0)
    quotes.on_bbo(10, 100, 1, 102, 1)
    quotes.on_bbo(20, 102, 1, 104, 1)
    assert [quotes.before(t) for t in (9, 10, 19, 20, 99)] == [None, 101.0, 101.0, 103.0, 103.0]


def test_sizes_alone_leave_no_trace_and_an_emptied_side_does() -> None:
    quotes = QuoteHistory(1.0)
    quotes.on_bbo(1, 100, 1, 102, 1)
    quotes.on_bbo(2, 100, 9, 102, 9)
    quotes.on_bbo(3, 100, 9, 102, 0)
    assert quotes.mid is None
    assert quotes.before(2) == 101.0
    assert quotes.before(3) is None
    quotes.on_bbo(4, 100, 9, 102, 5)
    assert quotes.mid == 101.0


@pytest.mark.parametrize(("bid", "ask", "mid"), [(100, 100, 100.0), (101, 100, None), (0, 100, None), (100, 0, None)])
def test_a_locked_book_has_a_mid_and_a_crossed_or_one_sided_one_has_none(bid: float, ask: float, mid: float) -> None:
    quotes = QuoteHistory(1.0)
    quotes.on_bbo(1, bid, 1, ask, 1)
    assert quotes.mid == mid


def test_after_a_reset_nothing_is_known_until_the_next_quote_even_if_it_is_the_same() -> None:
    quotes = QuoteHistory(1.0)
    quotes.on_bbo(1, 100, 1, 102, 1)
    quotes.on_reset(5)
    assert quotes.mid is None
    assert quotes.before(6) is None
    quotes.on_bbo(7, 100, 1, 102, 1)
    assert quotes.before(7) == 101.0
    assert quotes.before(6) is None


def test_memory_is_bounded_and_the_mid_at_the_edge_of_it_stays() -> None:
    quotes = QuoteHistory(1.0, keep_ns=10)
    for t in range(100):
        quotes.on_bbo(t, 100 + t, 1, 102 + t, 1)
    quotes.trim(99)
    assert quotes.before(88) is None
    assert quotes.before(89) == 190.0
    short = QuoteHistory(1.0, limit=8)
    for t in range(100):
        short.on_bbo(t, 100 + t, 1, 102 + t, 1)
    assert short.dropped >= 92
    assert short.before(99) == 200.0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 6)), min_size=1), st.lists(st.integers(0, 200), min_size=1))
def test_any_order_of_questions_gets_the_same_answers_as_a_plain_search(
    steps: list[tuple[int, int]], asked: list[int]
) -> None:
    quotes = QuoteHistory(1.0)
    known: list[tuple[int, float]] = []
    t = 0
    for wait, bid in steps:
        t += wait
        quotes.on_bbo(t, bid, 1, bid + 2, 1)
        known.append((t, bid + 1.0))
    for moment in asked:
        assert quotes.before(moment) == next((mid for when, mid in reversed(known) if when <= moment), None)
