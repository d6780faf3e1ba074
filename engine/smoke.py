"""A live check of one venue: watch one symbol through the engine for a while, say each second how it stands, and judge.

For people with a network. Nothing is faked and nothing is kept: the same connector, feed and hub as the dashboard's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from engine.clock import Clock
from engine.connector import Connector
from engine.errors import FeedError, InvalidSymbol
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox
from engine.feed.quality import QualityReport
from engine.hub import ENDED, STREAM, Hub
from engine.market.events import FeedState, FeedStatus
from engine.market.unified import UnifiedNames

EVERY_S = 1.0
FAULTS: tuple[tuple[str, str], ...] = (
    ("gaps", "gaps"),
    ("checksums_bad", "wrong checksums"),
    ("crossed", "crossed books"),
    ("quote_mismatches", "quotes that contradict the book"),
    ("decode_errors", "unreadable messages"),
    ("dropped", "updates dropped while a snapshot was awaited"),
    ("reconnects", "lost connections"),
    ("trade_gaps", "gaps in the trades' numbers"),
)
"""What a sound minute has none of: the counter, and its name for people."""

Wait = Callable[[float], object]


class Second(Struct, frozen=True):
    """How the feed stood at one moment; None where it is not known. Latency is as measured, skew of clocks included."""

    at_s: float
    state: FeedState
    updates: int
    rate_per_s: float | None
    age_s: float | None
    gaps: int
    p50_ms: float | None
    p99_ms: float | None
    source: str
    bid: float | None
    ask: float | None
    reason: str


class Outcome(Struct):
    """What the run showed. `verdict` is `sound`, `unsound` (it was live, but…) or `no data`; `remedy` may be empty."""

    connector: str
    symbol: str
    verdict: Literal["sound", "unsound", "no data"]
    says: str
    remedy: str
    state: FeedState
    live_after_s: float | None
    seconds: list[Second]
    quality: QualityReport | None


def spelled(connector: Connector, wanted: str) -> str:
    """How the venue spells `wanted`, which may be its own spelling or a unified one (`BTC/USD`, `btc-usd`).

    A venue that cannot be asked for its list is left to judge by itself.

    Raises:
        InvalidSymbol: it lists nothing of that name; the hint names near ones.
    """
    try:
        listed = connector.instruments()
    except FeedError:
        return wanted
    if not listed or any(one.symbol == wanted for one in listed):
        return wanted
    names = UnifiedNames({connector.name: listed})
    name = names.resolve(wanted)
    if name is not None:
        return names.at(name)[connector.name].symbol
    near = names.nearest_at(connector.name, wanted)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Look at {connector.name}'s own list of instruments."
    raise InvalidSymbol(f"{connector.name} does not list {wanted!r}", hint=hint)


class Smoke:
    """One run. `wait(seconds)` lets time pass and may return early; tests pass a wait of their own."""

    def __init__(self, hub: Hub, connector: Connector, symbol: str, wait: Wait) -> None:
        self.key: FeedKey = (connector.name, symbol, STREAM)
        self.seconds: list[Second] = []
        self._hub = hub
        self._connector = connector
        self._wait = wait
        self._clock: Clock = hub.clock
        self._mailbox = Mailbox()
        self._statuses: list[FeedStatus] = []
        self._begun_ns = self._live_ns = 0

    def run(self, length_s: float, say: Callable[[Second], object]) -> None:
        """Watch for `length_s`, or until the venue has refused for good; `say` hears every second."""
        self._begun_ns = self._clock.now_ns()
        subscription = self._hub.subscribe([self.key], self._mailbox)
        try:
            while True:
                left_s = length_s - self._elapsed_s()
                self._wait(max(0.0, min(EVERY_S, left_s)))
                second = self._look()
                self.seconds.append(second)
                say(second)
                if second.state in ENDED or self._elapsed_s() >= length_s:
                    return
        finally:
            subscription.close()

    def outcome(self) -> Outcome:
        """What to make of what was seen so far."""
        feed = self._hub.feed(self.key)
        quality = feed.quality.report(self._clock.now_ns()) if feed is not None else None
        state = self.seconds[-1].state if self.seconds else FeedState.CONNECTING
        live_after_s = (self._live_ns - self._begun_ns) / 1e9 if self._live_ns else None
        verdict, says, remedy = self._judge(feed, quality, state)
        name, symbol, _ = self.key
        return Outcome(name, symbol, verdict, says, remedy, state, live_after_s, self.seconds, quality)

    def _judge(
        self, feed: Feed | None, quality: QualityReport | None, state: FeedState
    ) -> tuple[Literal["sound", "unsound", "no data"], str, str]:
        status = feed.status if feed is not None else None
        words = [*self._statuses, *([status] if status is not None else [])]
        reason = next((one.reason for one in reversed(words) if one.reason), "nothing came")
        remedy = next((one.hint for one in reversed(words) if one.hint), "")
        if not self._live_ns or quality is None:
            polled = "it was polled instead of streamed" if state is FeedState.POLLING else "it never became live"
            return "no data", f"{polled}: {reason}", remedy
        good = self._good
        wrong = [f"{getattr(quality, name)} {what}" for name, what in FAULTS if getattr(quality, name)]
        if state is not good:
            wrong.insert(0, f"it ended {state.value}: {reason}")
        elif lapses := self._lapses():
            wrong.insert(0, f"left {good.value} {lapses} time{'s' if lapses > 1 else ''}, the last: {reason}")
        if wrong:
            return "unsound", ", ".join(wrong), remedy
        how = "live" if good is FeedState.LIVE else "polled (this venue has no stream)"
        return "sound", f"{how}, {quality.updates:,} updates, nothing wrong", ""

    @property
    def _good(self) -> FeedState:
        """The state of a sound feed: a venue without a stream can only be polled."""
        return FeedState.POLLING if self._hub.notice(self.key) else FeedState.LIVE

    def _lapses(self) -> int:
        """How often it left the good state after it had reached it."""
        good = [status.state is self._good for status in self._statuses]
        return sum([before and not after for before, after in pairwise(good)])

    def _elapsed_s(self) -> float:
        return (self._clock.now_ns() - self._begun_ns) / 1e9

    def _look(self) -> Second:
        for mail in self._mailbox.drain():
            self._statuses += mail.statuses
        good = self._good
        first = next((status for status in self._statuses if status.state is good), None)
        if first is not None and not self._live_ns:
            self._live_ns = max(first.received_ns, self._begun_ns + 1)
        now_ns = self._clock.now_ns()
        feed = self._hub.feed(self.key)
        at_s = (now_ns - self._begun_ns) / 1e9
        if feed is None:
            return Second(at_s, FeedState.CONNECTING, 0, None, None, 0, None, None, "", None, None, "")
        quality, status, view, quote = feed.quality, feed.status, feed.view, feed.quote
        transit = quality.transit.percentiles()
        touch = (
            (view.best_bid, view.best_ask) if view is not None else (quote.bid, quote.ask) if quote else (None, None)
        )
        return Second(
            at_s, feed.state, quality.updates, quality.rate_per_s(now_ns), quality.age_s(now_ns), quality.gaps,
            transit.p50_ms, transit.p99_ms, status.source if status is not None else "",
            *touch,
            status.reason if status is not None else self._hub.notice(self.key),
        )  # fmt: skip
