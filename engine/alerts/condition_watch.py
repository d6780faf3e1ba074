"""Follows the rules in words on one feed."""

from __future__ import annotations

from engine.alerts.alert import Happening
from engine.alerts.condition import Condition, Figures
from engine.alerts.figures import FEED_FIGURES, feed_figure, flow_figures
from engine.alerts.hold import Hold
from engine.alerts.rule import Kind, Rule
from engine.analysis.flow_line import FlowPicture
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey


class ConditionWatch:
    """The conditions on one feed, each followed from the first time that it is asked for."""

    __slots__ = ("_holds", "_key")

    def __init__(self, key: FeedKey) -> None:
        self._key = key
        self._holds: dict[str, tuple[Condition, Hold]] = {}

    def look(
        self, rule: Rule, condition: Condition, feed: Feed, picture: FlowPicture | None, now_ns: int, source: str
    ) -> Happening | None:
        """What there is to tell of one rule, as of the moment of the picture (of the feed alone: `now_ns`)."""
        known = self._holds.get(rule.id)
        if known is None or known[0] != condition:
            known = self._holds[rule.id] = (condition, Hold(condition))
        # A picture may stand still while the feed is lost, and the time of the feed's own figures goes on.
        t_ns = picture.metrics.at_ns if picture is not None and needs_flow(condition) else now_ns
        figures = _figures(feed, picture, now_ns)
        if not known[1].step(t_ns, figures):
            return None
        now = " and ".join([f"{term.figure} is {_value(figures(term.name), term.size)}" for term in condition.terms])
        text = f"{now} ({condition.text})"
        identity = f"{rule.id} {condition.text} {t_ns}"
        return Happening(Kind.CONDITION, self._key, t_ns, identity, rule.id, text, source)

    def keep(self, rules: set[str]) -> None:
        """Forget the rules that are not among these."""
        for name in [name for name in self._holds if name not in rules]:
            del self._holds[name]


def needs_flow(condition: Condition) -> bool:
    """Whether it speaks of order flow, and not of the feed alone."""
    return any(name in flow_figures() for name in condition.names)


def _figures(feed: Feed, picture: FlowPicture | None, now_ns: int) -> Figures:
    believed = feed.state.has_data and picture is not None

    def value(name: str) -> float | None:
        if name in FEED_FIGURES:
            return feed_figure(name, feed, now_ns)
        if not believed or picture is None:
            return None
        reading = picture.metrics.readings.get(name)
        return reading.value if reading is not None else None

    return value


def _value(value: float | None, size: bool) -> str:
    return "–" if value is None else f"{abs(value) if size else value:,.6g}"
