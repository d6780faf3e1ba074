"""The rules at work: which feeds they look at, what they start, what they tell and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from time import monotonic

import pytest

from engine.alerts.alert import Alert
from engine.alerts.channel import Channel
from engine.alerts.desk import AlertDesk
from engine.alerts.figures import known_figures
from engine.alerts.notify import Notifier
from engine.alerts.rule import Kind, Rule
from engine.alerts.rule_book import RuleBook
from engine.feed.feed import Feed
from engine.market.events import FeedState
from tests.engine.alerts.support import KEY, FakeFeeds, FakePictures, order, picture
from tests.engine.alerts.test_channel import FakeSender
from tests.engine.support import DEADLINE_S, START_NS, snapshot

ETH = ("binance", "ETHUSDT", "stream")
QUARTER_S = 0.25


class World:
    def __init__(self) -> None:
        self.feeds = FakeFeeds()
        self.flow = FakePictures()
        self.book = RuleBook(None, known_figures())
        for rule in self.book.rules():
            self.book.remove(rule.id)
        self.sender = FakeSender()
        self.desk = AlertDesk(self.feeds, self.flow, self.book)
        self.desk.notifier = Notifier([Channel("phone", self.sender, self.desk.log.went)])

    def look(self, times: int = 1) -> list[Alert]:
        """Look as often, a quarter of a second apart; what is new."""
        before = self.desk.log.count
        for _ in range(times):
            self.feeds.clock.advance(QUARTER_S)
            self.desk.look()
        return self.desk.log.since(before)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.desk.close()


def test_a_condition_on_order_flow_is_told_when_it_has_held_for_its_time(world: World) -> None:
    world.book.put(Rule("mine", "Mine", Kind.CONDITION, "imbalance_10 > 0.6 for 3 s"))
    world.feeds.live()
    told = []
    for number in range(1, 20):
        at_ns = START_NS + number * 250_000_000
        world.flow.pictures[KEY] = picture(number, at_ns, {"imbalance_10": 0.5 if number < 4 else 0.7})
        world.feeds.update(100 + number)
        told += world.look()
    [alert] = told
    assert alert.text == "imbalance_10 is 0.7 (imbalance_10 > 0.6 for 3 s)"
    assert alert.at_ns == START_NS + 16 * 250_000_000


def test_order_flow_of_a_feed_that_is_not_to_be_believed_is_not_known(world: World) -> None:
    world.book.put(Rule("mine", "Mine", Kind.CONDITION, "imbalance_10 > 0.6"))
    feed = world.feeds.live()
    feed.set_state(FeedState.RECONNECTING, "lost")
    world.flow.pictures[KEY] = picture(1, START_NS, {"imbalance_10": 0.7})
    assert world.look() == []


def test_a_condition_on_the_feed_needs_no_order_flow(world: World) -> None:
    world.book.put(Rule("slow", "Slow", Kind.CONDITION, "feed_age_s >= 2", ("binance", "BTCUSDT")))
    world.look()
    world.feeds.live()
    assert world.flow.held == []
    assert world.look(7) == []
    assert [alert.name for alert in world.look(1)] == ["Slow"]


def test_time_goes_on_for_the_feed_while_its_picture_stands_still(world: World) -> None:
    world.book.put(Rule("slow", "Slow", Kind.CONDITION, "feed_age_s >= 1 for 1 s"))
    world.feeds.live()
    world.flow.pictures[KEY] = picture(1, START_NS)
    assert world.look(7) == []
    assert len(world.look(1)) == 1


def test_a_rule_for_all_feeds_starts_none_and_one_for_a_feed_keeps_it_running(world: World) -> None:
    world.book.put(Rule("all", "All", Kind.LARGE_ORDER))
    world.look()
    assert (world.feeds.readers, world.flow.held) == ([], [])
    world.book.put(Rule("gap", "Gap", Kind.GAP, feed=KEY[:2]))
    world.look()
    assert [key for key, _ in world.feeds.readers] == [KEY]
    assert world.flow.held == []
    world.book.put(Rule("flow", "Flow", Kind.CONDITION, "mid > 0", KEY[:2]))
    world.look()
    assert ([key for key, _ in world.feeds.readers], world.flow.held) == ([KEY], [KEY])
    world.book.remove("flow")
    world.look()
    assert ([key for key, _ in world.feeds.readers], world.flow.held) == ([KEY], [])
    world.book.remove("gap")
    world.look()
    assert world.feeds.readers == []


def test_closing_lets_go_of_every_feed(world: World) -> None:
    world.book.put(Rule("flow", "Flow", Kind.CONDITION, "mid > 0", KEY[:2]))
    world.look()
    world.desk.close()
    assert (world.feeds.readers, world.flow.held) == ([], [])
    world.look()
    assert world.feeds.readers == []


def test_a_rule_whose_venue_is_not_here_says_so_and_the_rest_goes_on(world: World) -> None:
    world.book.put(Rule("lost", "Lost", Kind.GAP, feed=("nowhere", "BTC")))
    world.book.put(Rule("gap", "Gap", Kind.GAP, feed=KEY[:2]))
    world.look()
    assert world.desk.problems == {"lost": "no connector named 'nowhere' There are: binance."}
    assert [key for key, _ in world.feeds.readers] == [KEY]


def test_a_rule_that_is_off_tells_nothing(world: World) -> None:
    world.book.put(Rule("gap", "Gap", Kind.GAP, enabled=False))
    world.feeds.live()
    world.look()
    world.feeds.update(110)
    assert world.look() == []


def test_a_rule_for_one_feed_does_not_hear_of_another(world: World) -> None:
    world.book.put(Rule("gap", "Gap", Kind.GAP, feed=ETH[:2]))
    world.feeds.live()
    world.feeds.live(ETH)
    world.look()
    world.feeds.update(110)
    assert world.look() == []
    world.feeds.update(110, ETH)
    assert [alert.key for alert in world.look()] == [ETH]


def test_what_is_smaller_than_the_least_is_left_out(world: World) -> None:
    world.book.put(Rule("big", "Big", Kind.LARGE_ORDER, least=1_000.0))
    world.feeds.live()
    world.flow.pictures[KEY] = picture(1)
    world.look()
    world.flow.pictures[KEY] = picture(2, detections=((1, order(9.0, 100.0)), (2, order(11.0, 100.0))))
    assert [alert.text for alert in world.look()] == ["order: bought 11 at 100, 1,100 in quote units"]


def test_an_alert_goes_out_by_the_channels_of_its_rule(world: World) -> None:
    world.book.put(Rule("gap", "Gap", Kind.GAP, channels=("*",), cooldown_s=0.0))
    world.book.put(Rule("quiet", "Quiet", Kind.STALE))
    world.feeds.live()
    world.look()
    world.feeds.update(110)
    world.look()
    assert world.sender.wait_for(1) == [
        ("Gap: BTCUSDT at binance", "Gap: BTCUSDT at binance: 1 gap in the book's updates")
    ]
    assert world.sender.settled(lambda: world.desk.log.alerts()[0].ways == (("phone", "sent"),))


def test_a_recording_is_told_on_the_page_only(world: World) -> None:
    world.book.put(Rule("gap", "Gap", Kind.GAP, channels=("*",)))
    feed = world.feeds.live()
    feed.set_state(FeedState.RECONNECTING)
    feed.push(snapshot(200, source="replay"))
    world.look()
    world.feeds.update(210)
    [alert] = world.look()
    assert (alert.source, alert.ways) == ("replay", ())


def test_its_own_thread_looks_and_outlives_a_fault(world: World, caplog: pytest.LogCaptureFixture) -> None:
    looked, again = Event(), Event()

    def faulty(key: object) -> Feed | None:
        if not looked.is_set():
            looked.set()
            raise ZeroDivisionError("a fault")
        again.set()
        return None

    world.feeds.start()
    world.feeds.feed = faulty  # type: ignore[method-assign]
    world.desk.begin()
    assert again.wait(DEADLINE_S)
    assert "the next look follows" in caplog.text
    began = monotonic()
    world.desk.close()
    assert monotonic() - began < 2.0
