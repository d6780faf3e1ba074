"""What a tab sees of several venues is what their feeds say, at the moment of looking."""

from __future__ import annotations

from app.across import AcrossView, key_of, look, said
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.feed.sync import WholeBooks
from engine.market.consolidated import Member, Standing
from engine.market.events import BookSnapshot, FeedState
from engine.market.instrument import Instrument
from engine.market.unified import UnifiedNames

ONE, TWO = Member("one", "BTC-USDT"), Member("two", "XBT/USDT")


def view(off: frozenset[str] = frozenset(), step: float | None = None, running: bool = True) -> AcrossView:
    return AcrossView("BTC/USDT", (ONE, TWO), off, {}, step, running)


class Feeds:
    """Two feeds on clocks that tests move."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.feeds = {
            key_of(member): Feed(member.venue, member.symbol, WholeBooks(), clock=self.clock) for member in (ONE, TWO)
        }

    def __call__(self, key: FeedKey) -> Feed | None:
        return self.feeds.get(key)

    def book(self, member: Member, bid: float, ask: float) -> None:
        now = self.clock.now_ns()
        book = BookSnapshot(member.venue, member.symbol, ((bid, 1.0),), ((ask, 2.0),), None, now, now, "mock")
        self.feeds[key_of(member)].push(book)


def test_nothing_is_read_while_stopped() -> None:
    assert view(running=False).keys == []
    assert view().keys == [("one", "BTC-USDT", "stream"), ("two", "XBT/USDT", "stream")]


def test_feeds_become_one_book_and_a_silent_one_leaves_it() -> None:
    feeds = Feeds()
    feeds.book(ONE, 99.0, 100.0)
    feeds.clock.advance(3.0)
    feeds.book(TWO, 100.5, 101.0)
    whole = look(view(), feeds, feeds.clock.now_ns())
    assert [venue.standing for venue in whole.venues] == [Standing.LIVE, Standing.LIVE]
    assert whole.venues[0].age_s == 3.0
    assert [(gap.buy, gap.sell, gap.gross) for gap in whole.gaps] == [(0, 1, 0.5)]
    feeds.clock.advance(2.0)
    whole = look(view(), feeds, feeds.clock.now_ns())
    assert [venue.standing for venue in whole.venues] == [Standing.STALE, Standing.LIVE]
    assert {member for level in whole.bids for member, _ in level.shares} == {1}


def test_a_feed_says_why_it_does_not_count_and_what_to_do() -> None:
    feeds = Feeds()
    feeds.book(ONE, 99.0, 100.0)
    feeds.feeds[key_of(ONE)].set_state(FeedState.BLOCKED, "not in your region", hint="Use another venue.")
    [one, two] = look(view(), feeds, feeds.clock.now_ns()).venues
    assert (one.standing, one.why) == (Standing.WAITING, "not in your region → Use another venue.")
    assert (two.standing, two.why) == (Standing.WAITING, "connecting")
    assert said(None, 0).reason == "starting"


def test_who_is_left_out_does_not_count_and_nothing_is_rounded() -> None:
    feeds = Feeds()
    feeds.book(ONE, 99.3, 100.2)
    feeds.book(TWO, 99.4, 100.1)
    whole = look(view(frozenset({"two"}), 0.5), feeds, feeds.clock.now_ns())
    assert [venue.standing for venue in whole.venues] == [Standing.LIVE, Standing.OFF]
    assert [level.price for level in (*whole.bids, *whole.asks)] == [99.3, 100.2]


def test_a_recording_ages_by_its_own_clock() -> None:
    feeds = Feeds()
    feeds.book(ONE, 99.0, 100.0)
    feeds.clock.advance(1.0)
    ours = feeds.clock.now_ns() + 10**18
    assert look(view(), feeds, ours).venues[0].age_s == 1.0


def test_the_names_of_the_house_lead_to_one_view() -> None:
    listed = {
        "one": [Instrument("one", "BTC-USDT", "BTC", "USDT")],
        "two": [Instrument("two", "XBT/USDT", "XBT", "USDT")],
    }
    found = UnifiedNames(listed).at("BTC/USDT")
    assert tuple(Member(venue, instrument.symbol) for venue, instrument in found.items()) == view().members
