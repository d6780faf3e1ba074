"""Connections that were recorded while they stood beside the one whose place they took: two tellings of one market.

Until it takes over, a successor's words go to feeds of its own. Then its books take the place of the others, and of
its trades those count that the other connection had not told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from engine.feed.feed import Feed
from engine.market.events import MarketEvent, Trade
from engine.store.captures.reader import Record

KEPT_TRADES = 5_000


class Successors:
    """The connections that are not yet heard; `new_feed` makes the feed of a symbol."""

    def __init__(self, new_feed: Callable[[str], Feed]) -> None:
        self._new_feed = new_feed
        self.waiting: dict[str, dict[str, Feed]] = {}
        """The feeds of each of them, by symbol."""
        self._trades: deque[Trade] = deque(maxlen=KEPT_TRADES)
        self._told: deque[Hashable] = deque(maxlen=KEPT_TRADES)

    def begin(self, connection: str) -> None:
        """This connection was opened beside another."""
        self.waiting[connection] = {}

    def forget(self, connection: str) -> None:
        """It ended before it took over, if it was one."""
        self.waiting.pop(connection, None)

    def told(self, event: MarketEvent) -> None:
        """The connection that is heard brought this."""
        if type(event) is Trade:
            self._told.append(_key(event))

    def push(self, record: Record, event: MarketEvent) -> bool:
        """Take what belongs to a successor; whether it did."""
        if not self.waiting:
            return False
        symbol = event.symbol
        if record.channel == "http":
            wanting = [feed for feeds in self.waiting.values() if (feed := feeds.get(symbol)) and feed.needs_snapshot]
            for feed in wanting:
                feed.push(event)
            return bool(wanting)
        feeds = self.waiting.get(record.connection)
        if feeds is None:
            return False
        if symbol not in feeds:
            feeds[symbol] = self._new_feed(symbol)
        self._trades.extend([one for one in feeds[symbol].push(event) if type(one) is Trade])
        return True

    def take_over(self, connection: str, feeds: Mapping[str, Feed]) -> Iterator[tuple[str, Sequence[MarketEvent]]]:
        """By symbol what is new to the feed that goes on, which has forgotten its book for it."""
        told = set(self._told)
        for symbol, feed in self.waiting.pop(connection, {}).items():
            news: list[MarketEvent] = [one for one in self._trades if one.symbol == symbol and _key(one) not in told]
            book = feed.snapshot()
            if book is not None:
                if symbol in feeds:
                    feeds[symbol].connection_lost()
                news.insert(0, book)
            yield symbol, news
        self._trades.clear()


def _key(trade: Trade) -> Hashable:
    if trade.trade_id is not None:
        return trade.symbol, trade.trade_id
    return trade.symbol, trade.exchange_ns, trade.price, trade.size, trade.aggressor
