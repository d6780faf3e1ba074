"""A condition must hold for its time without a break, and is told once until it was over."""

from __future__ import annotations

from engine.alerts.condition import parse
from engine.alerts.hold import Hold

SECOND = 1_000_000_000
QUARTER = SECOND // 4
START = 1_700_000_000 * SECOND


def told(text: str, values: list[float | None], *, step_ns: int = QUARTER) -> list[int]:
    """The places at which a condition on `mid` is told, for values that come one after the other."""
    hold = Hold(parse(text, ("mid",)))
    return [
        place
        for place, value in enumerate(values)
        if hold.step(START + place * step_ns, lambda name, value=value: value)  # type: ignore[misc]
    ]


def test_without_a_time_it_is_told_at_once_and_again_only_after_it_was_over() -> None:
    assert told("mid > 3", [1, 4, 5, 4, 2, 4, 4]) == [1, 5]


def test_it_must_hold_for_its_whole_time() -> None:
    assert told("mid > 3 for 1 s", [4, 4, 4, 2, 4, 4, 4, 4, 4, 4]) == [8]


def test_what_is_not_known_breaks_the_time_that_it_has_held() -> None:
    assert told("mid > 3 for 1 s", [4, 4, 4, None, 4, 4, 4, 4]) == []


def test_what_is_not_known_does_not_make_it_over() -> None:
    assert told("mid > 3", [4, None, None, 4, 4]) == [0]


def test_between_the_bounds_of_a_hysteresis_nothing_is_told_anew() -> None:
    assert told("mid > 3 until mid < 2", [4, 2.5, 4, 2.5, 4, 1.9, 4]) == [0, 6]


def test_a_long_break_between_two_looks_is_no_holding() -> None:
    assert told("mid > 3 for 15 s", [4, 4, 4], step_ns=11 * SECOND) == []
    assert told("mid > 3 for 15 s", [4, 4, 4, 4], step_ns=9 * SECOND) == [2]


def test_a_recording_that_begins_again_is_told_again() -> None:
    hold = Hold(parse("mid > 3", ("mid",)))
    assert hold.step(START, {"mid": 4.0}.get)
    assert not hold.step(START + SECOND, {"mid": 4.0}.get)
    assert hold.step(START - 60 * SECOND, {"mid": 4.0}.get)
