"""Books asked for again and again: the polling mode, and what carries on while a stream is away."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from threading import Event, Lock, get_ident
from typing import ClassVar

from msgspec.structs import replace

from connectors.base.backoff import Backoff, TokenBucket
from connectors.base.books import Books, did_you_mean, throttled_s
from connectors.base.runtime import SYSTEM_RUNTIME, Patience, Runtime
from connectors.base.transport.channel import Channel, SymbolStream
from connectors.base.venue import Limits
from engine.connector import Callback, Capabilities, Stream
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.sync import Continuity, WholeBooks
from engine.market.events import BookSnapshot, FeedState, Quote, Source, Trade
from engine.market.instrument import Instrument, nearest_symbols

log = logging.getLogger(__name__)

POLL_DEPTH = 100
JITTER = 0.1
TICK_S = 0.5
STALE_INTERVALS = 2.5
SHORTEST_INTERVAL_S = 0.05


class _Entry:
    """One channel that is polled, or will be from `due_ns` on."""

    def __init__(
        self, channel: Channel, interval_s: float, due_ns: int, reason: str, cost: float, *, final: bool, hint: str
    ) -> None:
        self.channel = channel
        self.cost = cost
        self.interval_s = max(SHORTEST_INTERVAL_S, interval_s)
        self.due_ns = due_ns
        self.reason = reason
        self.hint = hint
        self.final = final
        """Nobody but the poller speaks for this channel: a chosen mode, or a stream that was given up."""
        self.begun = False
        self.backoff: Backoff | None = None
        self.price: tuple[float, int | None] | None = None
        """The last price that was told, and when it was made."""


class Poller:
    """One thread that asks for one book after another, as fast as the venue's REST budget allows and no faster."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._runtime = books.runtime
        self._entries: dict[Channel, _Entry] = {}
        self._refused: set[Channel] = set()
        """Channels that the venue does not serve by REST: not asked for again until their stream was back."""
        self._lock = Lock()
        self._wake = Event()
        self._stopping = Event()
        self._running = False
        self._finished = Event()
        self._finished.set()
        self._thread = 0
        self._tick_ns = 0

    def add(
        self,
        channel: Channel,
        interval_s: float,
        due_ns: int,
        reason: str = "",
        *,
        final: bool = False,
        hint: str = "",
    ) -> None:
        """Poll a channel from `due_ns` on; one that is in already begins no later than it would have.

        `reason` says why it is polled, `hint` what a person can do about it.
        """
        cost = self._books.book_cost(channel.symbol, POLL_DEPTH)
        with self._lock:
            if self._stopping.is_set() or (channel in self._refused and not final):
                return
            entry = self._entries.get(channel)
            if entry is None:
                self._entries[channel] = _Entry(channel, interval_s, due_ns, reason, cost, final=final, hint=hint)
            else:
                entry.reason, entry.hint = reason, hint
                entry.final = entry.final or final
                if not entry.begun:
                    entry.due_ns = min(entry.due_ns, due_ns)
            start, self._running = not self._running, True
            if start:
                self._finished.clear()
        self._wake.set()
        if start:
            self._runtime.start(f"{self._books.name} polling", self._run)

    def unbind(self, channel: Channel) -> None:
        """Somebody beside the poller speaks for this channel again."""
        with self._lock:
            self._refused.discard(channel)
            entry = self._entries.get(channel)
            if entry is not None:
                entry.final = False

    def drop(self, channel: Channel) -> None:
        """Poll a channel no longer; a book that is being fetched for it is thrown away."""
        with self._lock:
            self._refused.discard(channel)
            if self._entries.pop(channel, None) is not None:
                channel.polled = False
                channel.feed.stale_after_s = self._books.limits.stale_after_s
        self._wake.set()

    def leave(self, channel: Channel) -> None:
        """A channel in the polling mode has no listener left."""
        self.drop(channel)

    def stop(self, within_s: float) -> None:
        """End the thread."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            self._entries.clear()
            thread = self._thread
        if thread:
            self._books.abort_calls(thread)
        if thread != get_ident() and not self._runtime.wait(self._finished, within_s):
            log.warning("%s: polling did not end in time; what it still brings is discarded", self._books.name)

    def _run(self) -> None:
        with self._lock:
            self._thread = get_ident()
        try:
            self._serve()
        finally:
            self._books.release_calls()
            self._finished.set()

    def _serve(self) -> None:
        while True:
            self._wake.clear()
            with self._lock:
                entry = min(self._entries.values(), key=_due, default=None)
                if entry is None or self._stopping.is_set():
                    self._running = False
                    self._thread = 0
                    return
            try:
                self._step(entry)
            except Exception as error:
                log.exception("%s: an error that nobody foresaw", self._books.name)
                self._failed(entry, Disconnected(f"internal error: {type(error).__name__}: {error}"))

    def _step(self, entry: _Entry) -> None:
        """Wait for the first entry to be due and for the budget, or poll it."""
        now_ns = self._runtime.clock.now_ns()
        if now_ns >= self._tick_ns:
            self._tick_ns = now_ns + round(TICK_S * 5e8)
            for channel in list(self._entries):
                channel.tick(now_ns)
        wait_s = max((entry.due_ns - now_ns) / 1e9, 0.0)
        if wait_s <= 0.0 and not self._books.rest_budget.try_take(now_ns, entry.cost):
            wait_s = self._books.rest_budget.wait_s(now_ns, entry.cost)
        if wait_s > 0.0:
            self._runtime.wait(self._wake, min(wait_s, TICK_S))
            return
        self._poll(entry, now_ns)

    def _poll(self, entry: _Entry, now_ns: int) -> None:
        channel = entry.channel
        if channel.dead:
            self.drop(channel)
            return
        entry.begun = True
        interval_s = max(entry.interval_s, self._crowded_s())
        entry.due_ns = now_ns + round(interval_s * (1.0 + JITTER * (2.0 * self._runtime.random() - 1.0)) * 1e9)
        if channel.repairing and channel.feed.sync.waiting:
            return  # the stream is about to have a deeper book than a poll gives
        try:
            snapshot = self._books.book(channel.symbol, POLL_DEPTH, "poll")
        except FeedError as error:
            self._failed(entry, error)
            return
        with channel.lock:
            if not self._holds(entry):
                return
            entry.backoff = None
            channel.feed.stale_after_s = max(self._books.limits.stale_after_s, STALE_INTERVALS * interval_s)
            self._deliver(entry, snapshot)

    def _deliver(self, entry: _Entry, snapshot: BookSnapshot | Quote | Trade) -> None:
        channel = entry.channel
        feed = channel.feed
        if feed.state is FeedState.LIVE or (feed.sync.live and not entry.final):
            return  # the stream was faster, or is only quiet: its book takes no other
        channel.polled, channel.poll_error = True, ""
        if feed.state is not FeedState.POLLING:
            channel.tell(FeedState.POLLING, entry.reason, hint=entry.hint, source="poll")
        if isinstance(snapshot, Trade):
            before, entry.price = entry.price, (snapshot.price, snapshot.exchange_ns)
            if entry.price == before:
                feed.quality.observe(snapshot.received_ns, None)  # still the same price: no second print
                return
        channel.push(snapshot if snapshot.source == "poll" else replace(snapshot, source="poll"))

    def _failed(self, entry: _Entry, error: FeedError) -> None:
        """Say what went wrong, and when (or that never) it is tried again."""
        now_ns = self._runtime.clock.now_ns()
        channel = entry.channel
        if isinstance(error, InvalidSymbol):
            near = did_you_mean(self._books.near(channel.symbol))
            self._give_up(entry, FeedState.INVALID, error, near)
            return
        if isinstance(error, Blocked):
            self._give_up(entry, FeedState.BLOCKED, error, error.hint)
            return
        limits = self._books.limits
        if entry.backoff is None:
            entry.backoff = Backoff(limits.backoff_base_s, limits.backoff_cap_s, self._runtime.random)
        channel.poll_error = str(error)
        delay_s = max(entry.interval_s, entry.backoff.next_delay_s())
        if isinstance(error, RateLimited):
            wait_s = throttled_s(error, self._books.rest_budget, now_ns)
            self._all_wait(entry, error, now_ns + round(wait_s * 1e9))
            delay_s += wait_s
        entry.due_ns = now_ns + round(delay_s * 1e9)
        self._tell(entry, error, entry.backoff.attempts, entry.due_ns)

    def _all_wait(self, told: _Entry, error: RateLimited, until_ns: int) -> None:
        """The venue told one symbol to wait, and none will be polled meanwhile: each says why."""
        with self._lock:
            others = [entry for entry in self._entries.values() if entry is not told]
        for entry in others:
            entry.channel.poll_error = str(error)
            self._tell(entry, error, 0, max(entry.due_ns, until_ns))

    def _tell(self, entry: _Entry, error: FeedError, attempts: int, next_try_ns: int) -> None:
        channel = entry.channel
        with channel.lock:
            # A book that is on show grows old by itself; only who has nothing to show is told of every failure.
            alone = entry.final or channel.polled
            if self._holds(entry) and alone and not channel.feed.state.has_data:
                state = FeedState.STALE if channel.feed.state is FeedState.STALE else FeedState.RECONNECTING
                channel.tell(
                    state, str(error), hint=error.hint, attempt=attempts, next_try_ns=next_try_ns, source="poll"
                )

    def _give_up(self, entry: _Entry, state: FeedState, error: FeedError, hint: str) -> None:
        channel = entry.channel
        with channel.lock:
            held, polled = self._holds(entry), channel.polled
            self.drop(channel)
            if not held:
                return
            if entry.final or state is FeedState.INVALID:
                channel.dead = True
                channel.tell(state, str(error), hint=hint)
                return
            channel.poll_error = str(error)
            with self._lock:
                self._refused.add(channel)
            if polled:
                channel.tell(FeedState.RECONNECTING, f"polling is refused too: {error}", hint=hint)

    def _holds(self, entry: _Entry) -> bool:
        """Whether an entry is still wanted after the call that it made."""
        with self._lock:
            return self._entries.get(entry.channel) is entry and not entry.channel.closed

    def _crowded_s(self) -> float:
        """The least interval at which all polled symbols fit into the REST budget."""
        with self._lock:
            cost = sum([entry.cost for entry in self._entries.values() if entry.begun])
        return cost / self._books.rest_budget.rate


def _due(entry: _Entry) -> int:
    return entry.due_ns


class PollingConnector(ABC):
    """A venue without a stream: write `name`, `capabilities`, `fetch_snapshot` and `instruments`, inherit the rest."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        runtime: Runtime = SYSTEM_RUNTIME,
        patience: Patience | None = None,
    ) -> None:
        self.runtime = runtime
        self.patience = patience or Patience()
        self.rest_budget = TokenBucket(self.limits.rest_per_s, self.limits.rest_burst)
        self._settings: dict[str, str] = dict(settings or {})
        self._poller = Poller(self)
        self._desk = PollDesk(self._poller, self.name, runtime, WholeBooks())

    @abstractmethod
    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        """One REST call for the book. Raises FeedError."""

    @abstractmethod
    def instruments(self) -> Sequence[Instrument]:
        """What the venue lists. Raises FeedError."""

    def setting(self, key: str, default: str) -> str:
        """The value of `<NAME>_<KEY>`, else `default`."""
        return self._settings.get(f"{self.name.upper()}_{key}", "") or default

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        raise StreamUnsupported(f"{self.name} connector does not support WebSocket streaming")

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        return self._desk.open(symbol, callback, interval_s)

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        return newest_snapshot(self._desk.feeds(), symbol)

    def close(self) -> None:
        self._desk.close()
        self._poller.stop(self.patience.stop_s)

    def book_cost(self, symbol: str, depth: int) -> float:
        return 1.0

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot:
        return self.fetch_snapshot(symbol, depth)

    def near(self, symbol: str) -> list[str]:
        try:
            return nearest_symbols(symbol, [instrument.symbol for instrument in self.instruments()])
        except FeedError:
            return []

    def release_calls(self) -> None:
        """An author's own calls keep what they keep."""
        log.debug("%s: polling ends", self.name)

    def abort_calls(self, thread: int) -> None:
        """An author's own call cannot be woken: it ends with its timeout, and its result is discarded."""
        log.debug("%s: a call is left to its timeout", self.name)


class PollDesk:
    """The streams of the polling mode: one channel per symbol and interval."""

    def __init__(self, poller: Poller, venue: str, runtime: Runtime, rule: Continuity) -> None:
        self._poller = poller
        self._rule = rule
        self._venue = venue
        self._runtime = runtime
        self._channels: list[Channel] = []
        self._lock = Lock()

    def open(self, symbol: str, callback: Callback, interval_s: float) -> SymbolStream:
        channel = Channel(Feed(self._venue, symbol, self._rule, clock=self._runtime.clock), callback)
        with self._lock:
            self._channels = [one for one in self._channels if not one.closed]
            self._channels.append(channel)
        self._poller.add(channel, interval_s, self._runtime.clock.now_ns(), final=True)
        return SymbolStream(channel, callback, self._poller)

    def feeds(self) -> list[Feed]:
        return [channel.feed for channel in list(self._channels) if not channel.closed]

    def close(self) -> None:
        with self._lock:
            channels, self._channels = self._channels, []
        for channel in channels:
            channel.shut()
            self._poller.drop(channel)


def newest_snapshot(feeds: list[Feed], symbol: str | None) -> BookSnapshot | None:
    """The book of `symbol`, or of whichever feed spoke last; None while there is none to believe."""
    chosen = [feed for feed in feeds if feed.view is not None and (symbol is None or feed.symbol == symbol)]
    if not chosen:
        return None
    return max(chosen, key=_spoke).snapshot()


def _spoke(feed: Feed) -> int:
    return feed.quality.last_ns or 0
