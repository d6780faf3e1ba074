"""What must hold for all that is read off books and quotes together, whatever comes."""

from __future__ import annotations

from random import Random

import pytest

from engine.clock import ManualClock
from engine.flow.book.band import BandDepth
from engine.flow.book.flicker import Flicker
from engine.flow.book.heatmap import Heatmap
from engine.flow.book.micro_price import MicroPrice
from engine.flow.book.ofi import BestOfi, LevelOfi
from engine.flow.book.top import TopOfBook
from engine.flow.book.vacuum import Vacuum
from engine.flow.section import Observer
from engine.market.events import Levels, MarketEvent
from tests.engine.support import START_NS, delta, make_feed, quote, snapshot

TENTH_NS = 100_000_000


class Analysis:
    """Every part of one symbol's book on a feed of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_NS)
        self.feed = make_feed(self.clock)
        self.top, self.levels, self.band = TopOfBook(1.0, window_s=20, warm_s=5), LevelOfi(3), BandDepth(1.0, 300)
        self.flicker, self.micro_price = Flicker(self.top, window_s=5), MicroPrice(self.top)
        self.vacuum, self.heatmap = Vacuum(self.band, window_s=20, warm_s=5), Heatmap(1.0, bin_ticks=1, columns=40)
        self.heatmap.watch(START_NS + 3600 * 10 * TENTH_NS)
        self.feed.observer = self.observer = Observer(
            [self.top, self.levels, self.band, self.flicker, self.micro_price, self.vacuum, self.heatmap]
        )

    def push(self, event: MarketEvent) -> None:
        self.clock.set(event.received_ns)
        self.feed.push(event)

    def read(self) -> dict[str, object]:
        now = self.observer.last_ns
        picture = self.heatmap.picture()
        return {
            **self.top.readings(now),
            **self.vacuum.readings(now),
            "micro": self.micro_price.reading(now),
            "ofi": BestOfi(self.top).over(now, 1),
            "levels": tuple(self.levels.cumulative),
            "band": (self.band.bid, self.band.ask),
            "flicker": self.flicker.rates(),
            "picture": None if picture is None else (picture.lowest, picture.cells.tobytes()),
        }


def market(seed: int, steps: int) -> list[MarketEvent]:
    """Quotes and updates of one symbol, a tenth of a second apart; now and then an update is missing."""
    random = Random(seed)
    events: list[MarketEvent] = []
    number, lost, middle = 100, True, 1000
    for step in range(steps):
        at_ns = START_NS + step * TENTH_NS + random.randrange(TENTH_NS)
        middle += random.choice((-1, 0, 0, 0, 1))
        bids: Levels = tuple((float(middle - place), 1 + random.random()) for place in range(12))
        asks: Levels = tuple((float(middle + 1 + place), 1 + random.random()) for place in range(12))
        number += 1
        events.append(quote(number, bids[0][0], asks[0][0], random.random() + 0.1, at_ns=at_ns))
        if lost and random.random() < 0.3:
            events.append(snapshot(number, bids, asks, at_ns=at_ns))
            lost = False
            continue
        number += 1
        if random.random() < 0.01:
            lost = True
            number += 5
        crossed_away = (
            tuple((price, 0.0) for price in (middle + 1.0, middle + 2.0)),
            tuple((price, 0.0) for price in (middle - 1.0, float(middle))),
        )
        wanted = [*random.sample(bids, 4), bids[0]], [*random.sample(asks, 4), asks[0]]
        events.append(
            delta(number, bids=(*crossed_away[0], *dict(wanted[0]).items()),
                  asks=(*crossed_away[1], *dict(wanted[1]).items()), at_ns=at_ns)
        )  # fmt: skip
    return events


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reading_changes_nothing_and_later_events_change_nothing_read_before(seed: int) -> None:
    events = market(seed, 600)
    often = Analysis()
    known = []
    for event in events:
        often.push(event)
        known.append(often.read())
    for length in (len(events), 901, 500, 77):
        once = Analysis()
        for event in events[:length]:
            once.push(event)
        assert once.read() == known[length - 1]
    assert often.feed.quality.gaps > 0
    assert any(reading["ofi"] is not None for reading in known)


def test_two_symbols_in_turns_say_what_each_says_alone() -> None:
    streams = [market(seed, 300) for seed in (4, 5)]
    together, alone = [Analysis(), Analysis()], [Analysis(), Analysis()]
    for pair in zip(*streams, strict=False):
        for analysis, event in zip(together, pair, strict=True):
            analysis.push(event)
    shortest = min(map(len, streams))
    for which in (0, 1):
        for event in streams[which][:shortest]:
            alone[which].push(event)
        assert together[which].read() == alone[which].read()


def test_no_flow_is_made_of_a_gap() -> None:
    analysis = Analysis()
    far: tuple[Levels, Levels] = (
        ((900.0, 50.0), (899.0, 50.0), (898.0, 1.0)),
        ((901.0, 9.0), (902.0, 9.0), (903.0, 1.0)),
    )
    analysis.push(quote(99, 1000, 1001))
    analysis.push(
        snapshot(100, ((1000.0, 1.0), (999.0, 1.0), (998.0, 1.0)), ((1001.0, 1.0), (1002.0, 1.0), (1003.0, 1.0)))
    )
    analysis.push(delta(150, at_ns=START_NS + TENTH_NS))
    analysis.push(snapshot(151, *far, at_ns=START_NS + 2 * TENTH_NS))
    analysis.push(quote(152, 900, 901, 50, at_ns=START_NS + 3 * TENTH_NS))
    assert analysis.levels.cumulative == [0.0, 0.0, 0.0]
    assert (analysis.top.ofi, analysis.top.ofi_last) == (0.0, None)
