"""The real connector on a fake venue, and a witness per symbol that compares every word with the truth.

The connector's clock and waits run `PACE` times faster than ours (and the venue's limits with them), so that cooldowns,
back-off and pacing are those of production and a test still takes moments. What differs from venue to venue is in
`binance_rig.py` and its neighbours.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, ClassVar, Self

from msgspec.structs import replace

from connectors.base import Patience, StreamingConnector, SystemRuntime
from engine.market.events import BookSnapshot, FeedState, Source
from tests.fakes.truth import TOP_DEPTH, SimulatorTruth, Top
from tests.fakes.venue import FakeVenue
from tests.fakes.websocket_server import Entry
from tests.fakes.witness import Seen, Witness

PACE = 10.0
BOUND_S = 8.0
"""Real seconds within which a book must be LIVE again (80 s for the connector)."""
STEPS_PER_S = 40.0
PATIENCE = Patience(connect_s=1.0, fetch_s=1.0, read_s=0.02)
"""Connecting and fetching wait on sockets, so these are real seconds."""
_numbers = count(1)


class HurriedClock:
    """UTC that runs `pace` times too fast."""

    def __init__(self, pace: float = PACE) -> None:
        self._pace = pace
        self._start_ns = time.time_ns()
        self._begun_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return self._start_ns + round((time.monotonic_ns() - self._begun_ns) * self._pace)


class HurriedRuntime(SystemRuntime):
    """Real threads in a world in which time runs `pace` times faster; chance is seeded.

    `tag` begins the names of its threads, so that several worlds can be told apart.
    """

    def __init__(self, seed: int, pace: float = PACE) -> None:
        super().__init__(HurriedClock(pace))
        self.random = Random(seed).random
        self.tag = f"rig{next(_numbers)} "
        self._pace = pace

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds) / self._pace)

    def start(self, name: str, target: Callable[[], None]) -> None:
        super().start(self.tag + name, target)

    def threads(self) -> list[str]:
        """The names of those of its threads that run."""
        return [thread.name for thread in threading.enumerate() if thread.name.startswith(self.tag)]


class Alarms(logging.Handler):
    """Collects what one connector logs as an error: nothing that a venue does is one."""

    def __init__(self, tag: str) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []
        self._tag = tag

    def emit(self, record: logging.LogRecord) -> None:
        if (record.threadName or "").startswith((self._tag, "MainThread")):
            self.heard.append(self.format(record))


class _Counting(StreamingConnector):
    """Counts the books that polling brought."""

    answered: Counter[str]
    newest: dict[str, Any]

    def book(self, symbol: str, depth: int, source: Source) -> Any:
        found = super().book(symbol, depth, source)
        if source == "poll" and isinstance(found, BookSnapshot):
            # What has not changed, or is older than what was shown, is no new point.
            place = found.sequence or (found.bids, found.asks)
            before = self.newest.get(symbol)
            if place != before and not (isinstance(place, int) and isinstance(before, int) and place < before):
                self.answered[symbol] += 1
            self.newest[symbol] = place
        return found


def hasty(kind: type[StreamingConnector], limits: dict[str, Any] | None, **more: Any) -> Any:
    """A connector class with some limits changed, whose `answered` counts the polled books by symbol."""
    fields = {"limits": replace(kind.limits, **(limits or {})), "answered": Counter(), "newest": {}, **more}
    return type(f"Hasty{kind.__name__}", (_Counting, kind), fields)


class Rig(ABC):
    """Everything of one test. Use as a context: leaving it stops all and checks that nothing was wrong or left."""

    default_symbols: ClassVar[tuple[str, ...]]
    levels: ClassVar[int] = TOP_DEPTH
    """How many levels a side can be held against the truth."""

    def __init__(
        self,
        symbols: Sequence[str] = (),
        *,
        seed: int = 1,
        patience: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        history: int = 20_000,
        pace: float = PACE,
        **venue: Any,
    ) -> None:
        self.symbols = tuple(symbols) or self.default_symbols
        self.pace = pace
        self.truth: Any = self.make_truth(seed, history)
        self.venue: Any = self.make_venue(pace, **venue)
        self.runtime = HurriedRuntime(seed, pace)
        self._limits, self._patience = limits or {}, replace(PATIENCE, **(patience or {}))
        self.connector: Any = self.make_connector(self.venue.ws_url, self._limits, self._patience)
        self.witnesses: dict[str, Witness] = {}
        self.alarms = Alarms(self.runtime.tag)
        self.closed_in_s = 0.0
        self._market: threading.Event | None = None

    # What differs from venue to venue

    @abstractmethod
    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        """The market behind `symbols`."""

    @abstractmethod
    def make_venue(self, pace: float, **options: Any) -> FakeVenue:
        """The fake, not yet started."""

    @abstractmethod
    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        """The real connector, its stream at `ws_url` and the rest at the fake; see `hasty`."""

    @abstractmethod
    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        """The true books at the place by which the venue dates this one."""

    @abstractmethod
    def is_current(self, symbol: str, goal: int) -> bool:
        """Whether a LIVE book has come as far as the update `goal`."""

    # Life

    def __enter__(self) -> Self:
        logging.getLogger("connectors").addHandler(self.alarms)
        self.venue.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        findings = self.findings()
        if kind is None and findings:
            raise AssertionError("\n".join([*findings, self.describe()]))

    def findings(self) -> list[str]:
        """Stop all; what was wrong with it or was left behind."""
        self.close()
        self.rest()
        problems = self.problems()
        left = self._left_behind()
        self.venue.stop()
        logging.getLogger("connectors").removeHandler(self.alarms)
        found = [f"logged as an error: {line}" for line in self.alarms.heard[:2]]
        if problems:
            found.append(f"{len(problems)} wrong words: {problems[:5]}")
        found += [f"a limit of the venue was broken: {one}" for one in self.venue.violations[:3]]
        found += [f"left behind: {one}" for one in left]
        if self.closed_in_s >= 2.0:
            found.append(f"close took {self.closed_in_s:.1f} s")
        return found

    def problems(self) -> list[str]:
        """Every word that differs from the truth."""
        return [problem for witness in self.witnesses.values() for problem in witness.verify()]

    def lost_polls(self) -> int:
        """Books that polling brought and that never showed, but for those that came when the stream was back."""
        lost = 0
        for symbol, witness in self.witnesses.items():
            returns = witness.states.count(FeedState.LIVE) + 1
            lost += max(0, self.connector.answered[symbol] - witness.polls - returns)
        return lost

    def aim(self, ws_url: str) -> None:
        """Point the connector, which has not started yet, at another stream address."""
        self.connector.close()
        self.connector = self.make_connector(ws_url, self._limits, self._patience)

    def start(self, *symbols: str) -> Self:
        """Begin streaming these symbols (all without a name)."""
        for symbol in symbols or self.symbols:
            witness = self.witnesses[symbol] = Witness(symbol, self.oracle, self.levels)
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

    def close(self) -> None:
        """Stop the connector as a program's end does."""
        begun = time.monotonic()
        self.connector.close()
        self.closed_in_s = max(self.closed_in_s, time.monotonic() - begun)
        for witness in self.witnesses.values():
            witness.stopped = True

    # Waiting

    @property
    def witness(self) -> Witness:
        """The first symbol's."""
        return next(iter(self.witnesses.values()))

    def until(self, predicate: Callable[[], object], timeout: float = BOUND_S, what: str = "it") -> None:
        """Wait for something.

        Raises:
            AssertionError: it did not come, with how everything stands.
        """
        if not self.venue.wait_for(predicate, timeout):
            raise AssertionError(f"waited {timeout} s in vain for {what}:\n{self.describe()}")

    def pause(self, steps: int) -> None:
        """Let so many batches (of all symbols together) be published."""
        goal = self.venue.steps + steps
        self.until(lambda: self.venue.steps >= goal, what="the market to move")

    def until_live(self, *symbols: str, timeout: float = BOUND_S) -> None:
        """Wait until these books (all without a name) are LIVE and have caught up with what was published by now."""
        chosen = symbols or tuple(self.witnesses)
        with self.venue.market:
            goal = dict(self.venue.published)
        self.until(lambda: all(self.caught_up(symbol, goal) for symbol in chosen), timeout, "LIVE")

    def caught_up(self, symbol: str, goal: dict[str, int]) -> bool:
        """Whether a book is LIVE and has come as far as what was published, by the venue's names."""
        return self.feed(symbol).state is FeedState.LIVE and self.is_current(symbol, goal.get(self.label(symbol), 0))

    def label(self, symbol: str) -> str:
        """The name under which the venue publishes a symbol."""
        return symbol

    def live_and_moving(self) -> Self:
        """The usual beginning: started, moving, LIVE."""
        self.start()
        self.move()
        self.until_live()
        return self

    def settle(self, timeout: float = BOUND_S) -> None:
        """The usual end: every fault has happened, all books are LIVE, and stay so when the market stands."""
        scripts = [self.venue.script(self.label(symbol)) for symbol in self.symbols]
        self.until(lambda: not any(script.pending for script in scripts), timeout, "all faults to happen")
        if self._market is not None:
            self.pause(2 * len(self.symbols))
        self.until_live(timeout=timeout)
        self.rest()
        self.venue.step()
        self.until_live()

    # Looking

    def feed(self, symbol: str = "") -> Any:
        stream = (self.witnesses[symbol] if symbol else self.witness).stream
        assert stream is not None
        return stream.feed

    def quality(self, symbol: str = "") -> Any:
        return self.feed(symbol).quality

    def book_requests(self) -> list[Entry]:
        """The requests for a book so far."""
        return [entry for entry in self.venue.entries("http") if entry.text.startswith(self.venue.book_path)]

    def sent(self, word: str) -> list[str]:
        """The client's messages with this word."""
        return [entry.text for entry in self.venue.entries("text") if word in entry.text]

    def describe(self) -> str:
        """How everything stands, for a failed test's message."""
        lines = [
            f"{symbol}: {[(status.state.value, status.reason) for status in witness.statuses[-6:]]}"
            for symbol, witness in self.witnesses.items()
        ]
        lines.append(f"accepted {self.venue.accepted}, open {self.venue.connections}, {dict(self.venue.counts)}")
        lines.append(f"last requests {[entry.text[:60] for entry in self.venue.entries('http')[-4:]]}")
        lines.append(f"last messages {[text[:120] for text in self.sent('')[-4:]]}")
        return "\n".join([*lines, f"violations {self.venue.violations}", f"published {self.venue.published}"])

    def _left_behind(self) -> list[str]:
        """Threads and sockets that should be gone."""
        self.venue.wait_for(lambda: not self.runtime.threads() and not self.venue.sockets, 4.0)
        return [*self.runtime.threads(), *[f"socket {number}" for number in range(self.venue.sockets)]]
