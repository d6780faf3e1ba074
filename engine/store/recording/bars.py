"""Rows for everybody: bars from trades, and sampled books."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from engine.feed.mailbox import FeedKey
from engine.market.book import BookView
from engine.market.candle import SECONDS
from engine.market.events import BUY, SELL, Levels, Trade
from engine.store.base import CandleBar, MarketDepth

DEPTH_LEVELS = 10
BARS_KEPT = 3
"""So many bars of a feed and timeframe can still change; a trade that is older than they are is too late."""

_json = msgspec.json.Encoder().encode


class _Bar(Struct):
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    buy_volume: float = 0.0
    sell_volume: float = 0.0
    changed: bool = True


class BarMaker:
    """Bars of some timeframes from trades, by the venue's clock where it stamps them, by ours elsewhere."""

    def __init__(self, recording: str, timeframes: Sequence[str]) -> None:
        self._recording = recording
        self._timeframes = tuple(timeframes)
        self._bars: dict[tuple[FeedKey, str], dict[int, _Bar]] = {}
        self.late = 0

    def add(self, key: FeedKey, trade: Trade) -> None:
        """Take a trade; one that the venue only repeats is no news."""
        if trade.backfill:
            return
        at_s = (trade.exchange_ns if trade.exchange_ns is not None else trade.received_ns) // 1_000_000_000
        for timeframe in self._timeframes:
            begin_s = at_s - at_s % SECONDS[timeframe]
            bars = self._bars.setdefault((key, timeframe), {})
            bar = bars.get(begin_s)
            if bar is None:
                if len(bars) >= BARS_KEPT and begin_s < min(bars):
                    self.late += 1
                    continue
                bar = bars[begin_s] = _Bar(trade.price, trade.price, trade.price, trade.price)
            _grow(bar, trade)

    def take(self) -> list[CandleBar]:
        """The bars that have changed since the last time; of those that are over, only the newest are remembered."""
        rows = [
            CandleBar(
                key[1], timeframe, begin_s * 1000, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.buy_volume,
                bar.sell_volume, key[0], self._recording,
            )
            for (key, timeframe), bars in self._bars.items()
            for begin_s, bar in sorted(bars.items())
            if bar.changed
        ]  # fmt: skip
        for bars in self._bars.values():
            for begin_s in sorted(bars)[:-BARS_KEPT]:
                del bars[begin_s]
            for bar in bars.values():
                bar.changed = False
        return rows


def _grow(bar: _Bar, trade: Trade) -> None:
    bar.high, bar.low, bar.close = max(bar.high, trade.price), min(bar.low, trade.price), trade.price
    bar.volume += trade.size
    if trade.aggressor == BUY:
        bar.buy_volume += trade.size
    elif trade.aggressor == SELL:
        bar.sell_volume += trade.size
    bar.changed = True


def depth_row(
    symbol: str, provider: str, bids: Levels, asks: Levels, at_ns: int, recording: str = "", levels: int = DEPTH_LEVELS
) -> MarketDepth:
    """A book at one moment (UTC ns) as a row of `market_depth`, with its best `levels` of each side."""
    bids, asks = bids[:levels], asks[:levels]
    bid, ask = (bids[0][0], asks[0][0]) if bids and asks else (None, None)
    whole = [sum([size for _, size in side]) for side in (bids, asks)]
    known = bid is not None and ask is not None and sum(whole) > 0.0
    return MarketDepth(
        symbol, at_ns // 1_000_000, _json(bids).decode(), _json(asks).decode(), provider,
        (bid + ask) / 2 if bid is not None and ask is not None else None,
        ask - bid if bid is not None and ask is not None else None,
        (whole[0] - whole[1]) / (whole[0] + whole[1]) if known else None,
        recording,
    )  # fmt: skip


def depth_of(key: FeedKey, view: BookView, at_ns: int, recording: str) -> MarketDepth:
    """The picture of a feed's book as a row of `market_depth`."""
    bids, asks = [
        tuple(zip(prices[:DEPTH_LEVELS], sizes[:DEPTH_LEVELS], strict=True))
        for prices, sizes in ((view.bid_prices, view.bid_sizes), (view.ask_prices, view.ask_sizes))
    ]
    return depth_row(key[1], key[0], bids, asks, at_ns, recording)
