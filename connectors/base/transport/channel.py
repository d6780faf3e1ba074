"""One symbol on its way to its listeners, whoever carries it: stream, snapshot worker or poller."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from threading import RLock
from typing import Protocol

from connectors.base.backoff import Cooldown
from engine.connector import Callback
from engine.feed.feed import Feed
from engine.market.events import FeedState, MarketEvent, Source, Trade

log = logging.getLogger(__name__)

LOCK_PATIENCE_S = 1.0


class Channel:
    """A feed and who listens to it.

    Whoever pushes holds `lock`, so listeners hear one line although several threads carry it. `closed` is final: after
    `detach` has returned no listener is called any more.
    """

    __slots__ = (
        "_callbacks", "_newcomers", "_observers", "closed", "cooldown", "dead", "feed", "lock", "poll_error",
        "polled", "rate", "repairing", "repairs", "stalls", "symbol", "synced", "told", "told_until_ns",
    )  # fmt: skip

    def __init__(self, feed: Feed, *callbacks: Callback) -> None:
        self.symbol = feed.symbol
        self.feed = feed
        self.lock = RLock()
        self.closed = False
        self.dead = False
        """The venue refuses this symbol: it is not subscribed again."""
        self.poll_error = ""
        """Why the last poll of a fallback failed, while nothing was polled; empty after one that worked."""
        self.polled = False
        """The poller is what delivers now."""
        self.repairing = False
        """A snapshot is on its way (or due)."""
        self.repairs = 0
        """How many were begun; tells a late repair that it is no longer the one."""
        self.synced = False
        """The book was whole at least once on the present connection."""
        self.stalls = 0
        """How often it was asked for again since it fell silent."""
        self.rate = 0.0
        """Updates per second when the symbol last spoke."""
        self.told: frozenset[Hashable] = frozenset()
        """Trades that were published before a handover, and that its new connection may still be about to bring."""
        self.told_until_ns = 0
        self.cooldown = Cooldown()
        self._callbacks: tuple[Callback, ...] = callbacks
        self._newcomers: list[Callback] = []
        self._observers = 0

    @property
    def unheard(self) -> bool:
        """Whether nobody listens."""
        return len(self._callbacks) == self._observers and not self._newcomers

    def begin(self) -> None:
        """A new link is asked for this symbol: what was wrong with the one before is not held against it."""
        self.repairing = self.synced = False
        self.stalls = 0
        self.cooldown = Cooldown()

    def begin_repair(self) -> None:
        """A snapshot is about to be asked for."""
        self.repairing = True
        self.repairs += 1

    def push(self, event: MarketEvent) -> None:
        """Hand an event to the feed and what comes of it to the listeners."""
        with self.lock:
            if self.closed or (self.told and type(event) is Trade and trade_key(event) in self.told):
                return
            for published in self.feed.push(event):
                for callback in self._callbacks:
                    callback(published)

    def publish(self, events: tuple[MarketEvent, ...]) -> None:
        """Pass on what the feed answered; the caller holds the lock since it asked."""
        for event in events:
            for callback in self._callbacks:
                callback(event)

    def tell(
        self,
        state: FeedState,
        reason: str = "",
        *,
        hint: str = "",
        attempt: int = 0,
        next_try_ns: int | None = None,
        source: Source = "stream",
    ) -> None:
        """Say how the connection stands."""
        with self.lock:
            if self.closed:
                return
            before = self.feed.state
            self.publish(
                self.feed.set_state(state, reason, hint=hint, attempt=attempt, next_try_ns=next_try_ns, source=source)
            )
            if state is not before:
                log.info("%s %s: %s%s", self.feed.venue, self.symbol, state, f" ({reason})" if reason else "")

    def tick(self, now_ns: int) -> None:
        """Let the feed notice silence, and newcomers hear what stands."""
        with self.lock:
            if self.closed:
                return
            self.publish(self.feed.tick(now_ns))
            if self.told and now_ns >= self.told_until_ns:
                self.told = frozenset()
            while self._newcomers:
                self._welcome(self._newcomers.pop(0))

    def attach(self, callback: Callback) -> bool:
        """Add a listener, which is told the status and the book that stand at the next tick; False once closed."""
        with self.lock:
            if self.closed:
                return False
            if self.feed.status is None:
                self._callbacks += (callback,)
            else:
                self._newcomers.append(callback)
            return True

    def detach(self, callback: Callback) -> None:
        """Remove a listener; once this returns it is not called again."""
        # A listener that blocks must not keep its own stop from returning: then it is cut off without the lock.
        locked = self.lock.acquire(timeout=LOCK_PATIENCE_S)
        try:
            self._callbacks = tuple(one for one in self._callbacks if one != callback)
            self._newcomers = [one for one in self._newcomers if one != callback]
            if self.unheard:
                self.closed = True
                self.feed.set_state(FeedState.STOPPED, "stopped")
        finally:
            if locked:
                self.lock.release()
            else:
                log.warning("%s %s: a listener was still busy when it was removed", self.feed.venue, self.symbol)

    def shut(self) -> None:
        """Cut every listener off: the connector closes."""
        for callback in (*self._callbacks, *self._newcomers):
            self.detach(callback)

    def observe(self, callback: Callback) -> None:
        """Let the transport itself listen; that keeps no channel open."""
        with self.lock:
            self._callbacks += (callback,)
            self._observers += 1

    def unobserve(self, callback: Callback) -> None:
        with self.lock:
            kept = tuple(one for one in self._callbacks if one != callback)
            self._observers -= len(self._callbacks) - len(kept)
            self._callbacks = kept

    def _welcome(self, callback: Callback) -> None:
        status, snapshot = self.feed.status, self.feed.snapshot()
        if status is not None:
            callback(status)
        if snapshot is not None:
            callback(snapshot)
        self._callbacks += (callback,)


def trade_key(trade: Trade) -> Hashable:
    """What tells a trade from others: its number, where it has one."""
    if trade.trade_id is not None:
        return trade.trade_id
    return (trade.exchange_ns, trade.price, trade.size, trade.aggressor)


class Home(Protocol):
    """Where a channel lives: a connection or the poller."""

    def leave(self, channel: Channel) -> None:
        """The channel has no listener left."""


class SymbolStream:
    """What `start_stream` and `start_polling` return: one listener on one channel."""

    def __init__(self, channel: Channel, callback: Callback, home: Home) -> None:
        self.symbol = channel.symbol
        self.feed = channel.feed
        self._channel = channel
        self._callback = callback
        self._home = home

    def stop(self) -> None:
        """End the delivery within 2 s; no callback follows. Safe to repeat, and from within the callback."""
        channel = self._channel
        channel.detach(self._callback)
        if channel.closed:
            self._home.leave(channel)
