"""The feeds that run because a rule names them, and their order flow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from engine.analysis.flow_line import FlowPicture
from engine.clock import Clock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Receiver
from engine.market.events import MarketEvent


class Feeds(Protocol):
    """What the desk asks of the hub."""

    @property
    def clock(self) -> Clock: ...

    def running(self) -> Mapping[FeedKey, int]: ...

    def feed(self, key: FeedKey) -> Feed | None: ...

    def notice(self, key: FeedKey) -> str: ...

    def check(self, key: FeedKey) -> object: ...

    def attach(self, key: FeedKey, receiver: Receiver) -> None: ...

    def detach(self, key: FeedKey, receiver: Receiver) -> None: ...


class Pictures(Protocol):
    """What the desk asks of the order flow."""

    def acquire(self, key: FeedKey) -> object: ...

    def release(self, key: FeedKey) -> None: ...

    def picture(self, key: FeedKey) -> FlowPicture | None: ...


class _Deaf:
    """Holds a feed without listening to it."""

    lost: Collection[FeedKey] = frozenset()

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        """Nothing: the desk looks at the feed by itself."""

    def reopen(self, key: FeedKey) -> None:
        """Nothing was lost."""

    def close(self) -> None:
        """Nothing waits."""


class KeptFeeds:
    """Holds feeds and their order flow as it is told to; one thread calls it."""

    def __init__(self, feeds: Feeds, flow: Pictures) -> None:
        self._feeds = feeds
        self._flow = flow
        self._deaf = _Deaf()
        self._kept: dict[FeedKey, bool] = {}

    def keep(self, wanted: Mapping[FeedKey, bool]) -> None:
        """Keep exactly these feeds running, with their order flow where that is said."""
        for key in wanted:
            if key not in self._kept:
                self._feeds.attach(key, self._deaf)
        for key in {*self._kept, *wanted}:
            had, wants = self._kept.get(key, False), wanted.get(key, False)
            if wants and not had:
                self._flow.acquire(key)
            elif had and not wants:
                self._flow.release(key)
        for key in self._kept:
            if key not in wanted:
                self._feeds.detach(key, self._deaf)
        self._kept = dict(wanted)
