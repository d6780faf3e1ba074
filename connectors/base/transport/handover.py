"""Make before break: a second connection syncs beside the first and takes over without a hole or a repeated event.

The successor feeds shadows: channels of its own whose published events are kept for a moment. At the handover the first
connection has fallen silent, and what the shadows saw beyond its last word is passed on to the real channels.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Mapping

from msgspec.structs import replace

from connectors.base.transport.channel import Channel, trade_key
from connectors.base.transport.session import Session
from connectors.base.venue import Venue
from engine.feed.feed import Feed
from engine.feed.sync import Continuity, Verdict
from engine.market.events import BookDelta, BookSnapshot, FeedState, MarketEvent, Quote, Trade

KEPT_EVENTS = 5_000
ON_SHOW = (FeedState.LIVE, FeedState.STALE)
"""The states in which there is a book to go on with."""
LAG_S = 30.0
"""A successor that lags behind by more than this repeats trades that carry no number."""


class Shadow:
    """One symbol on the successor, and what the first connection published meanwhile."""

    def __init__(self, real: Channel, rule: Continuity, *, crossed_allowed: bool) -> None:
        self.real = real
        self.rule = rule
        self._seen: deque[MarketEvent] = deque(maxlen=KEPT_EVENTS)
        self._told: deque[Hashable] = deque(maxlen=KEPT_EVENTS)
        feed = Feed(real.feed.venue, real.symbol, rule, clock=real.feed.clock, crossed_allowed=crossed_allowed)
        self.channel = Channel(feed, self._seen.append)
        real.observe(self._note_told)

    @property
    def ready(self) -> bool:
        """Whether the successor carries this symbol as well as the first connection does."""
        if self.real.closed or self.channel.dead:
            return True
        # A book that is merely stale is still on show: it is not exchanged for none.
        return self.channel.feed.state is FeedState.LIVE or self.real.feed.state not in ON_SHOW

    @property
    def seamless(self) -> bool:
        """Whether the first connection has come as far as the snapshot that the successor began with."""
        last = self.real.feed.sync.last
        began = next((event.sequence for event in self._seen if type(event) is BookSnapshot), None)
        return last is None or began is None or last >= began or self.real.feed.state is not FeedState.LIVE

    def leave(self) -> None:
        """The handover is over, or will not take place."""
        self.real.unobserve(self._note_told)

    def take_over(self) -> None:
        """Continue the real channel where the first connection left it; the caller has silenced that one."""
        real = self.real
        with real.lock:
            self.leave()
            if real.closed:
                return
            if self.channel.feed.state not in ON_SHOW:
                real.begin()
                real.feed.connection_lost()
                return
            whole = not self._continues()
            news = self._news(whole)
            for event in news:
                real.push(event)
            # The successor may lag behind: what it has yet to bring of these was said.
            published = [trade_key(event) for event in news if type(event) is Trade]
            real.told = frozenset([*self._told, *published])
            real.told_until_ns = real.feed.clock.now_ns() + round(LAG_S * 1e9)
            real.synced, real.repairing, real.stalls = True, False, 0

    def _note_told(self, event: MarketEvent) -> None:
        if type(event) is Trade:
            self._told.append(trade_key(event))

    def _continues(self) -> bool:
        """Whether the real book can go on with the successor's updates, without a new snapshot."""
        real, mine = self.real.feed, self.channel.feed
        last, newest = real.sync.last, mine.sync.last
        if real.state not in ON_SHOW or not real.sync.live or last is None or newest is None:
            return False
        if newest <= last:
            return True
        for event in self._seen:
            if type(event) is BookDelta and event.last_sequence is not None and event.last_sequence > last:
                return self.rule.follows(last, event) is Verdict.APPLY
        return False

    def _news(self, whole: bool) -> list[MarketEvent]:
        """What the successor saw and the first connection did not publish, in order."""
        real, mine = self.real.feed, self.channel.feed
        last = real.sync.last
        told = Counter(self._told)
        news: list[MarketEvent] = []
        for event in self._seen:
            if type(event) is Trade:
                if told[trade_key(event)] > 0:
                    told[trade_key(event)] -= 1
                elif self._is_new_trade(event):
                    news.append(self._as_news(event))
            elif type(event) is BookDelta and not whole and (event.last_sequence or 0) > (last or 0):
                news.append(event)
        quote = mine.quote
        if quote is not None and self._is_new_quote(quote):
            news.append(quote)
        if whole:
            snapshot = mine.snapshot()
            if snapshot is not None:
                if last is not None or not real.sync.live:
                    # A numbered book takes no second snapshot while it is whole; others simply begin anew with it.
                    real.connection_lost()
                news.insert(0, snapshot)
        return news

    def _is_new_trade(self, trade: Trade) -> bool:
        last = self.real.feed.last_trade
        if isinstance(trade.trade_id, int):
            return last is None or trade.trade_id > last
        return True

    def _as_news(self, trade: Trade) -> Trade:
        """Past trades that the successor began with are history, but not what the first connection had yet to bring."""
        last = self.real.feed.last_trade
        if not trade.backfill or last is None or not isinstance(trade.trade_id, int):
            return trade
        return replace(trade, backfill=False)

    def _is_new_quote(self, quote: Quote) -> bool:
        known = self.real.feed.quote
        if known is None:
            return True
        if quote.sequence is not None and known.sequence is not None:
            return quote.sequence > known.sequence
        return quote.received_ns > known.received_ns


class Rotation:
    """One attempt at replacing a connection."""

    def __init__(self, channels: Mapping[str, Channel], venue: Venue, now_ns: int, within_s: float) -> None:
        self.deadline_ns = now_ns + round(within_s * 1e9)
        self._seam_ns = now_ns + round(within_s * 0.5e9)
        self.session: Session | None = None
        self.shadows = {
            symbol: Shadow(channel, venue.continuity, crossed_allowed=venue.crossed_allowed)
            for symbol, channel in channels.items()
            if not channel.dead
        }
        self.mirrored = {symbol: shadow.channel for symbol, shadow in self.shadows.items()}

    def ready(self, now_ns: int) -> bool:
        """Whether every book is whole, and (for a good while) can go on without a new snapshot."""
        shadows = self.shadows.values()
        patient = now_ns < self._seam_ns
        return all(shadow.ready and (shadow.seamless or not patient) for shadow in shadows)

    def take_over(self) -> dict[str, Channel]:
        """Bridge every symbol; the channels that the successor now feeds."""
        for shadow in self.shadows.values():
            shadow.take_over()
        return {symbol: shadow.real for symbol, shadow in self.shadows.items() if not shadow.channel.dead}

    def abandon(self) -> None:
        for shadow in self.shadows.values():
            shadow.leave()
        if self.session is not None:
            self.session.retire()
