from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Control
from connectors.base.refusal import refusal
from connectors.binance import STREAMS, SYMBOLS_PER_FRAME, BinanceConnector
from engine.clock import ManualClock
from engine.errors import Blocked, DecodeError, InvalidSymbol
from engine.feed.feed import Feed
from engine.market.codec import decode as event_of
from engine.market.codec import encode
from engine.market.events import BUY, SELL, BookDelta, BookSnapshot, MarketEvent, Quote, Trade
from engine.market.instrument import Instrument
from engine.store.captures.reader import Damage, read_capture
from tests.shared import capture

AT = 1_700_000_000_000_000_000
MS = 1_000_000
DEPTH: dict[str, Any] = {
    "e": "depthUpdate", "E": 1672515782136, "s": "BNBBTC", "U": 157, "u": 160, "b": [["0.0024", "10"]],
    "a": [["0.0026", "100"], ["0.0027", "0.00000000"]],
}  # fmt: skip
TRADE: dict[str, Any] = {
    "e": "trade", "E": 1672515782136, "s": "BNBBTC", "t": 12345, "p": "0.001", "q": "100", "T": 1672515782135,
    "m": True, "M": True,
}  # fmt: skip
AGGREGATE: dict[str, Any] = {
    "e": "aggTrade", "E": 1672515782136, "s": "BNBBTC", "a": 77, "p": "0.001", "q": "100", "f": 100, "l": 105,
    "T": 1672515782136, "m": False, "M": True,
}  # fmt: skip
TICKER: dict[str, Any] = {"u": 400900217, "s": "BNBUSDT", "b": "25.35", "B": "31.21", "a": "25.36", "A": "40.66"}
KLINE: dict[str, Any] = {"e": "kline", "E": 1, "s": "BNBBTC", "k": {"t": 1, "s": "BNBBTC", "o": "1", "x": False}}
DAY: dict[str, Any] = {
    "e": "24hrTicker", "E": 1672515782136, "s": "BNBBTC", "p": "0.0015", "P": "250.00", "w": "0.0018", "c": "0.0025",
    "Q": "10", "b": "0.0024", "B": "10", "a": "0.0026", "A": "100", "o": "0.0010", "h": "0.0025", "l": "0.0010",
    "v": "10000", "q": "18", "O": 0, "C": 86400000, "F": 0, "L": 18150, "n": 18151,
}  # fmt: skip
PARTIAL: dict[str, Any] = {"lastUpdateId": 160, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]]}

EVENTS: list[tuple[str, dict[str, Any], MarketEvent]] = [
    (
        "bnbbtc@depth@100ms", DEPTH,
        BookDelta(
            "binance", "BNBBTC", ((0.0024, 10.0),), ((0.0026, 100.0), (0.0027, 0.0)), 157, 160,
            1672515782136 * MS, AT, "stream",
        ),
    ),
    (
        "bnbbtc@trade", TRADE,
        Trade("binance", "BNBBTC", 0.001, 100.0, SELL, 12345, 1672515782135 * MS, AT, "stream"),
    ),
    (
        "bnbbtc@aggTrade", AGGREGATE,
        Trade("binance", "BNBBTC", 0.001, 100.0, BUY, 77, 1672515782136 * MS, AT, "stream"),
    ),
    (
        "bnbusdt@bookTicker", TICKER,
        Quote("binance", "BNBUSDT", 25.35, 31.21, 25.36, 40.66, 400900217, None, AT, "stream"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def binance() -> BinanceConnector:
    return BinanceConnector()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def wrapped(stream: str, data: object) -> bytes:
    return compact({"stream": stream, "data": data})


@pytest.mark.parametrize(("stream", "data", "event"), EVENTS)
def test_a_wrapped_and_a_raw_frame_say_the_same(
    binance: BinanceConnector, stream: str, data: dict[str, Any], event: MarketEvent
) -> None:
    for frame in (
        wrapped(stream, data),
        compact(data),
        compact({"data": data, "stream": stream}),
        json.dumps({"stream": stream, "data": data}, indent=1).encode(),
        wrapped(stream, data) + b"\n",
        wrapped(stream, dict(reversed(data.items()))),
        wrapped(stream, {**data, "new": {"field": [1, "x"]}}),
    ):
        assert list(binance.decode(frame, AT)) == [event]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("bnbbtc@kline_1m", KLINE), ("bnbbtc@ticker", DAY),
        ("bnbbtc@depth20@100ms", PARTIAL), ("bnbbtc@depth5", PARTIAL),
        ("bnbbtc@avgPrice", {"e": "avgPrice", "E": 1, "s": "BTCUSDT", "i": "5m", "w": "25776.8", "T": 2}),
        ("bnbbtc@avgPrice", {"e": "avgPrice", "E": 1, "s": "BTCUSDT", "i": "5m", "T": 2, "w": "25776.8"}),
        ("bnbbtc@blockTrade", {**TRADE, "e": "blockTrade"}), ("bnbbtc@referencePrice", {"s": "BNBBTC", "r": None}),
        ("!miniTicker@arr", {"e": "24hrMiniTicker"}), ("bnbbtc@something", {}), ("", {"e": ["odd"]}),
    ],
)  # fmt: skip
def test_other_channels_are_passed_over(binance: BinanceConnector, stream: str, data: dict[str, Any]) -> None:
    assert list(binance.decode(wrapped(stream, data), AT)) == []
    assert list(binance.decode(compact(data), AT)) == []


@pytest.mark.parametrize(
    ("frame", "kind", "said"),
    [
        (b'{"result":null,"id":7}', "ack", ""),
        (b'{"error":{"code":2,"msg":"Invalid request: odd"},"id":7}', "refused", "Invalid request: odd (code 2)"),
        (b'{"code":2,"msg":"Invalid request","id":7}', "refused", "Invalid request (code 2)"),
        (b'{"error":"odd","id":7}', "refused", "odd"),
    ],
)  # fmt: skip
def test_answers_to_our_requests_carry_their_number(
    binance: BinanceConnector, frame: bytes, kind: str, said: str
) -> None:
    [control] = binance.decode(frame, AT)
    assert isinstance(control, Control)
    assert (control.kind, control.id) == (kind, 7)
    assert said in control.reason


def test_an_answer_without_a_number_has_none(binance: BinanceConnector) -> None:
    [control] = binance.decode(b'{"result":null,"id":null}', AT)
    assert isinstance(control, Control)
    assert control.id is None


@pytest.mark.parametrize("frame", [b'{"e":"serverShutdown","E":1}', b'{"stream":"","data":{"e":"serverShutdown"}}'])
def test_an_announced_shutdown_is_heard(binance: BinanceConnector, frame: bytes) -> None:
    [control] = binance.decode(frame, AT)
    assert isinstance(control, Control)
    assert control.kind == "shutdown"


@pytest.mark.parametrize(
    ("stamp", "nanoseconds"),
    [
        (0, 0), (1, MS), (1672515782136, 1672515782136 * MS), (1672515782136123, 1672515782136123000),
        (99_999_999_999_999, 99_999_999_999_999 * MS), (100_000_000_000_000, 100_000_000_000_000 * 1000),
    ],
)  # fmt: skip
def test_milliseconds_and_microseconds_are_told_apart(binance: BinanceConnector, stamp: int, nanoseconds: int) -> None:
    [event] = binance.decode(wrapped("x@trade", {**TRADE, "T": stamp}), AT)
    assert isinstance(event, Trade)
    assert event.exchange_ns == nanoseconds
    [delta] = binance.decode(wrapped("x@depth", {**DEPTH, "E": stamp}), AT)
    assert isinstance(delta, BookDelta)
    assert delta.exchange_ns == nanoseconds


@pytest.mark.parametrize("stamp", [2**63, 10**17, 10**30])
def test_a_time_that_no_event_can_hold_is_refused(binance: BinanceConnector, stamp: int) -> None:
    with pytest.raises(DecodeError):
        binance.decode(wrapped("x@trade", {**TRADE, "T": stamp}), AT)


@pytest.mark.parametrize("symbol", ["币安人生USDT", "ßUSDT", "1000CHEEMSUSDT", "A" * 200, "", "🚀USDT"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_symbols_may_be_of_any_script(binance: BinanceConnector, symbol: str, ascii_only: bool) -> None:
    for stream, data, event in EVENTS:
        message = {"stream": symbol.lower() + "@" + stream.partition("@")[2], "data": {**data, "s": symbol}}
        frame = json.dumps(message, separators=(",", ":"), ensure_ascii=ascii_only).encode()
        [found] = binance.decode(frame, AT)
        assert isinstance(found, type(event))
        assert found.symbol == symbol


def test_numbers_and_strings_are_both_read_as_numbers(binance: BinanceConnector) -> None:
    [event] = binance.decode(wrapped("x@trade", {**TRADE, "p": 0.5, "q": 3}), AT)
    assert isinstance(event, Trade)
    assert (event.price, event.size) == (0.5, 3.0)
    [event] = binance.decode(wrapped("x@trade", {**TRADE, "p": "1e-8", "q": "1E3"}), AT)
    assert isinstance(event, Trade)
    assert (event.price, event.size) == (1e-8, 1000.0)


def test_an_update_without_changes_is_still_an_update(binance: BinanceConnector) -> None:
    [event] = binance.decode(wrapped("x@depth", {**DEPTH, "b": [], "a": []}), AT)
    assert isinstance(event, BookDelta)
    assert (event.bids, event.asks, event.last_sequence) == ((), (), 160)


@pytest.mark.parametrize(
    "frame",
    [
        b"", b" ", b"{", b"}", b"null", b"5", b'"text"', b"[]", b"[1,2]", b"true", b"\xff\xfe\xfd", b"\x00" * 50,
        b'{"stream":"x@', b'{"stream":"@', b'{"stream":"', b'{"stream":"btcusdt@bookTicker","data":', b"<html></html>",
        b'{"stream":"x@trade","data":null}', b'{"stream":"x@trade","data":[]}', b'{"stream":"x@trade"}',
        b'"}}', b"]]}}",
        b"e}}", b"[" * 100_000, b'{"stream":"x@depth","data":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        wrapped("x@trade", {**TRADE, "p": "abc"}), wrapped("x@trade", {**TRADE, "p": None}),
        wrapped("x@trade", {**TRADE, "p": "1e999"}), wrapped("x@trade", {**TRADE, "p": ""}),
        wrapped("x@trade", {**TRADE, "t": 1.5}), wrapped("x@trade", {**TRADE, "m": "maybe"}),
        wrapped("x@depth", {**DEPTH, "b": [["1"]]}), wrapped("x@depth", {**DEPTH, "b": [["1", "2", "3"]]}),
        wrapped("x@depth", {**DEPTH, "b": [[]]}), wrapped("x@depth", {**DEPTH, "b": {}}),
        wrapped("x@depth", {**DEPTH, "u": None}), wrapped("x@depth", {**DEPTH, "s": 5}),
        wrapped("x@bookTicker", {**TICKER, "b": "x"}), wrapped("x@depth", {**DEPTH, "E": "soon"}),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_a_decode_error(binance: BinanceConnector, frame: bytes) -> None:
    with pytest.raises(DecodeError):
        binance.decode(frame, AT)


@pytest.mark.parametrize("odd", ["NaN", "nan", "Infinity", "-inf", "-1", "0", "1e308", "5e-324"])
def test_an_impossible_number_never_reaches_a_reader(binance: BinanceConnector, odd: str) -> None:
    frames = [
        wrapped("x@trade", {**TRADE, "p": odd}), wrapped("x@trade", {**TRADE, "q": odd}),
        wrapped("x@bookTicker", {**TICKER, "b": odd}), wrapped("x@bookTicker", {**TICKER, "A": odd}),
        wrapped("x@depth", {**DEPTH, "b": [[odd, "1"]]}), wrapped("x@depth", {**DEPTH, "a": [["0.01", odd]]}),
    ]  # fmt: skip
    for frame in frames:
        feed = Feed("binance", "BNBBTC", BinanceConnector.continuity, clock=ManualClock(AT))
        feed.push(BookSnapshot("binance", "BNBBTC", ((0.002, 1.0),), ((0.003, 1.0),), 156, None, AT, "stream"))
        try:
            items = binance.decode(frame, AT)
        except DecodeError:
            continue
        for item in items:
            assert not isinstance(item, Control)
            for published in feed.push(item):
                assert event_of(encode(published)) == published


def frames() -> st.SearchStrategy[bytes]:
    base = st.sampled_from(
        [wrapped(stream, data) for stream, data, _ in EVENTS]
        + [compact(data) for _, data, _ in EVENTS]
        + [wrapped("x@kline_1m", KLINE), wrapped("x@depth5", PARTIAL), wrapped("x@ticker", DAY)]
        + [b'{"result":null,"id":7}', b'{"error":{"code":2,"msg":"x"},"id":7}', b'{"e":"serverShutdown","E":1}']
    )
    inserted = st.sampled_from([b'"', b"}", b"[", b"null", b"1e9", b"-", b"\\u12", b"@", b"e}}", b"]}}"])
    edits = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4), st.binary(max_size=4) | inserted), max_size=4)
    return st.builds(_mutate, base, edits)


def _mutate(frame: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for position, removed, inserted in edits:
        position %= len(frame) + 1
        frame = frame[:position] + inserted + frame[position + removed :]
    return frame


@settings(max_examples=1500, deadline=None)
@given(frame=frames() | st.binary(max_size=60))
def test_whatever_bytes_arrive_they_are_events_or_a_decode_error(frame: bytes) -> None:
    connector = _CONNECTOR
    try:
        items = connector.decode(frame, AT)
    except DecodeError:
        return
    for item in items:
        assert isinstance(item, MarketEvent | Control)
        if not isinstance(item, Control):
            assert item.venue == "binance"
            assert item.received_ns == AT


_CONNECTOR = BinanceConnector()


def test_subscriptions_go_out_sixty_symbols_a_frame_with_numbers_of_their_own() -> None:
    connector = BinanceConnector()
    symbols = [f"SYM{number}USDT" for number in range(130)]
    sent = [json.loads(text) for text in [*connector.subscribe(symbols), *connector.unsubscribe(symbols[:1])]]
    assert [len(one["params"]) // len(STREAMS) for one in sent] == [SYMBOLS_PER_FRAME, SYMBOLS_PER_FRAME, 10, 1]
    assert SYMBOLS_PER_FRAME == 60
    assert [one["method"] for one in sent] == ["SUBSCRIBE"] * 3 + ["UNSUBSCRIBE"]
    assert len({one["id"] for one in sent}) == 4
    asked = [stream for one in sent[:3] for stream in one["params"]]
    assert asked == [f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS]
    assert all(len(text) < 1024 * 16 for text in connector.subscribe(symbols))


def test_nothing_is_sent_for_no_symbols() -> None:
    assert BinanceConnector().subscribe([]) == []


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("wss://stream.binance.com:9443/stream?streams=btcusdt@trade", True),
        ("wss://stream.binance.com/ws/btcusdt@trade", True),
        ("wss://data-stream.binance.vision/stream", True),
        ("https://api.binance.com/api/v3/depth?symbol=BTCUSDT", True),
        ("https://data-api.binance.vision/api/v3/exchangeInfo", True),
        ("https://api3.binance.com/api/v3/time", True),
        ("wss://stream.binance.us:9443/stream", True),
        ("wss://fstream.binance.com/stream", False),
        ("https://fapi.binance.com/fapi/v1/depth", False),
        ("wss://dstream.binance.com/stream", False),
        ("https://dapi.binance.com/dapi/v1/depth", False),
        ("wss://stream.binancefuture.com/ws", False),
        ("https://api.binance.com.example.org/api/v3/depth", False),
        ("https://example.org/?x=api.binance.com", False),
        ("wss://ws.kraken.com/v2", False),
        ("", False),
        ("binance", False),
        ("http://[::1", False),
    ],
)
def test_spot_addresses_are_recognised_and_no_others(url: str, ours: bool) -> None:
    assert BinanceConnector.recognises(url) is ours


def test_a_snapshot_is_asked_for_and_read(binance: BinanceConnector) -> None:
    url = urlsplit(binance.snapshot_request("BTCUSDT", 1000).url)
    assert (url.path, parse_qs(url.query)) == ("/api/v3/depth", {"symbol": ["BTCUSDT"], "limit": ["1000"]})
    body = b'{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}'
    assert binance.decode_snapshot("BTCUSDT", body, AT, "poll") == BookSnapshot(
        "binance", "BTCUSDT", ((4.0, 431.0),), ((4.000002, 12.0),), 1027024, None, AT, "poll"
    )


@pytest.mark.parametrize(("depth", "limit"), [(-5, "1"), (0, "1"), (1, "1"), (5000, "5000"), (9999, "5000")])
def test_the_depth_that_is_asked_for_stays_within_what_the_venue_allows(
    binance: BinanceConnector, depth: int, limit: str
) -> None:
    assert parse_qs(urlsplit(binance.snapshot_request("A&B=C", depth).url).query) == {
        "symbol": ["A&B=C"],
        "limit": [limit],
    }


BAD_BODIES = [b"", b"{}", b"null", b"[]", b"<html>", b"\xff", b"[" * 100_000, b'{"code":-1121,"msg":"Invalid symbol."}']


@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_body_that_cannot_be_read_is_a_decode_error(binance: BinanceConnector, body: bytes) -> None:
    with pytest.raises(DecodeError):
        binance.decode_snapshot("BTCUSDT", body, AT, "poll")
    with pytest.raises(DecodeError):
        binance.decode_instruments(body)
    with pytest.raises(DecodeError):
        binance.decode_server_time(body)


def test_a_recorded_response_gives_its_book_or_nothing(binance: BinanceConnector) -> None:
    body = compact(PARTIAL)
    [book] = binance.decode_response("https://api.binance.com/api/v3/depth?symbol=BNBBTC&limit=1000", body, AT)
    assert isinstance(book, BookSnapshot)
    assert (book.symbol, book.sequence, book.source) == ("BNBBTC", 160, "stream")
    assert binance.decode_response("https://api.binance.com/api/v3/exchangeInfo", b"anything", AT) == ()
    for url in ("https://api.binance.com/api/v3/depth", "http://[::1/depth"):
        with pytest.raises(DecodeError):
            binance.decode_response(url, body, AT)


def test_instruments_are_those_that_trade_with_their_steps(binance: BinanceConnector) -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00001000"}, {"filterType": "ICEBERG_PARTS", "limit": 10},
    ]  # fmt: skip
    one = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters}
    halted = {**one, "symbol": "OLDUSDT", "status": "BREAK"}
    bare = {"symbol": "NEWUSDT", "baseAsset": "NEW", "quoteAsset": "USDT"}
    assert binance.decode_instruments(compact({"symbols": [one, halted, bare]})) == [
        Instrument("binance", "BTCUSDT", "BTC", "USDT", 0.01, 0.00001), Instrument("binance", "NEWUSDT", "NEW", "USDT")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stamp", "expected"), [(1499827319559, 1499827319559 * MS), (1499827319559123, 1499827319559123000)]
)
def test_the_venues_clock_is_read_in_nanoseconds(binance: BinanceConnector, stamp: int, expected: int) -> None:
    request = binance.server_time_request()
    assert request is not None
    assert request.url.endswith("/api/v3/time")
    assert binance.decode_server_time(compact({"serverTime": stamp})) == expected


def test_the_venues_refusals_are_named(binance: BinanceConnector) -> None:
    assert isinstance(binance.rest_error(400, b'{"code":-1121,"msg":"Invalid symbol."}', {}), InvalidSymbol)
    blocked = binance.advise(refusal(451, b"", {}, "the request"))
    assert isinstance(blocked, Blocked)
    assert "BINANCE_WS_URL" in blocked.hint
    assert binance.rest_error(400, b'{"code":-1100}', {}) is None
    assert binance.rest_error(500, b"", {}) is None


def test_the_addresses_can_be_set() -> None:
    connector = BinanceConnector({"BINANCE_WS_URL": "ws://127.0.0.1:1/", "BINANCE_REST_URL": "http://127.0.0.1:2/"})
    assert connector.stream_url(["BTCUSDT"]) == "ws://127.0.0.1:1/stream"
    assert connector.snapshot_request("BTCUSDT", 5).url.startswith("http://127.0.0.1:2/api/v3/depth")
    assert connector.instruments_request().url == "http://127.0.0.1:2/api/v3/exchangeInfo"


def test_the_venues_own_list_of_a_capture_is_read(binance: BinanceConnector) -> None:
    damages: list[Damage] = []
    bodies = [
        record.data
        for record in read_capture(capture("binance_spot_20211012_4sym.jsonl.gz"), damages.append)
        if record.direction == "resp" and "exchangeInfo" in record.url
    ]
    found = {one.symbol: one for body in bodies for one in binance.decode_instruments(body)}
    assert damages == []
    assert found["NKNUSDT"].unified == "NKN/USDT"
    assert all(one.tick and one.lot for one in found.values())


def test_many_symbols_at_once_ask_for_half_the_levels() -> None:
    venue = BinanceConnector()

    assert venue.snapshot_levels(1) == 1_000
    assert venue.snapshot_levels(20) == 1_000
    assert venue.snapshot_levels(21) == 500
