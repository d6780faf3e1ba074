"""A venue that knows the truth, and what may go wrong on the way from it to a feed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.market.book import Column
from engine.market.events import BUY, BookDelta, BookSnapshot, FeedState, Levels, MarketEvent, Quote, Source, Trade
from tests.engine.support import START_NS

Top = tuple[Column, Column, Column, Column]
Books = tuple[Levels, Levels]


class Truth:
    """A market whose every book is remembered by its number."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.sequence = 100
        self.bids = {float(price): 1.0 for price in range(40, 50)}
        self.asks = {float(price): 1.0 for price in range(51, 61)}
        self.history: dict[int, Books] = {}
        self.deltas: list[BookDelta] = []
        self._remember()

    def step(self, at_ns: int) -> BookDelta:
        """One update: one to three numbers, some levels of each side."""
        first = self.sequence + 1
        self.sequence += self.random.randint(1, 3)
        bids = self._change(self.bids, 30, 50)
        asks = self._change(self.asks, 51, 70)
        self._remember()
        delta = BookDelta("binance", "BTCUSDT", bids, asks, first, self.sequence, at_ns - 1_000_000, at_ns, "stream")
        self.deltas.append(delta)
        return delta

    def snapshot(self, lag: int, at_ns: int, source: Source) -> BookSnapshot:
        numbers = list(self.history)
        number = numbers[max(0, len(numbers) - 1 - lag)]
        bids, asks = self.history[number]
        return BookSnapshot("binance", "BTCUSDT", bids, asks, number, None, at_ns, source)

    def quote(self, at_ns: int) -> Quote:
        (bid, bid_size), (ask, ask_size) = self.history[self.sequence][0][0], self.history[self.sequence][1][0]
        return Quote("binance", "BTCUSDT", bid, bid_size, ask, ask_size, self.sequence, None, at_ns, "stream")

    def top(self, number: int, depth: int) -> Top:
        bids, asks = self.history[number]
        return (
            tuple(price for price, _ in bids[:depth]), tuple(size for _, size in bids[:depth]),
            tuple(price for price, _ in asks[:depth]), tuple(size for _, size in asks[:depth]),
        )  # fmt: skip

    def _change(self, side: dict[float, float], low: int, high: int) -> Levels:
        levels: dict[float, float] = {}
        for _ in range(self.random.randint(0, 3)):
            price = float(self.random.randint(low, high))
            size = self.random.choice([0.0, 0.5, 1.0, 2.0])
            if size == 0.0 and side.keys() <= {price}:
                continue
            levels[price] = size
            side.pop(price, None)
            if size:
                side[price] = size
        return tuple(levels.items())

    def _remember(self) -> None:
        self.history[self.sequence] = tuple(sorted(self.bids.items(), reverse=True)), tuple(sorted(self.asks.items()))


ACTIONS = (
    "delta", "delta", "delta", "delta", "drop", "repeat", "swap", "cross", "spoil", "quote", "wrong_quote", "old_quote",
    "trade", "trade_gap", "old_trade", "snapshot", "snapshot", "old_snapshot", "poll", "old_poll", "spoil_poll",
    "lost", "lost_silently", "silence", "status",
)  # fmt: skip


class Venue:
    """Turns actions into what reaches a feed; `at_ns` is the feed's time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = ManualClock(START_NS)
        self.truth = Truth(self.random)
        self.trades = 0

    def act(self, action: str, feed: Feed) -> Iterator[tuple[MarketEvent, ...]]:
        """Do one thing to the feed; what it publishes, push by push."""
        self.clock.advance(self.random.choice([0.0, 0.1, 1.0]))
        now_ns = self.clock.now_ns()
        if action == "lost":
            feed.connection_lost()
            yield feed.set_state(FeedState.RECONNECTING, "lost", attempt=self.random.randint(1, 2))
        elif action == "lost_silently":
            feed.connection_lost()
        elif action == "silence":
            self.clock.advance(self.random.choice([1.0, 5.0]))
            yield feed.tick(self.clock.now_ns())
        elif action == "status":
            yield feed.set_state(self.random.choice(list(FeedState)), self.random.choice(["", "why"]))
        else:
            for event in self._events(action, now_ns):
                yield feed.push(event)

    def _events(self, action: str, now_ns: int) -> list[MarketEvent]:
        truth, random = self.truth, self.random
        if action in ("delta", "drop", "swap", "cross", "spoil", "repeat"):
            return self._updates(action, now_ns)
        if action == "quote":
            return [truth.quote(now_ns)]
        if action in ("wrong_quote", "old_quote"):
            quote = truth.quote(now_ns)
            number = quote.sequence if action == "wrong_quote" else max(1, truth.sequence - random.randint(1, 9))
            return [Quote("binance", "BTCUSDT", quote.bid, 7.0, quote.ask, 7.0, number, None, now_ns, "stream")]
        if action in ("trade", "trade_gap", "old_trade"):
            self.trades += {"trade": 1, "trade_gap": 3, "old_trade": 0}[action]
            number = self.trades - (random.randint(0, 4) if action == "old_trade" else 0)
            return [Trade("binance", "BTCUSDT", 50.0, 1.0, BUY, number, None, now_ns, "stream")]
        lag = random.randint(1, 6) if action.startswith("old") else random.randint(0, 1)
        found = truth.snapshot(lag, now_ns, "poll" if action.endswith("poll") else "stream")
        if action == "spoil_poll":
            found = BookSnapshot(
                "binance", "BTCUSDT", ((-1.0, 1.0),), found.asks, found.sequence, None, now_ns, found.source
            )
        return [found]

    def _updates(self, action: str, now_ns: int) -> list[MarketEvent]:
        truth = self.truth
        if action == "repeat":
            return [self.random.choice(truth.deltas[-5:])] if truth.deltas else []
        delta = truth.step(now_ns)
        if action == "drop":
            return []
        if action == "swap":
            return [truth.step(now_ns), delta]
        if action in ("cross", "spoil"):
            wrong = (1000.0, 1.0) if action == "cross" else (45.0, float("nan"))
            delta = BookDelta(
                "binance", "BTCUSDT", (*delta.bids, wrong), delta.asks, delta.first_sequence, delta.last_sequence,
                None, now_ns, "stream",
            )  # fmt: skip
            truth.deltas[-1] = truth.step(now_ns)
        return [delta]
