"""A fake Kraken, the real connector on it, and a witness per symbol that compares every word with the truth.

Time runs `PACE` times faster for the connector and for the venue's limits (see `rig.py`). Updates carry no numbers:
what is true is found by the venue's time stamp, and after a snapshot, which has none, by the checksum.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from connectors.base import SystemRuntime
from connectors.kraken import KrakenConnector
from engine.connector import Stream
from engine.market.book import Book
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, Levels, MarketEvent, Quote, Trade
from tests.fakes.kraken import CHECKED, FakeKraken
from tests.fakes.rig import BOUND_S, PACE, PATIENCE, STEPS_PER_S, HurriedRuntime
from tests.fakes.truth import SimulatorTruth, Top

NAMES = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT", "SOL/USDT": "SOLUSDT", "DOGE/USDT": "DOGEUSDT"}


class Witness:
    """A listener that believes nothing: it follows the published line and notes the ten best levels each time."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.problems: list[str] = []
        self.statuses: list[FeedStatus] = []
        self.trades: list[int] = []
        self.quotes = 0
        self.snapshots = 0
        self.polls = 0
        self.stopped = False
        self.stream: Stream | None = None
        self.seen: list[tuple[str, int | None, int | None, Top]] = []
        """What, its time stamp, its checksum, the ten best levels."""
        self._book = Book(CHECKED)
        self._depth: int | None = None
        self._held = False

    def __call__(self, event: MarketEvent) -> None:
        if self.stopped:
            self.problems.append(f"called after stop with {type(event).__name__}")
        if isinstance(event, FeedStatus):
            self.statuses.append(event)
            self._held = self._held and (event.state.has_data or event.state is FeedState.STALE)
        elif isinstance(event, BookSnapshot):
            self.polls += event.source == "poll"
            self.snapshots += event.source != "poll"
            self._held, self._depth = True, event.depth
            self._book.replace(event.bids, event.asks)
            self._note("the published line", event)
        elif isinstance(event, BookDelta):
            if not self._held:
                self.problems.append("an update was published without a snapshot before it")
            self._book.apply(event.bids, event.asks)
            self._book.truncate(self._depth or 1_000)
            self._note("the published line", event)
        elif isinstance(event, Trade):
            assert isinstance(event.trade_id, int)
            self.trades.append(event.trade_id)
        elif isinstance(event, Quote):
            self.quotes += 1

    @property
    def states(self) -> list[FeedState]:
        return [status.state for status in self.statuses]

    def said(self, words: str) -> bool:
        return any(words in f"{status.reason} {status.hint}" for status in self.statuses)

    def verify(self, venue: FakeKraken) -> list[str]:
        """Everything that was wrong."""
        problems = list(self.problems)
        if sorted(set(self.trades)) != self.trades:
            problems.append("trades came twice or out of order")
        for what, stamp_ns, checksum, top in self.seen:
            if stamp_ns is not None:
                truth = venue.truth_at(self.symbol, stamp_ns)
                truths = [truth] if truth is not None else []
            else:
                truths = venue.truths_of(self.symbol, checksum or 0)
            if top not in [(bids[:CHECKED], asks[:CHECKED]) for bids, asks in truths]:
                problems.append(f"{what} at {stamp_ns or checksum} differs from the truth")
        return problems

    def _note(self, what: str, event: BookSnapshot | BookDelta) -> None:
        if event.source == "poll":
            return  # rounded by the venue
        top: tuple[Levels, Levels] = self._book.bids(CHECKED), self._book.asks(CHECKED)
        self.seen.append((what, event.exchange_ns, event.checksum, top))


class _Alarms(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


class KrakenRig:
    """Everything of one test. Use as a context: leaving it stops all and checks that nothing was wrong or left."""

    def __init__(
        self,
        *symbols: str,
        hurried: bool = True,
        limits: dict[str, Any] | None = None,
        patience: dict[str, Any] | None = None,
    ) -> None:
        self.symbols = symbols or ("BTC/USDT",)
        self.truth = SimulatorTruth([NAMES[symbol] for symbol in self.symbols], seed=3, history=20_000)
        self.venue = FakeKraken(self.truth, pace=PACE if hurried else 1.0)
        self.witnesses: dict[str, Witness] = {}
        self._threads = set(threading.enumerate())
        kind = type("Kraken", (KrakenConnector,), {"limits": replace(KrakenConnector.limits, **(limits or {}))})
        self.connector: KrakenConnector = kind(
            {"KRAKEN_WS_URL": self.venue.ws_url, "KRAKEN_REST_URL": self.venue.http_url},
            runtime=HurriedRuntime(3) if hurried else SystemRuntime(),
            patience=replace(PATIENCE, **(patience or {})),
        )
        self._market: threading.Event | None = None
        self._alarms = _Alarms()

    def __enter__(self) -> Self:
        logging.getLogger("connectors").addHandler(self._alarms)
        self.venue.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        begun = time.monotonic()
        self.connector.close()
        closed_in_s = time.monotonic() - begun
        for witness in self.witnesses.values():
            witness.stopped = True
        self.rest()
        problems = [problem for witness in self.witnesses.values() for problem in witness.verify(self.venue)]
        left = self._left_behind()
        self.venue.stop()
        logging.getLogger("connectors").removeHandler(self._alarms)
        if kind is None:
            assert not self._alarms.heard, self._alarms.heard[:2]
            assert not problems, f"{len(problems)} wrong words: {problems[:5]}\n{self.describe()}"
            assert not self.venue.violations, self.venue.violations[:3]
            assert not left, left
            assert closed_in_s < 2.0

    def start(self, *symbols: str) -> Self:
        """Begin streaming these symbols (all without a name)."""
        for symbol in symbols or self.symbols:
            witness = self.witnesses[symbol] = Witness(symbol)
            witness.stream = self.connector.start_stream(symbol, witness)
        return self

    def move(self, steps_per_s: float = STEPS_PER_S) -> Self:
        """Let the market move by itself."""
        self._market = self.venue.run(steps_per_s)
        return self

    def rest(self) -> None:
        """Let the market stand still."""
        if self._market is not None:
            self._market.set()
            self._market = None

    def live_and_moving(self) -> Self:
        self.start()
        self.move()
        self.until_live()
        return self

    @property
    def witness(self) -> Witness:
        return next(iter(self.witnesses.values()))

    def until(self, predicate: Callable[[], object], timeout: float = BOUND_S, what: str = "it") -> None:
        assert self.venue.wait_for(predicate, timeout), f"waited {timeout} s in vain for {what}:\n{self.describe()}"

    def pause(self, steps: int) -> None:
        """Let so many batches (of all symbols together) be published."""
        goal = self.venue.steps + steps
        self.until(lambda: self.venue.steps >= goal, what="the market to move")

    def expect_connection(self, act: Callable[[], object]) -> None:
        """Do something after which the connector must connect anew."""
        accepted = self.venue.accepted
        act()
        self.until(lambda: self.venue.accepted > accepted, what="a new connection")

    def spoil(self, failures: int) -> None:
        """Send a wrong checksum; the first symbol's book must be LIVE again after so many failures in all."""
        self.venue.bad_checksum(self.symbols[0])
        self.until(lambda: self.feed().quality.checksums_bad == failures, what="the failure")
        self.until_live()

    def until_live(self, timeout: float = BOUND_S) -> None:
        """Wait until all books are LIVE and hold something of the stream."""
        self.until(lambda: all(self._is_live(one) for one in self.witnesses.values()), timeout, "LIVE")

    def until_healed(self) -> None:
        """Wait until every scripted fault has happened and all books are LIVE again; then compare them whole."""
        scripts = [self.venue.script(symbol) for symbol in self.symbols]
        self.until(lambda: not any(script.pending for script in scripts), what="all faults to happen")
        self.pause(4 * len(self.symbols))
        self.until_live()
        self.rest()
        self.until(lambda: all(self.is_true(symbol) for symbol in self.witnesses), what="the truth")

    def is_true(self, symbol: str, depth: int = CHECKED) -> bool:
        """Whether the feed's book is the venue's now."""
        snapshot = self.feed(symbol).snapshot(depth)
        if snapshot is None:
            return False
        bids, asks = self.venue.book(symbol, depth)
        true = (
            tuple((price, float(size)) for price, size in bids.items()),
            tuple((price, float(size)) for price, size in asks.items()),
        )
        return (snapshot.bids, snapshot.asks) == true

    def feed(self, symbol: str = "") -> Any:
        stream = (self.witnesses[symbol] if symbol else self.witness).stream
        assert stream is not None
        return stream.feed

    def sent(self, word: str) -> list[str]:
        """The client's messages with this word."""
        return [entry.text for entry in self.venue.entries("text") if word in entry.text]

    def describe(self) -> str:
        lines = [
            f"{symbol}: {[(status.state.value, status.reason) for status in witness.statuses[-6:]]}"
            for symbol, witness in self.witnesses.items()
        ]
        return "\n".join([*lines, f"accepted {self.venue.accepted}", *self.sent("subscribe")[-6:]])

    @staticmethod
    def _is_live(witness: Witness) -> bool:
        return witness.stream is not None and witness.stream.feed.state is FeedState.LIVE

    def _left_behind(self) -> list[str]:
        def threads() -> list[str]:
            return [
                thread.name
                for thread in threading.enumerate()
                if thread not in self._threads and not thread.name.startswith("fake-")
            ]

        self.venue.wait_for(lambda: not threads() and not self.venue.sockets, 2.0)
        return [*threads(), *[f"socket {number}" for number in range(self.venue.sockets)]]
