"""The short way for quotes says what the long way says, to the last bit."""

from __future__ import annotations

from random import Random

import pytest

from engine.flow.analyzer import FlowAnalyzer
from engine.flow.detectors.detection import Detection
from engine.flow.section import Changes, Observer, Section
from engine.flow.signals.flow_signal import FlowSignal
from engine.market.book import Book
from engine.market.events import Quote, Trade
from tests.engine.flow.market import TICK

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def quote(t_ns: int, bid: int, bid_size: float, ask: int, ask_size: float) -> Quote:
    return Quote("venue", "ONE", bid * TICK, bid_size, ask * TICK, ask_size, None, None, t_ns, "stream")


def market(seed: int, steps: int) -> list[Quote | Trade | int]:
    """Quotes that mostly change a size, trades at them, empty sides and silences; a number is a reset at that time."""
    random, t_ns, bid, width = Random(seed), START, 10_000, 1
    events: list[Quote | Trade | int] = []
    for _ in range(steps):
        t_ns += random.choice((0, 1_000, 3_000_000, 20_000_000, 100_000_000))
        chance = random.random()
        if chance < 0.1:
            bid, width = bid + random.choice((-1, 1)), random.choice((1, 1, 2))
        elif chance < 0.13:
            width = random.choice((0, -1, 3))
        elif chance < 0.131:
            events.append(t_ns)
        elif chance < 0.132:
            t_ns += 7 * SECOND
        if random.random() < 0.25:
            side = random.choice((1, -1))
            price = (bid + width if side > 0 else bid) * TICK
            events.append(Trade("venue", "ONE", price, random.random(), side, None, t_ns // 10**7, t_ns, "stream"))
        sizes = [random.choice((0.05, 0.5, 1.0, 8.0, random.random())) for _ in range(2)]
        if random.random() < 0.01:
            sizes[random.randrange(2)] = random.choice((0.0, float("inf")))
        events.append(quote(t_ns, bid, sizes[0], bid + width, sizes[1]))
    return events


class Heard:
    """An analyzer whose observer is told of a market, and every word that it said."""

    def __init__(self, *, short: bool) -> None:
        self.analyzer = FlowAnalyzer("venue", "ONE", TICK, fee_bps=1.0)
        sections = self.analyzer.observer.sections
        self.observer = self.analyzer.observer if short else Observer(sections)
        self.detections: list[Detection] = []
        self.signals: list[FlowSignal] = []
        self.analyzer.tape.on_detection = self.detections.append
        book = Book()
        bids = tuple([((9_950 - place) * TICK, 1.0 + place) for place in range(20)])
        asks = tuple([((10_050 + place) * TICK, 1.0 + place) for place in range(20)])
        book.replace(bids, asks)
        self.observer.on_book(START - 1, book, None)

    def play(self, events: list[Quote | Trade | int]) -> None:
        for event in events:
            if isinstance(event, int):
                self.observer.on_reset(event, "a gap")
            else:
                self.observer.hear(event)
            self.signals += self.analyzer.board.drain()

    def said(self) -> list[object]:
        """Everything that can be read off top, board and tape."""
        one, now = self.analyzer, self.observer.last_ns
        refills = [
            (side.price, side.size, side.peak, side.executed, side.refills, side.traded_ns)
            for side in (one.tape.refills.bid, one.tape.refills.ask)
        ]
        return [
            now, one.top.readings(now), one.top.ofi, one.top.ofi_last, one.top.depth_sum, one.top.events,
            list(one.top.marks), one.top.states.still, one.watch.readings(now), refills, one.tape.delta_at(now),
            one.tape.quotes.mid, one.board.mids.ticks().times.tolist(), self.detections, self.signals,
        ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_short_way_says_what_the_long_way_says(seed: int) -> None:
    events = market(seed, 3_000)
    short, long = Heard(short=True), Heard(short=False)
    for begin in range(0, len(events), 997):
        for heard in (short, long):
            heard.play(events[begin : begin + 997])
        assert repr(short.said()) == repr(long.said()), "by their digits: what infinite sizes make is no number"
    assert short.signals
    assert short.detections
    assert short.analyzer.top.events > 1_500


def test_a_further_section_that_takes_quotes_hears_all_of_them() -> None:
    class Counter(Section):
        quotes = 0

        def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
            self.quotes += 1

    analyzer, counter = FlowAnalyzer("venue", "ONE", TICK), Counter()
    analyzer.observer.set_sections((*analyzer.observer.sections, counter))
    for step in range(5):
        analyzer.observer.hear(quote(START + step, 10_000, 1.0 + step, 10_001, 1.0))
    assert counter.quotes == 5


def test_what_is_added_to_the_book_is_told_beside_the_quotes() -> None:
    heard = Heard(short=True)
    heard.play(market(9, 50))
    book = Book()
    book.replace([(99.9, 1.0)], [(100.1, 1.0)])
    heard.observer.on_book(heard.observer.last_ns, book, None)
    heard.observer.on_book(heard.observer.last_ns, book, Changes((), (), (), ()))
    assert heard.analyzer.level_ofi.events == 3
