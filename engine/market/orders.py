"""What became of an order: the facts of trading, as our own paper broker or a venue reports them. Plain values.

Money is Decimal here and stays, digit for digit, what the venue wrote. Prices are in quote units, quantities in base
units (contracts where the instrument is one). None means unknown, 0 means zero. Times are as in
engine/market/events.py: `exchange_ns` when the venue says it happened (None where it does not), `received_ns` when we
heard of it; of what we did ourselves (an order made, a paper fill) both clocks are ours and `exchange_ns` is None.

Source: the words are those of FIX 4.4 (ExecutionReport: OrdStatus 39, OrdType 40, TimeInForce 59, CumQty 14, AvgPx 6,
StopPx 99, LastLiquidityInd 851), in the spelling that crypto venues use.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from engine.market.events import Source

OrderSide = Literal["buy", "sell"]
OrderType = Literal[
    "market", "limit", "stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop", "other"
]  # fmt: skip
"""`stop` and `take_profit` become a market order at `trigger_price`, their `_limit` forms a limit order."""
TimeInForce = Literal["gtc", "ioc", "fok", "gtd", "day", "opening", "closing"]
"""Good till cancelled, immediate or cancel, fill or kill, good till date (`expires_ns`), today, at an auction."""
Liquidity = Literal["maker", "taker"]
Broker = Literal["paper", "live"]
"""Who executes: `paper` is simulated here and no venue ever hears of it; `live` is a venue, with money."""


class OrderStatus(StrEnum):
    """How an order stands. `refused` is our own risk gate's word, before anything was sent; `rejected` the venue's."""

    NEW = "new"
    """Made here; not sent, or no answer yet."""
    ACCEPTED = "accepted"
    TRIGGERED = "triggered"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REFUSED = "refused"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.REFUSED,
    }
)  # fmt: skip


class OrderUpdate(Struct, frozen=True, gc=False, kw_only=True, tag="order"):
    """An order as it stands after one change; the newest update of a `client_order_id` is the order.

    `client_order_id` is our own name of it, `venue_order_id` the venue's once it has one. `price` is the limit,
    `trigger_price` where a stop wakes up, each None where the type has none. `filled_quantity` and `average_price` are
    over all fills so far, None where nobody said. `reason` says why, in the words of who decided. `source` is that of
    what the report follows from: `stream` or `poll` of a venue's own report, the market event's of a paper order.
    """

    venue: str
    symbol: str
    client_order_id: str
    venue_order_id: str | None = None
    side: OrderSide
    order_type: OrderType
    time_in_force: TimeInForce | None = None
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    status: OrderStatus
    reason: str = ""
    post_only: bool = False
    reduce_only: bool = False
    expires_ns: int | None = None
    exchange_ns: int | None
    received_ns: int
    source: Source
    broker: Broker
    strategy: str | None = None


class Fill(Struct, frozen=True, gc=False, kw_only=True, tag="fill"):
    """One execution of an order: this quantity at this price, once.

    `fill_id` is what the venue calls trade or execution id, ours of a paper fill; who hears of the same one twice knows
    it by that. `fee` is what it cost, in `fee_currency`: below zero where the venue paid, None where it did not say.
    """

    venue: str
    symbol: str
    fill_id: str
    client_order_id: str
    venue_order_id: str | None = None
    side: OrderSide
    price: Decimal
    quantity: Decimal
    fee: Decimal | None = None
    fee_currency: str | None = None
    liquidity: Liquidity | None = None
    exchange_ns: int | None
    received_ns: int
    source: Source
    broker: Broker
    strategy: str | None = None


ExecutionReport = OrderUpdate | Fill
"""What trading tells of itself; beside the market's events in a recording, and never among them in the line."""
