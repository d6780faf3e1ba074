from __future__ import annotations

from engine.flow.detectors.wall import Walls
from engine.flow.readings import Quality

SECOND = 1_000_000_000
ASKS = ([101.0, 101.1, 101.2, 101.3, 110.0], [1.0, 1.0, 1.0, 1.0, 50.0])


def _bids(size: float) -> tuple[list[float], list[float]]:
    return [100.9, 100.8, 100.7, 90.0], [1.0, size, 1.0, 80.0]


def _look(walls: Walls, second: int, size: float) -> list[tuple[int, float]]:
    return [(found.side, found.price or 0.0) for found in walls.on_second(second * SECOND, 100.95, _bids(size), ASKS)]


def test_a_level_far_above_its_neighbours_that_lasts_three_seconds_is_reported_once() -> None:
    walls = Walls()
    assert [_look(walls, second, 8.0) for second in range(6)] == [[], [], [], [(1, 100.8)], [], []]
    assert walls.standing == {100.8: 0}


def test_a_level_that_shrinks_in_between_begins_anew() -> None:
    walls = Walls()
    for second, size in enumerate((8.0, 8.0, 7.9, 8.0, 8.0, 8.0)):
        assert _look(walls, second, size) == []
    assert _look(walls, 6, 8.0) == [(1, 100.8)]
    assert _look(walls, 7, 1.0) == []
    assert walls.standing == {}


def test_levels_further_than_fifty_basis_points_do_not_count() -> None:
    walls = Walls()
    assert [_look(walls, second, 1.0) for second in range(5)] == [[]] * 5


def test_a_book_that_ends_before_fifty_basis_points_is_partial() -> None:
    walls = Walls()
    short = ([100.9, 100.8, 100.7], [1.0, 9.0, 1.0])
    found = [walls.on_second(second * SECOND, 100.95, short, ASKS) for second in range(4)][-1]
    assert [event.quality for event in found] == [Quality.PARTIAL]


def test_an_unknown_book_has_no_walls_and_forgets_those_it_had() -> None:
    walls = Walls()
    for second in range(3):
        _look(walls, second, 9.0)
    assert walls.on_second(3 * SECOND, None, ([], []), ([], [])) == []
    assert _look(walls, 4, 9.0) == []
    assert walls.on_second(5 * SECOND, 100.95, ([], []), ([], [])) == []
