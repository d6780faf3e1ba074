from __future__ import annotations

from typing import Any

import pytest

from engine.flow.book.ofi import BestOfi, LevelOfi
from engine.flow.book.top import TopOfBook
from engine.flow.section import Observer
from engine.flow_export.regressions import Regressions

SECOND = 1_000_000_000
START = 1_000 * SECOND


def _found(lost_at: float | None) -> dict[str, Any]:
    """What an export says of a mid that moves by half of each second's flow, but for one jump at 20.5 s."""
    top = TopOfBook(1.0)
    regressions = Regressions(1.0, top, BestOfi(top), LevelOfi())
    observer = Observer([top, regressions])
    bid = 1_000.0
    for second in range(40):
        t_ns = START + second * SECOND
        observer.on_bbo(t_ns + 1, bid, 1.0, bid + 1.0, 1.0)
        flow = float(second * 7 % 5 - 2)
        observer.on_bbo(t_ns + 2, bid, 3.0 + flow, bid + 1.0, 3.0)
        bid += flow
        if second == 20:
            bid += 500.0
            if lost_at is not None:
                observer.on_reset(START + round(lost_at * SECOND), "a gap")
    observer.finish(observer.last_ns)
    found: dict[str, Any] = regressions.finish(observer.last_ns)["ofi_regression"]["1s"]
    return found


def test_an_interval_in_which_something_was_lost_explains_nothing() -> None:
    whole, gapped = _found(None), _found(20.5)
    assert (whole["n"], gapped["n"]) == (38, 36)
    assert whole["ofi_l1"]["r2"] < 0.1
    assert gapped["ofi_l1"]["r2"] > 0.5


def test_only_intervals_that_follow_each_other_are_compared_with_the_next() -> None:
    whole, gapped = _found(None), _found(20.5)
    assert (whole["lagged_ofi_l1"]["n"], gapped["lagged_ofi_l1"]["n"]) == (37, 34)
    assert gapped["ti"] is None
    assert whole["n"] == pytest.approx(whole["ofi_l1"]["n"])
