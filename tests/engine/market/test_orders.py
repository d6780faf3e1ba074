from __future__ import annotations

from decimal import Decimal

import pytest

from engine.market.codec import decode, encode
from engine.market.orders import Fill, OrderStatus, OrderUpdate


def update(**changed: object) -> OrderUpdate:
    fields: dict[str, object] = {
        "venue": "kraken", "symbol": "BTC/USD", "client_order_id": "a", "side": "sell", "order_type": "market",
        "quantity": Decimal("1.50"), "status": OrderStatus.NEW, "exchange_ns": None, "received_ns": 1,
        "source": "stream", "broker": "live", **changed,
    }  # fmt: skip
    return OrderUpdate(**fields)  # type: ignore[arg-type]


def test_what_is_not_said_of_an_order_is_unknown_and_not_zero() -> None:
    order = update()
    unsaid = (order.price, order.trigger_price, order.filled_quantity, order.average_price, order.time_in_force)
    assert unsaid == (None,) * 5
    assert (order.venue_order_id, order.expires_ns, order.strategy) == (None,) * 3


@pytest.mark.parametrize("written", ["0.10", "0.1", "100", "1E+2", "0.000000000000000001", "-0.00"])
def test_money_keeps_every_digit_as_it_was_written(written: str) -> None:
    again = decode(encode(update(quantity=Decimal(written))))
    assert isinstance(again, OrderUpdate)
    assert again.quantity.as_tuple() == Decimal(written).as_tuple()


def test_after_these_words_nothing_follows() -> None:
    assert {status.value for status in OrderStatus if status.is_final} == {
        "filled", "cancelled", "rejected", "expired", "refused"
    }  # fmt: skip


def test_a_fill_whose_fee_nobody_told_has_none() -> None:
    fill = Fill(
        venue="kraken", symbol="BTC/USD", fill_id="1", client_order_id="a", side="buy", price=Decimal(1),
        quantity=Decimal(2), exchange_ns=None, received_ns=1, source="stream", broker="paper",
    )  # fmt: skip
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (None, None, None)
