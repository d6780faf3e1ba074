from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.live.depth import DEPTH_POINTS, cumulative, decimals


@given(some.lists(some.floats(0.001, 1000.0), max_size=600))
def test_depth_grows_keeps_its_total_and_never_has_more_than_two_hundred_points(sizes: list[float]) -> None:
    levels = [(float(1000 - i), size) for i, size in enumerate(sizes)]
    pairs = cumulative(levels)
    assert len(pairs) == min(len(levels), DEPTH_POINTS)
    assert [total for _, total in pairs] == sorted(total for _, total in pairs)
    assert [price for price, _ in pairs] == sorted({price for price, _ in pairs}, reverse=True)
    if levels:
        assert pairs[0] == levels[0]
        assert pairs[-1][0] == levels[-1][0]
        assert pairs[-1][1] == pytest.approx(sum(sizes))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0), ([100.0], 0), ([0.01, 5.0], 2), ([1e-05], 5), ([1.5e-7], 8), ([64250.123], 3), ([0.1 + 0.2], 10)],
)
def test_decimals_are_those_needed_to_write_the_numbers(values: list[float], expected: int) -> None:
    assert decimals(values) == expected
