"""What a tab wants to see: everything of it stands in the URL, so that it can be shared and survives a reload."""

from __future__ import annotations

from msgspec import Struct

from app.session import StrategyChoice
from engine.feed.mailbox import FeedKey

STREAMING = "Streaming (WebSocket)"
POLLING = "REST Polling"


class View(Struct, frozen=True):
    """Connector, mode (`STREAMING` or `POLLING` every `every_s`), symbols, and whether the feed is started."""

    connector: str
    mode: str
    every_s: float
    symbols: tuple[str, ...]
    running: bool
    focus: str
    strategy: StrategyChoice | None

    @property
    def keys(self) -> list[FeedKey]:
        """The feeds to read; none while stopped."""
        return [self.key(symbol) for symbol in self.symbols] if self.running else []

    def key(self, symbol: str) -> FeedKey:
        mode = "stream" if self.mode == STREAMING else f"poll:{self.every_s:g}"
        return (self.connector, symbol, mode)
