from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.trades.toxicity import BarSplit, VolumeBuckets, bulk_buy_share

# The hand-worked case T06.
TRADES = [(6.0, 1.0), (4.0, 0.0), (10.0, 1.0), (7.0, 0.0), (3.0, 1.0), (15.0, 0.0), (5.0, 1.0)]


def test_trades_are_split_at_the_edges_of_buckets() -> None:
    buckets = VolumeBuckets(10.0, 3)
    imbalances, values = [], []
    for size, bought in TRADES:
        if buckets.add(size, bought):
            imbalances.append(buckets.imbalances[-1])
            if buckets.value is not None:
                values.append(buckets.value)
    assert imbalances == [2.0, 10.0, 4.0, 10.0, 0.0]
    assert values == pytest.approx([0.5333333333333333, 0.8, 0.4666666666666667])
    assert buckets.values == tuple(values)


def test_nothing_is_said_before_enough_buckets_are_full() -> None:
    buckets = VolumeBuckets(10.0, 3)
    buckets.add(29.9, 1.0)
    assert buckets.value is None
    assert buckets.warm == pytest.approx(2 / 3)
    buckets.add(0.1, 1.0)
    assert buckets.value == pytest.approx(1.0)
    assert buckets.percentile is None


def test_volume_without_a_side_fills_buckets_and_counts_on_neither_side() -> None:
    buckets = VolumeBuckets(10.0, 1)
    buckets.add(6.0, None)
    buckets.add(4.0, 1.0)
    assert buckets.value == 0.4


def test_one_order_can_fill_several_buckets() -> None:
    buckets = VolumeBuckets(10.0, 2)
    assert buckets.add(35.0, 0.0) == 3
    assert buckets.value == 1.0


@given(st.lists(st.tuples(st.floats(0.01, 30), st.booleans()), min_size=5, max_size=80))
def test_an_order_fills_buckets_as_its_fills_do_one_by_one(orders: list[tuple[float, bool]]) -> None:
    whole, parts = VolumeBuckets(10.0, 5), VolumeBuckets(10.0, 5)
    for size, bought in orders:
        whole.add(size, float(bought))
        for _ in range(4):
            parts.add(size / 4, float(bought))
    assert parts.imbalances == pytest.approx(whole.imbalances, abs=1e-6)


@pytest.mark.parametrize(("bucket", "n"), [(0.0, 5), (-1.0, 5), (10.0, 0)])
def test_buckets_must_have_a_size_and_a_number(bucket: float, n: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        VolumeBuckets(bucket, n)


def test_the_percentile_is_within_its_own_history() -> None:
    buckets = VolumeBuckets(1.0, 1)
    for number in range(30):
        buckets.add(1.0, 0.5 + number / 100)
    assert buckets.percentile == 1.0
    buckets.add(1.0, 0.5)
    assert buckets.percentile == pytest.approx(2 / 31)


def test_the_bought_share_of_a_bar_follows_its_change_in_deviations() -> None:
    # The hand-worked case T07, where a fixed split would say 60, 50 and 40.
    shares = [100 * bulk_buy_share(change, 1.0) for change in (1.0, 0.0, -2.0)]
    assert shares == pytest.approx([84.1344746068543, 50.0, 2.275013194817921])


def test_bars_are_split_only_after_twenty_changes_and_with_those_before_the_bar() -> None:
    split = BarSplit()
    closes = [float(number % 2) for number in range(21)]
    assert [split.add(close, 100.0) for close in closes] == [None] * 21
    # Twenty changes of ±1: their deviation is 1.026; the bar's own change is not among them.
    bought = split.add(5.0, 100.0)
    assert bought == pytest.approx(100 * bulk_buy_share(5.0, (20 / 19) ** 0.5))


def test_a_price_that_never_moved_tells_nothing_even_after_it_once_did() -> None:
    split = BarSplit()
    split.add(0.0, 1.0)
    split.add(1e5, 1.0)
    for _ in range(60):
        split.add(1e5, 1.0)
    assert split.add(1e5 + 1, 1.0) is None
