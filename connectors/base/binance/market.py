"""A market of Binance: everything of its connector but the data frames, the book rule and the card."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar
from urllib.parse import quote

from connectors.base.binance.candles import decode_candles
from connectors.base.binance.frames import (
    Listed,
    awaited_answer,
    decode_book,
    decode_listed,
    decode_time,
    depth_symbol,
    refused,
    subscription_frames,
)
from connectors.base.transport.streaming import StreamingConnector
from connectors.base.venue import Request
from engine.market.candle import Candle
from engine.market.events import BookSnapshot, MarketEvent, Source
from engine.market.instrument import Instrument

CROWDED_DEPTH = 500
"""Levels a side when many symbols begin at once. Not fewer: what lies beyond is unknown until it changes."""


class BinanceMarket(StreamingConnector):
    """Spot and futures speak the same control frames and the same REST, at other hosts and prices.

    `streams` are subscribed to for every symbol; `rest_path` is what all calls begin with; `depth_weights` are the
    numbers of levels that can be asked for, rising, and what each weighs; `any_depth` tells that those are bounds and
    any number up to them will do. `candle_weights` are numbers of candles and what they weigh, likewise.
    """

    default_ws_url: ClassVar[str]
    default_rest_url: ClassVar[str]
    rest_path: ClassVar[str]
    streams: ClassVar[tuple[str, ...]]
    depth_weights: ClassVar[tuple[tuple[int, int], ...]]
    any_depth: ClassVar[bool]
    listing_weight: ClassVar[int]
    candle_weights: ClassVar[tuple[tuple[int, int], ...]]

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._websocket = self.setting("WS_URL", self.default_ws_url).rstrip("/")
        self._rest = self.setting("REST_URL", self.default_rest_url).rstrip("/") + self.rest_path
        self._requests = count(1)

    def stream_url(self, symbols: Sequence[str]) -> str:
        return f"{self._websocket}/stream"

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return subscription_frames("SUBSCRIBE", symbols, self.streams, self._requests)

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return subscription_frames("UNSUBSCRIBE", symbols, self.streams, self._requests)

    def awaits(self, frame: str) -> tuple[int, Sequence[str]] | None:
        return awaited_answer(frame)

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        wanted = min(max(depth, 1), self.depth_weights[-1][0])
        most, weight = next(one for one in self.depth_weights if wanted <= one[0])
        limit = wanted if self.any_depth else most
        return Request(f"{self._rest}/depth?symbol={quote(symbol)}&limit={limit}", cost=weight)

    def snapshot_levels(self, waiting: int) -> int:
        """Half as deep where that lets all who wait have their books at once, or twice as many of them."""
        weights = dict(self.depth_weights)
        fits = waiting * weights[self.snapshot_depth] <= self.limits.rest_burst
        return self.snapshot_depth if fits else CROWDED_DEPTH

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        return decode_book(self.name, symbol, body, received_ns, source)

    def instruments_request(self) -> Request:
        return Request(f"{self._rest}/exchangeInfo", cost=self.listing_weight)

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        return [self.instrument(listed) for listed in decode_listed(self.name, body)]

    @abstractmethod
    def instrument(self, listed: Listed) -> Instrument:
        """One listed symbol."""

    def candles_request(self, symbol: str, timeframe: str, count: int) -> Request:
        wanted = min(count, self.candle_weights[-1][0])
        weight = next(weight for most, weight in self.candle_weights if wanted <= most)
        query = f"symbol={quote(symbol)}&interval={timeframe}&limit={wanted}"
        return Request(f"{self._rest}/klines?{query}", cost=weight)

    def decode_candles(self, symbol: str, timeframe: str, body: bytes, received_ns: int) -> list[Candle]:
        return decode_candles(self.name, symbol, timeframe, body, received_ns)

    def server_time_request(self) -> Request | None:
        return Request(f"{self._rest}/time")

    def decode_server_time(self, body: bytes) -> int:
        return decode_time(self.name, body)

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        return refused(self.name, status, body)

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        symbol = depth_symbol(self.name, url)
        return () if symbol is None else (self.decode_snapshot(symbol, body, received_ns, "stream"),)
