from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.trades.volumes import BUCKET_NS, DAY_NS, NO_VOLUME, CumulativeDelta, Volume, VolumeWindows

SECOND = 1_000_000_000


def test_a_quiet_window_holds_zeros_and_no_imbalance() -> None:
    windows = VolumeWindows()
    volume = windows.over(10 * SECOND, SECOND)
    assert (volume.buy, volume.sell, volume.total, volume.delta) == (0.0, 0.0, 0.0, 0.0)
    assert volume.imbalance is None


def test_a_window_is_open_on_the_left_and_closed_on_the_right() -> None:
    windows = VolumeWindows()
    for t_ns, size in ((SECOND, 1.0), (SECOND + 1, 2.0), (2 * SECOND, 4.0), (2 * SECOND + 1, 8.0)):
        windows.add(t_ns, size, size * 10, 1)
    assert windows.over(2 * SECOND, SECOND).buy == 6.0
    assert windows.over(2 * SECOND, SECOND).quote == 60.0
    assert windows.over(3 * SECOND, SECOND).buy == 8.0


def test_sides_are_kept_apart_and_unsigned_volume_counts_only_in_the_total() -> None:
    windows = VolumeWindows()
    for size, side in ((3.0, 1), (1.0, -1), (5.0, 0)):
        windows.add(SECOND, size, size, side)
    volume = windows.over(SECOND, SECOND)
    assert (volume.buy, volume.sell, volume.unsigned, volume.trades) == (3.0, 1.0, 5.0, 3)
    assert volume.imbalance == 0.5
    assert volume.total == 9.0


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.001, 100), st.sampled_from([-1, 0, 1])), min_size=1))
def test_on_whole_seconds_a_window_is_the_plain_sum(trades: list[tuple[int, float, int]]) -> None:
    windows = VolumeWindows()
    t_ns = 0
    seen = []
    for wait, size, side in trades:
        t_ns += wait * 7_000_001
        windows.add(t_ns, size, size, side)
        seen.append((t_ns, size, side))
    edge = -(-t_ns // SECOND) * SECOND
    for seconds in (1, 5):
        start = edge - seconds * SECOND
        volume = windows.over(edge, seconds * SECOND)
        assert volume.buy == pytest.approx(sum(size for t, size, side in seen if start < t <= edge and side > 0))
        assert volume.trades == sum(start < t <= edge for t, _, _ in seen)


def test_memory_is_bounded_by_the_longest_window() -> None:
    windows = VolumeWindows(longest_ns=SECOND)
    for number in range(1_000):
        windows.add(number * BUCKET_NS, 1.0, 1.0, 1)
    assert windows.over(999 * BUCKET_NS, 1_000 * SECOND).trades <= 11


def test_the_cumulative_delta_starts_again_at_midnight() -> None:
    delta = CumulativeDelta()
    delta.add(DAY_NS - SECOND, Volume(5.0, 2.0, 1.0, 0.0, 3))
    assert (delta.value, delta.unsigned) == (3.0, 1.0)
    delta.add(DAY_NS, Volume(1.0, 0.0, 0.0, 0.0, 1))
    assert delta.value == 4.0
    delta.add(DAY_NS + SECOND, Volume(0.0, 2.0, 0.0, 0.0, 1))
    assert delta.value == -2.0
    assert delta.anchor_ns == DAY_NS


def test_a_gap_keeps_the_value_and_makes_it_partial_until_the_next_anchor() -> None:
    delta = CumulativeDelta()
    delta.add(SECOND, Volume(5.0, 0.0, 0.0, 0.0, 1))
    delta.gap(7)
    delta.add(2 * SECOND, NO_VOLUME)
    assert (delta.value, delta.partial, delta.missing) == (5.0, True, 7)
    delta.gap(-6)
    assert (delta.partial, delta.missing) == (True, 1)
    delta.gap(-1)
    assert not delta.partial
    delta.gap(2)
    delta.anchor(3 * SECOND)
    assert (delta.value, delta.partial, delta.missing) == (0.0, False, 0)
