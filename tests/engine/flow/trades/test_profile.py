from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.trades.profile import VALUE_SHARE, value_area


def test_the_value_area_grows_by_the_larger_pair_until_it_holds_seventy_percent() -> None:
    # The hand-worked case T12.
    area = value_area({100: 10.0, 101: 20.0, 102: 50.0, 103: 30.0, 104: 15.0, 105: 5.0})
    assert area is not None
    assert (area.poc, area.val, area.vah) == (102, 102, 104)
    assert area.share == pytest.approx(0.7307692307692307)


def test_in_a_flat_profile_the_middle_wins_and_the_upper_pair_comes_first() -> None:
    area = value_area({1: 5.0, 2: 5.0, 3: 5.0})
    assert area is not None
    assert (area.poc, area.val, area.vah) == (2, 1, 3)


def test_of_two_equal_bins_as_near_to_the_mean_the_lower_is_the_point_of_control() -> None:
    area = value_area({1: 5.0, 2: 5.0})
    assert area is not None
    assert area.poc == 1


def test_one_bin_is_its_own_value_area_and_no_volume_has_none() -> None:
    area = value_area({7: 2.0})
    assert area is not None
    assert (area.poc, area.val, area.vah, area.share) == (7, 7, 7, 1.0)
    assert value_area({}) is None
    assert value_area({7: 0.0}) is None


@given(st.dictionaries(st.integers(-40, 40), st.floats(0.01, 1e6), min_size=1))
def test_the_area_holds_its_share_and_lies_around_the_point_of_control(volumes: dict[int, float]) -> None:
    area = value_area(volumes)
    assert area is not None
    assert min(volumes) <= area.val <= area.poc <= area.vah <= max(volumes)
    held = sum(volume for place, volume in volumes.items() if area.val <= place <= area.vah)
    assert held / area.total == pytest.approx(area.share)
    assert area.share >= VALUE_SHARE - 1e-9
