from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed import sync as module
from engine.feed.sync import BookSync, RangeContinuity, Verdict, WholeBooks
from engine.market.events import BookDelta
from tests.engine.support import delta, snapshot


def waiting(*deltas: BookDelta) -> BookSync:
    sync = BookSync(RangeContinuity())
    for one in deltas:
        assert sync.push_delta(one) is Verdict.WAIT
    return sync


def live_at(sequence: int) -> BookSync:
    sync = BookSync(RangeContinuity())
    assert sync.push_snapshot(snapshot(sequence)) == ([], 0)
    return sync


def test_a_snapshot_that_ends_before_the_first_kept_update_begins_is_refused_and_the_updates_stay() -> None:
    sync = waiting(delta(100, 105), delta(106, 110))
    assert sync.push_snapshot(snapshot(98)) is None
    assert not sync.live
    assert sync.waiting == 2


def test_a_snapshot_right_before_the_first_kept_update_joins_it() -> None:
    sync = waiting(delta(100, 105))
    assert sync.push_snapshot(snapshot(99)) == ([delta(100, 105)], 0)
    assert (sync.live, sync.last, sync.waiting) == (True, 105, 0)


def test_the_first_update_may_overlap_the_snapshot() -> None:
    sync = waiting(delta(90, 95), delta(96, 105), delta(106, 110))
    assert sync.push_snapshot(snapshot(100)) == ([delta(96, 105), delta(106, 110)], 1)
    assert sync.last == 110


def test_updates_that_end_at_or_before_the_snapshot_are_ignored() -> None:
    sync = waiting(delta(90, 95), delta(96, 100))
    assert sync.push_snapshot(snapshot(100)) == ([], 2)
    assert (sync.live, sync.last) == (True, 100)


def test_a_snapshot_newer_than_everything_kept_waits_for_the_next_update() -> None:
    sync = waiting(delta(90, 95))
    assert sync.push_snapshot(snapshot(200)) == ([], 1)
    assert sync.push_delta(delta(96, 100)) is Verdict.DUPLICATE
    assert sync.push_delta(delta(199, 205)) is Verdict.APPLY


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [
        (101, 101, Verdict.APPLY), (101, 110, Verdict.APPLY), (95, 101, Verdict.APPLY), (1, 1000, Verdict.APPLY),
        (100, 100, Verdict.DUPLICATE), (90, 95, Verdict.DUPLICATE), (102, 102, Verdict.GAP), (102, 110, Verdict.GAP),
        (105, 101, Verdict.GAP), (None, 101, Verdict.GAP), (101, None, Verdict.GAP),
    ],
)  # fmt: skip
def test_an_update_after_number_one_hundred(first: int | None, last: int | None, verdict: Verdict) -> None:
    sync = live_at(100)
    update = BookDelta("binance", "BTCUSDT", (), (), first, last, None, 1, "stream")
    assert sync.push_delta(update) is verdict
    assert sync.live is (verdict is not Verdict.GAP)
    assert sync.last == (last if verdict is Verdict.APPLY else 100)


def test_the_update_behind_a_gap_is_kept_and_can_join_the_next_snapshot() -> None:
    sync = live_at(100)
    assert sync.push_delta(delta(105, 106)) is Verdict.GAP
    assert sync.push_delta(delta(107)) is Verdict.WAIT
    assert sync.push_snapshot(snapshot(103)) is None
    assert sync.push_snapshot(snapshot(104)) == ([delta(105, 106), delta(107)], 0)


def test_a_hole_within_the_kept_updates_does_not_reach_the_book() -> None:
    sync = waiting(delta(100), delta(101), delta(105), delta(106))
    assert sync.push_snapshot(snapshot(99)) is None
    joined = sync.push_snapshot(snapshot(104))
    assert joined is not None
    assert joined[0] == [delta(105), delta(106)]


def test_an_update_said_twice_while_waiting_is_joined_once() -> None:
    sync = waiting(delta(100), delta(101), delta(101), delta(102))
    joined = sync.push_snapshot(snapshot(99))
    assert joined is not None
    assert joined[0] == [delta(100), delta(101), delta(102)]


def test_the_kept_updates_are_bounded_and_what_is_pushed_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFER_LIMIT", 10)
    sync = waiting(*[delta(number) for number in range(100, 125)])
    assert (sync.waiting, sync.dropped) == (10, 15)
    assert sync.push_snapshot(snapshot(105)) is None
    joined = sync.push_snapshot(snapshot(114))
    assert joined is not None
    assert len(joined[0]) == 10


def test_losing_the_book_forgets_the_kept_updates_but_not_the_number() -> None:
    sync = live_at(100)
    sync.lose()
    assert (sync.live, sync.last, sync.waiting) == (False, 100, 0)
    assert sync.push_delta(delta(101)) is Verdict.WAIT


def test_a_reset_forgets_everything() -> None:
    sync = live_at(100)
    sync.push_delta(delta(200))
    sync.reset()
    assert (sync.live, sync.last, sync.waiting) == (False, None, 0)


def test_without_numbers_every_update_after_the_snapshot_is_applied() -> None:
    sync = BookSync(RangeContinuity("resubscribe"))
    assert sync.push_snapshot(snapshot(None)) == ([], 0)
    assert sync.push_delta(BookDelta("v", "s", (), (), None, None, None, 1, "stream")) is Verdict.APPLY


def test_whole_books_have_no_updates_to_join() -> None:
    rule = WholeBooks()
    assert rule.recovery == "none"
    assert rule.joins(1, delta(2)) is Verdict.GAP
    assert rule.follows(1, delta(2)) is Verdict.GAP


@settings(max_examples=200, deadline=None)
@given(
    numbers=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 4)), max_size=40),
    snapshots=st.lists(st.integers(1, 40), max_size=5),
)
def test_whatever_arrives_what_is_applied_has_no_hole(numbers: list[tuple[int, int]], snapshots: list[int]) -> None:
    sync = BookSync(RangeContinuity())
    reached: int | None = None
    pending = list(snapshots)
    for index, (first, extent) in enumerate(numbers):
        update = delta(first, first + extent)
        verdict = sync.push_delta(update)
        if verdict is Verdict.APPLY:
            assert reached is not None
            assert first <= reached + 1 <= first + extent
            reached = first + extent
        if pending and index % 5 == 4 and not sync.live:
            number = pending.pop()
            joined = sync.push_snapshot(snapshot(number))
            if joined is not None:
                reached = number
                for one in joined[0]:
                    assert one.first_sequence is not None
                    assert one.last_sequence is not None
                    assert one.first_sequence <= reached + 1 <= one.last_sequence
                    reached = one.last_sequence
        assert not sync.live or sync.last == reached
