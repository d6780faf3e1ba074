from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.instrument import Instrument, nearest_symbols

SPOT = ["ETHBTC", "LTCBTC", "BNBBTC", "BTCUSDC", "BTCUSDT", "ETHUSDT", "ETHUSDC", "BTCEUR", "SOLUSDT", "WBTCUSDT"]


def test_the_unified_name_is_base_and_quote() -> None:
    assert Instrument("kraken", "XXBTZUSD", "BTC", "USD").unified == "BTC/USD"


def test_a_missing_letter_finds_the_tether_pair_first() -> None:
    assert nearest_symbols("BTCUSD", SPOT)[0] == "BTCUSDT"
    assert nearest_symbols("ethusd", reversed(SPOT))[0] == "ETHUSDT"


@pytest.mark.parametrize("wrong", ["btc/usdt", "BTC-USDT", " btc_usdt ", "XBTUSDT", "xbt/usdt"])
def test_punctuation_case_and_the_old_name_of_bitcoin_do_not_count(wrong: str) -> None:
    assert nearest_symbols(wrong, SPOT)[0] == "BTCUSDT"


def test_the_old_and_the_new_name_of_bitcoin_find_each_other() -> None:
    assert nearest_symbols("XBT/USD", ["ETH/USD", "BTC/USD"])[0] == "BTC/USD"
    assert nearest_symbols("BTC/USD", ["ETH/USD", "XBT/USD"])[0] == "XBT/USD"


def test_two_swapped_letters_are_found() -> None:
    assert nearest_symbols("BCTUSDT", SPOT)[0] == "BTCUSDT"


@pytest.mark.parametrize("wrong", ["", "  ", "/-_", "§$%&", "QQQQQQQQ"])
def test_nothing_and_nonsense_find_nothing(wrong: str) -> None:
    assert nearest_symbols(wrong, SPOT) == []


def test_no_more_than_asked_for_are_given() -> None:
    assert len(nearest_symbols("BTC", SPOT, limit=2)) == 2
    assert nearest_symbols("BTCUSD", []) == []


@settings(max_examples=100, deadline=None)
@given(wrong=st.text(max_size=12), known=st.lists(st.text(max_size=12), max_size=8))
def test_only_known_symbols_are_ever_proposed(wrong: str, known: list[str]) -> None:
    found = nearest_symbols(wrong, known)
    assert set(found) <= set(known)
    assert len(found) <= 3


def test_a_wrong_quote_is_answered_with_the_bases_other_markets() -> None:
    assert nearest_symbols("BTC/EURO", ["ETH/USDT", "BTC/USDT", "SOL/USDT"]) == ["BTC/USDT"]
    assert nearest_symbols("NOPE", ["ETH/USDT", "BTC/USDT", "SOL/USDT"]) == []
