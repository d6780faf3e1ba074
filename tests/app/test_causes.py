"""Why no data: what is found out about a venue's reach."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest

from app.causes import _reach
from app.view import STREAMING, View
from connectors.ccxt_any import CcxtConnector
from connectors.ctrader import CtraderConnector
from connectors.finnhub import FinnhubConnector
from connectors.mock import MockConnector
from connectors.uniswap import UniswapConnector
from engine.connector import Capabilities, Connector
from tests.fakes.binance import FakeBinance


def reach(connector: Any) -> Any:
    view = View(connector.name, STREAMING, 1.0, ("BTCUSDT",), True, "", None)
    try:
        return _reach(view, cast(Connector, connector))
    finally:
        connector.close()


@pytest.fixture
def port() -> Any:
    """A door that opens, and how often it was knocked at."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener.getsockname()[1]
    listener.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_venue_without_books_is_not_asked_for_one(port: int) -> None:
    url = f"ws://127.0.0.1:{port}"
    found = reach(FinnhubConnector({"FINNHUB_WS_URL": url, "FINNHUB_REST_URL": f"http://127.0.0.1:{port}"}))
    assert found.fine
    assert "it has no books to ask for" in found.found
    assert found.found.count(f"127.0.0.1:{port} answered") == 2


def test_a_venue_that_cannot_be_polled_is_only_knocked_at(port: int) -> None:
    found = reach(CtraderConnector({"CTRADER_WS_URL": f"ws://127.0.0.1:{port}"}))
    assert found.fine
    assert "REST" not in found.found


def test_a_door_that_stays_shut_is_named_with_its_host_and_port() -> None:
    shut = closed_port()
    found = reach(CtraderConnector({"CTRADER_WS_URL": f"ws://127.0.0.1:{shut}"}))
    assert found.fine is False
    assert f"127.0.0.1:{shut} cannot be reached" in found.found
    assert "firewall" in found.remedy


def test_a_missing_address_is_said_with_the_variable_to_set() -> None:
    found = reach(UniswapConnector())
    assert found.fine is False
    assert "UNISWAP_RPC_URL is not set" in found.found


def test_a_ccxt_exchange_is_knocked_at_where_it_really_is() -> None:
    (make,) = CcxtConnector.variants({"CCXT_VENUES": "binance"}).values()
    with FakeBinance() as venue:
        connector = make({"CCXT_BINANCE_WS_URL": venue.ws_url, "CCXT_BINANCE_REST_URL": venue.http_url})
        found = reach(connector)
        assert found.fine, found
        assert found.found.count(f"127.0.0.1:{venue.port} answered") == 2
        assert "REST answered in" in found.found


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("bybit", ["wss://stream.bybit.com", "https://api.bybit.com"]), ("zaif", ["https://api.zaif.jp"]),
        ("okx", ["wss://ws.okx.com:443", "https://www.okx.com"]),
    ],
)  # fmt: skip
def test_ccxt_names_the_exchanges_own_hosts(name: str, hosts: list[str]) -> None:
    (make,) = CcxtConnector.variants({"CCXT_VENUES": name}).values()
    found = make({}).addresses()
    assert [address.startswith(host) for address, host in zip(found, hosts, strict=True)] == [True] * len(hosts)


def test_the_mock_needs_no_network() -> None:
    assert reach(MockConnector()).fine


class Exploding:
    """A stranger's connector, with a fault of its own."""

    name = "exploding"
    capabilities = Capabilities(streaming=True, polling=True, depth=10, trades=True)

    def fetch_snapshot(self, symbol: str, depth: int) -> None:
        raise TypeError("of its own")

    def close(self) -> None:
        """Nothing to close."""


def test_a_fault_of_the_connector_itself_is_an_answer_too() -> None:
    found = reach(Exploding())
    assert found.fine is False
    assert "TypeError: of its own" in found.found
