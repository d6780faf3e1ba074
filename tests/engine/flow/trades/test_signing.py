from __future__ import annotations

import pytest

from engine.flow.trades.quote_history import QuoteHistory
from engine.flow.trades.signing import (
    LEARN_FROM,
    LEARN_TO,
    MILLISECOND_NS,
    RELEARN_NS,
    LagLearner,
    Signer,
    TickRule,
    quote_rule,
)

# The hand-worked case T08.
PRICES = [100.02, 100.00, 100.01, 100.01, 100.02]
MIDS = [100.01, 100.01, 100.01, 100.01, None]


def test_the_tick_rule_carries_on_at_equal_prices_and_knows_nothing_of_the_first() -> None:
    rule = TickRule()
    assert [rule.take(price) for price in PRICES] == [0, -1, 1, 1, 1]


def test_the_quote_rule_asks_the_tick_rule_at_the_mid_and_without_one() -> None:
    rule = TickRule()
    said = [quote_rule(price, mid, rule.take(price)) for price, mid in zip(PRICES, MIDS, strict=True)]
    assert [side for side, _ in said] == [1, -1, 1, 1, 1]
    assert [source for _, source in said] == ["quote", "quote", "tick", "tick", "tick"]


def _quotes(*steps: tuple[int, float]) -> QuoteHistory:
    quotes = QuoteHistory(1.0)
    for t_ms, mid in steps:
        quotes.on_bbo(t_ms * MILLISECOND_NS, mid - 1, 1, mid + 1, 1)
    return quotes


def test_the_venue_is_believed_against_quote_and_tick() -> None:
    signer = Signer(_quotes((0, 100)))
    assert signer.sign(MILLISECOND_NS, 105.0, 1.0, -1) == -1
    assert signer.source == "venue"
    assert not signer.inferred


def test_an_unmarked_trade_of_a_venue_that_marks_them_stays_without_a_side() -> None:
    signer = Signer(_quotes((0, 100)))
    signer.sign(1, 101.0, 1.0, 1)
    assert signer.sign(2, 105.0, 1.0, 0) == 0
    assert signer.source is None
    assert signer.unsigned == 1


@pytest.mark.parametrize(("fallback", "sides"), [("quote", [1, 1]), ("tick", [0, -1]), ("none", [0, 0])])
def test_without_marks_the_side_is_inferred_as_asked(fallback: str, sides: list[int]) -> None:
    signer = Signer(_quotes((0, 100)), fallback)  # type: ignore[arg-type]
    assert [signer.sign(t, price, 1.0, 0) for t, price in ((1, 103.0), (2, 102.0))] == sides
    assert signer.inferred


def _lagging(trades: int, learner: LagLearner) -> QuoteHistory:
    """Quotes that jump 20 ms before the trade that moved them reaches us."""
    quotes = QuoteHistory(1.0)
    mid, t_ms = 1000, 1_000
    quotes.on_bbo(0, mid - 1, 1, mid + 1, 1)
    rule = TickRule()
    for number in range(trades):
        side = 1 if number % 3 else -1
        price = float(mid + side)
        mid += 10 * side
        quotes.on_bbo(t_ms * MILLISECOND_NS, mid - 1, 1, mid + 1, 1)
        t_ms += 20
        learner.take(t_ms * MILLISECOND_NS, price, 2.0, side, rule.take(price), quotes)
        t_ms += 1_000
        quotes.trim(t_ms * MILLISECOND_NS)
    return quotes


def test_the_lag_is_learned_where_quotes_run_ahead_of_trades() -> None:
    learner = LagLearner(lags_ms=(0, 1, 5, 10, 20, 50, 100))
    _lagging(LEARN_FROM - 1, learner)
    assert not learner.learned
    assert learner.lag_ns == 0
    learner = LagLearner(lags_ms=(0, 1, 5, 10, 20, 50, 100))
    _lagging(LEARN_FROM, learner)
    assert learner.learned
    assert learner.lag_ns == 50 * MILLISECOND_NS
    right = learner.agreement(learner.lags_ms.index(50))
    wrong = learner.agreement(0)
    assert right == (1.0, 1.0)
    assert wrong == (0.0, 0.0)
    assert learner.agreed == right


def test_learning_rests_for_an_hour_and_then_begins_anew() -> None:
    learner = LagLearner()
    quotes = _lagging(LEARN_TO, learner)
    rested = learner.rest_until_ns
    assert rested > RELEARN_NS
    learner.take(rested - 1, 5.0, 1.0, 1, 0, quotes)
    assert learner.seen == LEARN_TO
    learner.take(rested, 5.0, 1.0, 1, 0, quotes)
    assert learner.seen == 1
    assert learner.lag_ns > 0


def test_a_trade_before_any_quote_is_not_held_against_a_lag() -> None:
    learner = LagLearner(lags_ms=(0, 10))
    learner.take(5 * MILLISECOND_NS, 101.0, 1.0, 1, 0, _quotes((0, 100)))
    assert learner.agreement(0) == (1.0, 1.0)
    assert learner.agreement(1) is None
