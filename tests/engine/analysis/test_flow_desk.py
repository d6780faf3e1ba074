"""The desk follows feeds that come, go and come again, and reads their order flow for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from time import monotonic

import pytest

from engine.analysis.flow_desk import LINGER_NS, QUOTES_WITHIN, FlowDesk
from engine.analysis.flow_line import FlowPicture
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Receiver
from engine.feed.sync import WholeBooks
from engine.market.events import BookSnapshot, Quote, Trade
from engine.market.terms import Terms
from tests.engine.flow.market import LEVELS, TICK, events

KEY = ("mock", "BTC/USDT", "stream")
SECOND = 1_000_000_000


class Feeds:
    """A hub of hand-driven feeds."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.feeds: dict[FeedKey, Feed] = {}
        self.readers: list[tuple[FeedKey, Receiver]] = []

    def feed(self, key: FeedKey) -> Feed | None:
        return self.feeds.get(key)

    def attach(self, key: FeedKey, receiver: Receiver) -> None:
        self.readers.append((key, receiver))

    def detach(self, key: FeedKey, receiver: Receiver) -> None:
        self.readers.remove((key, receiver))

    def start(self, key: FeedKey = KEY) -> Feed:
        feed = self.feeds[key] = Feed(key[0], key[1], WholeBooks(), clock=self.clock)
        return feed

    def play(self, seconds: int, seed: int = 1, quotes: bool = True) -> None:
        """So many seconds of a small market from now on."""
        feed = self.feeds[KEY]
        for kind, t_ns, one, two, three, four in events(seconds, seed, self.clock.now_ns()):
            self.clock.advance((t_ns - self.clock.now_ns()) / 1e9)
            if kind == "bbo" and quotes:
                feed.push(Quote(*KEY[:2], one, two, three, four, None, t_ns, t_ns, "mock"))
            elif kind == "trade":
                feed.push(Trade(*KEY[:2], one, two, int(three), None, t_ns, t_ns, "mock"))
            elif kind == "book":
                bids = tuple([(round(one - place * TICK, 2), three + place) for place in range(LEVELS)])
                asks = tuple([(round(two + place * TICK, 2), three + place) for place in range(LEVELS)])
                feed.push(BookSnapshot(*KEY[:2], bids, asks, None, t_ns, t_ns, "mock"))


@pytest.fixture
def feeds() -> Feeds:
    return Feeds()


@pytest.fixture
def desk(feeds: Feeds) -> Iterator[FlowDesk]:
    made = FlowDesk(feeds, lambda key: TICK)
    # No thread of its own: the tests look themselves.
    made._thread = _Idle()  # type: ignore[assignment]
    yield made
    made.close()


class _Idle:
    def join(self, timeout: float) -> None:
        """Nothing runs."""


def picture(desk: FlowDesk) -> FlowPicture:
    found = desk.picture(KEY)
    assert found is not None
    return found


def test_a_feed_that_runs_already_is_analysed_from_its_book_on(feeds: Feeds, desk: FlowDesk) -> None:
    feeds.start()
    feeds.play(2)
    desk.acquire(KEY)
    assert desk.picture(KEY) is None
    desk.look()
    first = picture(desk)
    assert first.metrics["imbalance_5"] is not None
    feeds.play(20)
    desk.look()
    later = picture(desk)
    assert later.number == first.number + 1
    assert later.metrics["spread_bps"] is not None
    assert later.seconds_count > 15
    assert len(later.slow.columns) > 15
    assert all(column.exact for column in later.slow.columns)
    assert sum(level.bought + level.sold > 0 for level in later.levels) > 0
    assert later.slow.area is not None


def test_a_feed_that_does_not_run_yet_is_waited_for(feeds: Feeds, desk: FlowDesk) -> None:
    desk.acquire(KEY)
    desk.look()
    assert desk.picture(KEY) is None
    feeds.start()
    feeds.play(2)
    desk.look()
    assert desk.picture(KEY) is not None


def test_a_feed_that_is_started_anew_goes_on_with_what_was_known(feeds: Feeds, desk: FlowDesk) -> None:
    feeds.start()
    feeds.play(10)
    line = desk.acquire(KEY)
    desk.look()
    feeds.play(10)
    desk.look()
    known, first = picture(desk).seconds_count, feeds.feeds[KEY]
    feeds.start()
    feeds.play(3)
    desk.look()
    assert first.observer is None
    assert line.feed is feeds.feeds[KEY]
    feeds.play(3)
    desk.look()
    assert picture(desk).seconds_count >= known


def test_where_no_quotes_come_the_book_gives_them(feeds: Feeds, desk: FlowDesk) -> None:
    feeds.start()
    feeds.play(2, quotes=False)
    desk.acquire(KEY)
    for _ in range(QUOTES_WITHIN):
        desk.look()
    feeds.play(5, quotes=False)
    desk.look()
    assert picture(desk).metrics["spread_bps"] is not None


def test_an_unknown_price_step_is_found_in_the_book(feeds: Feeds, desk: FlowDesk) -> None:
    desk.tick_of = lambda key: None
    feeds.start()
    feeds.play(2)
    desk.acquire(KEY)
    desk.look()
    assert picture(desk).tick == TICK


def test_the_last_one_to_leave_ends_it_a_minute_later(feeds: Feeds, desk: FlowDesk) -> None:
    feed = feeds.start()
    feeds.play(2)
    one, other = desk.acquire(KEY), desk.acquire(KEY)
    assert one is other
    desk.look()
    desk.release(KEY)
    desk.release(KEY)
    feeds.clock.advance(LINGER_NS / 1e9 - 1)
    desk.look()
    assert desk.picture(KEY) is not None
    feeds.clock.advance(2)
    desk.look()
    assert desk.picture(KEY) is None
    assert feed.observer is None


def test_a_quiet_market_still_passes_the_seconds(feeds: Feeds, desk: FlowDesk) -> None:
    feeds.start()
    feeds.play(5)
    desk.acquire(KEY)
    desk.look()
    feeds.play(2)
    desk.look()
    before = picture(desk).seconds_count
    feeds.clock.advance(4)
    desk.look()
    assert picture(desk).seconds_count == before + 4


def test_a_recording_is_told_the_time_by_its_events_alone(feeds: Feeds, desk: FlowDesk) -> None:
    feed = feeds.start()
    feeds.play(5)
    feed.clock = ManualClock(feeds.clock.now_ns())
    desk.acquire(KEY)
    desk.look()
    feeds.play(2)
    desk.look()
    before = picture(desk).seconds_count
    feeds.clock.advance(30)
    desk.look()
    assert picture(desk).seconds_count == before


def test_correlation_is_read_while_somebody_asks_and_let_go_of_a_minute_later(feeds: Feeds, desk: FlowDesk) -> None:
    other = ("mock", "ETH/USDT", "stream")
    line = desk.correlation([KEY, other])
    assert desk.correlation([KEY, other]) is line
    assert feeds.readers == [(KEY, line), (other, line)]
    feeds.clock.advance(LINGER_NS / 1e9 + 1)
    desk.look()
    assert feeds.readers == []
    assert desk.correlation([KEY, other]) is not line


def test_the_desk_looks_by_itself_and_ends_within_two_seconds(feeds: Feeds) -> None:
    feeds.start()
    feeds.play(2)
    desk = FlowDesk(feeds, lambda key: TICK)
    desk.acquire(KEY)
    deadline, pause = monotonic() + 10, Event()
    while desk.picture(KEY) is None and monotonic() < deadline:
        pause.wait(0.02)
    assert desk.picture(KEY) is not None
    begun = monotonic()
    desk.close()
    assert monotonic() - begun < 2


def test_what_a_trade_costs_and_is_worth_reaches_the_analyzer(feeds: Feeds, desk: FlowDesk) -> None:
    terms = Terms(5.0, 100.0, inverse=True, paid_at="mock")
    desk.terms_of = lambda key: terms if key == KEY else Terms()
    feeds.start()
    feeds.play(2)
    line = desk.acquire(KEY)
    desk.look()
    feeds.play(30)
    desk.look()
    assert picture(desk).terms == terms
    assert line.analyzer is not None
    assert line.analyzer.outcomes.fee_bps == 5.0
    volume = line.analyzer.volume(10)
    assert volume is not None
    assert volume.quote == pytest.approx(100.0 * volume.total)


def test_other_terms_begin_the_analysis_anew_when_the_feed_does(feeds: Feeds, desk: FlowDesk) -> None:
    feeds.start()
    feeds.play(5)
    line = desk.acquire(KEY)
    desk.look()
    first = line.analyzer
    desk.terms_of = lambda key: Terms(multiplier=0.01)
    desk.look()
    assert line.analyzer is first
    feeds.start()
    feeds.play(3)
    desk.look()
    assert line.analyzer is not first
    assert line.terms.multiplier == 0.01


def test_a_recording_that_is_played_from_an_earlier_place_is_analysed_anew(desk: FlowDesk, feeds: Feeds) -> None:
    desk.acquire(KEY)
    feed = feeds.start()
    feeds.play(1)
    desk.look()
    feeds.play(60)
    desk.look()
    before = picture(desk)
    assert before.seconds_count > 30
    feed.start_over()
    feeds.clock.advance(-40.0)
    feeds.play(1)
    desk.look()
    feeds.play(10)
    desk.look()
    assert picture(desk).seconds_count <= 12
    assert feed.observer is not None
