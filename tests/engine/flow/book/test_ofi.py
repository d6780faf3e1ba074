from __future__ import annotations

from random import Random

import numpy as np
import pytest

from engine.flow.book.integrated import IntegratedOfi, integrate, principal
from engine.flow.book.ofi import BestOfi, Impact, LevelOfi
from engine.flow.book.top import TopOfBook
from tests.engine.flow.books import BookTeller, at, quote

QUOTES = [(100, 5, 101, 4), (100, 7, 101, 4), (101, 3, 102, 6), (100, 2, 102, 6), (100, 2, 101, 8), (100, 2, 101, 5)]


def test_each_quote_adds_what_bids_gained_and_asks_lost() -> None:
    # The hand-worked case T03.
    top = TopOfBook(1.0)
    ofi = BestOfi(top)
    events = []
    for step, said in enumerate(QUOTES):
        quote(top, step, *said)
        events.append(ofi.last)
    assert events == [None, 2, 7, -3, -8, 3]
    assert ofi.cumulative == 1


def test_the_flow_of_a_window_is_normalised_by_its_mean_queue() -> None:
    top = TopOfBook(1.0)
    for step, said in enumerate(QUOTES):
        quote(top, 2 * step, *said)
    found = BestOfi(top).over(at(10), 7)
    assert found is not None
    # Events at 4, 6, 8 and 10 s: 7 - 3 - 8 + 3, over queues of 9, 8, 10 and 7 on two sides.
    assert found[0] == -1
    assert found[1] == pytest.approx(-1 / (34 / 8))


def test_a_window_that_reaches_behind_a_break_is_not_known() -> None:
    top = TopOfBook(1.0)
    ofi = BestOfi(top)
    assert ofi.over(at(0), 1) is None
    quote(top, 0, 100, 5, 101, 4)
    assert ofi.over(at(0.5), 1) is None
    assert ofi.over(at(1), 1) == (0.0, None)
    top.on_reset(at(2), "a gap")
    assert ofi.over(at(4), 1) is None
    quote(top, 5, 200, 50, 201, 40)
    assert ofi.last is None, "no difference across the gap"
    assert ofi.cumulative == 0.0


def test_levels_are_compared_by_their_rank() -> None:
    # The hand-worked case T04.
    levels = LevelOfi(2)
    teller = BookTeller(levels)
    teller.snapshot(0, [(100, 5), (99, 2)], [(101, 4), (102, 9)])
    teller.update(1, [(101, 1), (99, 0)], [(101, 0), (103, 3)])
    assert levels.cumulative == [5.0, 14.0]
    assert levels.complete


def test_a_level_that_is_missing_adds_nothing_and_is_noticed() -> None:
    levels = LevelOfi(2)
    teller = BookTeller(levels)
    teller.snapshot(0, [(100, 5)], [(101, 4), (102, 9)])
    teller.update(1, [(100, 8)], [(102, 1)])
    assert levels.cumulative == [3.0, 0.0]
    assert not levels.complete


def test_no_level_is_compared_across_a_snapshot_or_a_reset() -> None:
    levels = LevelOfi(1)
    teller = BookTeller(levels)
    teller.snapshot(0, [(100, 5)], [(101, 4)])
    teller.snapshot(1, [(90, 50)], [(91, 1)])
    assert levels.cumulative == [0.0]
    levels.on_reset(at(2), "a gap")
    teller.update(3, [(90, 7)])
    assert levels.cumulative == [0.0]
    teller.update(4, [(90, 9)])
    assert levels.cumulative == [2.0]


def test_the_levels_first_rank_agrees_with_the_best_quotes() -> None:
    random = Random(3)
    levels, top = LevelOfi(3), TopOfBook(1.0)
    teller = BookTeller(levels)
    teller.snapshot(0, [(100.0 - step, 1.0) for step in range(9)], [(101.0 + step, 1.0) for step in range(9)])
    quote(top, 0, 100, 1, 101, 1)
    for step in range(1, 500):
        side = [(float(random.randrange(95, 101)), random.choice((0.0, 1.0, 2.5)))]
        other = [(float(random.randrange(101, 106)), random.choice((0.0, 1.0, 2.5)))]
        teller.update(step, side, other)
        (bids, bid_sizes), (asks, ask_sizes) = teller.book.top_bids(), teller.book.top_asks()
        quote(top, step, bids[0], bid_sizes[0], asks[0], ask_sizes[0])
    assert levels.cumulative[0] == pytest.approx(top.ofi)
    assert top.ofi != 0


def test_the_impact_line_takes_intervals_that_do_not_overlap_and_waits_for_thirty() -> None:
    impact = Impact(interval_s=2, intervals=40)
    random = Random(1)
    mid, flow, mids, flows = 100.0, 0.0, [], []
    for _ in range(100):
        impact.on_second(mid, flow)
        mids.append(mid)
        flows.append(flow)
        if impact.n < 30:
            assert impact.line() is None
        step = random.gauss(0, 1)
        flow += step
        mid += 2 * step + random.gauss(0, 0.1)
    line = impact.line()
    assert line is not None
    assert line.n == 40
    x, y = np.diff(flows[::2])[-40:], np.diff(mids[::2])[-40:]
    slope, intercept = np.polyfit(x, y, 1)
    assert [line.slope, line.intercept] == pytest.approx([slope, intercept])
    assert line.r2 == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_an_interval_with_a_break_in_it_does_not_count() -> None:
    impact = Impact(interval_s=2)
    for second in range(3):
        impact.on_second(100.0, second)
    impact.lose()
    for second in range(3, 5):
        impact.on_second(100.0, second)
    assert impact.n == 1
    impact.on_second(100.0, 5.0)
    assert impact.n == 2


def test_the_integrated_flow_is_the_first_principal_component() -> None:
    random = np.random.default_rng(2)
    common = random.normal(size=(200, 1))
    flows = common @ np.array([[2.0, 1.0, 0.5]]) + random.normal(scale=0.05, size=(200, 3))
    weights, share = principal(flows)
    assert weights == pytest.approx(np.array([2, 1, 0.5]) / np.sqrt(5.25), abs=0.02)
    assert share > 0.99
    assert integrate(flows, weights) == pytest.approx(flows @ weights / weights.sum())


def test_the_integrated_flow_waits_for_thirty_intervals_and_skips_incomplete_ones() -> None:
    random = Random(4)
    levels = LevelOfi()
    found = IntegratedOfi(levels, interval_s=1)
    teller = BookTeller(levels)
    teller.snapshot(0, [(100.0 - step, 1.0) for step in range(12)], [(101.0 + step, 1.0) for step in range(12)])
    for second in range(40):
        found.on_second(100.5)
        assert (found.value is None) == (found.n < 30)
        teller.update(second, [(100.0 - step, 1 + random.random()) for step in range(10)])
    assert found.n == 39
    teller.update(41, [(100.0 - step, 0.0) for step in range(9)])
    teller.update(41.5, [(100.0 - step, 1.0) for step in range(9)])
    found.on_second(100.5)
    assert found.n == 39, "a level was missing meanwhile"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_how_many_states_are_counted_at_once_shows_nowhere(seed: int) -> None:
    """Read after every update, now and then, and only at the end: the same to the last bit, short books included."""
    random = Random(seed)
    often, seldom, never = LevelOfi(4), LevelOfi(4), LevelOfi(4)
    teller = BookTeller(often, seldom, never)
    teller.snapshot(0, [(100.0 - step, 1.5) for step in range(9)], [(101.0 + step, 1.5) for step in range(9)])
    for step in range(1, 700):
        few = step % 200 > 190
        bids = [(float(random.randrange(92, 101)), 0.0 if few else random.random()) for _ in range(3)]
        asks = [(float(random.randrange(101, 110)), 0.0 if few else random.random()) for _ in range(3)]
        teller.update(step, bids, asks)
        if step % 333 == 0:
            for levels in teller.sections:
                levels.on_reset(at(step), "a gap")
        read = often.cumulative, often.depth_sum
        if random.random() < 0.05:
            assert (seldom.cumulative, seldom.depth_sum) == read
    assert (never.cumulative, never.depth_sum) == (often.cumulative, often.depth_sum)
    assert often.events == seldom.events == never.events == 700
    assert never.cumulative != [0.0] * 4


def test_the_flow_of_many_levels_is_the_sum_of_what_each_update_did() -> None:
    random = Random(8)
    levels = LevelOfi(2)
    teller = BookTeller(levels)
    teller.snapshot(0, [(100.0, 5.0), (99.0, 2.0), (98.0, 1.0)], [(101.0, 4.0), (102.0, 9.0), (103.0, 1.0)])
    expected, known = [0.0, 0.0], teller.book.best_columns(2)
    for step in range(1, 300):
        teller.update(step, [(float(random.randrange(99, 101)), random.choice((1.0, 2.0, 7.0)))], [])
        now = teller.book.best_columns(2)
        for level in range(2):
            if now[0][level] >= known[0][level]:
                expected[level] += now[1][level]
            if now[0][level] <= known[0][level]:
                expected[level] -= known[1][level]
        known = now
    assert levels.cumulative == pytest.approx(expected)
