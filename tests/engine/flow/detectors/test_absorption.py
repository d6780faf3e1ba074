from __future__ import annotations

from itertools import pairwise

from engine.flow.detectors.absorption import COOLDOWN_NS, LEAST, Absorption
from engine.flow.detectors.detection import Detection

SECOND = 1_000_000_000


def _usual(detector: Absorption, seconds: int, start: int = 0) -> float:
    """Flow that moves the mid by two ticks per unit; the mid at the end."""
    mid = 1_000.0
    for second in range(start, start + seconds):
        signed = 1.0 if second % 3 else -1.0
        mid += 2.0 * signed
        assert detector.on_second(second * SECOND, mid, signed) is None
    return mid


def _pressed(detector: Absorption, mid: float, start: int, seconds: int, moved: float) -> list[Detection]:
    """Strong buying, each second of which moves the mid by `moved`."""
    found = []
    for second in range(start, start + seconds):
        mid += moved
        event = detector.on_second(second * SECOND, mid, 5.0)
        if event:
            found.append(event)
    return found


def test_strong_flow_that_moves_nothing_is_absorbed() -> None:
    detector = Absorption()
    mid = _usual(detector, 130)
    found = _pressed(detector, mid, 130, 12, 0.0)
    assert found
    first = found[0]
    assert (first.kind, first.side) == ("absorption", 1)
    assert first.evidence["progress"] <= 0.1
    assert first.size >= first.evidence["threshold"]


def test_strong_flow_that_moves_the_price_as_it_usually_does_is_not() -> None:
    detector = Absorption()
    mid = _usual(detector, 130)
    assert _pressed(detector, mid, 130, 40, 10.0) == []
    assert detector.progress is not None
    assert detector.progress > 0.5


def test_an_event_is_not_repeated_within_ten_seconds() -> None:
    detector = Absorption()
    times = [found.t_ns for found in _pressed(detector, _usual(detector, 130), 130, 40, 0.0)]
    assert len(times) > 1
    assert all(later - earlier >= COOLDOWN_NS for earlier, later in pairwise(times))


def test_nothing_is_said_while_warming_up() -> None:
    detector = Absorption()
    mid = _usual(detector, LEAST - 10)
    assert detector.warm < 1.0
    assert _pressed(detector, mid, LEAST - 10, 9, 0.0) == []
    assert detector.progress is None


def test_no_flow_is_no_event_and_no_error() -> None:
    detector = Absorption()
    for second in range(300):
        assert detector.on_second(second * SECOND, 1_000.0, 0.0) is None


def test_seconds_around_a_hole_are_not_neighbours() -> None:
    detector = Absorption()
    mid = _usual(detector, 130)
    assert detector.on_second(130 * SECOND, None, 5.0) is None
    assert _pressed(detector, mid + 500, 131, 10, 0.0) == []
    assert _pressed(detector, mid + 500, 141, 1, 0.0) != []
