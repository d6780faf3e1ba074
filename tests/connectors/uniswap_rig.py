"""A fake node, the real connector on it, and an ear for what it says. Time runs ten times faster than ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from connectors.uniswap import UniswapConnector
from engine.connector import Stream
from engine.market.events import BookSnapshot, FeedState, FeedStatus, MarketEvent, Quote, Trade
from tests.fakes.rig import PATIENCE, HurriedRuntime
from tests.fakes.uniswap import FakeNode
from tests.fakes.uniswap_pool import WBTC_WETH, FakePool

SYMBOL = "WBTC/WETH@3000"
KEY = "k3y-k3y-k3y-k3y-k3y-k3y"
BOUND_S = 8.0


class Ear:
    """One symbol's line."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self._news = threading.Condition()

    def __call__(self, event: MarketEvent) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def until(self, heard: Callable[[], object], what: str = "") -> None:
        with self._news:
            assert self._news.wait_for(heard, BOUND_S), f"waited in vain for {what}: {self.events[-8:]}"

    def of(self, kind: type) -> list[Any]:
        return [event for event in list(self.events) if type(event) is kind]

    @property
    def books(self) -> list[BookSnapshot]:
        return self.of(BookSnapshot)

    @property
    def trades(self) -> list[Trade]:
        return self.of(Trade)

    @property
    def quotes(self) -> list[Quote]:
        return self.of(Quote)

    @property
    def statuses(self) -> list[FeedStatus]:
        return self.of(FeedStatus)

    @property
    def state(self) -> FeedState | None:
        return self.statuses[-1].state if self.statuses else None


class Rig:
    """Leaving it closes everything and checks that nothing was left behind."""

    def __init__(self, node: FakeNode | None = None, **settings: str) -> None:
        self.node = node or FakeNode(FakePool.recorded())
        urls = {"UNISWAP_RPC_URL": f"{self.node.http_url}/v3/{KEY}"} | settings
        self.connector = UniswapConnector(urls, runtime=HurriedRuntime(1), patience=PATIENCE)
        self._threads = set(threading.enumerate())

    def __enter__(self) -> Self:
        self.node.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        begun = time.monotonic()
        self.connector.close()
        took_s = time.monotonic() - begun
        self.node.wait_for(lambda: not self._left(), 2.0)
        left = self._left()
        self.node.stop()
        if kind is None:
            assert not left
            assert took_s < 2.0

    def start(self, symbol: str = SYMBOL) -> tuple[Ear, Stream]:
        ear = Ear()
        return ear, self.connector.start_stream(symbol, ear)

    def live(self, symbol: str = SYMBOL) -> Ear:
        ear, _ = self.start(symbol)
        ear.until(lambda: ear.state is FeedState.LIVE and ear.books, "LIVE")
        return ear

    @property
    def pool(self) -> FakePool:
        """The pool as it stands at the newest block."""
        return self.node.head.pools[WBTC_WETH]

    def _left(self) -> list[str]:
        return [
            thread.name
            for thread in threading.enumerate()
            if thread not in self._threads and not thread.name.startswith("fake-")
        ]
