from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Control
from connectors.base.refusal import refusal
from connectors.binance_usdm import BinanceUsdmConnector
from engine.errors import Blocked, DecodeError, InvalidSymbol
from engine.market.events import BUY, SELL, BookDelta, BookSnapshot, MarketEvent, Quote, Trade
from engine.market.instrument import Instrument
from engine.store.captures.reader import read_capture
from tests.shared import capture

AT = 1_700_000_000_000_000_000
MS = 1_000_000
DEPTH: dict[str, Any] = {
    "e": "depthUpdate", "E": 1626992741037, "T": 1626992741024, "s": "SUSHIUSDT", "U": 157, "u": 160, "pu": 149,
    "b": [["7.5040", "813"]], "a": [["7.6150", "0"]],
}  # fmt: skip
TICKER: dict[str, Any] = {
    "e": "bookTicker", "u": 600859600576, "s": "SUSHIUSDT", "b": "7.6110", "B": "2", "a": "7.6120", "A": "297",
    "T": 1626992741012, "E": 1626992741017,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "e": "trade", "E": 1626992741575, "T": 1626992741421, "s": "CTKUSDT", "t": 77, "p": "1.01100", "q": "10",
    "X": "MARKET", "m": True,
}  # fmt: skip
AGGREGATE: dict[str, Any] = {
    "e": "aggTrade", "E": 1626992741575, "a": 16599292, "s": "CTKUSDT", "p": "1.01100", "q": "10", "f": 1, "l": 2,
    "T": 1626992741421, "m": False, "nq": "10",
}  # fmt: skip
EVENTS: list[tuple[dict[str, Any], MarketEvent]] = [
    (
        DEPTH,
        BookDelta(
            "binance_usdm", "SUSHIUSDT", ((7.504, 813.0),), ((7.615, 0.0),), 157, 160, 1626992741037 * MS, AT,
            "stream", 149,
        ),
    ),
    (
        TICKER,
        Quote(
            "binance_usdm", "SUSHIUSDT", 7.611, 2.0, 7.612, 297.0, 600859600576, 1626992741017 * MS, AT, "stream"
        ),
    ),
    (TRADE, Trade("binance_usdm", "CTKUSDT", 1.011, 10.0, SELL, 77, 1626992741421 * MS, AT, "stream")),
    (AGGREGATE, Trade("binance_usdm", "CTKUSDT", 1.011, 10.0, BUY, 16599292, 1626992741421 * MS, AT, "stream")),
]  # fmt: skip


@pytest.fixture(scope="module")
def usdm() -> BinanceUsdmConnector:
    return BinanceUsdmConnector()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def wrapped(data: object) -> bytes:
    return compact({"stream": "x@y", "data": data})


@pytest.mark.parametrize(("data", "event"), EVENTS)
def test_a_wrapped_and_a_raw_frame_say_the_same(
    usdm: BinanceUsdmConnector, data: dict[str, Any], event: MarketEvent
) -> None:
    for frame in (wrapped(data), compact(data), wrapped(dict(reversed(data.items()))), wrapped({**data, "st": [1]})):
        assert list(usdm.decode(frame, AT)) == [event]


@pytest.mark.parametrize("kind", ["INSURANCE_FUND", "ADL", "NA"])
def test_trades_that_are_no_prints_of_the_book_are_left_out(usdm: BinanceUsdmConnector, kind: str) -> None:
    assert list(usdm.decode(wrapped({**TRADE, "X": kind}), AT)) == []


@pytest.mark.parametrize("kind", ["kline", "markPriceUpdate", "forceOrder", "24hrTicker", None, 5])
def test_other_channels_are_passed_over(usdm: BinanceUsdmConnector, kind: object) -> None:
    assert list(usdm.decode(wrapped({"e": kind, "E": 1, "s": "X"}), AT)) == []


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b'{"result":null,"id":7}', "ack"),
        (b'{"error":{"code":2,"msg":"Invalid request"},"id":7}', "refused"),
        (b'{"e":"serverShutdown","E":1}', "shutdown"),
    ],
)
def test_control_frames_are_heard(usdm: BinanceUsdmConnector, frame: bytes, kind: str) -> None:
    [control] = usdm.decode(frame, AT)
    assert isinstance(control, Control)
    assert control.kind == kind


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"{", b"null", b"[]", b"5", b"\xff", b"[" * 100_000, b'{"stream":"x","data":null}', wrapped([]),
        wrapped({**DEPTH, "pu": None}), wrapped({**DEPTH, "b": [["1"]]}), wrapped({**TRADE, "p": "x"}),
        wrapped({**TRADE, "T": 2**63}), wrapped({**TICKER, "b": None}), compact({**DEPTH, "u": "x"}),
        wrapped({key: value for key, value in DEPTH.items() if key != "pu"}),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_a_decode_error(usdm: BinanceUsdmConnector, frame: bytes) -> None:
    with pytest.raises(DecodeError):
        usdm.decode(frame, AT)


@settings(max_examples=600, deadline=None)
@given(
    base=st.sampled_from([wrapped(data) for data, _ in EVENTS] + [compact(data) for data, _ in EVENTS]),
    edits=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 4), st.binary(max_size=3)), max_size=4),
)
def test_whatever_bytes_arrive_they_are_events_or_a_decode_error(
    base: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    for position, removed, inserted in edits:
        position %= len(base) + 1
        base = base[:position] + inserted + base[position + removed :]
    try:
        items = _CONNECTOR.decode(base, AT)
    except DecodeError:
        return
    assert all(isinstance(item, MarketEvent | Control) for item in items)


_CONNECTOR = BinanceUsdmConnector()


def test_depth_is_asked_for_in_the_sizes_that_the_venue_serves(usdm: BinanceUsdmConnector) -> None:
    asked = {depth: usdm.snapshot_request("BTCUSDT", depth) for depth in (0, 5, 6, 100, 101, 1000, 5000)}
    assert {depth: (one.url.rpartition("=")[2], one.cost) for depth, one in asked.items()} == {
        0: ("5", 2), 5: ("5", 2), 6: ("10", 2), 100: ("100", 5), 101: ("500", 10), 1000: ("1000", 20),
        5000: ("1000", 20),
    }  # fmt: skip
    assert asked[5].url == "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=5"


def test_a_book_is_dated_by_the_venue(usdm: BinanceUsdmConnector) -> None:
    body = b'{"lastUpdateId":160,"E":1626992741264,"T":1626992741261,"bids":[["7.6110","6"]],"asks":[["7.612","1"]]}'
    assert usdm.decode_snapshot("SUSHIUSDT", body, AT, "poll") == BookSnapshot(
        "binance_usdm", "SUSHIUSDT", ((7.611, 6.0),), ((7.612, 1.0),), 160, 1626992741264 * MS, AT, "poll"
    )


def test_contracts_are_listed_apart_from_the_coins_themselves(usdm: BinanceUsdmConnector) -> None:
    record = next(iter(read_capture(capture("binance_usdm_20210722_4sym.jsonl.gz"), lambda damage: None)))
    found = {one.symbol: one for one in usdm.decode_instruments(record.data)}
    assert len(found) == 121
    assert found["BTCUSDT"] == Instrument("binance_usdm", "BTCUSDT", "BTC", "USDT", 0.01, 0.001, "USDT")
    assert found["BTCUSDT"].unified == "BTC/USDT:USDT"
    assert found["BTCUSDT_210924"].unified == "BTC/USDT:USDT-210924"


def test_its_own_hosts_are_used_and_can_be_replaced(usdm: BinanceUsdmConnector) -> None:
    assert usdm.stream_url(["BTCUSDT"]) == "wss://fstream.binance.com/public/stream"
    moved = BinanceUsdmConnector(
        {"BINANCE_USDM_WS_URL": "ws://here:1", "BINANCE_USDM_REST_URL": "http://here:2", "BINANCE_WS_URL": "ws://no"}
    )
    assert moved.stream_url([]) == "ws://here:1/stream"
    assert moved.instruments_request().url == "http://here:2/fapi/v1/exchangeInfo"


def test_refusals_name_the_variables_to_set(usdm: BinanceUsdmConnector) -> None:
    blocked = usdm.advise(refusal(451, b"", {}, "the request"))
    assert isinstance(blocked, Blocked)
    assert "choose another venue" in blocked.hint
    assert isinstance(usdm.rest_error(400, b'{"code":-1121,"msg":"Invalid symbol."}', {}), InvalidSymbol)
    assert usdm.rest_error(500, b"", {}) is None


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("wss://fstream.binance.com/stream?streams=x", True), ("wss://fstream.binance.com/public/stream", True),
        ("https://fapi.binance.com/fapi/v1/depth?symbol=X", True), ("wss://stream.binance.com:9443/stream", False),
        ("https://api.binance.com/api/v3/depth", False), ("wss://dstream.binance.com/stream", False),
        ("http://[::1", False), ("", False),
    ],
)  # fmt: skip
def test_only_its_own_addresses_are_recognised(url: str, ours: bool) -> None:
    assert BinanceUsdmConnector.recognises(url) is ours
