from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DecodeError
from engine.market.codec import Encodable, decode, encode
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, Quote, Trade
from engine.market.orders import Fill, OrderStatus, OrderType, OrderUpdate, TimeInForce
from engine.market.signal import Signal

TEXT = st.text(max_size=12)
INTEGER = st.integers(-(2**63), 2**63 - 1)
MAYBE = st.none() | INTEGER
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
LEVELS = st.lists(st.tuples(NUMBER, NUMBER), max_size=5).map(tuple)
SOURCE = st.sampled_from(["stream", "poll", "replay", "mock", "synthetic"])
MONEY = st.decimals(allow_nan=False, allow_infinity=False)
BROKER = st.sampled_from(["paper", "live"])
SIDE = st.sampled_from([-1, 0, 1])

EVENTS = st.one_of(
    st.builds(BookSnapshot, TEXT, TEXT, LEVELS, LEVELS, MAYBE, MAYBE, INTEGER, SOURCE, MAYBE),
    st.builds(BookDelta, TEXT, TEXT, LEVELS, LEVELS, MAYBE, MAYBE, MAYBE, INTEGER, SOURCE, MAYBE, MAYBE),
    st.builds(Quote, TEXT, TEXT, NUMBER, NUMBER, NUMBER, NUMBER, MAYBE, MAYBE, INTEGER, SOURCE),
    st.builds(Trade, TEXT, TEXT, NUMBER, NUMBER, SIDE, MAYBE | TEXT, MAYBE, INTEGER, SOURCE, st.booleans()),
    st.builds(FeedStatus, TEXT, TEXT, st.sampled_from(FeedState), TEXT, TEXT, INTEGER, MAYBE, INTEGER, SOURCE),
    st.builds(
        Signal, TEXT, TEXT, TEXT, st.sampled_from(["buy", "sell", "flat"]), NUMBER, NUMBER, INTEGER, TEXT,
        st.none() | NUMBER, SOURCE,
    ),
    st.builds(
        OrderUpdate, venue=TEXT, symbol=TEXT, client_order_id=TEXT, venue_order_id=st.none() | TEXT,
        side=st.sampled_from(["buy", "sell"]), order_type=st.sampled_from(get_args(OrderType)),
        time_in_force=st.none() | st.sampled_from(get_args(TimeInForce)), quantity=MONEY, price=st.none() | MONEY,
        trigger_price=st.none() | MONEY, filled_quantity=st.none() | MONEY, average_price=st.none() | MONEY,
        status=st.sampled_from(OrderStatus), reason=TEXT, post_only=st.booleans(), reduce_only=st.booleans(),
        expires_ns=MAYBE, exchange_ns=MAYBE, received_ns=INTEGER, source=SOURCE, broker=BROKER,
        strategy=st.none() | TEXT,
    ),
    st.builds(
        Fill, venue=TEXT, symbol=TEXT, fill_id=TEXT, client_order_id=TEXT, venue_order_id=st.none() | TEXT,
        side=st.sampled_from(["buy", "sell"]), price=MONEY, quantity=MONEY, fee=st.none() | MONEY,
        fee_currency=st.none() | TEXT, liquidity=st.sampled_from([None, "maker", "taker"]), exchange_ns=MAYBE,
        received_ns=INTEGER, source=SOURCE, broker=BROKER, strategy=st.none() | TEXT,
    ),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(event=EVENTS)
def test_every_event_comes_back_as_it_was(event: Encodable) -> None:
    again = decode(encode(event))
    assert again == event
    assert encode(again) == encode(event), "equal decimals may differ in their zeros"
    assert type(again) is type(event)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b'{"type":"book"}', b'{"type":"trade","venue":"v"}', b'{"type":"trade"', b"\xff",
        b'{"type":"quote","venue":"\xff"}', b'{"type":"signal","direction":"up"}',
        b'{"type":"fill","price":"much"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_bytes_that_are_no_event_of_ours_are_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_a_number_that_json_cannot_hold_never_comes_back_as_another_number() -> None:
    data = encode(Quote("v", "s", float("nan"), 1.0, 2.0, 1.0, 1, None, 1, "stream"))
    with pytest.raises(DecodeError):
        decode(data)
