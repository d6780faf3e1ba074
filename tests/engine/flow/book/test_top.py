from __future__ import annotations

from random import Random

import pytest

from engine.flow.book.top import TopOfBook
from engine.flow.readings import Quality
from engine.flow.state import BookState
from tests.engine.flow.books import at, quote


def test_the_best_prices_give_spread_mid_imbalance_and_weighted_mid() -> None:
    # The hand-worked case T01.
    top = TopOfBook(0.01)
    quote(top, 0, 100.0, 3.0, 100.02, 1.0)
    said = top.readings(at(0))
    assert said["spread_abs"].value == pytest.approx(0.02, rel=1e-12)
    assert said["spread_ticks"].value == 2
    assert said["spread_bps"].value == pytest.approx(1.9998000199980002, rel=1e-12)
    assert said["mid"].value == pytest.approx(100.01, rel=1e-12)
    assert said["weighted_mid"].value == pytest.approx(100.015, rel=1e-12)
    assert said["imbalance_1"].value == 0.5
    assert said["mid"].as_of_ns == at(0)
    assert said["mid"].state is BookState.OK


def spreads(minimum_s: float) -> TopOfBook:
    """1 tick for 10 s, 2 for 2 s, 1 until 30 s, then 3."""
    top = TopOfBook(1.0, window_s=30, warm_s=minimum_s)
    for seconds, ticks in ((0, 1), (10, 2), (12, 1), (30, 3)):
        quote(top, seconds, 100, 1, 100 + ticks, 1)
    return top


def test_a_spread_is_unusual_by_time_not_by_count_and_never_part_of_its_own_baseline() -> None:
    # The hand-worked case T05.
    assert spreads(0).spread_history(at(30)) == (4.0, 1.0, 0.0, 1.0)


def test_a_spread_has_no_history_before_enough_of_the_window_is_known() -> None:
    assert spreads(31).spread_history(at(30)) is None
    said = spreads(31).readings(at(30))
    assert said["spread_z"].value is None
    assert said["spread_z"].warm == pytest.approx(30 / 31)
    assert said["spread_z"].quality is Quality.EXACT


def test_the_spread_leaves_the_window() -> None:
    top = spreads(0)
    assert top.spread_history(at(60)) == (0.0, 3.0, 0.0, 1.0)


def test_a_locked_book_has_a_mid_but_no_spread_for_the_history() -> None:
    # The hand-worked case T25.
    top = TopOfBook(1.0, window_s=30, warm_s=0)
    quote(top, 0, 100, 1, 101, 1)
    quote(top, 1, 100, 1, 100, 1)
    assert top.state is BookState.LOCKED
    assert (top.spread_ticks, top.mid_ticks) == (0, 100.0)
    top.spreads.settle(at(5))
    assert top.spreads.covered_ns == at(1) - at(0)


def test_a_crossed_book_gives_its_raw_spread_and_nothing_else() -> None:
    top = TopOfBook(1.0, window_s=30, warm_s=0)
    quote(top, 0, 101, 1, 100, 1)
    assert top.state is BookState.CROSSED
    said = top.readings(at(1))
    assert said["spread_ticks"].value == -1.0
    assert [said[name].value for name in ("mid", "imbalance_1", "weighted_mid", "spread_z")] == [None] * 4
    assert top.ofi_last is None


def test_after_a_reset_nothing_is_known_until_the_next_quote() -> None:
    top = TopOfBook(1.0, window_s=30, warm_s=0)
    quote(top, 0, 100, 1, 101, 1)
    top.on_reset(at(1), "a gap")
    assert {reading.value for reading in top.readings(at(2)).values()} == {None}
    assert top.state_at(at(2)) is BookState.RESYNC
    quote(top, 3, 100, 1, 101, 1)
    top.spreads.settle(at(4))
    assert top.spreads.covered_ns == 2 * 10**9, "the hole has no weight"


def test_silence_makes_it_stale_but_not_where_quotes_are_rare() -> None:
    busy, rare = TopOfBook(1.0), TopOfBook(1.0)
    for step in range(100):
        quote(busy, step / 10, 100, 1 + step, 101, 1)
        quote(rare, step, 100, 1 + step, 101, 1)
    assert busy.state_at(at(9.9 + 4.9)) is BookState.OK
    assert busy.state_at(at(9.9 + 5)) is BookState.STALE
    assert rare.state_at(at(99 + 19)) is BookState.OK
    assert rare.state_at(at(99 + 20)) is BookState.STALE
    assert rare.readings(at(99 + 20))["mid"].value == 100.5, "the last values stay, marked"


def test_who_listens_is_told_of_changes_of_price_only() -> None:
    top = TopOfBook(1.0)
    told: list[tuple[int, float, float]] = []
    top.listeners.append(lambda t_ns, bid, ask: told.append((t_ns, bid, ask)))
    quote(top, 0, 100, 1, 101, 1)
    quote(top, 1, 100, 2, 101, 1)
    quote(top, 2, 100, 2, 102, 1)
    assert told == [(at(0), 100, 101), (at(2), 100, 102)]


def test_infinite_and_empty_queues_break_the_flow_and_nothing_else() -> None:
    top = TopOfBook(1.0)
    quote(top, 0, 100, 1, 101, 1)
    quote(top, 1, 100, 0, 101, 0)
    assert top.ofi_last is None
    quote(top, 2, 100, float("inf"), 101, 1)
    assert [top.ofi_last, top.ofi] == [None, 0.0]
    quote(top, 3, 100, 2, 101, 1)
    quote(top, 4, 100, 5, 101, 1)
    assert [top.ofi_last, top.ofi] == [3.0, 3.0]


def test_two_symbols_side_by_side_say_what_each_says_alone() -> None:
    random = Random(5)
    together, alone = [TopOfBook(1.0), TopOfBook(0.5)], [TopOfBook(1.0), TopOfBook(0.5)]
    told: list[list[tuple[float, float, float, float, float]]] = [[], []]
    for step in range(2000):
        which = random.randrange(2)
        bid = 100.0 + random.randrange(3)
        said = (step / 20, bid, random.random(), bid + 1 + random.randrange(3), random.random())
        quote(together[which], *said)
        told[which].append(said)
    for which in (0, 1):
        for said in told[which]:
            quote(alone[which], *said)
        assert together[which].readings(at(100)) == alone[which].readings(at(100))
        assert together[which].ofi == alone[which].ofi
