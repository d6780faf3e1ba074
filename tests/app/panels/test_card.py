"""The card of every connector, as the page shows it, says what is known of its venue."""

from __future__ import annotations

from typing import Any

import pytest

from app.panels.controls import card_rows
from connectors.binance import BinanceConnector
from connectors.binance_usdm import BinanceUsdmConnector
from connectors.ccxt_any import CcxtConnector
from connectors.coinbase import CoinbaseConnector
from connectors.ctrader import CtraderConnector
from connectors.finnhub import FinnhubConnector
from connectors.futu import FutuConnector
from connectors.kraken import KrakenConnector
from connectors.mock import MockConnector
from connectors.uniswap import UniswapConnector

ROWS = (
    "Streaming", "Polling", "Depth", "Trades", "Candles", "Gap detection", "Key needed", "Test network",
    "Known to refuse",
)  # fmt: skip

FACTS: dict[type[Any], tuple[str, ...]] = {
    BinanceConnector: ("yes", "yes", "1,000", "yes", "1m", "update numbers", "no", "testnet and demo", "United States"),
    BinanceUsdmConnector: (
        "yes",
        "yes",
        "1,000",
        "yes",
        "1m",
        "names the one before",
        "no",
        "testnet",
        "United States",
    ),
    KrakenConnector: ("yes", "yes", "levels", "yes", "none", "CRC-32", "no", "none for spot", "account and country"),
    CoinbaseConnector: (
        "yes",
        "yes",
        "50,000",
        "yes",
        "none",
        "numbers of a connection",
        "no",
        "none",
        "dollar products",
    ),
    FinnhubConnector: ("yes", "yes", "none", "yes", "none", "none", "FINNHUB_API_KEY", "none", "–"),
    FutuConnector: (
        "yes",
        "yes",
        "10",
        "yes",
        "none",
        "whole book",
        "FUTU_HOST",
        "none for quotes",
        "differ by region",
    ),
    UniswapConnector: (
        "yes",
        "",
        "levels",
        "yes",
        "none",
        "block hashes",
        "UNISWAP_RPC_URL",
        "node of your own",
        "provider",
    ),
    CtraderConnector: ("yes", "no", "100", "no", "1m", "best quotes", "CTRADER_ACCESS_TOKEN", "demo", "broker"),
    MockConnector: ("yes", "yes", "180", "yes", "1m", "update numbers", "no", "it is one", "–"),
}


@pytest.mark.parametrize("kind", FACTS)
def test_a_card_says_what_is_known_of_the_venue(kind: type[Any]) -> None:
    rows = card_rows(kind({}))

    assert tuple(rows) == ROWS
    for name, fact in zip(ROWS, FACTS[kind], strict=True):
        assert fact in rows[name], name


@pytest.mark.parametrize(("name", "refuses"), [("bybit", "HTTP 403"), ("binance", "HTTP 451"), ("okx", "not known")])
def test_an_exchange_through_ccxt_says_where_it_refuses(name: str, refuses: str) -> None:
    maker = CcxtConnector.variant(f"ccxt:{name}")
    assert maker is not None
    connector = maker({})
    try:
        rows = card_rows(connector)
    finally:
        connector.close()

    assert refuses in rows["Known to refuse"]
    assert f"CCXT_{name.upper()}_WS_URL" in rows["Test network"]
    assert "only where ccxt checks" in rows["Gap detection"]
