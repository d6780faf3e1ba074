"""A venue's own bars of price over time: history that the line itself did not see."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

SECONDS: Mapping[str, int] = MappingProxyType(
    {
        "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "4h": 14_400, "12h": 43_200,
        "1d": 86_400, "1w": 604_800,
    }
)  # fmt: skip
"""How long one candle of each timeframe lasts."""


class Candle(Struct, frozen=True, gc=False):
    """What happened from `begin_ns` (UTC) on, for the length of `timeframe` (a name in `SECONDS`).

    `volume` is in base units, `count` the number of trades, or of price changes where there is no tape; None where the
    venue does not tell. `complete` says that its time is over: the newest candle may still change.
    """

    venue: str
    symbol: str
    timeframe: str
    begin_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    count: int | None
    complete: bool


def is_over(begin_ns: int, timeframe: str, now_ns: int) -> bool:
    """Whether a candle's time has passed."""
    return begin_ns + SECONDS[timeframe] * 1_000_000_000 <= now_ns
