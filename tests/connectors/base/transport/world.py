"""A world for the transport: virtual time, real threads of which one runs at a time, and a venue made of arithmetic.

Time moves only when every thread waits, straight to the next thing that is due. So minutes pass in milliseconds and
every run is the same.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Any, ClassVar

from connectors.base import Control, Limits, Patience, Request, StreamingConnector
from connectors.base.backoff import TokenBucket
from engine.clock import Clock, ManualClock
from engine.connector import Capabilities
from engine.errors import DecodeError, Disconnected, FeedError
from engine.feed.sync import Continuity, RangeContinuity, Recovery, Verdict
from engine.market.events import (
    BUY,
    BookDelta,
    BookSnapshot,
    FeedState,
    FeedStatus,
    MarketEvent,
    Source,
    Trade,
)
from engine.market.instrument import Instrument

PERIOD_NS = 100_000_000
START_NS = 1_700_000_000_000_000_000
FIRST = 1_000_000
NEVER = threading.Event()


class _Sleeper:
    def __init__(self, event: threading.Event, due_ns: int, number: int) -> None:
        self.event = event
        self.due_ns = due_ns
        self.number = number


class World:
    """A `Runtime` in which the thread that makes the world is the first inhabitant."""

    def __init__(self, seed: int = 1) -> None:
        self._time = ManualClock(START_NS)
        self.clock: Clock = self._time
        self.random = Random(seed).random
        self.names: list[str] = []
        self.failures: list[BaseException] = []
        self._budgets: dict[str, TokenBucket] = {}
        self._sleepers: dict[int, _Sleeper] = {}
        self._numbers = count()
        self._turn = threading.Condition()
        self._running = threading.get_ident()
        self._alive: set[str] = set()

    @property
    def now_s(self) -> float:
        """Seconds since the world began."""
        return (self.clock.now_ns() - START_NS) / 1e9

    @property
    def alive(self) -> set[str]:
        """The names of the threads that have not ended."""
        return set(self._alive)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._turn:
            me = threading.get_ident()
            assert me == self._running, "a thread that the world does not know waits in it"
            self._lie_down(me, event, seconds)
            self._wake_next()
            self._turn.wait_for(lambda: self._running == me)
        return event.is_set()

    def pass_(self, seconds: float) -> None:
        """Let time pass for everyone."""
        self.wait(NEVER, seconds)
        assert self.failures == []

    def until(self, predicate: Callable[[], object], at_most_s: float = 60.0) -> float:
        """Let time pass until something is so; the second at which it was."""
        ends_s = self.now_s + at_most_s
        while not predicate():
            assert self.now_s < ends_s, f"in vain for {at_most_s} s"
            self.pass_(0.01)
        return self.now_s

    def start(self, name: str, target: Callable[[], None]) -> None:
        self.names.append(name)
        self._alive.add(name)
        ready = threading.Event()

        def body() -> None:
            me = threading.get_ident()
            with self._turn:
                self._lie_down(me, NEVER, 0.0)
                ready.set()
                self._turn.wait_for(lambda: self._running == me)
            try:
                target()
            except BaseException as error:  # noqa: BLE001 - shown to the test
                self.failures.append(error)
            with self._turn:
                self._alive.discard(name)
                self._wake_next()

        threading.Thread(target=body, name=name, daemon=True).start()
        # The newcomer must be in its bed before anyone decides whose turn it is.
        assert ready.wait(5.0)

    def connect_budget(self, host: str, rate: float, burst: int) -> TokenBucket:
        return self._budgets.setdefault(host, TokenBucket(rate, burst))

    def _lie_down(self, thread: int, event: threading.Event, seconds: float) -> None:
        due_ns = self.clock.now_ns() + round(max(0.0, seconds) * 1e9)
        self._sleepers[thread] = _Sleeper(event, due_ns, next(self._numbers))

    def _wake_next(self) -> None:
        now_ns = self.clock.now_ns()
        best: tuple[int, int, int] | None = None
        for thread, sleeper in self._sleepers.items():
            due_ns = now_ns if sleeper.event.is_set() else max(now_ns, sleeper.due_ns)
            rank = (due_ns, sleeper.number, thread)
            best = rank if best is None else min(best, rank)
        if best is None:
            return
        self._time.set(best[0])
        del self._sleepers[best[2]]
        self._running = best[2]
        self._turn.notify_all()


class Exchange:
    """A venue whose every update follows from the time: update FIRST + n of a symbol happens n periods after the start.

    Update n sets the bid 100.0 to the size n and prints the trade n.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.links: list[FakeLink] = []
        self.openings: list[FeedError | None] = []
        """What the next connection attempts meet; afterwards all succeed."""
        self.refuses: FeedError | None = None
        """What every connection attempt meets while set."""
        self.answers: list[FeedError | None] = []
        """What the next REST calls meet."""
        self.rest_refuses: FeedError | None = None
        self.connect_s = 0.05
        self.rest_s = 0.05
        self.rest_lag = 0
        """How many updates the REST side is behind."""
        self.lose: set[tuple[str, int]] = set()
        """(symbol, update) that the stream does not carry."""
        self.mute: set[str] = set()
        self.quiet: set[str] = set()
        """Symbols in which nothing ever happens."""
        self.unknown: set[str] = set()
        self.snapshot_on_subscribe = False
        self.answers_subscriptions = False
        """Whether every subscription is answered, under its number."""
        self.lose_subscriptions = self.refuse_subscriptions = 0
        """How many of the next subscriptions are neither done nor answered, or are refused."""
        self.numbered = True
        self.fetched: list[tuple[float, str]] = []
        self.attempts: list[float] = []

    @property
    def link(self) -> FakeLink:
        """The newest connection."""
        return self.links[-1]

    @property
    def open_links(self) -> list[FakeLink]:
        return [link for link in self.links if link.is_open]

    def update(self, symbol: str, lag_ns: int = 0) -> int:
        """The number of the last update of a symbol by now."""
        if symbol in self.quiet:
            return FIRST
        return FIRST + (self.world.clock.now_ns() - lag_ns - START_NS) // PERIOD_NS

    def body(self, symbol: str) -> bytes:
        number = self.update(symbol) - self.rest_lag
        return json.dumps({"kind": "book", "symbol": symbol, "last": number}).encode()


class FakeLink:
    """A `Link` to the exchange."""

    def __init__(self, exchange: Exchange, lag_ns: int = 0) -> None:
        self.exchange = exchange
        self.world = exchange.world
        self.lag_ns = lag_ns
        self.is_open = False
        self.sent: list[tuple[float, str]] = []
        self.pings: list[float] = []
        self.silent = False
        self.hang_send = False
        self._told: dict[str, int] = {}
        self._queue: list[bytes] = []
        self._end: FeedError | None = None
        self._aborted = threading.Event()

    def open(self, url: str, timeout_s: float) -> None:
        exchange = self.exchange
        exchange.attempts.append(self.world.now_s)
        exchange.links.append(self)
        if self.world.wait(self._aborted, exchange.connect_s):
            raise Disconnected("given up")
        refusal = exchange.openings.pop(0) if exchange.openings else exchange.refuses
        if refusal is not None:
            raise refusal
        self.is_open = True

    def receive(self, timeout_s: float) -> bytes | None:
        ends_ns = self.world.clock.now_ns() + round(timeout_s * 1e9)
        while True:
            if self._aborted.is_set():
                raise Disconnected("aborted")
            if self._end is not None:
                raise self._end
            frame = None if self.silent else self._next_frame()
            if frame is not None:
                return frame
            now_ns = self.world.clock.now_ns()
            if now_ns >= ends_ns:
                return None
            elapsed = (now_ns - START_NS - self.lag_ns) % PERIOD_NS
            self.world.wait(self._aborted, min(ends_ns - now_ns, PERIOD_NS - elapsed) / 1e9)

    def send(self, text: str) -> None:
        if self.hang_send and self.world.wait(self._aborted, 5.0):
            raise Disconnected("aborted")
        self.sent.append((self.world.now_s, text))
        verb, _, rest = text.partition(" ")
        rest, _, number = rest.partition(" #")
        if verb == "subscribe" and not self._accepts(number):
            return
        for symbol in rest.split(","):
            if verb == "unsubscribe":
                self._told.pop(symbol, None)
            elif symbol in self.exchange.unknown:
                self.say({"kind": "invalid", "symbol": symbol})
            else:
                self._told[symbol] = self.exchange.update(symbol, self.lag_ns)
                if self.exchange.snapshot_on_subscribe:
                    self.say({"kind": "book", "symbol": symbol, "last": self._told[symbol]})

    def _accepts(self, number: str) -> bool:
        exchange = self.exchange
        if exchange.lose_subscriptions:
            exchange.lose_subscriptions -= 1
            return False
        refused = exchange.refuse_subscriptions > 0
        exchange.refuse_subscriptions -= refused
        if number:
            self.say({"kind": "refused" if refused else "ack", "id": int(number), "reason": "not now"})
        return not refused

    def ping(self) -> None:
        self.pings.append(self.world.now_s)

    def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self._aborted.set()

    # What tests do to it

    def say(self, message: dict[str, Any]) -> None:
        self._queue.append(json.dumps(message).encode())

    def say_raw(self, frame: bytes) -> None:
        self._queue.append(frame)

    def end(self, error: FeedError | None = None) -> None:
        """Break the connection."""
        self._end = error or Disconnected("reset by peer")

    def _next_frame(self) -> bytes | None:
        if self._queue:
            return self._queue.pop(0)
        exchange = self.exchange
        for symbol, told in self._told.items():
            if told < exchange.update(symbol, self.lag_ns):
                number = self._told[symbol] = told + 1
                if (symbol, number) in exchange.lose or symbol in exchange.mute:
                    return self._next_frame()
                return json.dumps({"kind": "update", "symbol": symbol, "last": number}).encode()
        return None


class UnnumberedContinuity:
    """Updates carry no numbers; a lost book comes back with a new subscription."""

    recovery: Recovery = "resubscribe"

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        raise AssertionError("never asked: snapshots carry no numbers")

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        raise AssertionError("never asked: updates carry no numbers")


class FakeConnector(StreamingConnector):
    """The exchange as a venue's author would describe it."""

    name = "fake"
    capabilities = Capabilities(streaming=True, polling=True, depth=2, trades=True)
    continuity: ClassVar[Continuity] = RangeContinuity()
    limits = Limits(silence_s=5.0, rest_per_s=20.0, messages_per_s=4.0)

    def __init__(self, exchange: Exchange, patience: Patience | None = None, link_lags_ns: Sequence[int] = ()) -> None:
        super().__init__(runtime=exchange.world, patience=patience)
        self.exchange = exchange
        self._lags = list(link_lags_ns)
        self._requests = count(1)

    def make_link(self) -> FakeLink:
        return FakeLink(self.exchange, self._lags.pop(0) if self._lags else 0)

    def fetch(self, request: Request, timeout_s: float) -> bytes:
        exchange = self.exchange
        exchange.fetched.append((exchange.world.now_s, request.url))
        if exchange.world.wait(self._closed, exchange.rest_s):
            raise Disconnected("given up")
        refusal = exchange.answers.pop(0) if exchange.answers else exchange.rest_refuses
        if refusal is not None:
            raise refusal
        if request.url == "rest://fake/list":
            return b"AAA,BBB,CCC"
        return exchange.body(request.url.rpartition("/")[2])

    def stream_url(self, symbols: Sequence[str]) -> str:
        return "ws://fake/stream"

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        number = f" #{next(self._requests)}" if self.exchange.answers_subscriptions else ""
        return ["subscribe " + ",".join(symbols) + number]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return ["unsubscribe " + ",".join(symbols)]

    def awaits(self, frame: str) -> tuple[int, Sequence[str]] | None:
        names, _, number = frame.removeprefix("subscribe ").partition(" #")
        return (int(number), names.split(",")) if number else None

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            message = json.loads(frame)
        except ValueError as error:
            raise DecodeError(f"no JSON: {error}") from error
        kind, symbol = message["kind"], message.get("symbol", "")
        if kind == "book":
            return (self._book(symbol, message["last"], received_ns, "stream"),)
        if kind == "update":
            number = message["last"] if self.exchange.numbered else None
            bids = ((100.0, float(message["last"])),)
            return (
                BookDelta("fake", symbol, bids, (), number, number, received_ns, received_ns, "stream"),
                Trade("fake", symbol, 100.5, 1.0, BUY, message["last"], received_ns, received_ns, "stream"),
            )
        if kind == "invalid":
            return (Control("invalid_symbol", symbol, "no such symbol"),)
        return (Control(kind, symbol, message.get("reason", ""), message.get("id")),)

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        return Request(f"rest://fake/{symbol}")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        return self._book(symbol, json.loads(body)["last"], received_ns, source)

    def instruments_request(self) -> Request:
        return Request("rest://fake/list")

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        return [Instrument("fake", symbol, symbol, "USD") for symbol in body.decode().split(",")]

    def _book(self, symbol: str, number: int, received_ns: int, source: Source) -> BookSnapshot:
        bids, asks = ((100.0, float(number)), (99.0, 1.0)), ((101.0, 1.0),)
        sequence = number if self.exchange.numbered else None
        return BookSnapshot("fake", symbol, bids, asks, sequence, received_ns, received_ns, source)


class Listener:
    """Hears one symbol's line and checks, word by word, that it has no hole and says nothing twice."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: list[tuple[float, MarketEvent]] = []
        self.problems: list[str] = []
        self.deaf = False
        self._last: int | None = None
        self._whole = False
        self._trade = -1

    def __call__(self, event: MarketEvent) -> None:
        if self.deaf:
            self.problems.append(f"called after the end with {event}")
        self.heard.append((self.world.now_s, event))
        if isinstance(event, FeedStatus):
            if not event.state.has_data and event.state is not FeedState.STALE:
                self._whole = False
        elif isinstance(event, BookSnapshot):
            if self._last is not None and event.sequence is not None and event.sequence <= self._last:
                self.problems.append(f"book {event.sequence} after {self._last}")
            self._last, self._whole = event.sequence, True
        elif isinstance(event, BookDelta):
            self._check_update(event)
        elif isinstance(event, Trade):
            assert isinstance(event.trade_id, int)
            if event.trade_id <= self._trade:
                self.problems.append(f"trade {event.trade_id} after {self._trade}")
            self._trade = event.trade_id

    @property
    def statuses(self) -> list[FeedStatus]:
        return [event for _, event in self.heard if isinstance(event, FeedStatus)]

    @property
    def states(self) -> list[FeedState]:
        """The states in their order, repeated ones once."""
        states: list[FeedState] = []
        for status in self.statuses:
            if not states or states[-1] is not status.state:
                states.append(status.state)
        return states

    @property
    def state(self) -> FeedState | None:
        return self.statuses[-1].state if self.statuses else None

    @property
    def books(self) -> list[BookSnapshot]:
        return [event for _, event in self.heard if isinstance(event, BookSnapshot)]

    @property
    def updates(self) -> list[int | None]:
        """The numbers of all published books and updates, in order."""
        return [
            event.sequence if isinstance(event, BookSnapshot) else event.last_sequence
            for _, event in self.heard
            if isinstance(event, BookSnapshot | BookDelta)
        ]

    @property
    def trades(self) -> list[Any]:
        return [event.trade_id for _, event in self.heard if isinstance(event, Trade)]

    def when(self, state: FeedState, after_s: float = 0.0) -> float:
        """The second at which a state was first told after `after_s`."""
        return next(
            at for at, event in self.heard if at >= after_s and isinstance(event, FeedStatus) and event.state is state
        )

    def _check_update(self, delta: BookDelta) -> None:
        if not self._whole:
            self.problems.append(f"update {delta.last_sequence} without a book")
        if delta.last_sequence is None or delta.first_sequence is None:
            return
        if self._last is None or not self._last < delta.last_sequence or delta.first_sequence > self._last + 1:
            self.problems.append(f"update {delta.last_sequence} after {self._last}")
        self._last = delta.last_sequence
