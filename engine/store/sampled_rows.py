"""The two tables for everybody, asked in the same words of every store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from engine.store.base import CandleBar, MarketDepth


class SampledRows(ABC):
    """The part of a `Store` that reads `market_depth` and `candle_bars`."""

    def market_depth(
        self, symbol: str | None = None, *, since_ms: int | None = None, recording: str | None = None, limit: int = 1000
    ) -> list[MarketDepth]:
        """The newest `limit` rows, newest first."""
        return self._newest(MarketDepth, "market_depth", {"symbol": symbol, "recording": recording}, since_ms, limit)

    def candle_bars(
        self,
        symbol: str | None = None,
        timeframe: str | None = None,
        *,
        since_ms: int | None = None,
        recording: str | None = None,
        limit: int = 1000,
    ) -> list[CandleBar]:
        """The newest `limit` rows, newest first."""
        wanted = {"symbol": symbol, "timeframe": timeframe, "recording": recording}
        return self._newest(CandleBar, "candle_bars", wanted, since_ms, limit)

    @abstractmethod
    def _newest(
        self, kind: type[Any], table: str, wanted: dict[str, str | None], since_ms: int | None, limit: int
    ) -> list[Any]:
        """Rows of a table whose columns have the values of `wanted` (None: any), from `since_ms` (UTC) on."""
