"""The mock on its simulated exchange, which has no sockets: what others read in a venue's log is noted at its doors."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from connectors import mock
from connectors.base import Patience
from connectors.base.simulation.link import SimulatedLink
from connectors.base.transport.link import Link
from connectors.mock import MockConnector
from engine.market.events import FeedState
from tests.fakes.rig import BOUND_S, Rig, hasty
from tests.fakes.truth import TOP_DEPTH, Top
from tests.fakes.websocket_server import Entry
from tests.fakes.witness import Seen

HISTORY = 50_000
RATE = "20"
_remembering = threading.Lock()


class MockVenue:
    """The simulated exchange as the rigs look at a venue."""

    ws_url = http_url = "mock://exchange"
    book_path = "mock://exchange/book"

    def __init__(self) -> None:
        self.connector: Any = None
        self.market = threading.RLock()
        self.accepted = 0
        self.links: list[Link] = []
        self.violations: list[str] = []
        self.published: dict[str, int] = {}
        self.sockets = 0
        self.log: list[Entry] = []
        self._changed = threading.Condition()

    @property
    def connections(self) -> int:
        return len(self.connector.exchange._inboxes)

    @property
    def counts(self) -> Counter[str]:
        return Counter(entry.kind for entry in self.entries())

    @property
    def steps(self) -> int:
        return int(self.connector.exchange.sent)

    def start(self) -> None:
        """It always runs."""

    stop = start

    def note(self, kind: str, text: str = "") -> None:
        """Something passed one of the doors."""
        with self._changed:
            self.log.append(Entry(time.monotonic(), 0, kind, text.encode(), None))
            self._changed.notify_all()

    def entries(self, kind: str | None = None) -> list[Entry]:
        with self._changed:
            return [entry for entry in self.log if kind in (None, entry.kind)]

    def wait_for(self, predicate: Callable[[], object], timeout: float = 5.0) -> bool:
        """Whether `predicate` became true in time."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.02))
        return True

    def heal(self) -> None:
        """Nothing is wrong any more."""
        self.connector.faults.clear()

    def send_all(self, frame: bytes) -> None:
        """A frame as it is, to every client."""
        for inbox in self.connector.exchange._inboxes:
            inbox.items.append((0, frame))


class _Doors(MockConnector):
    """Notes who comes and what is asked."""

    doors: MockVenue

    def make_link(self) -> Link:
        return _NotedLink(self, self.doors)

    def fetch(self, request: Any, timeout_s: float) -> bytes:
        self.doors.note("http", request.url)
        return super().fetch(request, timeout_s)


class _NotedLink(SimulatedLink):
    def __init__(self, connector: Any, doors: MockVenue) -> None:
        super().__init__(connector.exchange, connector.runtime)
        self._doors = doors

    def open(self, url: str, timeout_s: float) -> None:
        self._doors.note("handshake")
        super().open(url, timeout_s)
        self._doors.accepted += 1

    def send(self, text: str) -> None:
        self._doors.note("text", text)
        super().send(text)


class MockRig(Rig):
    """Everything of one test on the simulated exchange, whose market moves by the connector's clock."""

    default_symbols = ("BTC/USDT",)
    venue: MockVenue

    def make_truth(self, seed: int, history: int) -> Any:
        return None

    def make_venue(self, pace: float, **options: Any) -> Any:
        return MockVenue()

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        with _remembering:
            before, mock.HISTORY = mock.HISTORY, HISTORY
            try:
                kind = hasty(_Doors, limits, doors=self.venue)
                made = kind({"MOCK_RATE": RATE}, runtime=self.runtime, patience=patience)
            finally:
                mock.HISTORY = before
        self.venue.connector = made
        return made

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        top = self.connector.exchange.truth_at(symbol, seen.sequence or 0, TOP_DEPTH)
        return () if top is None else (top,)

    def is_current(self, symbol: str, goal: int) -> bool:
        return self.feed(symbol).view is not None

    def move(self, steps_per_s: float = 0.0) -> MockRig:
        return self

    def rest(self) -> None:
        """It does not rest."""

    def settle(self, timeout: float = BOUND_S) -> None:
        # LIVE, and a good deal of news while it stays so.
        self.until_live(timeout=timeout)
        seen = {symbol: witness.deltas for symbol, witness in self.witnesses.items()}
        self.until(
            lambda: all(
                witness.deltas >= seen[symbol] + 10 and self.feed(symbol).state is FeedState.LIVE
                for symbol, witness in self.witnesses.items()
            ),
            timeout,
            "news",
        )
