"""An exchange in this process: the simulated market behind frames that can go wrong (rest.py: its answers).

No thread of its own: the market catches up with the clock whenever a client waits for frames or REST is asked.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

import msgspec
from msgspec.structs import replace

from connectors.base.refusal import refusal
from connectors.base.simulation.faults import Fault, FaultBoard
from connectors.base.simulation.market import Fact, Market, MarketStats
from connectors.base.simulation.spoiler import Spoiler
from connectors.base.simulation.wire import WireCommand, WireNotice, decode_command, encode
from connectors.base.transport.link import PlannedClose
from engine.clock import Clock
from engine.errors import Disconnected, FeedError, RateLimited, StreamUnsupported
from engine.market.candle import Candle
from engine.market.events import BookSnapshot, Levels

QUEUE_LIMIT = 100_000
"""Frames that wait for a client; one that falls further behind is thrown out, as real venues do."""

CATCH_UP_MESSAGES = 20_000
"""At most so many messages of one symbol are made up at once; a longer absence is jumped over."""

TICK_NS = 5_000_000
"""Frames are made in batches of at least this much time: fewer wake-ups, and what a network does too."""

FLOOD_RATE = 500_000.0
HEARTBEAT_NS = 1_000_000_000
SHUTDOWN_AFTER_NS = 5_000_000_000
HEARTBEAT = encode(WireNotice("heartbeat"))


class Inbox:
    """What the exchange has sent to one client: (due time, frame), the last may be the error that ends it."""

    def __init__(self, now_ns: int) -> None:
        self.symbols: set[str] = set()
        self.items: deque[tuple[int, bytes | FeedError]] = deque()
        self.heartbeat_ns = now_ns + HEARTBEAT_NS
        self.closes_ns: int | None = None


class SimulatedExchange:
    """Serves any number of clients from one market; safe to use from any thread."""

    def __init__(
        self, market: Market, faults: FaultBoard, clock: Clock, rate: float, *, latency_s: float = 0.0
    ) -> None:
        """`latency_s` is how long everything takes to arrive, without any fault."""
        self.latency_s = latency_s
        self.market = market
        self.faults = faults
        self.clock = clock
        self.sent = 0
        """Frames sent to clients so far."""
        self._rate = rate
        self._spoiler = Spoiler(market, faults)
        self._inboxes: tuple[Inbox, ...] = ()
        self._flood = 0
        self._caught_up_ns = 0
        self._lock = Lock()
        market.set_rate(rate)

    @property
    def rate(self) -> float:
        """Messages per second and symbol."""
        return self._rate

    def set_rate(self, rate: float) -> None:
        """Change the rate from now on.

        Raises:
            ConfigError: out of range.
        """
        with self._lock:
            self.market.set_rate(rate)
            self._rate = rate

    def join(self) -> Inbox:
        """A client shakes hands.

        Raises:
            StreamUnsupported, Blocked, RateLimited, Disconnected: refused, as the faults want it.
        """
        if self.faults.take(Fault.REFUSE_STREAM):
            raise StreamUnsupported("the simulated exchange has no stream (a fault is on)", hint="Clear the fault.")
        refused = self.faults.take(Fault.HANDSHAKE_REFUSED)
        if refused:
            raise refusal(int(refused.value), b"", {"retry-after": "2"}, "the stream of the simulated exchange")
        with self._lock:
            inbox = Inbox(self.clock.now_ns())
            self._inboxes += (inbox,)
            return inbox

    def leave(self, inbox: Inbox) -> None:
        """A client is gone; safe to repeat."""
        with self._lock:
            self._inboxes = tuple([one for one in self._inboxes if one is not inbox])

    def hear(self, inbox: Inbox, text: str) -> None:
        """A client sent a command."""
        try:
            command = decode_command(text)
        except msgspec.DecodeError as error:
            self._notify(inbox, WireNotice("refused", reason=f"not a command: {error}"))
            return
        if command.op == "unsubscribe":
            with self._lock:
                inbox.symbols = inbox.symbols.difference(command.symbols)
            self._notify(inbox, WireNotice("ack", id=command.id))
        elif self.faults.take(Fault.ACK_REFUSED):
            self._notify(inbox, WireNotice("refused", reason="subscriptions are refused", id=command.id))
        elif not self.faults.take(Fault.ACK_MISSING):
            self._subscribe(inbox, command)

    def pong(self, inbox: Inbox) -> None:
        """A client asked for a sign of life."""
        if not self.faults.peek(Fault.STALL):
            self._put(inbox, b"")

    def catch_up(self) -> None:
        """Let the market reach the present and send what happened to whom it concerns."""
        with self._lock:
            now_ns = self.clock.now_ns()
            if now_ns - self._caught_up_ns < TICK_NS:
                return
            self._caught_up_ns = now_ns
            if not self.faults.quiet:
                self._break_connections(now_ns)
            for symbol in self._watched():
                self._bring(symbol, now_ns)
            self._keep_alive(now_ns)

    def next_due_ns(self) -> int:
        """When `catch_up` will next have something to send."""
        with self._lock:
            due = [self.market.next_ns(symbol) for symbol in self._watched()]
            return min([*due, *[inbox.heartbeat_ns for inbox in self._inboxes]], default=1 << 62)

    def book(self, symbol: str, depth: int) -> BookSnapshot:
        """The book as it is now, or as a fault wants it; `exchange_ns` by the exchange's clock.

        Raises:
            InvalidSymbol: not listed.
        """
        with self._lock:
            self._bring(symbol, self.clock.now_ns())
            stale = self.faults.take(Fault.STALE_SNAPSHOT, symbol)
            book = self.market.oldest(symbol) if stale else self.market.truth(symbol, depth)
        stamp = (book.exchange_ns or 0) + self._spoiler.skew_ns()
        return replace(book, bids=book.bids[:depth], asks=book.asks[:depth], exchange_ns=stamp)

    def candles(self, symbol: str, timeframe: str, count: int) -> list[Candle]:
        """As `Market.candles`, as of now.

        Raises:
            InvalidSymbol: not listed.
        """
        with self._lock:
            self._bring(symbol, self.clock.now_ns())
            return self.market.candles(symbol, timeframe, count)

    def time_ns(self) -> int:
        """The exchange's clock."""
        return self.clock.now_ns() + self._spoiler.skew_ns()

    def truth_at(self, symbol: str, sequence: int, depth: int | None = 20) -> tuple[Levels, Levels] | None:
        """As `Market.truth_at`, while the exchange runs."""
        with self._lock:
            return self.market.truth_at(symbol, sequence, depth)

    def stats(self, symbol: str) -> MarketStats:
        """As `Market.stats`, while the exchange runs."""
        with self._lock:
            return self.market.stats(symbol)

    def _notify(self, inbox: Inbox, notice: WireNotice) -> None:
        self._put(inbox, encode(notice))

    def _put(self, inbox: Inbox, frame: bytes) -> None:
        inbox.items.append((self._due_ns(self.clock.now_ns()), frame))

    def _due_ns(self, now_ns: int) -> int:
        late = self.faults.peek(Fault.LATENCY)
        if late or self.latency_s:
            return now_ns + round(self.latency_s * 1e9) + (round(late.value * 1e6) if late else 0)
        return 0

    def _subscribe(self, inbox: Inbox, command: WireCommand) -> None:
        known = [symbol for symbol in command.symbols if symbol in self.market.symbols]
        with self._lock:
            now_ns = self.clock.now_ns()
            for symbol in known:
                self._bring(symbol, now_ns)
            inbox.symbols = inbox.symbols.union(known)
        for symbol in command.symbols:
            if symbol not in known:
                self._notify(inbox, WireNotice("invalid_symbol", symbol, f"{symbol} is not listed", command.id))
        self._notify(inbox, WireNotice("ack", id=command.id))

    # What follows runs under the lock.

    def _watched(self) -> set[str]:
        inboxes = self._inboxes
        return inboxes[0].symbols if len(inboxes) == 1 else set().union(*[inbox.symbols for inbox in inboxes])

    def _bring(self, symbol: str, now_ns: int) -> None:
        market = self.market
        flood = self.faults.take(Fault.FLOOD, symbol) if symbol in self._watched() else None
        if flood:
            self._flood += int(flood.value)
        if self._flood:
            market.set_rate(FLOOD_RATE, symbol)
        reach_ns = int(CATCH_UP_MESSAGES / (FLOOD_RATE if self._flood else self._rate) * 1e9)
        if now_ns - market.now_ns(symbol) > reach_ns:
            market.jump(symbol, now_ns - reach_ns)
        facts = market.advance_to(symbol, now_ns)
        if self._flood:
            self._flood = max(0, self._flood - len(facts))
            market.set_rate(self._rate, symbol)
        self._deliver(symbol, facts, now_ns)

    def _deliver(self, symbol: str, facts: list[Fact], now_ns: int) -> None:
        inboxes = [inbox for inbox in self._inboxes if symbol in inbox.symbols]
        if not inboxes or not facts:
            return
        quiet = self.faults.quiet
        frames: list[bytes] = []
        for fact in facts:
            if not quiet:
                self.faults.reached(self.sent + len(frames))
                if self.faults.take(Fault.STALL):
                    continue
            frames += self._spoiler.frames(fact)
        self.sent += len(frames)
        due_ns = self._due_ns(now_ns)
        for inbox in inboxes:
            inbox.items.extend([(due_ns, frame) for frame in frames])
            if len(inbox.items) > QUEUE_LIMIT:
                inbox.items.clear()
                self._end(inbox, RateLimited("the exchange closed the connection: 1008 client too slow"))

    def _break_connections(self, now_ns: int) -> None:
        if not self._inboxes:
            return
        faults = self.faults
        if faults.take(Fault.SHUTDOWN_NOTICE):
            for inbox in self._inboxes:
                inbox.items.append((0, encode(WireNotice("shutdown", reason="the exchange will restart"))))
                inbox.closes_ns = now_ns + SHUTDOWN_AFTER_NS
        error: FeedError | None = None
        if faults.take(Fault.DROP):
            error = Disconnected("connection lost: reset by the exchange")
        elif faults.take(Fault.CLOSE_1012):
            error = PlannedClose("the venue closed the connection: 1012 service restart")
        elif faults.take(Fault.CLOSE_1008):
            error = RateLimited("the venue closed the connection: 1008 too many messages")
        if error is not None:
            for inbox in self._inboxes:
                self._end(inbox, error)

    def _keep_alive(self, now_ns: int) -> None:
        stalled = self.faults.peek(Fault.STALL)
        for inbox in self._inboxes:
            if inbox.closes_ns is not None and now_ns >= inbox.closes_ns:
                self._end(inbox, PlannedClose("the venue closed the connection: 1001 going away"))
            elif now_ns >= inbox.heartbeat_ns:
                inbox.heartbeat_ns = now_ns + HEARTBEAT_NS
                if not stalled:
                    inbox.items.append((self._due_ns(now_ns), HEARTBEAT))

    def _end(self, inbox: Inbox, error: FeedError) -> None:
        inbox.items.append((0, error))
        self._inboxes = tuple([one for one in self._inboxes if one is not inbox])
        self._spoiler.forget()
