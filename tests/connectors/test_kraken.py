from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Control
from connectors.kraken import DEPTH, SYMBOLS_PER_FRAME, KrakenChecksum, KrakenConnector
from engine.clock import ManualClock
from engine.errors import DecodeError, Disconnected, InvalidSymbol, RateLimited
from engine.feed.feed import Feed
from engine.market.codec import decode as event_of
from engine.market.codec import encode
from engine.market.events import BUY, SELL, BookDelta, BookSnapshot, FeedState, MarketEvent, Quote, Trade
from engine.market.instrument import Instrument
from engine.market.signal import Signal
from engine.store.captures.reader import read_capture
from tests.shared import capture

AT = 1_700_000_000_000_000_000
VECTOR_ASKS = """45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660
45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"""
VECTOR_BIDS = """45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586
45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"""
UPDATE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5657,"qty":1098.3947558}],'
    b'"asks":[],"checksum":2114181697,"timestamp":"2023-10-06T17:35:55.440295Z"}]}'
)
SNAPSHOT = (
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5666,"qty":4831.75496356}],'
    b'"asks":[{"price":0.5668,"qty":4410.79769740}],"checksum":2439117997}]}'
)
TRADES = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":77566.2,"qty":0.00015760,'
    b'"ord_type":"limit","trade_id":4665906,"timestamp":"2026-08-23T13:40:09.726398Z"},{"symbol":"BTC/USD",'
    b'"side":"buy","price":77566.3,"qty":1234567890.12345678,"ord_type":"market","trade_id":4665907,'
    b'"timestamp":"2026-08-23T13:40:09.726398Z"}]}'
)
TICKER = (
    b'{"channel":"ticker","type":"update","data":[{"symbol":"ALGO/USD","bid":0.10025,"bid_qty":740.00000000,'
    b'"ask":0.10036,"ask_qty":1361.44813783,"last":0.10035,"volume":997038.98383185,"vwap":0.10148,"low":0.09979,'
    b'"high":0.10285,"change":-0.00017,"change_pct":-0.17}]}'
)
PAIRS = (
    b'{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC",'
    b'"quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,"price_precision":1,'
    b'"price_increment":0.1,"qty_min":5e-05},{"symbol":"OLD/USD","base":"OLD","quote":"USD","status":"delisted",'
    b'"qty_precision":8,"price_precision":1}]}}'
)
ASSET_PAIRS: dict[str, Any] = {
    "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1,
                 "lot_decimals": 8, "tick_size": "0.1", "status": "online"},
    "XDGXBT": {"altname": "XDGXBT", "wsname": "XDG/XBT", "base": "XXDG", "quote": "XXBT", "pair_decimals": 9,
               "lot_decimals": 8},
    "XXBTZUSD.d": {"altname": "XBTUSD.d", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1, "lot_decimals": 8},
}  # fmt: skip


@pytest.fixture
def kraken() -> KrakenConnector:
    return KrakenConnector()


def pieces(text: str) -> list[str]:
    return [KrakenChecksum().piece(*level.split("/")) for level in text.split()]


def book_frame(bids: str, asks: str, checksum: int, kind: str = "snapshot") -> bytes:
    def levels(text: str) -> str:
        return ",".join('{{"price":{},"qty":{}}}'.format(*level.split("/")) for level in text.split())

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{levels(bids)}],'
        f'"asks":[{levels(asks)}],"checksum":{checksum},"timestamp":"2023-10-06T17:35:55.440295Z"}}]}}'
    ).encode()


def push(feed: Feed, kraken: KrakenConnector, frame: bytes) -> list[MarketEvent]:
    published: list[MarketEvent] = []
    for event in kraken.decode(frame, AT):
        assert not isinstance(event, Control)
        published.extend(feed.push(event))
    return published


def make_feed(kraken: KrakenConnector, symbol: str = "BTC/USD") -> Feed:
    return Feed("kraken", symbol, kraken.continuity, clock=ManualClock(AT))


def test_the_vendors_test_vector_gives_the_vendors_checksum() -> None:
    bids, asks = pieces(VECTOR_BIDS), pieces(VECTOR_ASKS)
    assert "".join(asks).startswith("452852100000")
    assert "".join(bids).startswith("45283510000000")
    assert KrakenChecksum().value(bids, asks) == 3310070434


def test_the_vendors_test_vector_goes_through_decoder_and_feed(kraken: KrakenConnector) -> None:
    feed = make_feed(kraken)
    push(feed, kraken, book_frame(VECTOR_BIDS, VECTOR_ASKS, 3310070434))
    assert (feed.state, feed.quality.checksums_ok) == (FeedState.LIVE, 1)


@pytest.mark.parametrize(("price", "size", "piece"), [
    ("0.00000570", "0.00100000", "570100000"), ("1", "2", "12"), ("10.0", "0.5", "1005"), ("0.5", "100", "5100"),
])  # fmt: skip
def test_a_piece_has_neither_point_nor_leading_zeros(price: str, size: str, piece: str) -> None:
    assert KrakenChecksum().piece(price, size) == piece


def test_an_update_is_read_with_its_digits(kraken: KrakenConnector) -> None:
    assert list(kraken.decode(UPDATE, AT)) == [
        BookDelta(
            "kraken", "MATIC/USD", ((0.5657, 1098.3947558),), (), None, None, 1696613755440295000, AT, "stream", None,
            2114181697, ((("0.5657", "1098.3947558"),), ()),
        )
    ]  # fmt: skip


def test_a_snapshot_says_the_depth_that_was_acknowledged(kraken: KrakenConnector) -> None:
    expected = BookSnapshot(
        "kraken", "MATIC/USD", ((0.5666, 4831.75496356),), ((0.5668, 4410.7976974),), None, None, AT, "stream",
        2439117997, 10, ((("0.5666", "4831.75496356"),), (("0.5668", "4410.79769740"),)),
    )  # fmt: skip
    assert list(kraken.decode(SNAPSHOT, AT)) == [expected]
    kraken.subscribe(["MATIC/USD"])
    [snapshot] = kraken.decode(SNAPSHOT, AT)
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.depth == DEPTH
    kraken.decode(
        b'{"method":"subscribe","req_id":7,"result":{"channel":"book","depth":25,"snapshot":true,'
        b'"symbol":"MATIC/USD"},"success":true}', AT,
    )  # fmt: skip
    [snapshot] = kraken.decode(SNAPSHOT, AT)
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.depth == 25


def test_frames_are_understood_whatever_the_order_of_their_keys(kraken: KrakenConnector) -> None:
    for frame in (UPDATE, TRADES, TICKER):
        turned = json.dumps(dict(reversed(json.loads(frame).items()))).encode()
        assert len(list(kraken.decode(turned, AT))) == len(list(kraken.decode(frame, AT))) > 0


def test_trades_carry_the_takers_side_and_their_exact_size(kraken: KrakenConnector) -> None:
    at = 1787492409726398000
    assert list(kraken.decode(TRADES, AT)) == [
        Trade("kraken", "BTC/USD", 77566.2, 0.0001576, SELL, 4665906, at, AT, "stream"),
        Trade(
            "kraken", "BTC/USD", 77566.3, 1234567890.1234567, BUY, 4665907, at, AT, "stream", False,
            "1234567890.12345678",
        ),
    ]  # fmt: skip


def test_past_trades_are_marked(kraken: KrakenConnector) -> None:
    events = kraken.decode(TRADES.replace(b'"update"', b'"snapshot"'), AT)
    assert [event.backfill for event in events if isinstance(event, Trade)] == [True, True]


def test_the_ticker_is_a_quote(kraken: KrakenConnector) -> None:
    assert list(kraken.decode(TICKER, AT)) == [
        Quote("kraken", "ALGO/USD", 0.10025, 740.0, 0.10036, 1361.44813783, None, None, AT, "stream")
    ]
    one_sided = TICKER.replace(b'"bid":0.10025', b'"bid":null')
    assert list(kraken.decode(one_sided, AT)) == []


@pytest.mark.parametrize(("frame", "kind", "symbol", "word"), [
    (b'{"channel":"heartbeat"}', "heartbeat", "", ""),
    (b'{"method":"pong","req_id":101,"time_in":"a","time_out":"b"}', "heartbeat", "", ""),
    (b'{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","emergency":[]}]}',
     "heartbeat", "", "online"),
    (b'{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}', "heartbeat", "", "cancel_only"),
    (b'{"channel":"status","type":"update","data":[{"system":"maintenance"}]}', "refused", "", "maintenance"),
    (b'{"method":"subscribe","req_id":7,"result":{"channel":"book","depth":100,"symbol":"BTC/USD","warnings":["x"]},'
     b'"success":true}', "ack", "BTC/USD", ""),
    (b'{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD"}',
     "invalid_symbol", "XBT/USD", "not supported"),
    (b'{"error":"Subscription depth not supported","method":"subscribe","success":false,"symbol":"BTC/USD"}',
     "refused", "BTC/USD", "depth"),
    (b'{"error":"Already subscribed","method":"subscribe","success":false,"symbol":"BTC/USD"}', "ack", "BTC/USD", ""),
    (b'{"error":"Subscription Not Found","method":"unsubscribe","success":false,"symbol":"BTC/USD"}', "ack",
     "BTC/USD", ""),
    (b'{"error":"Exceeded msg rate","method":"subscribe","success":false}', "throttled", "", "rate"),
    (b'{"Error":"Exceeded msg rate"}', "throttled", "", "rate"),
])  # fmt: skip
def test_what_is_said_about_the_connection(
    kraken: KrakenConnector, frame: bytes, kind: str, symbol: str, word: str
) -> None:
    [control] = kraken.decode(frame, AT)
    assert isinstance(control, Control)
    assert (control.kind, control.symbol) == (kind, symbol)
    assert word in control.reason


@pytest.mark.parametrize("frame", [b'{"channel":"ohlc","type":"update","data":[]}', b'{"channel":"new"}', b"{}"])
def test_other_channels_are_passed_over(kraken: KrakenConnector, frame: bytes) -> None:
    assert list(kraken.decode(frame, AT)) == []


@pytest.mark.parametrize("frame", [
    b"", b"[]", b"7", b"{", b"\xff\xfe", b'{"channel":"book"}', b'{"channel":"book","type":"update","data":[7]}',
    UPDATE[:-9], UPDATE.replace(b"0.5657", b'"0.5657"'), UPDATE.replace(b"0.5657", b"null"),
    UPDATE.replace(b"0.5657", b"[1]"), UPDATE.replace(b"0.5657", b"true"), UPDATE.replace(b"0.5657", b"NaN"),
    UPDATE.replace(b"0.5657", b"1_0"), UPDATE.replace(b"1098.3947558", b"1e999999999"),
    UPDATE.replace(b"1098.3947558", b"1e-999999999"), UPDATE.replace(b"2023-10-06T17:35:55.440295Z", b"yesterday"),
    UPDATE.replace(b"440295Z", b"440295"), UPDATE.replace(b'"update"', b'"other"'),
    TRADES.replace(b'"sell"', b'"both"'), TRADES.replace(b"0.00015760", b'"x"'), b"[" * 100_000,
    b'[0,{"as":[["5541.30000","2.50700000","1534614248.123678"]]},"book-100","XBT/USD"]',
])  # fmt: skip
def test_what_cannot_be_read_is_a_decode_error(kraken: KrakenConnector, frame: bytes) -> None:
    with pytest.raises(DecodeError, match="kraken frame"):
        kraken.decode(frame, AT)


@settings(max_examples=300, deadline=None)
@given(frame=st.binary(max_size=60), cut=st.integers(0, len(UPDATE)))
def test_no_bytes_raise_anything_but_a_decode_error(frame: bytes, cut: int) -> None:
    kraken = KrakenConnector()
    for one in (frame, UPDATE[:cut] + frame + UPDATE[cut:], TRADES[:cut] + frame):
        try:
            kraken.decode(one, AT)
        except DecodeError:
            continue


def test_numbers_with_an_exponent_get_the_instruments_decimal_places(kraken: KrakenConnector) -> None:
    frame = book_frame("64525.0/5e-05", "64525.1/1E-8", 1)
    [before] = kraken.decode(frame, AT)
    assert isinstance(before, BookSnapshot)
    assert before.wire == ((("64525.0", "0.00005"),), (("64525.1", "0.00000001"),))
    kraken.decode(PAIRS, AT)
    [after] = kraken.decode(frame, AT)
    assert isinstance(after, BookSnapshot)
    assert after.wire == ((("64525.0", "0.00005000"),), (("64525.1", "0.00000001"),))
    assert after.bids == ((64525.0, 0.00005),)


def test_quantities_of_eighteen_digits_keep_all_of_them(kraken: KrakenConnector) -> None:
    asks, bids = "0.00001230/1234567890.12345678", "0.00001220/9876543210.10000000"
    said = KrakenChecksum().value(pieces(bids), pieces(asks))
    feed = make_feed(kraken)
    push(feed, kraken, book_frame(bids, asks, said))
    assert feed.quality.checksums_ok == 1
    snapshot = feed.snapshot()
    assert snapshot is not None
    assert snapshot.wire == ((("0.00001220", "9876543210.10000000"),), (("0.00001230", "1234567890.12345678"),))
    assert snapshot.checksum == said


def test_the_instrument_channel_lists_what_can_be_watched(kraken: KrakenConnector) -> None:
    assert list(kraken.decode(PAIRS, AT)) == []
    assert kraken.instruments() == [Instrument("kraken", "BTC/USD", "BTC", "USD", 0.1, 1e-08)]
    update = PAIRS.replace(b'"snapshot"', b'"update"').replace(b"online", b"delisted")
    kraken.decode(update, AT)
    assert kraken.instruments() == []


def test_rest_names_are_turned_into_those_of_the_stream(kraken: KrakenConnector) -> None:
    body = json.dumps({"error": [], "result": ASSET_PAIRS}).encode()
    assert kraken.decode_instruments(body) == [
        Instrument("kraken", "BTC/USD", "BTC", "USD", 0.1, 1e-08),
        Instrument("kraken", "DOGE/BTC", "DOGE", "BTC", 1e-09, 1e-08),
    ]
    assert "pair=XDGXBT&" in kraken.snapshot_request("DOGE/BTC", 100).url


def test_the_real_list_of_asset_pairs_is_read(kraken: KrakenConnector) -> None:
    records = read_capture(capture("kraken_v1_20210417_10pairs.jsonl.gz"), lambda damage: None)
    listed = {one.symbol: one for one in kraken.decode_instruments(next(iter(records)).data)}
    assert listed["BTC/USD"] == Instrument("kraken", "BTC/USD", "BTC", "USD", 0.1, 1e-08)
    assert {"DOGE/BTC", "ETH/BTC", "ADA/EUR"} <= set(listed)
    assert not any("XBT" in symbol or "XDG" in symbol for symbol in listed)
    assert len(listed) > 200


def test_a_rest_book_is_read(kraken: KrakenConnector) -> None:
    body = (b'{"error":[],"result":{"XXBTZUSD":{"asks":[["45285.20000","0.001",1688671200]],'
            b'"bids":[["45283.50000","0.100",1688671200.5]]}}}')  # fmt: skip
    assert kraken.decode_snapshot("BTC/USD", body, AT, "poll") == BookSnapshot(
        "kraken", "BTC/USD", ((45283.5, 0.1),), ((45285.2, 0.001),), None, None, AT, "poll"
    )
    assert kraken.snapshot_request("BTC/USD", 1000).url.endswith("/0/public/Depth?pair=XBTUSD&count=500")


@pytest.mark.parametrize(("said", "kind"), [
    ("EQuery:Unknown asset pair", InvalidSymbol), ("EAPI:Rate limit exceeded", RateLimited),
    ("EGeneral:Too many requests", RateLimited), ("EService:Unavailable", Disconnected), ("EOther:odd", Disconnected),
])  # fmt: skip
def test_rest_errors_say_what_to_do(kraken: KrakenConnector, said: str, kind: type[Exception]) -> None:
    body = json.dumps({"error": [said]}).encode()
    with pytest.raises(kind, match=said):
        kraken.decode_snapshot("BTC/USD", body, AT, "poll")
    with pytest.raises(kind, match=said):
        kraken.decode_instruments(body)
    assert isinstance(kraken.rest_error(503, body, {}), kind)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"error":[],"result":{}}', b'{"result":{"X":7}}', b"[" * 9999]
)
def test_rest_bodies_that_cannot_be_read_are_decode_errors(kraken: KrakenConnector, body: bytes) -> None:
    with pytest.raises(DecodeError):
        kraken.decode_snapshot("BTC/USD", body, AT, "poll")
    assert kraken.rest_error(500, body, {}) is None


def test_subscriptions_are_made_in_frames_of_fifty_symbols(kraken: KrakenConnector) -> None:
    symbols = [f"A{number}/USD" for number in range(SYMBOLS_PER_FRAME + 1)]
    frames = [json.loads(frame) for frame in kraken.subscribe(symbols)]
    assert len(frames) == 6
    assert frames[2]["params"] == {
        "channel": "book", "depth": DEPTH, "snapshot": True, "symbol": symbols[:SYMBOLS_PER_FRAME]
    }  # fmt: skip
    assert frames[0]["params"]["snapshot"] is False
    assert frames[1]["params"]["event_trigger"] == "bbo"
    assert len({frame["req_id"] for frame in frames}) == 6
    assert [json.loads(frame)["method"] for frame in kraken.resubscribe(["BTC/USD"])] == ["unsubscribe", "subscribe"]
    assert [json.loads(frame)["params"]["channel"] for frame in kraken.opening()] == ["instrument"]


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9", "ws://127.0.0.1:9/", "ws://127.0.0.1:9/v2"])
def test_the_addresses_can_be_replaced(url: str) -> None:
    kraken = KrakenConnector({"KRAKEN_WS_URL": url, "KRAKEN_REST_URL": "http://127.0.0.1:8/0"})
    assert kraken.stream_url([]) == "ws://127.0.0.1:9/v2"
    assert kraken.instruments_request().url == "http://127.0.0.1:8/0/public/AssetPairs"
    assert KrakenConnector().stream_url([]) == "wss://ws.kraken.com/v2"


@pytest.mark.parametrize(("url", "known", "readable"), [
    ("wss://ws.kraken.com/v2", True, True), ("wss://beta-ws.kraken.com/v2", True, True),
    ("wss://ws.kraken.com", True, False), ("wss://ws.kraken.com/", True, False),
    ("https://api.kraken.com/0/public/AssetPairs", True, True), ("wss://futures.kraken.com/ws/v1", False, True),
    ("wss://stream.binance.com", False, True), ("http://[::1", False, True), ("", False, True),
])  # fmt: skip
def test_addresses_are_recognised_and_v1_is_refused(url: str, known: bool, readable: bool) -> None:
    assert KrakenConnector.recognises(url) is known
    assert (KrakenConnector.unreadable(url) == "") is readable


@pytest.mark.parametrize("name", [
    "kraken_v2_book10_20260719_first688.jsonl.gz", "kraken_v2_book25_instrument_20260826_slice.jsonl.gz",
    "kraken_v2_trades_20260823_first30.jsonl.gz",
])  # fmt: skip
def test_the_published_line_of_a_real_capture_survives_the_store_and_is_checked_again(
    kraken: KrakenConnector, name: str
) -> None:
    feed, again = make_feed(kraken), make_feed(kraken)
    for record in read_capture(capture(name), lambda damage: None):
        if record.direction != "recv":
            continue
        for item in kraken.decode(record.data, record.received_ns):
            if isinstance(item, Control):
                continue
            for published in feed.push(item):
                stored = event_of(encode(published))
                assert stored == published
                assert not isinstance(stored, Signal)
                assert again.push(stored) == (stored,)
    assert again.quality.checksums_ok == feed.quality.checksums_ok
    assert again.snapshot() == feed.snapshot()
