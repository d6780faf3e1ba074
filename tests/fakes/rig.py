"""A fake Binance, the real connector on it, and a witness per symbol that compares every word with the truth.

The connector's clock and waits run `PACE` times faster than ours (and the venue's limits with them), so that cooldowns,
back-off and pacing are those of production and a test still takes moments.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from connectors.base import Patience, SystemRuntime
from connectors.binance import BinanceConnector
from engine.connector import Stream
from engine.market.book import Book
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, Levels, MarketEvent
from tests.fakes.binance import FakeBinance
from tests.fakes.truth import TOP_DEPTH, SimulatorTruth
from tests.fakes.websocket_server import Entry

PACE = 10.0
BOUND_S = 8.0
"""Real seconds within which a book must be LIVE again (80 s for the connector)."""
STEPS_PER_S = 40.0
PATIENCE = Patience(connect_s=1.0, fetch_s=1.0, read_s=0.02)
"""Connecting and fetching wait on sockets, so these are real seconds."""
KEPT = 50_000
LOOKED_UP = 2_000


class HurriedClock:
    """UTC that runs `PACE` times too fast."""

    def __init__(self) -> None:
        self._start_ns = time.time_ns()
        self._begun_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return self._start_ns + round((time.monotonic_ns() - self._begun_ns) * PACE)


class HurriedRuntime(SystemRuntime):
    """Real threads in a world in which time runs `PACE` times faster; chance is seeded."""

    def __init__(self, seed: int) -> None:
        super().__init__(HurriedClock())
        self.random = Random(seed).random

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds) / PACE)


class Witness:
    """A listener that believes nothing: it follows the published line and looks at the feed's picture each time."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.problems: list[str] = []
        self.statuses: list[FeedStatus] = []
        self.events = 0
        self.snapshots = 0
        self.stopped = False
        self.stream: Stream | None = None
        self._book = Book(TOP_DEPTH)
        self._sequence: int | None = None
        self._seen: deque[tuple[str, int, Levels, Levels]] = deque(maxlen=KEPT)

    def __call__(self, event: MarketEvent) -> None:
        self.events += 1
        if self.stopped:
            self.problems.append(f"called after stop with {type(event).__name__}")
        if isinstance(event, FeedStatus):
            self.statuses.append(event)
            if not event.state.has_data and event.state is not FeedState.STALE:
                self._sequence = None
        elif isinstance(event, BookSnapshot):
            self._follow_snapshot(event)
        elif isinstance(event, BookDelta):
            self._follow_delta(event)
        self._look()

    @property
    def states(self) -> list[FeedState]:
        """The states that the feed went through."""
        return [status.state for status in self.statuses]

    @property
    def state(self) -> FeedState:
        return self.states[-1] if self.statuses else FeedState.CONNECTING

    def said(self, words: str) -> bool:
        """Whether some status gave a reason with these words."""
        return any(words in status.reason for status in self.statuses)

    def verify(self, truth: SimulatorTruth) -> list[str]:
        """Everything that was wrong."""
        problems = list(self.problems)
        seen = list(self._seen)
        # Of a flood a sample and the end: looking up the past costs time.
        every = len(seen) // LOOKED_UP + 1
        for what, sequence, bids, asks in seen[:-LOOKED_UP:every] + seen[-LOOKED_UP:]:
            top = truth.top_at(self.symbol, sequence)
            if top is None:
                problems.append(f"{what} stood at update {sequence}, where no book ever was")
            elif top != (bids, asks):
                problems.append(f"{what} at update {sequence} differs from the truth: {_difference(top, (bids, asks))}")
        return problems

    def _look(self) -> None:
        feed = self.stream.feed if self.stream is not None else None
        view = feed.view if feed is not None else None
        if feed is None or view is None or view.sequence is None or feed.state is not FeedState.LIVE:
            return
        self._note("the view", view.sequence, view.bids[:TOP_DEPTH], view.asks[:TOP_DEPTH])

    def _follow_snapshot(self, snapshot: BookSnapshot) -> None:
        self.snapshots += 1
        self._book.replace(snapshot.bids, snapshot.asks)
        self._sequence = snapshot.sequence
        self._note_line()

    def _follow_delta(self, delta: BookDelta) -> None:
        first, last = delta.first_sequence, delta.last_sequence
        assert first is not None
        if self._sequence is None:
            self.problems.append(f"update {first} was published without a snapshot before it")
            return
        if first > self._sequence + 1 or last is None or last <= self._sequence:
            self.problems.append(f"update {first}–{last} was published after {self._sequence}")
        self._book.apply(delta.bids, delta.asks)
        self._sequence = last
        self._note_line()

    def _note_line(self) -> None:
        if self._sequence is not None:
            self._note("the published line", self._sequence, self._book.bids(TOP_DEPTH), self._book.asks(TOP_DEPTH))

    def _note(self, what: str, sequence: int, bids: Levels, asks: Levels) -> None:
        self._seen.append((what, sequence, bids, asks))


class _Alarms(logging.Handler):
    """Collects what the connector logs as an error: nothing that a venue does is one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


class Rig:
    """Everything of one test. Use as a context: leaving it stops all and checks that nothing was wrong or left."""

    def __init__(
        self,
        symbols: Sequence[str] = ("BTCUSDT",),
        *,
        seed: int = 1,
        patience: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        history: int = 20_000,
        **venue: Any,
    ) -> None:
        self.symbols = tuple(symbols)
        self.truth = SimulatorTruth(self.symbols, seed=seed, history=history)
        self.venue = FakeBinance(self.truth, pace=PACE, **venue)
        self.witnesses: dict[str, Witness] = {}
        self._threads = set(threading.enumerate())
        hasty = type(
            "HastyBinance", (BinanceConnector,), {"limits": replace(BinanceConnector.limits, **(limits or {}))}
        )
        self.connector: BinanceConnector = hasty(
            {"BINANCE_WS_URL": self.venue.ws_url, "BINANCE_REST_URL": self.venue.http_url},
            runtime=HurriedRuntime(seed),
            patience=replace(PATIENCE, **(patience or {})),
        )
        self._market: threading.Event | None = None
        self.closed_in_s = 0.0
        self._alarms = _Alarms()

    def __enter__(self) -> Self:
        logging.getLogger("connectors").addHandler(self._alarms)
        self.venue.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        problems = [problem for witness in self.witnesses.values() for problem in witness.verify(self.truth)]
        left = self._left_behind()
        self.venue.stop()
        logging.getLogger("connectors").removeHandler(self._alarms)
        if kind is None:
            self._demand(not self._alarms.heard, f"logged as errors: {self._alarms.heard[:2]}")
            self._demand(not problems, f"{len(problems)} wrong words: {problems[:5]}")
            self._demand(not self.venue.violations, "a limit of the venue was broken")
            self._demand(not left, f"left behind: {left}")
            self._demand(self.closed_in_s < 2.0, f"close took {self.closed_in_s:.1f} s")

    def _demand(self, met: bool, what: str) -> None:
        if not met:
            raise AssertionError(f"{what}\n{self.describe()}")

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

    @property
    def witness(self) -> Witness:
        """The first symbol's."""
        return next(iter(self.witnesses.values()))

    def until(self, predicate: Callable[[], object], timeout: float = BOUND_S, what: str = "") -> None:
        """Wait for something.

        Raises:
            AssertionError: it did not come, with how everything stands.
        """
        assert self.venue.wait_for(predicate, timeout), f"waited {timeout} s in vain for {what}:\n{self.describe()}"

    def depth_requests(self) -> list[Entry]:
        """The requests for a book so far."""
        return [entry for entry in self.venue.entries("http") if "/depth?" in entry.text]

    def pause(self, steps: int) -> None:
        """Let so many batches (of all symbols together) be published."""
        goal = self.venue.steps + steps
        self.until(lambda: self.venue.steps >= goal, what="the market to move")

    def until_live(self, *symbols: str, timeout: float = BOUND_S) -> None:
        """Wait until these books (all without a name) are LIVE and have caught up with what was published by now."""
        chosen = symbols or tuple(self.witnesses)
        with self.venue.market:
            goal = dict(self.venue.published)
        self.until(lambda: all(self._caught_up(symbol, goal.get(symbol, 0)) for symbol in chosen), timeout, "LIVE")

    def live_and_moving(self) -> Self:
        """The usual beginning: started, moving, LIVE."""
        self.start()
        self.move()
        self.until_live()
        return self

    def settle(self) -> None:
        """The usual end: every fault has happened, all books are LIVE, and stay so when the market stands."""
        scripts = [self.venue.script(symbol) for symbol in self.symbols]
        self.until(lambda: not any(script.pending for script in scripts), what="all faults to happen")
        if self._market is not None:
            self.pause(2 * len(self.symbols))
        self.until_live()
        self.rest()
        self.venue.step()
        self.until_live()

    def close(self) -> None:
        """Stop the connector as a program's end does."""
        begun = time.monotonic()
        self.connector.close()
        self.closed_in_s = time.monotonic() - begun
        for witness in self.witnesses.values():
            witness.stopped = True

    def quality(self, symbol: str = "") -> Any:
        stream = (self.witnesses[symbol] if symbol else self.witness).stream
        assert stream is not None
        return stream.feed.quality

    def describe(self) -> str:
        """How everything stands, for a failed test's message."""
        lines = [
            f"{symbol}: {[(status.state.value, status.reason) for status in witness.statuses[-6:]]}"
            for symbol, witness in self.witnesses.items()
        ]
        lines.append(f"accepted {self.venue.accepted}, open {self.venue.connections}, {dict(self.venue.counts)}")
        lines.append(f"last requests {[entry.text[:60] for entry in self.venue.entries('http')[-4:]]}")
        return "\n".join([*lines, f"violations {self.venue.violations}", f"published {self.venue.published}"])

    def _caught_up(self, symbol: str, sequence: int) -> bool:
        stream = self.witnesses[symbol].stream
        assert stream is not None
        view = stream.feed.view
        return (
            stream.feed.state is FeedState.LIVE
            and view is not None
            and view.sequence is not None
            and view.sequence >= sequence
        )

    def _left_behind(self) -> list[str]:
        """Threads and sockets that should be gone."""
        self.rest()

        def threads() -> list[str]:
            return [
                thread.name
                for thread in threading.enumerate()
                if thread not in self._threads and not thread.name.startswith("fake-")
            ]

        self.venue.wait_for(lambda: not threads() and not self.venue.sockets, 2.0)
        return [*threads(), *[f"socket {number}" for number in range(self.venue.sockets)]]


def _difference(truth: tuple[Levels, Levels], seen: tuple[Levels, Levels]) -> str:
    for side, true, mine in zip(("bid", "ask"), truth, seen, strict=True):
        for index, pair in enumerate(zip(true, mine, strict=False)):
            if pair[0] != pair[1]:
                return f"{side} {index} is {pair[1]} instead of {pair[0]}"
        if len(true) != len(mine):
            return f"{len(mine)} {side}s instead of {len(true)}"
    return "in nothing"
