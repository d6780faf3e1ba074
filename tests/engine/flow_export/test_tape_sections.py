from __future__ import annotations

from typing import Any

import pytest

from engine.flow.section import Observer, Table
from engine.flow_export.tape_sections import tape_sections

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def _found(trades: list[tuple[float, float, float, int]], seconds: int = 10) -> tuple[dict[str, Any], dict[str, Table]]:
    """What an export says of quotes every half second around 100.00 and of these (second, price, size, side)."""
    observer = Observer(tape_sections(0.01, sum(size for _, _, size, _ in trades)))
    events = [(START + half * SECOND // 2 + 1, None) for half in range(2 * seconds)]
    events += [(START + round(at * SECOND), (price, size, side)) for at, price, size, side in trades]  # type: ignore[misc]
    for number, (t_ns, trade) in enumerate(sorted(events, key=lambda event: event[0])):
        if trade is None:
            observer.on_bbo(t_ns, 99.99, 1.0, 100.01, 1.0)
        else:
            price, size, side = trade
            observer.on_trade(t_ns, price, size, side, t_ns, number)
    return observer.finish(observer.last_ns), observer.tables()


def test_bars_hold_what_flowed_after_the_edge_before_and_up_to_their_own() -> None:
    _, tables = _found([(1.2, 100.01, 1.0, 1), (2.0, 99.99, 2.0, -1), (2.1, 99.99, 4.0, -1)])
    rows = [dict(zip(tables["bars_1s"].columns, row, strict=True)) for row in tables["bars_1s"].rows]
    first = {name: rows[0][name] for name in ("t_end", "mid_end", "buy_volume", "sell_volume", "trades")}
    assert first == {
        "t_end": START + 2 * SECOND, "mid_end": 10_000.0, "buy_volume": 1.0, "sell_volume": 2.0, "trades": 2,
    }  # fmt: skip
    assert rows[1]["sell_volume"] == 4.0
    assert [row["trades"] for row in rows[2:]] == [0] * len(rows[2:])


def test_a_quote_stands_through_a_silence_and_not_through_a_break() -> None:
    def bars(reason: str | None) -> list[tuple[object, ...]]:
        observer = Observer(tape_sections(0.01, 0.0))
        for half in range(4):
            observer.on_bbo(START + half * SECOND // 2 + 1, 99.99, 3.0, 100.01, 1.0)
        if reason is not None:
            observer.on_reset(observer.last_ns + 1, reason)
        observer.on_bbo(START + 20 * SECOND, 98.99, 1.0, 99.01, 1.0)
        observer.finish(observer.last_ns)
        return [tuple(row[1:5]) for row in observer.tables()["bars_1s"].rows]

    assert bars(None)[2:-1] == [(10_000.0, 2.0, 0.5, 0.0)] * 16
    assert bars(None)[-1] == (9_900.0, 2.0, 0.0, 0.0)
    assert bars("a gap")[2:-1] == [(None, None, None, 0.0)] * 16


def test_trades_orders_and_profile_add_up() -> None:
    found, _ = _found([(1.2, 100.01, 1.0, 1), (1.3, 99.99, 2.0, -1), (1.4, 100.0, 4.0, 0), (1.5, 100.01, 3.0, 1)])
    assert found["trades"] == {
        "n": 4, "buy_volume": 4.0, "sell_volume": 2.0, "unsigned": 4.0, "cvd": 2.0,
        "trade_imbalance": pytest.approx(1 / 3),
    }  # fmt: skip
    assert found["orders"] == {"n": 3, "levels_hist": {"1": 3}}
    profile = found["profile"]
    assert (profile["bin_ticks"], profile["total"], profile["poc"]) == (1, 10.0, 10_000)
    assert profile["footprint"] == {"9999": [2.0, 0.0], "10000": [0.0, 0.0], "10001": [0.0, 4.0]}


def test_the_lag_is_part_of_the_costs_and_of_the_agreement() -> None:
    found, _ = _found([(at, 100.01 if side > 0 else 99.99, 1.0, side) for at in (1.2, 1.8) for side in (1, -1)])
    assert found["signing_accuracy"]["lee_ready_lag_100ms"] == {"trades": 1.0, "volume": 1.0}
    assert found["spreads"]["effective_bps_vw"] == pytest.approx(2.0)
    assert found["spreads"]["1s"]["n"] == 4
    assert "30s" not in found["spreads"]
    assert found["spreads_calibrated_lag"]["quote_lag_ms"] == 0
    assert found["spreads_calibrated_lag"]["negative_share"] == 0.0


def test_toxicity_comes_from_a_hundredth_of_all_volume() -> None:
    found, _ = _found([(1 + step / 100, 100.01, 1.0, 1 if step % 4 else -1) for step in range(400)])
    assert found["vpin"]["bucket"] == 4.0
    assert found["vpin"]["exact_buckets"] == 100
    assert found["vpin"]["exact"] == pytest.approx([0.5, 0.5, 0.5, 51])


def test_without_trades_nothing_is_said_that_needs_them() -> None:
    found, tables = _found([])
    assert found["trades"]["n"] == 0
    assert found["trades"]["trade_imbalance"] is None
    assert not {"spreads", "vpin", "profile", "signing_accuracy", "kyle_10s", "amihud_10s"} & found.keys()
    assert len(tables["bars_1s"].rows) == 8


def test_trades_before_the_first_quote_are_in_the_profile_and_in_no_cost() -> None:
    observer = Observer(tape_sections(0.01, 3.0))
    observer.on_trade(START, 100.0, 1.0, 1, 1, 1)
    observer.on_bbo(START + 1, 99.99, 1.0, 100.01, 1.0)
    observer.on_trade(START + 2, 100.01, 2.0, 1, 2, 2)
    found = observer.finish(START + 5 * SECOND)
    assert found["profile"]["total"] == 3.0
    assert found["spreads"]["effective_bps_vw"] == pytest.approx(2.0)
    assert found["spreads_calibrated_lag"]["negative_share_lag0"] == 0.0
