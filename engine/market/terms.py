"""What a trade costs and is worth at a venue: the taker's fee, and what one unit of a contract stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

TAKER_FEES_BPS: Mapping[str, float] = MappingProxyType(
    {
        "binance": 10.0,
        "binance_usdm": 5.0,
        "coinbase": 120.0,
        "kraken": 40.0,
        "mock": 10.0,
    }
)
"""What a taker pays at the lowest tier, without discounts, in basis points of what is traded.

Source: the venues' public schedules. Binance spot, regular user: 0.1 %; Binance USD-M futures, regular user: 0.05 %;
Coinbase Advanced, lowest tier: 1.2 %; Kraken Pro spot, lowest tier: 0.4 %. The simulated market's is invented, like
the rest of it. Schedules change and depend on the account: `<VENUE>_TAKER_FEE_BPS` says what you pay.
"""


class Terms(Struct, frozen=True):
    """`fee_bps` is what a taker pays (None: not known), at the venue `paid_at`.

    One unit of size is worth `multiplier` · price in quote units; `inverse`: it is worth `multiplier` in quote units,
    whatever the price.
    """

    fee_bps: float | None = None
    multiplier: float = 1.0
    inverse: bool = False
    paid_at: str = ""

    def worth(self, size: float, price: float | None) -> float | None:
        """What a size is worth in quote units; None without a price, where that matters."""
        if self.inverse:
            return size * self.multiplier
        return None if price is None else size * price * self.multiplier


def fee_setting(venue: str) -> str:
    """The name of the variable that says what a taker pays: `CCXT_BYBIT_TAKER_FEE_BPS` for `ccxt:bybit`."""
    return f"{_capitals(venue)}_TAKER_FEE_BPS"


def taker_fee_bps(venue: str, given: Mapping[str, float]) -> float | None:
    """What a taker pays at a venue: as `given` by the names of `fee_setting`, else by the table; None: not known.

    A simulated venue such as `mock:alpha` pays what `mock` does.
    """
    if (name := fee_setting(venue)) in given:
        return given[name]
    first = venue.partition(":")[0]
    if first != venue and first == "mock":
        return taker_fee_bps(first, given)
    return TAKER_FEES_BPS.get(venue)


def _capitals(venue: str) -> str:
    return "".join([letter if letter.isalnum() else "_" for letter in venue.upper()])
