"""A small market for tests: quotes, books and trades of one symbol, in order, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from engine.flow.analyzer import FlowAnalyzer
from engine.flow.section import Changes, Observer
from engine.market.book import Book

SECOND = 1_000_000_000
TICK = 0.01
LEVELS = 30

Event = tuple[str, int, float, float, float, float]
"""Kind, time, four figures: bbo (bid, size, ask, size), trade (price, size, side, 0), book (bid, ask, size, 0)."""


def events(seconds: int, seed: int = 1, start_ns: int = 1_000 * SECOND) -> Iterator[Event]:
    """Ten moments a second: a quote each, a book update each second one, a trade each fifth."""
    random, mid = Random(seed), 10_000
    for step in range(seconds * 10):
        t_ns = start_ns + step * SECOND // 10 + 1
        mid += random.choice((-1, 0, 0, 1))
        width = random.choice((1, 1, 1, 2))
        bid, ask = mid * TICK, (mid + width) * TICK
        yield "bbo", t_ns, bid, 1.0 + random.random(), ask, 1.0 + random.random()
        if step % 2 == 0:
            yield "book", t_ns, bid, ask, 1.0 + random.random(), 0.0
        if step % 5 == 0:
            side = random.choice((1.0, -1.0))
            yield "trade", t_ns, ask if side > 0 else bid, 0.1 + random.random(), side, 0.0


class Player:
    """Plays events to an observer with a book of its own; the first book event is a snapshot."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.book = Book()
        self._begun = False

    def play(self, sequence: Sequence[Event] | Iterator[Event]) -> None:
        for kind, t_ns, one, two, three, four in sequence:
            if kind == "bbo":
                self.observer.on_bbo(t_ns, one, two, three, four)
            elif kind == "trade":
                self.observer.on_trade(t_ns, one, two, int(three), t_ns, None)
            else:
                self._update(t_ns, one, two, three)

    def _update(self, t_ns: int, bid: float, ask: float, size: float) -> None:
        bids = tuple([(round(bid - place * TICK, 2), size + place) for place in range(LEVELS)])
        asks = tuple([(round(ask + place * TICK, 2), size + place) for place in range(LEVELS)])
        if not self._begun:
            self._begun = True
            self.book.replace(bids, asks)
            self.observer.on_book(t_ns, self.book, None)
            return
        stale_bids = [(price, 0.0) for price, _ in self.book.bids() if price > bids[0][0]]
        stale_asks = [(price, 0.0) for price, _ in self.book.asks() if price < asks[0][0]]
        changed_bids, changed_asks = (*stale_bids, *bids), (*stale_asks, *asks)
        before = self.book.sizes_of(changed_bids, changed_asks)
        self.book.apply(changed_bids, changed_asks)
        self.observer.on_book(t_ns, self.book, Changes(changed_bids, changed_asks, *before))


def played(seconds: int, seed: int = 1, symbol: str = "ONE") -> FlowAnalyzer:
    """An analyzer that has seen so many seconds."""
    analyzer = FlowAnalyzer("venue", symbol, TICK, fee_bps=5.0)
    Player(analyzer.observer).play(events(seconds, seed))
    return analyzer
