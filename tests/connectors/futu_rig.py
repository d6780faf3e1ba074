"""A fake OpenD, the real connector on the real library, and an ear for what it says. Time runs ten times faster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from connectors.futu import FutuConnector
from engine.connector import Stream
from engine.market.events import BookSnapshot, FeedState, FeedStatus, MarketEvent, Trade
from tests.fakes.futu import FakeOpenD
from tests.fakes.rig import PACE, PATIENCE, HurriedRuntime

SYMBOL, OTHER, AMERICAN = "HK.00700", "HK.09988", "US.AAPL"
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

    def until(self, heard: Callable[[], object], what: str = "", timeout: float = BOUND_S) -> None:
        with self._news:
            assert self._news.wait_for(heard, timeout), f"waited in vain for {what}: {self.events[-8:]}"

    def of(self, kind: type) -> list[Any]:
        return [event for event in list(self.events) if type(event) is kind]

    @property
    def books(self) -> list[BookSnapshot]:
        return self.of(BookSnapshot)

    @property
    def trades(self) -> list[Trade]:
        return self.of(Trade)

    @property
    def news(self) -> list[Trade]:
        """The prints that are no repetitions."""
        return [trade for trade in self.trades if not trade.backfill]

    @property
    def statuses(self) -> list[FeedStatus]:
        return self.of(FeedStatus)

    @property
    def state(self) -> FeedState | None:
        return self.statuses[-1].state if self.statuses else None

    def status(self, words: str) -> FeedStatus | None:
        """The first status that gave a reason with these words."""
        return next((one for one in self.statuses if words in one.reason), None)

    def shows(self, book: object) -> bool:
        return bool(self.books) and (self.books[-1].bids, self.books[-1].asks) == book


class Rig:
    """Leaving it closes everything, and checks that nothing was left behind and OpenD's rules were kept."""

    def __init__(self, opend: FakeOpenD | None = None, silence_s: float | None = None, **settings: str) -> None:
        self.opend = opend or FakeOpenD(pace=PACE)
        given = {"FUTU_PORT": str(self.opend.port)} | settings
        self.connector = FutuConnector(given, runtime=HurriedRuntime(1), patience=PATIENCE)
        if silence_s is not None:
            self.connector.limits = replace(FutuConnector.limits, silence_s=silence_s)  # type: ignore[misc]
        self._threads = set(threading.enumerate())

    def __enter__(self) -> Self:
        self.opend.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        begun = time.monotonic()
        self.connector.close()
        took_s = time.monotonic() - begun
        self.opend.wait_for(lambda: not self.left(), 2.0)
        left = self.left()
        hung_up = self.opend.wait_for(lambda: not self.opend.connections, 2.0)
        self.opend.stop()
        if kind is None:
            assert not left
            assert took_s < 2.0
            assert hung_up, "a connection to OpenD was left open"
            assert not self.opend.violations

    def start(self, symbol: str = SYMBOL) -> tuple[Ear, Stream]:
        ear = Ear()
        return ear, self.connector.start_stream(symbol, ear)

    def live(self, symbol: str = SYMBOL) -> Ear:
        ear, _ = self.start(symbol)
        self.until_live(ear)
        return ear

    def until_live(self, ear: Ear) -> None:
        ear.until(lambda: ear.state is FeedState.LIVE and ear.books, "LIVE")

    def until_shown(self, ear: Ear, symbol: str = SYMBOL) -> None:
        """Until the last book that was published is the true one."""
        ear.until(lambda: ear.shows(self.opend.book(symbol)), f"{self.opend.book(symbol)}")

    def left(self) -> list[str]:
        """Threads that were not there before."""
        return [
            thread.name
            for thread in threading.enumerate()
            if thread not in self._threads and not thread.name.startswith("fake-")
        ]
