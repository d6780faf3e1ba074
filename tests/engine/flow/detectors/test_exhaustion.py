from __future__ import annotations

from engine.flow.detectors.exhaustion import Exhaustion

SECOND = 1_000_000_000


def _run(mids: list[float], bought: list[float], detector: Exhaustion | None = None) -> list[int]:
    detector = detector or Exhaustion()
    found = []
    for second, (mid, volume) in enumerate(zip(mids, bought, strict=True)):
        event = detector.on_second(second * SECOND, mid, volume, 1.0)
        if event:
            assert event.side == 1
            found.append(second)
    return found


RISING = [10_000.0 + second for second in range(31)]
FADING = [0.0, *[5.0] * 15, *[2.0] * 15]


def test_a_move_that_goes_on_with_less_and_less_volume_is_exhausted() -> None:
    assert _run(RISING, FADING) == [30]


def test_the_first_second_opens_the_grid_and_its_volume_belongs_to_no_half() -> None:
    detector = Exhaustion()
    event = None
    for second, (mid, volume) in enumerate(zip(RISING, [99.0, *FADING[1:]], strict=True)):
        event = detector.on_second(second * SECOND, mid, volume, 0.0)
    assert event is not None
    assert (event.evidence["first_volume"], event.evidence["second_volume"]) == (75.0, 30.0)
    assert (event.evidence["first_move"], event.evidence["second_move"]) == (15.0, 15.0)
    assert event.evidence["decline"] == 0.6


def test_volume_that_holds_up_is_not() -> None:
    assert _run(RISING, [0.0, *[5.0] * 15, *[3.1] * 15]) == []


def test_a_mid_that_has_come_back_from_its_extreme_is_not() -> None:
    assert _run([*RISING[:-1], RISING[-3]], FADING) == []


def test_a_move_of_less_than_a_basis_point_is_not() -> None:
    assert _run([1e6 + second for second in range(31)], FADING) == []


def test_it_is_not_repeated_within_fifteen_seconds() -> None:
    mids = [10_000.0 + second for second in range(70)]
    volumes = [1000.0 * 0.9**second for second in range(70)]
    assert _run(mids, volumes) == [30, 45, 60]


def test_a_hole_begins_the_halves_anew() -> None:
    detector = Exhaustion()
    assert _run(RISING[:20], FADING[:20], detector) == []
    assert detector.on_second(20 * SECOND, None, 1.0, 1.0) is None
    assert detector.warm == 0.0
    assert _run(RISING[:30], FADING[:30], detector) == []
