"""A feed and a source that tests drive by hand."""

from __future__ import annotations

from collections.abc import Sequence

from app.live.source import News
from engine.analysis.flow_line import FlowPicture
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox, Point
from engine.feed.sync import WholeBooks
from engine.market.events import BookSnapshot, FeedState, Level, MarketEvent, Trade
from engine.market.signal import Signal


class HandFeed:
    """A real feed of whole books; what it publishes waits in `mailbox`."""

    def __init__(self, clock: ManualClock, key: FeedKey, mailbox: Mailbox | None = None) -> None:
        self.clock = clock
        self.key = key
        self.feed = Feed(key[0], key[1], WholeBooks(), clock=clock)
        self.mailbox = mailbox if mailbox is not None else Mailbox()
        self.trades = 0

    def push(self, event: MarketEvent) -> None:
        for published in self.feed.push(event):
            self.mailbox.put(self.key, published, self.feed)

    def book(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        now = self.clock.now_ns()
        self.push(BookSnapshot(self.key[0], self.key[1], tuple(bids), tuple(asks), None, now - 5_000_000, now, "mock"))

    def trade(self, price: float, size: float, aggressor: int = 1) -> None:
        self.trades += 1
        now = self.clock.now_ns()
        self.push(Trade(self.key[0], self.key[1], price, size, aggressor, self.trades, now, now, "mock"))

    def state(self, state: FeedState, reason: str = "") -> None:
        for published in self.feed.set_state(state, reason, source="mock"):
            self.mailbox.put(self.key, published, self.feed)

    def news(self) -> News:
        """What came since the last call."""
        for mail in self.mailbox.drain():
            return News(
                mail.key, mail.points, mail.trades, mail.statuses, [], mail.events, mail.newest_ns, mail.newest_ns
            )
        return News(self.key, [], [], [], [], 0, None, None)


class HandSource:
    """A LiveSource whose feeds are driven by the test."""

    def __init__(self, *keys: FeedKey) -> None:
        self.clock = ManualClock()
        self.mailbox = Mailbox()
        self.feeds = {key: HandFeed(self.clock, key, self.mailbox) for key in keys}
        self.watched: list[tuple[FeedKey, ...]] = []
        self.signals: list[tuple[FeedKey, Signal]] = []
        self.notices: dict[FeedKey, str] = {}
        self.closed = False

    def watch(self, keys: Sequence[FeedKey]) -> None:
        self.watched.append(tuple(keys))

    def drain(self) -> list[News]:
        news = [
            News(m.key, m.points, m.trades, m.statuses, [], m.events, m.newest_ns, m.newest_ns)
            for m in self.mailbox.drain()
        ]
        for key, signal in self.signals:
            news.append(News(key, [], [], [], [signal], 0, None, None))
        self.signals = []
        return news

    def feed(self, key: FeedKey) -> Feed | None:
        hand = self.feeds.get(key)
        return hand.feed if hand is not None else None

    def notice(self, key: FeedKey) -> str:
        return self.notices.get(key, "")

    def tick(self, key: FeedKey) -> float | None:
        return 0.01

    def picture(self, key: FeedKey) -> FlowPicture | None:
        return None

    def close(self) -> None:
        self.closed = True


def point(at_ns: int, bid: float = 100.0) -> Point:
    return Point(at_ns, bid, bid + 1.0, "mock")
