from __future__ import annotations

import pytest

from connectors.base.backoff import Backoff, Cooldown, TokenBucket, Window

S = 1_000_000_000


def test_a_pause_is_anything_up_to_a_ceiling_that_doubles() -> None:
    top = Backoff(0.5, 30.0, lambda: 1.0)
    assert [top.next_delay_s() for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    half = Backoff(0.5, 30.0, lambda: 0.5)
    assert [half.next_delay_s() for _ in range(3)] == [0.25, 0.5, 1.0]


def test_a_reset_begins_with_short_pauses_again() -> None:
    backoff = Backoff(1.0, 30.0, lambda: 1.0)
    for _ in range(200):
        backoff.next_delay_s()
    assert backoff.attempts == 200
    backoff.reset()
    assert backoff.next_delay_s() == 1.0


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(2.0, 3)
    assert [bucket.try_take(0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s(0) == pytest.approx(0.5)
    assert bucket.try_take(S // 2)
    assert not bucket.try_take(S // 2)


def test_reserved_tokens_queue_up() -> None:
    bucket = TokenBucket(2.0, 1)
    assert [bucket.reserve(0) for _ in range(3)] == pytest.approx([0.0, 0.5, 1.0])


def test_what_was_spent_without_asking_is_owed() -> None:
    bucket = TokenBucket(4.0, 1)
    bucket.spend(0)
    bucket.spend(0)
    assert bucket.wait_s(0) == pytest.approx(0.5)


def test_what_costs_more_than_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    bucket = TokenBucket(10.0, 20)
    assert bucket.try_take(0, 50.0)
    assert not bucket.try_take(0, 1.0)
    assert bucket.wait_s(0, 1.0) == pytest.approx(3.1)


def test_a_complaint_holds_everything_and_halves_the_rate_for_ten_minutes() -> None:
    bucket = TokenBucket(8.0, 4)
    bucket.throttle(0, 5.0)
    assert not bucket.try_take(4 * S)
    assert bucket.wait_s(4 * S) == pytest.approx(1.0)
    assert bucket.try_take(5 * S)
    assert bucket.rate == 4.0
    bucket.try_take(605 * S)
    assert bucket.rate == 8.0


def test_complaints_never_stop_a_bucket_for_good() -> None:
    bucket = TokenBucket(16.0, 4)
    for _ in range(20):
        bucket.throttle(0, 0.0)
    assert bucket.rate == 1.0


def test_a_clock_that_jumps_back_takes_no_tokens() -> None:
    bucket = TokenBucket(1.0, 1)
    assert bucket.try_take(100 * S)
    assert not bucket.try_take(50 * S)
    assert bucket.try_take(51 * S)


def test_the_first_repair_is_at_once_and_each_later_one_after_twice_the_pause() -> None:
    cooldown = Cooldown()
    due = [cooldown.next_due_ns(0) // S for _ in range(9)]
    assert due == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_half_a_minute_without_trouble_is_forgiven() -> None:
    cooldown = Cooldown()
    cooldown.next_due_ns(0)
    cooldown.next_due_ns(0)
    assert cooldown.next_due_ns(32 * S) == 32 * S
    assert cooldown.next_due_ns(33 * S) == 33 * S
    assert cooldown.next_due_ns(33 * S) == 35 * S


def test_a_window_forgets() -> None:
    window = Window(60.0)
    assert [window.add(second * S) for second in (0, 30, 59, 60, 95)] == [1, 2, 3, 3, 3]
