"""The two tables for everybody, asked in the same words of every store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from engine.store.base import CandleBar, MarketDepth

PAGE_ROWS = 5_000
"""About so many rows are in memory at a time; more where more of them bear the same millisecond."""
NO_LIMIT = 2**31 - 1
PAGE_ENDS = """
SELECT max(ts_utc) FROM (
    SELECT ts_utc, floor((row_number() OVER (ORDER BY ts_utc) - 1) / {rows}) AS page FROM {table} WHERE recording = {id}
) AS numbered GROUP BY page ORDER BY 1
"""
"""Asks a database for the ends of pages; `{id}` is the mark of a value."""


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

    def depth_of(self, recording_id: str) -> Iterator[MarketDepth]:
        """All rows of `market_depth` that belong to a recording, oldest first."""
        return self._oldest_first(MarketDepth, "market_depth", recording_id)

    def bars_of(self, recording_id: str) -> Iterator[CandleBar]:
        """All rows of `candle_bars` that belong to a recording, oldest first."""
        return self._oldest_first(CandleBar, "candle_bars", recording_id)

    def _oldest_first(self, kind: type[Any], table: str, recording_id: str) -> Iterator[Any]:
        since_ms = None
        for until_ms in self._page_ends(table, recording_id):
            page = self._newest(kind, table, {"recording": recording_id}, since_ms, NO_LIMIT, until_ms)
            yield from reversed(page)
            since_ms = until_ms + 1

    @abstractmethod
    def _newest(
        self,
        kind: type[Any],
        table: str,
        wanted: dict[str, str | None],
        since_ms: int | None,
        limit: int,
        until_ms: int | None = None,
    ) -> list[Any]:
        """Rows of a table whose columns have the values of `wanted` (None: any), of `since_ms` … `until_ms` (UTC)."""

    @abstractmethod
    def _page_ends(self, table: str, recording_id: str) -> list[int]:
        """Moments (UTC ms) that divide the rows of a recording into pages of about `PAGE_ROWS`; the last one's too."""
