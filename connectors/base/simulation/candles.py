"""The candles of a simulated market: minutes made of its trades, longer ones made of minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from connectors.base.simulation.flow import SECOND_NS
from engine.market.candle import SECONDS, Candle, is_over
from engine.market.events import Trade

MINUTES_KEPT = 1_500
MINUTE_NS = 60 * SECOND_NS


class Bar(Struct, gc=False):
    """What traded from `begin_ns` on."""

    begin_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    count: int


class Minutes:
    """The newest minutes of one symbol in which something was traded; older ones are forgotten."""

    def __init__(self) -> None:
        self._bars: deque[Bar] = deque(maxlen=MINUTES_KEPT)

    def add(self, trade: Trade) -> None:
        """Count a trade; trades come in the order of time."""
        at_ns = trade.exchange_ns or trade.received_ns
        price = trade.price
        _take(self._bars, Bar(at_ns // MINUTE_NS * MINUTE_NS, price, price, price, price, trade.size, 1))

    def candles(self, venue: str, symbol: str, timeframe: str, count: int, now_ns: int) -> list[Candle]:
        """The newest `count`, oldest first; a stretch without a trade has no candle."""
        length_ns = SECONDS[timeframe] * SECOND_NS
        joined: deque[Bar] = deque(maxlen=max(count, 1))
        for bar in self._bars:
            begin_ns = bar.begin_ns // length_ns * length_ns
            _take(joined, Bar(begin_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.count))
        return list(_candles(joined, venue, symbol, timeframe, now_ns))


def _take(bars: deque[Bar], new: Bar) -> None:
    """Append a bar, or add it to the last one if that began at the same time."""
    last = bars[-1] if bars else None
    if last is None or last.begin_ns != new.begin_ns:
        bars.append(new)
        return
    last.high, last.low, last.close = max(last.high, new.high), min(last.low, new.low), new.close
    last.volume += new.volume
    last.count += new.count


def _candles(bars: Iterable[Bar], venue: str, symbol: str, timeframe: str, now_ns: int) -> Iterable[Candle]:
    for bar in bars:
        over = is_over(bar.begin_ns, timeframe, now_ns)
        yield Candle(
            venue, symbol, timeframe, bar.begin_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.count, over
        )  # fmt: skip
