from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Control
from connectors.base.stamps import rfc3339_ns
from connectors.coinbase import PRODUCTS_PER_FRAME, CoinbaseConnector
from engine.errors import DecodeError, InvalidSymbol
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookDelta, BookSnapshot, MarketEvent, Trade
from engine.market.instrument import Instrument, nearest_symbols
from engine.store.captures.reader import read_capture
from tests.shared import capture

AT = 1_700_000_000_000_000_000
STAMP = "2026-08-09T21:05:48.228568804Z"
STAMP_NS = 1_786_309_548_228_568_804
CAPTURE = "coinbase_advanced_btc_eth_20260809_first12s.jsonl.gz"


def frame(channel: str, events: object, number: int | None = 0, **more: object) -> bytes:
    head: dict[str, Any] = {"channel": channel, "client_id": "", "timestamp": STAMP, **more}
    if number is not None:
        head["sequence_num"] = number
    return json.dumps({**head, "events": events}).encode()


def change(side: str, price: str, size: str) -> dict[str, str]:
    return {"side": side, "event_time": "1970-01-01T00:00:00Z", "price_level": price, "new_quantity": size}


def book(kind: str, *changes: dict[str, str], product: str = "BTC-USD", number: int | None = 0) -> bytes:
    return frame("l2_data", [{"type": kind, "product_id": product, "updates": changes}], number)


def trade(identifier: str, side: str, product: str = "BTC-USD") -> dict[str, str]:
    return {
        "trade_id": identifier, "product_id": product, "price": "68900.50", "size": "0.0015", "side": side,
        "time": "2026-04-07T14:30:02.789012Z",
    }  # fmt: skip


HEARTBEAT = frame("heartbeats", [{"current_time": "2026-09-05 22:10:30.25788961 +0000 UTC", "heartbeat_counter": 7}])
SNAPSHOT = book("snapshot", change("bid", "1", "2"), change("offer", "3", "4"))


@pytest.fixture
def coinbase() -> CoinbaseConnector:
    return CoinbaseConnector()


def listed(coinbase: CoinbaseConnector) -> list[Instrument]:
    record = next(iter(read_capture(capture(CAPTURE), lambda damage: None)))
    return coinbase.decode_instruments(record.data)


def test_the_first_book_event_is_the_whole_book_best_first(coinbase: CoinbaseConnector) -> None:
    levels = [
        change("bid", "68899.00", "1"), change("bid", "68900.00", "1.5"), change("bid", "1", "0"),
        change("offer", "68902", "0.25"), change("offer", "68901.00", "2"), change("offer", "9", "0.00000000"),
    ]  # fmt: skip
    [event] = coinbase.decode(book("snapshot", *levels), AT)
    assert event == BookSnapshot(
        "coinbase", "BTC-USD", ((68900.0, 1.5), (68899.0, 1.0)), ((68901.0, 2.0), (68902.0, 0.25)), None, STAMP_NS, AT,
        "stream",
    )  # fmt: skip


def test_an_update_carries_new_sizes_and_removals(coinbase: CoinbaseConnector) -> None:
    [event] = coinbase.decode(book("update", change("offer", "68901.00", "0"), change("bid", "68900", "0.5")), AT)
    assert event == BookDelta(
        "coinbase", "BTC-USD", ((68900.0, 0.5),), ((68901.0, 0.0),), None, None, STAMP_NS, AT, "stream"
    )


def test_a_trade_is_told_by_its_maker_and_the_taker_is_the_other(coinbase: CoinbaseConnector) -> None:
    sides = ["BUY", "SELL", "UNKNOWN_ORDER_SIDE", ""]
    trades = [trade(str(number), side) for number, side in enumerate(sides)]
    events = coinbase.decode(frame("market_trades", [{"type": "update", "trades": trades[::-1]}]), AT)
    assert [event.aggressor for event in events if isinstance(event, Trade)] == [SELL, BUY, UNKNOWN_SIDE, UNKNOWN_SIDE]
    assert events[0] == Trade("coinbase", "BTC-USD", 68900.5, 0.0015, SELL, 0, 1_775_572_202_789_012_000, AT, "stream")


def test_trades_come_newest_first_and_leave_oldest_first(coinbase: CoinbaseConnector) -> None:
    trades = [trade("12", "BUY"), trade("11", "BUY"), trade("10", "SELL")]
    events = coinbase.decode(frame("market_trades", [{"type": "update", "trades": trades}]), AT)
    assert [event.trade_id for event in events if isinstance(event, Trade)] == [10, 11, 12]


def test_trades_that_are_repeated_on_subscribing_are_no_news(coinbase: CoinbaseConnector) -> None:
    for kind, old in (("snapshot", True), ("update", False)):
        [event] = coinbase.decode(frame("market_trades", [{"type": kind, "trades": [trade("1", "BUY")]}]), AT)
        assert isinstance(event, Trade)
        assert event.backfill is old


def test_one_frame_may_speak_of_several_products(coinbase: CoinbaseConnector) -> None:
    events = [
        {"type": "update", "product_id": name, "updates": [change("bid", "1", "1")]} for name in ("BTC-USD", "ETH-USD")
    ]
    assert [event.symbol for event in coinbase.decode(frame("l2_data", events), AT)] == ["BTC-USD", "ETH-USD"]


@pytest.mark.parametrize("channel", ["ticker", "candles", "status", "ticker_batch"])
def test_other_channels_are_passed_over_and_counted(coinbase: CoinbaseConnector, channel: str) -> None:
    decode = coinbase.new_decoder()
    assert list(decode(frame(channel, [{"type": "snapshot", "x": [1]}], 0), AT)) == []
    assert len(decode(book("snapshot", number=1), AT)) == 1


def test_frames_of_all_channels_are_numbered_together(coinbase: CoinbaseConnector) -> None:
    decode = coinbase.new_decoder()
    frames = [
        frame("market_trades", [], 0), frame("subscriptions", [], 1), frame("ticker", [], 2),
        book("snapshot", number=3), frame("heartbeats", [{"heartbeat_counter": "1"}], 4), book("update", number=5),
    ]  # fmt: skip
    said = [item for one in frames for item in decode(one, AT)]
    assert [item.kind for item in said if isinstance(item, Control)] == ["ack", "carries", "heartbeat"]


@pytest.mark.parametrize("number", [0, 3, 4, 6, 999])
def test_a_number_out_of_order_ends_the_connection(coinbase: CoinbaseConnector, number: int) -> None:
    decode = coinbase.new_decoder()
    decode(book("snapshot", number=4), AT)
    [control] = decode(frame("ticker", [], number), AT)
    assert isinstance(control, Control)
    assert (control.kind, control.reason) == ("restart", f"gap: expected frame 5, received {number}")


def test_every_connection_counts_for_itself(coinbase: CoinbaseConnector) -> None:
    first, second = coinbase.new_decoder(), coinbase.new_decoder()
    first(book("snapshot", number=0), AT)
    second(book("snapshot", number=0), AT)
    for decode in (first, second):
        [event] = decode(book("update", number=1), AT)
        assert isinstance(event, BookDelta)


def test_a_frame_that_could_not_be_read_is_missed_by_the_next(coinbase: CoinbaseConnector) -> None:
    decode = coinbase.new_decoder()
    decode(book("snapshot", number=0), AT)
    with pytest.raises(DecodeError):
        decode(book("update", change("bid", "soon", "1"), number=1), AT)
    [control] = decode(book("update", number=2), AT)
    assert isinstance(control, Control)
    assert control.kind == "restart"


def test_an_answer_lists_all_that_the_connection_carries(coinbase: CoinbaseConnector) -> None:
    channels = {"level2": ["ETH-USD"], "market_trades": ["BTC-USD", "ETH-USD"], "heartbeats": ["heartbeats"]}
    ack, carries = coinbase.decode(frame("subscriptions", [{"subscriptions": channels}]), AT)
    assert isinstance(ack, Control)
    assert isinstance(carries, Control)
    assert (ack.kind, carries.kind) == ("ack", "carries")
    assert set(carries.symbols) == {"BTC-USD", "ETH-USD", "heartbeats"}


@pytest.mark.parametrize(
    ("words", "kind"),
    [("authentication failure", "refused"), ("rate limit exceeded", "throttled"), ("Too many messages", "throttled")],
)
def test_an_error_says_what_it_is(coinbase: CoinbaseConnector, words: str, kind: str) -> None:
    [control] = coinbase.decode(json.dumps({"type": "error", "message": words}).encode(), AT)
    assert isinstance(control, Control)
    assert (control.kind, control.reason) == (kind, words)


# ---- names


def symbols(items: Iterable[MarketEvent | Control]) -> list[str]:
    return [item.symbol for item in items]


@pytest.mark.parametrize("with_list", [False, True])
def test_a_product_in_usdc_hears_the_frames_of_its_other_name(coinbase: CoinbaseConnector, with_list: bool) -> None:
    if with_list:
        listed(coinbase)
    assert symbols(coinbase.decode(SNAPSHOT, AT)) == ["BTC-USD"]
    coinbase.subscribe(["BTC-USDC"])
    assert set(symbols(coinbase.decode(SNAPSHOT, AT))) == {"BTC-USD", "BTC-USDC"}
    prints = frame("market_trades", [{"type": "update", "trades": [trade("1", "BUY")]}])
    assert set(symbols(coinbase.decode(prints, AT))) == {"BTC-USD", "BTC-USDC"}
    answer = frame("subscriptions", [{"subscriptions": {"level2": ["BTC-USD"]}}])
    carried = coinbase.decode(answer, AT)[1]
    assert isinstance(carried, Control)
    assert set(carried.symbols) == {"BTC-USD", "BTC-USDC"}


@pytest.mark.parametrize("with_list", [False, True])
@pytest.mark.parametrize("product", ["USDT-USDC", "EURC-USDC"])
def test_a_product_in_usdc_with_a_book_of_its_own_hears_only_its_own_frames(
    coinbase: CoinbaseConnector, product: str, with_list: bool
) -> None:
    if with_list:
        listed(coinbase)
    coinbase.subscribe([product])
    assert symbols(coinbase.decode(book("snapshot", product=product), AT)) == [product]
    assert symbols(coinbase.decode(book("snapshot", product=product.removesuffix("C")), AT)) == [product[:-1]]


def test_the_real_list_says_base_quote_and_steps(coinbase: CoinbaseConnector) -> None:
    found = {one.symbol: one for one in listed(coinbase)}
    assert len(found) == 912
    assert found["BTC-USD"] == Instrument("coinbase", "BTC-USD", "BTC", "USD", 0.01, 1e-8)
    assert found["BTC-USD"].unified == "BTC/USD"
    assert nearest_symbols("XBT/USD", found)[0] == "BTC-USD"


# ---- the rest


def test_each_channel_has_a_message_of_its_own(coinbase: CoinbaseConnector) -> None:
    products = [f"P{number}-USD" for number in range(PRODUCTS_PER_FRAME + 1)]
    sent = [json.loads(text) for text in coinbase.subscribe(products)]
    assert [(one["type"], one["channel"], len(one["product_ids"])) for one in sent] == [
        ("subscribe", channel, size) for size in (PRODUCTS_PER_FRAME, 1) for channel in ("market_trades", "level2")
    ]
    assert [json.loads(text) for text in coinbase.opening()] == [{"type": "subscribe", "channel": "heartbeats"}]
    assert [json.loads(text)["channel"] for text in coinbase.resubscribe(["BTC-USD"])] == ["level2", "level2"]
    assert not coinbase.subscribe([])


def test_a_snapshot_is_asked_for_and_read(coinbase: CoinbaseConnector) -> None:
    request = coinbase.snapshot_request("BTC-USD", 50)
    assert request.url == ("https://api.coinbase.com/api/v3/brokerage/market/product_book?product_id=BTC-USD&limit=50")
    body = (
        b'{"pricebook":{"product_id":"BTC-USD","bids":[{"price":"68923.66","size":"0.17"}],"asks":[{"price":"68924",'
        b'"size":"1"}],"time":"2026-04-07T00:28:59.662782Z"},"last":"1","mid_market":"1"}'
    )
    assert coinbase.decode_snapshot("BTC-USDC", body, AT, "poll") == BookSnapshot(
        "coinbase", "BTC-USDC", ((68923.66, 0.17),), ((68924.0, 1.0),), None, 1_775_521_739_662_782_000, AT, "poll"
    )
    with pytest.raises(DecodeError):
        coinbase.decode_snapshot("BTC-USD", b'{"pricebook":{}}', AT, "poll")


def test_an_unknown_product_is_told_from_other_failures(coinbase: CoinbaseConnector) -> None:
    assert isinstance(coinbase.rest_error(404, b"", {}), InvalidSymbol)
    assert isinstance(
        coinbase.rest_error(400, b'{"error":"INVALID_ARGUMENT","message":"product_id"}', {}), InvalidSymbol
    )
    assert coinbase.rest_error(500, b"", {}) is None


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("wss://advanced-trade-ws.coinbase.com", True),
        ("https://api.coinbase.com/api/v3/brokerage/market/products", True),
        ("https://api.coinbase.com/v2/time", False),
        ("wss://ws-feed.exchange.coinbase.com", False),
        ("https://api.exchange.coinbase.com/products", False),
        ("https://advanced-trade-ws.coinbase.com.example.org", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_only_its_own_addresses_are_recognised(url: str, ours: bool) -> None:
    assert CoinbaseConnector.recognises(url) is ours


def test_the_addresses_can_be_replaced() -> None:
    connector = CoinbaseConnector({"COINBASE_WS_URL": "ws://here:1/", "COINBASE_REST_URL": "http://here:2/"})
    assert connector.stream_url(["BTC-USD"]) == "ws://here:1"
    assert connector.instruments_request().url.startswith("http://here:2/api/")


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b" ", b"{", b"null", b"5", b"[]", b"\xff\xfe", b"<html></html>", b"{}", b'{"channel":""}', b"[" * 100_000,
        b'{"channel":"l2_data"}', b'{"channel":5}', frame("l2_data", {}), frame("l2_data", [{}]),
        frame("l2_data", None), frame("l2_data", [], timestamp="now"[:0]) + b"x",
        book("update", change("ask", "1", "1")), book("update", change("bid", "", "1")),
        book("update", {"side": "bid", "price_level": "1"}), frame("market_trades", [{"type": "update"}]),
        frame("l2_data", [{"type": "update", "product_id": "A", "updates": []}], timestamp="yesterday"),
        frame("market_trades", [{"type": "update", "trades": [{**trade("1", "BUY"), "time": "soon"}]}]),
        frame("market_trades", [{"type": "update", "trades": [{**trade("1", "BUY"), "price": None}]}]),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_a_decode_error(coinbase: CoinbaseConnector, wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        coinbase.decode(wrong, AT)


BASES = [
    SNAPSHOT, HEARTBEAT, book("update", change("bid", "1", "0")),
    frame("market_trades", [{"type": "update", "trades": [trade("1", "BUY")]}]),
    frame("subscriptions", [{"subscriptions": {"level2": ["BTC-USD"]}}]), b'{"type":"error","message":"x"}',
]  # fmt: skip
_CONNECTOR = CoinbaseConnector()


@settings(max_examples=800, deadline=None)
@given(
    base=st.sampled_from(BASES),
    edits=st.lists(
        st.tuples(
            st.integers(0, 600), st.integers(0, 5), st.binary(max_size=4) | st.sampled_from([b"null", b"[", b"}", b'"'])
        ),
        max_size=4,
    ),
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
    for item in items:
        assert isinstance(item, MarketEvent | Control)


# ---- times


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-08-09T21:05:48.228568804Z", STAMP_NS),
        ("2026-08-09T21:05:48.2Z", 1_786_309_548_200_000_000),
        ("2026-08-09T21:05:48.2285688049Z", STAMP_NS),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    assert rfc3339_ns(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "Z", "2026-08-09", "2026-08-09 21:05:48Z", "2026-08-09T21:05:48", "2026-08-09T21:05:48.Z",
     "2026-08-09T21:05:48.1+01:00", "2026-13-09T21:05:48Z", "2026-08-09T21:05:48x5Z", "2026-08-09T21:05:48.1x5Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|isoformat|month"):
        rfc3339_ns(text)
