from __future__ import annotations

from engine.flow.detectors.detection import Detection
from engine.flow.detectors.refill import WITHIN_NS, Refills

MS = 1_000_000


def _feed(refills: Refills, t_ms: int, size: float, ask: float = 100.0) -> Detection | None:
    return refills.on_bbo(t_ms * MS, 99.0, 10.0, ask, size)


def _hit(refills: Refills, t_ms: int, size: float = 4.0, price: float = 100.0) -> None:
    """A buy at the ask."""
    assert price == refills.ask.price
    refills.ask.traded(t_ms * MS, size)


def _rounds(refills: Refills, count: int, back_ms: int = 50, back: float = 5.0) -> list[tuple[int, Detection]]:
    """An ask of 5 from which every 100 ms a buy of 4 leaves 1, and which is shown again `back_ms` later."""
    found = []
    for number in range(count):
        start = number * 300
        for t_ms, size in ((start, 5.0), (start + 11, 1.0), (start + 10 + back_ms, back)):
            if size == 1.0:
                _hit(refills, start + 10)
            event = _feed(refills, t_ms, size)
            if event:
                found.append((number, event))
    return found


def test_the_third_refill_of_a_price_is_reported_once() -> None:
    # The hand-worked case T15.
    refills = Refills()
    found = []
    events: list[tuple[int, float] | int] = [
        (0, 5.0), 10, (11, 1.0), (60, 5.0), 110, (111, 1.0), (160, 5.0), 210, (211, 1.0), (260, 5.0), 310, (311, 1.0),
        (360, 5.0),
    ]  # fmt: skip
    for event in events:
        if isinstance(event, int):
            _hit(refills, event)
        else:
            seen = _feed(refills, *event)
            if seen is not None:
                found.append(seen)
    (only,) = found
    assert (only.t_ns, only.side, only.price) == (260 * MS, -1, 100.0)
    assert only.evidence == {"executed": 12.0, "peak": 5.0, "refills": 3.0}


def test_a_refill_that_comes_too_late_or_too_small_is_none() -> None:
    assert _rounds(Refills(), 8, back_ms=WITHIN_NS // MS + 1) == []
    assert _rounds(Refills(), 8, back=3.9) == []
    assert [number for number, _ in _rounds(Refills(), 8, back=4.0)] == [2]


def test_a_change_of_the_best_price_ends_the_episode() -> None:
    refills = Refills()
    assert _rounds(refills, 2) == []
    _feed(refills, 700, 5.0, ask=101.0)
    assert _rounds(refills, 2) == []


def test_a_reset_ends_the_episode() -> None:
    refills = Refills()
    assert _rounds(refills, 2) == []
    refills.on_reset()
    assert _rounds(refills, 2) == []


def test_a_size_that_was_never_taken_is_no_refill() -> None:
    refills = Refills()
    for number in range(10):
        assert _feed(refills, number * 20, 1.0 if number % 2 else 5.0) is None


def test_much_must_have_been_taken_of_what_was_ever_shown() -> None:
    refills = Refills()
    _feed(refills, 0, 50.0)
    _feed(refills, 1, 5.0)
    assert _rounds(refills, 10) == []
    assert [number for number, _ in _rounds(refills, 16)] == [14]
