"""Candles of the connectors that have them."""

from __future__ import annotations

import json

import pytest

from connectors.base.simulation.market import Market
from connectors.binance import BinanceConnector
from connectors.binance_usdm import BinanceUsdmConnector
from connectors.kraken import KrakenConnector
from connectors.mock import MockConnector
from engine.connector import CandleSource
from engine.errors import DecodeError, FeedError, InvalidSymbol
from engine.market.candle import SECONDS, Candle, is_over
from engine.market.events import Trade
from tests.fakes.binance_rig import BinanceRig as Rig

MINUTE_NS = 60 * 10**9
ROW = [
    1_499_040_000_000, "0.01634790", "0.80000000", "0.01575800", "0.01577100", "148976.11427815", 1_499_040_059_999,
    "2434.19055334", 308, "1756.87402397", "28.46694368", "0",
]  # fmt: skip


def candle_of(trades: list[Trade], timeframe: str, begin_ns: int, now_ns: int) -> Candle:
    prices = [one.price for one in trades]
    volume = 0.0
    for one in trades:
        volume += one.size
    return Candle(
        "mock", trades[0].symbol, timeframe, begin_ns, prices[0], max(prices), min(prices), prices[-1], volume,
        len(trades), is_over(begin_ns, timeframe, now_ns),
    )  # fmt: skip


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h"])
def test_simulated_candles_hold_exactly_what_was_traded(timeframe: str) -> None:
    market = Market(3)
    symbol = market.symbols[0]
    trades = [fact for fact in market.advance(symbol, 900.0) if isinstance(fact, Trade)]
    length_ns = SECONDS[timeframe] * 10**9
    groups: dict[int, list[Trade]] = {}
    for one in trades:
        groups.setdefault((one.exchange_ns or 0) // length_ns * length_ns, []).append(one)
    expected = [candle_of(group, timeframe, begin, market.now_ns(symbol)) for begin, group in groups.items()]
    found = market.candles(symbol, timeframe, 500)
    assert [(one.begin_ns, one.open, one.high, one.low, one.close, one.count, one.complete) for one in found] == [
        (one.begin_ns, one.open, one.high, one.low, one.close, one.count, one.complete) for one in expected
    ]
    assert [one.volume for one in found] == pytest.approx([one.volume for one in expected])
    assert market.candles(symbol, timeframe, 2) == found[-2:]


def test_the_mock_gives_candles_through_its_rest() -> None:
    mock: CandleSource = MockConnector({"MOCK_RATE": "2000"})
    connector = mock
    assert isinstance(connector, MockConnector)
    try:
        symbol = connector.instruments()[0].symbol
        connector.fetch_snapshot(symbol, 5)
        found = connector.fetch_candles(symbol, "1m", 5)
        assert all(one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high for one in found)
        with pytest.raises(InvalidSymbol) as caught:
            connector.fetch_candles("BTC/USDX", "1m")
        assert "Did you mean" in caught.value.hint
    finally:
        connector.close()


def test_a_timeframe_that_is_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(FeedError, match="no candles of '7m'") as caught:
        MockConnector().fetch_candles("BTC/USDT", "7m")
    assert "1m, 3m" in caught.value.hint
    with pytest.raises(FeedError, match="no candles") as caught:
        KrakenConnector().fetch_candles("BTC/USD", "1m")
    assert caught.value.hint == "This venue gives none."


def test_binance_rows_become_candles_and_the_newest_is_marked_as_growing() -> None:
    begin_ns = 1_499_040_000_000 * 10**6
    body = json.dumps([ROW, [ROW[0] + 60_000, *ROW[1:]]]).encode()  # type: ignore[operator]
    done, growing = BinanceConnector().decode_candles("ETHBTC", "1m", body, begin_ns + 61 * 10**9)
    assert done == Candle(
        "binance", "ETHBTC", "1m", begin_ns, 0.0163479, 0.8, 0.015758, 0.015771, 148976.11427815, 308, True
    )
    assert (growing.begin_ns, growing.complete) == (begin_ns + MINUTE_NS, False)


@pytest.mark.parametrize("broken", [b"", b"{}", b"[[1]]", b"null", b'[["x"]]', b"[" * 100_000, b"\xff"])
def test_a_body_that_cannot_be_read_is_a_decode_error(broken: bytes) -> None:
    for connector in (BinanceConnector(), MockConnector()):
        with pytest.raises(DecodeError):
            connector.decode_candles("ETHBTC", "1m", broken, 0)


@pytest.mark.parametrize(
    ("connector", "count", "limit", "cost"),
    [
        (BinanceConnector(), 500, 500, 2), (BinanceConnector(), 5_000, 1000, 2), (BinanceUsdmConnector(), 99, 99, 1),
        (BinanceUsdmConnector(), 100, 100, 2), (BinanceUsdmConnector(), 9_999, 1500, 10),
    ],
)  # fmt: skip
def test_a_call_weighs_what_the_venue_says(
    connector: BinanceConnector | BinanceUsdmConnector, count: int, limit: int, cost: float
) -> None:
    request = connector.candles_request("BTCUSDT", "4h", count)
    assert request.url.endswith(f"/klines?symbol=BTCUSDT&interval=4h&limit={limit}")
    assert request.cost == cost


def test_binance_candles_come_over_the_wire() -> None:
    with Rig() as rig:
        rig.live_and_moving()
        rig.until(lambda: rig.truth.trades("BTCUSDT"), what="a trade")
        (found,) = rig.connector.fetch_candles("BTCUSDT", "1m", 3)
        assert found.count
        assert found.low <= found.close <= found.high
        with pytest.raises(InvalidSymbol):
            rig.connector.fetch_candles("NOSUCH", "1m")
