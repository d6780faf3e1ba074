"""Numbers that jump, joined by the predecessor that each update names."""

from __future__ import annotations

import pytest

from engine.feed.sync import BookSync, ChainedContinuity, Verdict
from engine.market.events import BookDelta, BookSnapshot


def delta(previous: int | None, first: int, last: int) -> BookDelta:
    return BookDelta("v", "s", ((1.0, 1.0),), (), first, last, None, last, "stream", previous)


def snapshot(number: int) -> BookSnapshot:
    return BookSnapshot("v", "s", ((1.0, 1.0),), ((2.0, 1.0),), number, None, number, "stream")


@pytest.mark.parametrize(
    ("previous", "first", "last", "verdict"),
    [
        (80, 90, 99, Verdict.IGNORE),
        (80, 90, 100, Verdict.APPLY),
        (80, 100, 110, Verdict.APPLY),
        (100, 107, 110, Verdict.APPLY),
        (95, 105, 110, Verdict.APPLY),
        (101, 105, 110, Verdict.GAP),
        (None, 90, 110, Verdict.GAP),
        (80, 111, 110, Verdict.GAP),
    ],
)
def test_the_first_update_must_reach_back_to_the_snapshot(
    previous: int | None, first: int, last: int, verdict: Verdict
) -> None:
    assert ChainedContinuity().joins(100, delta(previous, first, last)) is verdict


@pytest.mark.parametrize(
    ("previous", "first", "last", "verdict"),
    [
        (100, 107, 110, Verdict.APPLY),
        (100, 101, 101, Verdict.APPLY),
        (90, 95, 100, Verdict.DUPLICATE),
        (80, 85, 90, Verdict.DUPLICATE),
        (101, 107, 110, Verdict.GAP),
        (99, 101, 110, Verdict.GAP),
        (None, 101, 110, Verdict.GAP),
    ],
)
def test_the_next_must_name_the_last_one_exactly(previous: int | None, first: int, last: int, verdict: Verdict) -> None:
    assert ChainedContinuity().follows(100, delta(previous, first, last)) is verdict


def test_kept_updates_join_the_snapshot_and_older_ones_go() -> None:
    sync = BookSync(ChainedContinuity())
    for one in (delta(70, 75, 80), delta(80, 85, 95), delta(95, 99, 110), delta(110, 120, 130)):
        assert sync.push_delta(one) is Verdict.WAIT
    joined = sync.push_snapshot(snapshot(100))
    assert joined is not None
    assert ([one.last_sequence for one in joined[0]], joined[1], sync.last) == ([110, 130], 2, 130)


def test_a_snapshot_before_the_first_kept_update_is_too_old() -> None:
    sync = BookSync(ChainedContinuity())
    sync.push_delta(delta(105, 110, 120))
    assert sync.push_snapshot(snapshot(100)) is None
    assert not sync.live


def test_after_a_snapshot_that_nothing_continued_yet_the_next_update_joins_it() -> None:
    sync = BookSync(ChainedContinuity())
    sync.push_snapshot(snapshot(100))
    assert sync.push_delta(delta(80, 85, 90)) is Verdict.DUPLICATE
    assert sync.push_delta(delta(90, 95, 110)) is Verdict.APPLY
    assert sync.push_delta(delta(90, 95, 115)) is Verdict.GAP
    assert not sync.live
