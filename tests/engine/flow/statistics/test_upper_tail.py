from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from engine.flow.statistics.upper_tail import UpperTail


@given(st.lists(st.integers(1, 30), min_size=1, max_size=2_000), st.integers(1, 900))
def test_the_tail_gives_the_same_high_quantiles_as_sorting_everything(numbers: list[int], capacity: int) -> None:
    tail = UpperTail(capacity)
    for place, number in enumerate(numbers):
        tail.add(float(number))
        if place % 97 == 0 or place == len(numbers) - 1:
            kept = sorted(numbers[max(0, place + 1 - capacity) : place + 1])
            assert len(tail) == len(kept)
            for share in (0.5, 0.95, 0.99, 1.0):
                assert tail.quantile(share) == kept[max(ceil(share * len(kept) - 1e-9), 1) - 1]


def test_an_empty_tail_knows_no_quantile() -> None:
    assert UpperTail(5).quantile(0.99) is None


def test_a_quantile_that_the_tail_serves_is_never_below_its_floor() -> None:
    tail = UpperTail(2_000)
    assert tail.serves(0.95)
    assert not tail.serves(0.9)
    for number in range(10_000):
        tail.add(float(number * 7_919 % 10_007) / (1 + number // 2_000))
        found = tail.quantile(0.95) if number % 50 == 0 else None
        assert found is None or found >= tail.floor
