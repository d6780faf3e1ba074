"""One name at every venue, however each spells it; dollars are told apart unless somebody wants them alike."""

from __future__ import annotations

import pytest

from engine.market.instrument import Instrument, asset
from engine.market.unified import UnifiedNames, unified

LISTINGS = {
    "binance": [
        Instrument("binance", "BTCUSDT", "BTC", "USDT", 0.01),
        Instrument("binance", "BTCUSDC", "BTC", "USDC", 0.01),
        Instrument("binance", "DOGEUSDT", "DOGE", "USDT"),
        Instrument("binance", "ETHUSDT", "ETH", "USDT"),
    ],
    "kraken": [
        Instrument("kraken", "XBT/USD", "XBT", "USD", 0.1),
        Instrument("kraken", "XDG/USDT", "XDG", "USDT"),
        Instrument("kraken", "XBT/USDT", "XBT", "USDT", 0.1),
    ],
    "coinbase": [
        Instrument("coinbase", "BTC-USD", "BTC", "USD", 0.01),
        Instrument("coinbase", "BTC-USDC", "BTC", "USDC"),
    ],
    "futures": [Instrument("futures", "BTCUSDT", "BTC", "USDT", 0.1, None, "USDT")],
    "recording": [Instrument("recording", "BTCUSDT", "BTCUSDT", "")],
}


def symbols(names: UnifiedNames, name: str) -> dict[str, str]:
    return {venue: instrument.symbol for venue, instrument in names.at(name).items()}


def test_one_name_finds_each_venues_own_spelling() -> None:
    names = UnifiedNames(LISTINGS)
    assert symbols(names, "BTC/USDT") == {"binance": "BTCUSDT", "kraken": "XBT/USDT"}
    assert symbols(names, "BTC/USD") == {"kraken": "XBT/USD", "coinbase": "BTC-USD"}
    assert symbols(names, "DOGE/USDT") == {"binance": "DOGEUSDT", "kraken": "XDG/USDT"}


def test_a_future_is_not_the_thing_itself_and_a_recording_is_neither() -> None:
    names = UnifiedNames(LISTINGS)
    assert symbols(names, "BTC/USDT:USDT") == {"futures": "BTCUSDT"}
    assert "recording" not in {venue for name in names.names(1) for venue in names.at(name)}


def test_dollars_and_dollar_coins_are_different_money_unless_asked() -> None:
    apart, alike = UnifiedNames(LISTINGS), UnifiedNames(LISTINGS, dollars_alike=True)
    assert symbols(apart, "BTC/USDC") == {"binance": "BTCUSDC", "coinbase": "BTC-USDC"}
    assert apart.at("BTC/USD*") == {}
    # Of several at one venue the dollar comes first, then Tether's.
    assert symbols(alike, "BTC/USD*") == {"binance": "BTCUSDT", "kraken": "XBT/USD", "coinbase": "BTC-USD"}
    assert alike.at("BTC/USD") == {}
    euro = Instrument("x", "BTCEUR", "BTC", "EUR")
    assert unified(euro, dollars_alike=True) == "BTC/EUR"


def test_names_that_most_venues_have_come_first() -> None:
    names = UnifiedNames(LISTINGS)
    assert names.names() == ["BTC/USDT", "BTC/USDC", "DOGE/USDT", "BTC/USD"]
    assert UnifiedNames(LISTINGS, dollars_alike=True).names()[0] == "BTC/USD*"
    assert "ETH/USDT" in names.names(1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("BTC/USDT", "BTC/USDT"),
        ("BTCUSDT", "BTC/USDT"),
        ("XBT/USDT", "BTC/USDT"),
        ("btc-usdt", "BTC/USDT"),
        ("xbt_usd", "BTC/USD"),
        ("XDGUSDT", "DOGE/USDT"),
        ("BTC-USD", "BTC/USD"),
        ("BTC/USD*", "BTC/USD"),
        ("BTC/USDD", None),
        ("", None),
        ("/", None),
    ],
)
def test_what_somebody_writes_is_understood(written: str, meant: str | None) -> None:
    assert UnifiedNames(LISTINGS).resolve(written) == meant


def test_a_name_follows_when_dollars_are_told_apart_or_not() -> None:
    alike = UnifiedNames(LISTINGS, dollars_alike=True)
    assert [alike.resolve(name) for name in ("BTC/USDT", "BTC/USD", "XBT/USDC")] == ["BTC/USD*"] * 3


def test_a_wrong_name_is_answered_with_near_ones_and_who_has_them() -> None:
    names = UnifiedNames(LISTINGS)
    unknown = names.unknown("BTC/USDD")
    assert unknown.venues == ()
    assert unknown.near["BTC/USDT"] == ("binance", "kraken")
    assert names.unknown("ETH/USDT").venues == ("binance",)
    assert "ETH/USDT" not in names.unknown("ETH/USDT").near
    assert names.nearest_at("kraken", "BTC/USDC")[0] in ("XBT/USDT", "XBT/USD")
    assert names.nearest_at("nobody", "BTC/USDC") == []


def test_old_names_of_assets_are_todays() -> None:
    assert (asset("xbt"), asset("XDG"), asset(" eth ")) == ("BTC", "DOGE", "ETH")
    assert Instrument("kraken", "XBT/USD", "XBT", "USD").unified == "BTC/USD"
