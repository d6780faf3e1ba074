"""Where the frame clock gets its news: what is new per feed since the last look."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from msgspec import Struct

from app.flow_keys import is_flow, market_key
from engine.analysis.flow_desk import FlowDesk
from engine.analysis.flow_line import FlowPicture
from engine.clock import SYSTEM_CLOCK, Clock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox, Point
from engine.hub import Hub, Subscription
from engine.market.events import FeedStatus, MarketEvent, Trade
from engine.market.signal import Signal

SIGNALS_WAITING = 500


class News(Struct):
    """What one feed had to say since the last drain, oldest first.

    `events` counts everything; `oldest_ns` and `newest_ns` are the `received_ns` of the first and the last of it.
    """

    key: FeedKey
    points: list[Point]
    trades: list[Trade]
    statuses: list[FeedStatus]
    signals: list[Signal]
    events: int
    oldest_ns: int | None
    newest_ns: int | None


class LiveSource(Protocol):
    """What the frame clock needs of the line. All but `watch` are called on the event loop and must not block."""

    @property
    def clock(self) -> Clock:
        """What the feeds are stamped with."""

    def watch(self, keys: Sequence[FeedKey]) -> None:
        """Read exactly these feeds from now on; called off the event loop."""

    def drain(self) -> list[News]:
        """What came since the last call, for each feed that had anything."""

    def feed(self, key: FeedKey) -> Feed | None:
        """The running feed; None while there is none."""

    def notice(self, key: FeedKey) -> str:
        """Why a feed is not what was asked for; empty when it is."""

    def tick(self, key: FeedKey) -> float | None:
        """The price step, None where unknown."""

    def picture(self, key: FeedKey) -> FlowPicture | None:
        """The newest picture of a market's order flow, by the key of either; None where there is none."""

    def close(self) -> None:
        """Let go of every feed."""


class _StampedMailbox(Mailbox):
    """A mailbox that also remembers when the oldest unread event was received."""

    def __init__(self) -> None:
        super().__init__()
        self.oldest: dict[FeedKey, int] = {}

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        super().put(key, event, feed)
        if type(event) is not FeedStatus:
            self.oldest.setdefault(key, event.received_ns)


def _unknown_tick(key: FeedKey) -> float | None:
    return None


class HubSource:
    """A LiveSource that reads the hub like any other reader: one subscription, one bounded mailbox."""

    def __init__(
        self,
        hub: Hub,
        *,
        tick_of: Callable[[FeedKey], float | None] = _unknown_tick,
        clock: Clock = SYSTEM_CLOCK,
        flow: FlowDesk | None = None,
    ) -> None:
        self.clock = clock
        self.hub = hub
        self._tick_of = tick_of
        self._flow = flow
        self._analysed: frozenset[FeedKey] = frozenset()
        self._mailbox = _StampedMailbox()
        self._subscription = Subscription(hub, self._mailbox)
        self._signals: deque[tuple[FeedKey | None, Signal]] = deque(maxlen=SIGNALS_WAITING)
        self._lock = Lock()
        self.dropped_signals = 0
        self.on_close: Callable[[], None] | None = None
        """What else ends with this source, such as hearing the strategies."""

    @property
    def dropped(self) -> int:
        """Points, trades, statuses and signals that were pushed out before they were drained."""
        return self._mailbox.dropped + self.dropped_signals

    def add_signal(self, signal: Signal, key: FeedKey | None = None) -> None:
        """Show a strategy's opinion on the feed that it read (None: on all of its symbol); from any thread."""
        with self._lock:
            self.dropped_signals += len(self._signals) == SIGNALS_WAITING
            self._signals.append((key, signal))

    def watch(self, keys: Sequence[FeedKey]) -> None:
        self._subscription.watch([market_key(key) for key in keys])
        self._analyse(frozenset([market_key(key) for key in keys if is_flow(key)]))

    def drain(self) -> list[News]:
        oldest, self._mailbox.oldest = self._mailbox.oldest, {}
        news = {
            mail.key: News(
                mail.key, mail.points, mail.trades, mail.statuses, [], mail.events,
                oldest.get(mail.key, mail.newest_ns), mail.newest_ns,
            )
            for mail in self._mailbox.drain()
        }  # fmt: skip
        for read, signal in self._take_signals():
            for key in self._subscription.keys:
                if key == read if read is not None else key[:2] == (signal.venue, signal.symbol):
                    news.setdefault(key, News(key, [], [], [], [], 0, None, None)).signals.append(signal)
        return list(news.values())

    def feed(self, key: FeedKey) -> Feed | None:
        return self.hub.feed(market_key(key))

    def notice(self, key: FeedKey) -> str:
        return self.hub.notice(market_key(key))

    def picture(self, key: FeedKey) -> FlowPicture | None:
        return self._flow.picture(market_key(key)) if self._flow is not None else None

    def tick(self, key: FeedKey) -> float | None:
        return self._tick_of(key)

    def close(self) -> None:
        if self.on_close is not None:
            self.on_close()
        self._analyse(frozenset())
        self._subscription.close()

    def _analyse(self, keys: frozenset[FeedKey]) -> None:
        """Have the order flow of exactly these feeds worked out."""
        before, self._analysed = self._analysed, keys
        if self._flow is None:
            return
        for key in keys - before:
            self._flow.acquire(key)
        for key in before - keys:
            self._flow.release(key)

    def _take_signals(self) -> list[tuple[FeedKey | None, Signal]]:
        with self._lock:
            waiting = list(self._signals)
            self._signals.clear()
        return waiting
