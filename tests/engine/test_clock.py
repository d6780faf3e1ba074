from __future__ import annotations

import pytest

from engine import clock as module
from engine.clock import ManualClock, SystemClock


class Hands:
    """The two clocks of the machine, moved by the test."""

    def __init__(self) -> None:
        self.wall_ns = 1_700_000_000_000_000_000
        self.monotonic = 5_000_000_000

    def time_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.monotonic

    def advance(self, nanoseconds: int) -> None:
        self.wall_ns += nanoseconds
        self.monotonic += nanoseconds


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(module, "time", hands)
    return hands


def test_the_system_clock_tells_the_wall_time_at_first_and_follows_the_monotonic_clock(hands: Hands) -> None:
    clock = SystemClock()
    assert clock.now_ns() == hands.wall_ns
    hands.advance(1_500)
    assert clock.now_ns() == hands.wall_ns
    hands.wall_ns -= 900_000_000
    assert clock.now_ns() == hands.wall_ns + 900_000_000


@pytest.mark.parametrize("drift", [0, 1, 1_000_000_000, -1_000_000_000])
def test_a_drift_of_up_to_a_second_is_left_alone(hands: Hands, drift: int) -> None:
    clock = SystemClock()
    before = clock.now_ns()
    hands.wall_ns += drift
    assert clock.correct() == 0
    assert clock.now_ns() == before
    assert clock.jumps == 0


@pytest.mark.parametrize("jump", [1_000_000_001, -1_000_000_001, 3_600 * 10**9])
def test_a_jump_of_more_than_a_second_is_followed_once_and_counted(hands: Hands, jump: int) -> None:
    clock = SystemClock()
    hands.wall_ns += jump
    assert clock.correct() == jump
    assert clock.now_ns() == hands.wall_ns
    assert clock.correct() == 0
    assert clock.jumps == 1


def test_the_real_clock_never_runs_backwards() -> None:
    clock = SystemClock()
    stamps = [clock.now_ns() for _ in range(1000)]
    assert stamps == sorted(stamps)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(10)
    assert clock.now_ns() == clock.now_ns() == 10
    clock.advance(1.5)
    assert clock.now_ns() == 1_500_000_010
    clock.set(7)
    assert clock.now_ns() == 7
