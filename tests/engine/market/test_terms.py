"""What a trade costs and is worth."""

from __future__ import annotations

import pytest

from engine.market.terms import TAKER_FEES_BPS, Terms, fee_setting, taker_fee_bps


@pytest.mark.parametrize(
    ("venue", "given", "fee"),
    [
        ("binance", {}, 10.0), ("binance", {"BINANCE_TAKER_FEE_BPS": 7.5}, 7.5), ("finnhub", {}, None),
        ("mock:alpha", {}, 10.0), ("mock:alpha", {"MOCK_TAKER_FEE_BPS": 3.0}, 3.0),
        ("mock:alpha", {"MOCK_TAKER_FEE_BPS": 3.0, "MOCK_ALPHA_TAKER_FEE_BPS": 0.0}, 0.0),
        ("ccxt:binance", {}, None), ("ccxt:bybit", {"CCXT_BYBIT_TAKER_FEE_BPS": 10.0}, 10.0),
    ],
)  # fmt: skip
def test_a_fee_is_the_one_that_was_said_else_that_of_the_table(
    venue: str, given: dict[str, float], fee: float | None
) -> None:
    assert taker_fee_bps(venue, given) == fee


def test_the_variable_of_a_venue_has_its_name_in_capitals() -> None:
    assert fee_setting("ccxt:gate-io") == "CCXT_GATE_IO_TAKER_FEE_BPS"


def test_no_fee_of_the_table_is_free_or_beyond_belief() -> None:
    assert all(0.0 < fee < 200.0 for fee in TAKER_FEES_BPS.values())


@pytest.mark.parametrize(
    ("terms", "price", "worth"),
    [
        (Terms(), 50.0, 150.0), (Terms(), None, None), (Terms(multiplier=0.01), 50.0, 1.5),
        (Terms(multiplier=100.0, inverse=True), None, 300.0),
    ],
)  # fmt: skip
def test_a_size_is_worth_what_its_units_stand_for(terms: Terms, price: float | None, worth: float | None) -> None:
    assert terms.worth(3.0, price) == worth
