"""What scores say of the returns that follow."""

from __future__ import annotations

from random import Random

import pytest

from engine.flow.signals.information import SECONDS_KEPT, Information, InformationRecord
from tests.engine.flow.market import played


def recorded(seconds: int, lean: float, seed: int = 1) -> dict[tuple[str, int], Information]:
    record, random, mid = InformationRecord(("leads", "idle")), Random(seed), 100.0
    for _ in range(seconds):
        leads, idle = random.uniform(-1, 1), random.uniform(-1, 1)
        record.add(mid, (leads, idle))
        mid += lean * leads + random.gauss(0, 0.1)
    return {(found.score, found.horizon_s): found for found in record.coefficients()}


def test_a_score_that_leads_is_told_from_one_that_does_not() -> None:
    found = recorded(500, 0.3)
    leads, idle = found["leads", 1], found["idle", 1]
    assert leads.coefficient is not None
    assert leads.coefficient > 0.5
    assert leads.p is not None
    assert leads.p < 1e-6
    assert idle.p is not None
    assert idle.p > 0.01
    assert leads.count == 499


def test_overlapping_returns_count_for_less() -> None:
    found = recorded(500, 0.3)["leads", 30]
    assert found.count == 470
    assert found.independent == pytest.approx(470 / 30)


def test_seconds_in_which_something_is_unknown_are_left_out() -> None:
    record = InformationRecord(("score",))
    for second in range(100):
        record.add(None if second % 10 == 0 else 100.0 + second, (None if second % 10 == 5 else 1.0 * second,))
    assert record.coefficients((1,))[0].count == 99 - 10 - 9 - 10


def test_an_hour_is_kept_and_no_more() -> None:
    record = InformationRecord(("score",))
    for second in range(SECONDS_KEPT + 500):
        record.add(100.0 + second, (float(second),))
    assert record.coefficients((1,))[0].count == SECONDS_KEPT - 1


def test_before_anything_is_known_there_is_no_coefficient() -> None:
    found = InformationRecord(("score",)).coefficients((1,))[0]
    assert (found.coefficient, found.count, found.p) == (None, 0, None)


def test_the_watch_records_its_scores() -> None:
    found = played(120).watch.information.coefficients((1,))
    assert [item.score for item in found] == ["imbalance_1", "ofi_z", "imbalance_band_10"]
    assert found[0].count > 100
