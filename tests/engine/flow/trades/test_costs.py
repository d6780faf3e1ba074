from __future__ import annotations

import pytest

from engine.flow.trades.costs import SpreadCosts, effective_bps, realised_bps
from engine.flow.trades.quote_history import QuoteHistory

SECOND = 1_000_000_000


def test_effective_is_realised_plus_impact() -> None:
    # The hand-worked case T09.
    effective = effective_bps(1, 100.02, 100.01)
    realised = realised_bps(1, 100.02, 100.01, 100.03)
    assert effective == pytest.approx(1.9998000199961812)
    assert realised == pytest.approx(-1.9998000199990233)
    assert effective - realised == pytest.approx(3.999600039995204)


def _quotes(*steps: tuple[float, float]) -> QuoteHistory:
    quotes = QuoteHistory(1.0, keep_ns=1_000 * SECOND)
    for seconds, mid in steps:
        quotes.on_bbo(round(seconds * SECOND), mid - 1, 1, mid + 1, 1)
    return quotes


def test_a_trade_waits_until_its_horizon_has_passed() -> None:
    costs = SpreadCosts(_quotes((0, 100), (1.5, 102)), (1, 5))
    costs.on_trade(SECOND, 101.0, 2.0, 1, 100.0)
    costs.on_second(SECOND)
    assert costs.of_window(0) is None
    assert costs.effective() == pytest.approx(200.0)
    costs.on_second(2 * SECOND)
    known = costs.of_window(0)
    assert known is not None
    assert (known.effective, known.realised, known.impact) == pytest.approx((200.0, -200.0, 400.0))
    assert known.n == 1
    assert costs.of_window(1) is None
    assert costs.of_all(0) == known


def test_averages_are_weighted_by_volume() -> None:
    costs = SpreadCosts(_quotes((0, 100)), (1,))
    costs.on_trade(SECOND, 101.0, 3.0, 1, 100.0)
    costs.on_trade(SECOND, 100.0, 1.0, -1, 100.0)
    assert costs.effective_of_all() == pytest.approx((150.0, 100.0))


def test_fills_that_wait_together_cost_what_they_cost_apart() -> None:
    quotes = _quotes((0, 100), (1.5, 103), (4, 90))
    together, apart = SpreadCosts(quotes, (1, 5)), SpreadCosts(quotes, (1, 5), merge_ns=0)
    fills = [
        (0, 101.0, 1.0, 1),
        (10, 102.0, 2.0, 1),
        (20, 99.0, 4.0, -1),
        (30, 99.5, 1.0, -1),
        (2 * SECOND, 101.0, 1.0, 1),
    ]
    for costs in (together, apart):
        for t_ns, price, size, side in fills:
            costs.on_trade(SECOND + t_ns, price, size, side, 100.0)
        for second in range(1, 10):
            costs.on_second(second * SECOND)
    for place in (0, 1):
        one, other = together.of_all(place), apart.of_all(place)
        assert one is not None
        assert other is not None
        assert (one.effective, one.realised, one.n) == pytest.approx((other.effective, other.realised, other.n))
        assert one.n == len(fills)


def test_a_reset_loses_what_waits_and_nothing_else() -> None:
    costs = SpreadCosts(_quotes((0, 100)), (1, 5))
    costs.on_trade(0, 101.0, 1.0, 1, 100.0)
    for second in (1, 2):
        costs.on_second(second * SECOND)
    costs.on_reset()
    costs.on_second(10 * SECOND)
    assert (costs.lost(0), costs.lost(1)) == (0, 1)
    assert costs.of_all(1) is None


def test_a_horizon_at_which_the_mid_was_unknown_is_lost() -> None:
    quotes = _quotes((0, 100))
    quotes.on_reset(SECOND)
    quotes.on_bbo(3 * SECOND, 99, 1, 101, 1)
    costs = SpreadCosts(quotes, (2, 4))
    costs.on_trade(0, 101.0, 1.0, 1, 100.0)
    for second in range(1, 6):
        costs.on_second(second * SECOND)
    assert (costs.lost(0), costs.lost(1)) == (1, 0)


def test_a_trade_before_any_quote_is_skipped_and_counted() -> None:
    costs = SpreadCosts(_quotes())
    costs.on_trade(0, 101.0, 1.0, 1, None)
    assert costs.skipped == 1
    assert costs.effective() is None
    assert costs.negative_share() is None


def test_many_trades_better_than_the_mid_mean_that_quotes_and_trades_do_not_fit() -> None:
    costs = SpreadCosts(_quotes((0, 100)))
    for number in range(20):
        costs.on_trade(0, 99.0 if number < 2 else 101.0, 1.0, 1, 100.0)
    assert costs.negative_share() == 0.1
    assert not costs.misaligned
    costs.on_trade(0, 99.0, 1.0, 1, 100.0)
    assert costs.misaligned


def test_the_window_forgets_and_the_whole_does_not() -> None:
    costs = SpreadCosts(_quotes((0, 100)), (1,), window_s=3)
    costs.on_trade(0, 101.0, 1.0, 1, 100.0)
    for second in range(1, 8):
        costs.on_second(second * SECOND)
    assert costs.effective() is None
    assert costs.of_window(0) is None
    assert costs.of_all(0) is not None
