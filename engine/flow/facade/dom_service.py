"""Order books and traded volume by the names of the source documents, from the live books."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.flow.analyzer import FlowAnalyzer
from engine.flow.readings import Quality

Lines = Callable[[str], FlowAnalyzer | None]
"""The analyzer of a symbol; None where nothing runs."""

MILLISECOND_NS = 1_000_000
DOM_LEVELS = 20
TIMEFRAMES_S = {"1s": 1, "5s": 5, "10s": 10, "30s": 30, "1m": 60, "5m": 300}
"""Volume is kept for five minutes."""


def share(one: float | None, other: float | None) -> float | None:
    """`(one - other) / (one + other)`; None where there is nothing of either."""
    if one is None or other is None or one + other <= 0.0:
        return None
    return (one - other) / (one + other)


class RealtimeVolume(tuple[float, float]):
    """(bought, sold) in base units; `quality` is None where no trade has been seen, then both are 0."""

    quality: Quality | None

    def __new__(cls, bought: float, sold: float, quality: Quality | None) -> RealtimeVolume:
        found = super().__new__(cls, (bought, sold))
        found.quality = quality
        return found


def volume_of(line: FlowAnalyzer, timeframe: str) -> tuple[tuple[float, float] | None, Quality]:
    """(bought, sold) of the last `timeframe` and how sure their sides are; None before the first trade.

    Raises:
        ValueError: volume is not kept for such a timeframe.
    """
    if timeframe not in TIMEFRAMES_S:
        raise ValueError(f"no volume by {timeframe!r}; there are {', '.join(TIMEFRAMES_S)}")
    volume = line.volume(TIMEFRAMES_S[timeframe])
    if volume is None:
        return None, Quality.ESTIMATED
    return (volume.buy, volume.sell), line.tape.quality


class DOMAggregatorService:
    """`get_latest_dom_metrics`, `get_full_dom_data` and `get_realtime_volume` of the source, from the live books.

    Nothing is polled: the figures are those of the last update. `interval_seconds` is kept for callers that read it.
    """

    def __init__(self, engine: Lines, symbols: Sequence[str] = (), interval_seconds: float = 3) -> None:
        """`engine` finds the analyzer of a symbol."""
        self.symbols = tuple(symbols)
        self.interval_seconds = interval_seconds
        self._lines = engine

    def get_latest_dom_metrics(self, symbol: str) -> dict[str, Any] | None:
        """timestamp (ms), mid_price, spread, imbalance of the best 20 levels in -1 … 1; None without a book."""
        full = self.get_full_dom_data(symbol)
        return (
            None if full is None else {name: full[name] for name in ("timestamp", "mid_price", "spread", "imbalance")}
        )

    def get_full_dom_data(self, symbol: str) -> dict[str, Any] | None:
        """The same with bids and asks ([price, size], best first), bid_depth, ask_depth and their depth_ratio."""
        line = self._lines(symbol)
        levels = line.levels(DOM_LEVELS) if line is not None else None
        if line is None or levels is None:
            return None
        bids, asks = levels
        bid_depth, ask_depth = sum(size for _, size in bids), sum(size for _, size in asks)
        both = bool(bids and asks)
        return {
            "timestamp": line.observer.last_ns // MILLISECOND_NS,
            "bids": [list(level) for level in bids],
            "asks": [list(level) for level in asks],
            "mid_price": (bids[0][0] + asks[0][0]) / 2.0 if both else None,
            "spread": asks[0][0] - bids[0][0] if both else None,
            "imbalance": share(bid_depth, ask_depth) if both else None,
            "bid_depth": bid_depth,
            "ask_depth": ask_depth,
            "depth_ratio": bid_depth / ask_depth if ask_depth > 0.0 else None,
        }

    def get_realtime_volume(self, symbol: str, timeframe: str = "1m") -> RealtimeVolume:
        """What was bought and sold in the last `timeframe`, from trades; both 0 where none has been seen.

        `quality` says whether the venue named the sides (exact) or they were inferred (estimated).
        """
        line = self._lines(symbol)
        volume, quality = volume_of(line, timeframe) if line is not None else (None, Quality.ESTIMATED)
        return RealtimeVolume(*volume, quality) if volume is not None else RealtimeVolume(0.0, 0.0, None)
