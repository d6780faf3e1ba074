"""Looks at all feeds four times a second and tells what the rules want told. The line never waits for it."""

from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from time import monotonic

from engine.alerts.alert import AlertLog, Happening
from engine.alerts.condition import Condition, parse
from engine.alerts.condition_watch import ConditionWatch, needs_flow
from engine.alerts.feed_watch import FeedWatch
from engine.alerts.flow_watch import FlowWatch
from engine.alerts.kept_feeds import Feeds, KeptFeeds, Pictures
from engine.alerts.notify import Notifier
from engine.alerts.rule import ABOUT_THE_FEED, ALL_CHANNELS, Kind, Rule
from engine.alerts.rule_book import RuleBook
from engine.errors import ConfigError
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.hub import STREAM

PERIOD_S = 0.25
ASK_AGAIN_S = 10.0
"""How often a feed that could not be started for a rule is tried again."""

log = logging.getLogger(__name__)


class _Watches:
    """What is remembered of one feed between two looks."""

    __slots__ = ("conditions", "feed", "flow")

    def __init__(self, key: FeedKey) -> None:
        self.feed, self.flow, self.conditions = FeedWatch(key), FlowWatch(key), ConditionWatch(key)


class AlertDesk:
    """The rules of the process at work. `begin` starts its thread; `look` is what that does four times a second.

    A rule for one feed keeps that feed and its order flow running while it is on. Rules for all feeds look at what
    runs anyway, and start nothing.
    """

    def __init__(self, feeds: Feeds, flow: Pictures, book: RuleBook, notifier: Notifier | None = None) -> None:
        self.book = book
        self.log = AlertLog()
        self.notifier = notifier or Notifier()
        self.problems: dict[str, str] = {}
        """Why a rule's feed does not run, by the rule's id."""
        self._feeds = feeds
        self._flow = flow
        self._kept = KeptFeeds(feeds, flow)
        self._watches: dict[FeedKey, _Watches] = {}
        self._conditions: dict[str, Condition] = {}
        self._rules: list[Rule] = []
        self._revision = -1
        self._asked = 0.0
        self._looking = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Start to look; a second call changes nothing."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="alert-desk", daemon=True)
            self._thread.start()

    def look(self) -> None:
        """Follow the rules, look at every feed that runs, and tell what is new."""
        with self._looking:
            if self._stopping.is_set():
                return
            self._follow_the_rules()
            running = self._feeds.running()
            for key in [key for key in self._watches if key not in running]:
                del self._watches[key]
            for key in running:
                feed = self._feeds.feed(key)
                if feed is not None:
                    self._look_at(key, feed)

    def acknowledge(self, number: int | None = None) -> None:
        """Acknowledge one alert (None: all)."""
        self.log.acknowledge(number, self._feeds.clock.now_ns())

    def test(self) -> None:
        """Raise an alert that says that it is a test, on the page only."""
        now_ns = self._feeds.clock.now_ns()
        rule = Rule("test", "Test", Kind.CONDITION, cooldown_s=0.0)
        text = "this is a test, nothing has happened"
        what = Happening(Kind.CONDITION, ("tapedeck", "test", ""), now_ns, f"test {now_ns}", "test", text, STREAM)
        self.log.tell(rule, what, now_ns, (), {})

    def close(self) -> None:
        """Stop looking, let go of all feeds and send nothing more; returns within 2 s."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=0.4)
        self.notifier.close()
        if self._looking.acquire(timeout=0.1):
            try:
                self._kept.keep({})
            finally:
                self._looking.release()

    def _look_at(self, key: FeedKey, feed: Feed) -> None:
        watches = self._watches.get(key)
        if watches is None:
            watches = self._watches[key] = _Watches(key)
        now_ns = feed.clock.now_ns()
        status = feed.status
        source = status.source if status is not None else STREAM
        on_purpose = key[2] != STREAM or bool(self._feeds.notice(key))
        told: dict[str, int] = {}
        found = watches.feed.look(feed, now_ns, on_purpose=on_purpose)
        picture = self._flow.picture(key)
        if picture is not None:
            found += watches.flow.look(picture, source)
        for rule in self._rules:
            if rule.feed is not None and rule.feed != key[:2]:
                continue
            condition = self._conditions.get(rule.id)
            if condition is not None:
                said = watches.conditions.look(rule, condition, feed, picture, now_ns, source)
                if said is not None:
                    self._tell(rule, said, told)
                continue
            for what in found:
                if what.kind is rule.kind and (what.size is None or what.size >= rule.least):
                    self._tell(rule, what, told)

    def _tell(self, rule: Rule, what: Happening, told: dict[str, int]) -> None:
        # A recording is not news: it is told on the page only.
        channels = () if what.source == "replay" else self._ways(rule)
        found = self.log.tell(rule, what, self._feeds.clock.now_ns(), channels, told)
        if found is not None:
            self.notifier.send(*found)

    def _ways(self, rule: Rule) -> tuple[str, ...]:
        known = tuple(self.notifier.channels)
        return known if ALL_CHANNELS in rule.channels else tuple([name for name in rule.channels if name in known])

    def _follow_the_rules(self) -> None:
        changed = self.book.revision != self._revision
        if not changed and (not self.problems or monotonic() - self._asked < ASK_AGAIN_S):
            return
        self._revision, self._asked = self.book.revision, monotonic()
        self._rules = [rule for rule in self.book.rules() if rule.enabled]
        self._conditions = {
            rule.id: parse(rule.condition, self.book.figures) for rule in self._rules if rule.kind is Kind.CONDITION
        }
        for watches in self._watches.values():
            watches.conditions.keep(set(self._conditions))
        self._kept.keep(self._wanted())

    def _wanted(self) -> dict[FeedKey, bool]:
        """The feeds that rules name, and whether one of these is about order flow; notes what cannot be had."""
        wanted: dict[FeedKey, bool] = {}
        problems: dict[str, str] = {}
        for rule in self._rules:
            if rule.feed is None:
                continue
            key = (*rule.feed, STREAM)
            try:
                self._feeds.check(key)
            except ConfigError as error:
                problems[rule.id] = f"{error} {error.hint}".strip()
                continue
            condition = self._conditions.get(rule.id)
            flow = needs_flow(condition) if condition is not None else rule.kind not in ABOUT_THE_FEED
            wanted[key] = wanted.get(key, False) or flow
        self.problems = problems
        return wanted

    def _work(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            try:
                self.look()
            except Exception:  # the border: top of a thread
                log.exception("the feeds could not be looked at for alerts; the next look follows")
