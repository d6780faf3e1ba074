from __future__ import annotations

from collections.abc import Callable
from math import ceil
from random import Random
from statistics import median, variance

import numpy as np
import pytest

from engine.flow.statistics import windows
from engine.flow.statistics.windows import Ewma, RollingLine, RollingMoments, SortedWindow, StepWindow


def held(steps: list[tuple[int, int | None]], now: int, width: int) -> list[int]:
    """The value at each whole moment of (now - width, now], moments without one left out."""
    values = []
    for moment in range(max(now - width, steps[0][0]), now):
        value = [said for at, said in steps if at <= moment][-1]
        values += [] if value is None else [value]
    return values


def test_a_step_function_is_weighed_by_time_however_often_it_is_looked_at() -> None:
    random = Random(7)
    often, once = StepWindow(50), StepWindow(50)
    steps: list[tuple[int, int | None]] = []
    now = 0
    for _ in range(400):
        value = random.choice((1, 2, 3, 9, None))
        steps.append((now, value))
        often.hold(now, value)
        once.hold(now, value)
        now += random.randrange(1, 12)
        often.settle(now)
        values = sorted(held(steps, now, 50))
        assert often.covered_ns == len(values)
        if not values:
            assert often.median() is None
            continue
        middle = values[ceil(len(values) / 2) - 1]
        assert often.median() == middle
        distances = sorted(abs(value - middle) for value in values)
        assert often.deviation(middle) == distances[ceil(len(values) / 2) - 1]
        assert often.share_up_to(2) == pytest.approx(sum(value <= 2 for value in values) / len(values))
        assert often.mean() == pytest.approx(sum(values) / len(values))
    once.settle(now)
    assert (once.covered_ns, once.median(), once.mean()) == (often.covered_ns, often.median(), often.mean())


def test_the_newest_value_has_no_weight_at_the_moment_it_begins() -> None:
    window = StepWindow(100)
    window.hold(0, 1)
    window.hold(10, 5)
    window.settle(10)
    assert (window.median(), window.share_up_to(1)) == (1, 1.0)


def test_a_sorted_window_gives_quantiles_of_what_is_in_it() -> None:
    window = SortedWindow(100)
    assert (window.quantile(0.5), window.median(), window.share_up_to(1)) == (None, None, None)
    for value in range(1, 101):
        window.add(value)
    assert [window.quantile(share) for share in (0.0, 0.01, 0.5, 0.99, 1.0)] == [1, 1, 50, 99, 100]
    assert window.median() == 50.5
    assert window.share_up_to(25) == 0.25
    window.add(1000)
    assert len(window) == 100
    assert window.quantile(0.01) == 2, "the oldest has gone"


def test_a_rolling_line_equals_the_line_through_the_window() -> None:
    random = Random(11)
    line = RollingLine(120)
    points = []
    for step in range(5000):
        x = random.gauss(1e6, 1)
        points.append((x, 3 * x + random.gauss(0, 2)))
        line.add(*points[-1])
        if step % 977 == 976:
            found = line.line()
            assert found is not None
            x_, y_ = (np.array(column) for column in zip(*points[-120:], strict=True))
            slope = ((x_ - x_.mean()) * (y_ - y_.mean())).sum() / ((x_ - x_.mean()) ** 2).sum()
            left = y_ - y_.mean() - slope * (x_ - x_.mean())
            assert found.slope == pytest.approx(slope, rel=1e-9)
            assert found.r2 == pytest.approx(1 - (left**2).sum() / ((y_ - y_.mean()) ** 2).sum(), rel=1e-9)
            error = np.sqrt((left**2).sum() / 118 / ((x_ - x_.mean()) ** 2).sum())
            assert found.t == pytest.approx(slope / error, rel=1e-9)
            assert found.n == 120


def test_the_hand_worked_line() -> None:
    line = RollingLine()
    for x, y in zip((1, 2, -1, 0, 3), (2, 3, -2, 1, 5), strict=True):
        line.add(x, y)
    found = line.line()
    assert found is not None
    assert [found.slope, found.intercept, found.r2, found.t] == pytest.approx([1.6, 0.2, 0.9552238805970149, 8.0])
    assert found.n == 5


def test_there_is_no_line_where_nothing_varies() -> None:
    line = RollingLine()
    for x in (1.0, 1.0, 1.0, 1.0):
        line.add(x, x * 2)
    assert line.line() is None


def test_an_exponential_mean_is_not_pulled_to_its_start() -> None:
    mean = Ewma(1)
    assert mean.value is None
    mean.add(1)
    assert mean.value == 1.0
    mean.add(4)
    assert mean.value == pytest.approx(3.0)


def test_rolling_moments_equal_those_of_the_window() -> None:
    random = Random(13)
    moments = RollingMoments(50)
    assert (moments.mean, moments.variance()) == (None, None)
    values = []
    for _ in range(3000):
        values.append(random.gauss(1e9, 1))
        moments.add(values[-1])
    assert moments.mean == pytest.approx(sum(values[-50:]) / 50, rel=1e-12)
    assert moments.variance() == pytest.approx(variance(values[-50:]), rel=1e-6)


@pytest.mark.parametrize("make", [lambda: RollingMoments(3), lambda: RollingLine(3)])
def test_sums_are_rebuilt_from_the_window(make: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "REBUILD_AFTER", 5)
    kept = make()
    for value in (1e18, -1e18, 0.0, *[1.0, 2.0, 4.0] * 5):
        if isinstance(kept, RollingMoments):
            kept.add(value)
        elif isinstance(kept, RollingLine):
            kept.add(value, 2 * value + (value > 3))
    if isinstance(kept, RollingMoments):
        assert kept.mean == pytest.approx(7 / 3)
        assert kept.variance() == pytest.approx(variance([1, 2, 4]))
    elif isinstance(kept, RollingLine):
        found = kept.line()
        assert found is not None
        assert found.slope == pytest.approx(float(np.polyfit([1, 2, 4], [2, 4, 9], 1)[0]))


def test_the_median_of_a_sorted_window_is_that_of_its_numbers() -> None:
    random = Random(17)
    window, values = SortedWindow(7), []
    for _ in range(100):
        values.append(random.choice((0.1, 0.2, 0.2, 3.0)))
        window.add(values[-1])
        assert window.median() == median(values[-7:])
