"""The kept changes of a mid."""

from __future__ import annotations

import numpy as np

from engine.flow.correlation.mid_history import MidHistory


def test_only_changes_are_kept() -> None:
    history = MidHistory(10)
    for time, mid in ((1, 5.0), (2, 5.0), (3, 6.0)):
        history.add(time, mid)
    assert history.ticks().times.tolist() == [1, 3]


def test_the_oldest_falls_out_and_is_counted() -> None:
    history = MidHistory(3)
    for time in range(1, 6):
        history.add(time, float(time))
    found = history.ticks()
    assert found.times.tolist() == [3, 4, 5]
    assert np.exp(found.logs).round(9).tolist() == [3.0, 4.0, 5.0]
    assert history.dropped == 2
