"""Events of every kind, plain and strange, for the tests of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st

from engine.feed.mailbox import FeedKey
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, Quote, Trade
from engine.market.orders import Fill, OrderStatus, OrderType, OrderUpdate, TimeInForce
from engine.market.signal import Signal
from engine.store.base import Entered, Entry

KEY: FeedKey = ("mock", "BTCUSDT", "stream")
OTHER: FeedKey = ("mock", "ETHUSDT", "stream")
FILM: FeedKey = ("film.jsonl @ max", "BTCUSDT", "stream")
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000

_floats = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 5e-324, 0.1 + 0.2, 61737.63, 1e308]))
_times = st.integers(START_NS, START_NS + 100 * SECOND_NS)
_numbers = st.one_of(st.none(), st.integers(0, 2**53), st.integers(2**62, 2**64 - 1))
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_levels = st.lists(st.tuples(_floats, _floats), max_size=6).map(tuple)
_wire = st.none() | st.tuples(*[st.lists(st.tuples(_text, _text), max_size=3).map(tuple)] * 2)
_decimals = st.decimals() | st.sampled_from(
    ["1.10", "0.00", "-0", "1E+400", "0.00000001", "12345678901234567890.123456"]
)
_money = _decimals.map(Decimal)
_names = st.none() | _text
_sources = st.sampled_from(["stream", "poll", "replay", "mock", "synthetic"])
_keys = st.sampled_from([KEY, OTHER, FILM])


def _event(key: FeedKey) -> st.SearchStrategy[Entered]:
    venue = "binance" if key == FILM else key[0]
    name = {"venue": st.just(venue), "symbol": st.just(key[1])}
    times = {"exchange_ns": st.none() | _times, "received_ns": _times, "source": _sources}
    book = {**name, **times, "bids": _levels, "asks": _levels, "checksum": _numbers, "wire": _wire}
    return st.one_of(
        st.builds(BookSnapshot, **book, sequence=_numbers, depth=st.none() | st.integers(1, 5000)),
        st.builds(BookDelta, **book, first_sequence=_numbers, last_sequence=_numbers, previous_sequence=_numbers),
        st.builds(
            Quote, **name, **times, bid=_floats, bid_size=_floats, ask=_floats, ask_size=_floats, sequence=_numbers
        ),
        st.builds(
            Trade, **name, **times, price=_floats, size=_floats, aggressor=st.sampled_from([-1, 0, 1]),
            trade_id=_numbers | _text, backfill=st.booleans(), exact_size=st.none() | _text,
        ),
        st.builds(
            FeedStatus, **name, state=st.sampled_from(FeedState), reason=_text, hint=_text,
            attempt=st.integers(0, 99), next_try_ns=st.none() | _times, received_ns=_times, source=_sources,
        ),
        st.builds(
            Signal, **name, strategy=_text, direction=st.sampled_from(["buy", "sell", "flat"]), strength=_floats,
            price=_floats, at_ns=_times, reason=_text, confidence=st.none() | _floats, source=_text,
        ),
        _order(**name, **times),
        _fill(**name, **times),
    )  # fmt: skip


_ours: dict[str, st.SearchStrategy[Any]] = {
    "client_order_id": _text, "venue_order_id": _names, "side": st.sampled_from(["buy", "sell"]), "quantity": _money,
    "broker": st.sampled_from(["paper", "live"]), "strategy": _names,
}  # fmt: skip


def _order(**which: st.SearchStrategy[Any]) -> st.SearchStrategy[OrderUpdate]:
    prices = {
        name: st.none() | _money for name in ("price", "trigger_price", "filled_quantity", "average_price")
    }  # fmt: skip
    return st.builds(
        OrderUpdate, **which, **_ours, **prices, order_type=st.sampled_from(get_args(OrderType)),
        time_in_force=st.none() | st.sampled_from(get_args(TimeInForce)), status=st.sampled_from(OrderStatus),
        reason=_text, post_only=st.booleans(), reduce_only=st.booleans(), expires_ns=_numbers,
    )  # fmt: skip


def _fill(**which: st.SearchStrategy[Any]) -> st.SearchStrategy[Fill]:
    return st.builds(
        Fill, **which, **_ours, fill_id=_text, price=_money, fee=st.none() | _money, fee_currency=_names,
        liquidity=st.sampled_from([None, "maker", "taker"]),
    )  # fmt: skip


def any_entries() -> st.SearchStrategy[list[Entry]]:
    """Runs of entries with all that the types allow; numbered from 0, with numbers missing here and there."""
    one = _keys.flatmap(lambda key: st.tuples(st.just(key), _event(key), st.integers(1, 3)))
    return st.lists(one, max_size=25).map(_numbered)


def _numbered(drawn: Sequence[tuple[FeedKey, Entered, int]]) -> list[Entry]:
    entries, index = list[Entry](), -1
    for key, event, step in drawn:
        index += step
        entries.append(Entry(index, key, event))
    return entries


def exactly(entries: Sequence[Entry]) -> list[tuple[int, FeedKey, str, bytes]]:
    """Entries in a form that is equal only if every bit is: numbers that are none, and minus zero, included."""
    return [(one.index, one.key, type(one.event).__name__, msgspec.msgpack.encode(one.event)) for one in entries]


def snapshot(at_s: float = 0.0, key: FeedKey = KEY, sequence: int = 1, **changed: Any) -> BookSnapshot:
    """A book of two levels a side."""
    fields: dict[str, Any] = {
        "bids": ((100.0, 1.0), (99.5, 2.0)), "asks": ((100.5, 1.5), (101.0, 3.0)), "sequence": sequence,
        "exchange_ns": None, "received_ns": START_NS + round(at_s * 1e9), "source": "mock", **changed,
    }  # fmt: skip
    return BookSnapshot(key[0], key[1], **fields)


def trade(at_s: float = 0.0, key: FeedKey = KEY, price: float = 100.0, size: float = 1.0, aggressor: int = 1) -> Trade:
    """A print."""
    at_ns = START_NS + round(at_s * 1e9)
    return Trade(key[0], key[1], price, size, aggressor, round(at_s * 1000), at_ns, at_ns, "mock")


def status(reason: str = "", at_s: float = 0.0, key: FeedKey = KEY, state: FeedState = FeedState.LIVE) -> FeedStatus:
    """What a feed says of itself."""
    return FeedStatus(key[0], key[1], state, reason, "", 0, None, START_NS + round(at_s * 1e9), "mock")


def order(at_s: float = 0.0, key: FeedKey = KEY, state: OrderStatus = OrderStatus.NEW, **changed: Any) -> OrderUpdate:
    """A limit order of a strategy, on paper."""
    fields: dict[str, Any] = {
        "client_order_id": "echo-1", "side": "buy", "order_type": "limit", "time_in_force": "gtc",
        "quantity": Decimal("0.50"), "price": Decimal("100.10"), "status": state, "exchange_ns": None,
        "received_ns": START_NS + round(at_s * 1e9), "source": "mock", "broker": "paper", "strategy": "echo", **changed,
    }  # fmt: skip
    return OrderUpdate(venue=key[0], symbol=key[1], **fields)


def fill(at_s: float = 0.0, key: FeedKey = KEY, number: int = 1, **changed: Any) -> Fill:
    """An execution of that order, on paper."""
    fields: dict[str, Any] = {
        "fill_id": str(number), "client_order_id": "echo-1", "side": "buy", "price": Decimal("100.10"),
        "quantity": Decimal("0.20"), "fee": Decimal("0.00002000"), "fee_currency": "BTC", "liquidity": "maker",
        "exchange_ns": None, "received_ns": START_NS + round(at_s * 1e9), "source": "mock", "broker": "paper",
        "strategy": "echo", **changed,
    }  # fmt: skip
    return Fill(venue=key[0], symbol=key[1], **fields)


def run_of(events: Sequence[Entered], key: FeedKey = KEY, start: int = 0) -> list[Entry]:
    """Events as entries of one feed."""
    return [Entry(index, key, event) for index, event in enumerate(events, start)]
