from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from engine.errors import ConfigError
from engine.strategy.params import Parameter, build, param, parameters


@dataclass
class Sample:
    depth: int = param(10, low=1, high=50, help="levels per side")
    factor: float = param(1, low=0.5, high=2.0, help="a default without a point")
    label: str = "x"
    _state: float = field(default=0.0, init=False)


def test_declared_parameters_come_in_file_order_with_their_ranges() -> None:
    assert parameters(Sample) == [
        Parameter("depth", int, 10, 1, 50, "levels per side"),
        Parameter("factor", float, 1, 0.5, 2.0, "a default without a point"),
    ]


def test_values_reach_the_strategy_in_their_own_kind() -> None:
    built = build(Sample, {"depth": 20.0, "factor": 1.5})
    assert (built.depth, type(built.depth), built.factor) == (20, int, 1.5)
    assert build(Sample, {}) == Sample()


def test_a_wrong_name_answers_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="dpeth") as caught:
        build(Sample, {"dpeth": 3})
    assert caught.value.hint == "Did you mean 'depth'?"


def test_a_name_that_is_like_none_answers_with_all() -> None:
    with pytest.raises(ConfigError) as caught:
        build(Sample, {"zzzzzz": 3})
    assert caught.value.hint == "There are: depth, factor."


@pytest.mark.parametrize("value", [0, 51, -1, float("nan"), float("inf")])
def test_a_value_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="lies outside 1 … 50"):
        build(Sample, {"depth": value})


@pytest.mark.parametrize("value", [1, 50])
def test_both_ends_of_the_range_are_allowed(value: int) -> None:
    assert build(Sample, {"depth": value}).depth == value


def test_what_is_not_a_parameter_cannot_be_set() -> None:
    for name in ("label", "_state"):
        with pytest.raises(ConfigError):
            build(Sample, {name: 1})


def test_a_default_outside_its_own_range_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ConfigError, match="default 5"):
        param(5, low=10, high=20, help="")
