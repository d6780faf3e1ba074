"""Binance's candles by REST: rows of twelve values.

[1499040000000,"0.0163","0.8","0.0157","0.0157","148976.11",1499644799999,"2434.19",308,"1756.87","28.46","0"]: begin,
open, high, low, close, volume in base units, end, volume in quote units, trades, bought volume in both, nothing.
"""

from __future__ import annotations

import msgspec

from connectors.base.binance.frames import UNREADABLE, stamp_ns
from engine.errors import DecodeError
from engine.market.candle import SECONDS, Candle, is_over

TIMEFRAMES = tuple(SECONDS)
"""Binance has one of every length that we know, under the same names."""

_Row = tuple[int, float, float, float, float, float, int, float, int, float, float, float]
_rows = msgspec.json.Decoder(list[_Row], strict=False).decode


def decode_candles(venue: str, symbol: str, timeframe: str, body: bytes, received_ns: int) -> list[Candle]:
    """The candles in the body of a klines response.

    Raises:
        DecodeError: the body cannot be read.
    """
    try:
        return [_candle(venue, symbol, timeframe, row, received_ns) for row in _rows(body)]
    except UNREADABLE as error:
        raise DecodeError(f"{venue} candles of {symbol}: {error}") from error


def _candle(venue: str, symbol: str, timeframe: str, row: _Row, received_ns: int) -> Candle:
    begin_ns = stamp_ns(row[0])
    over = is_over(begin_ns, timeframe, received_ns)
    return Candle(venue, symbol, timeframe, begin_ns, *row[1:5], row[5], row[8], over)
