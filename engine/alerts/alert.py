"""Alerts as they are kept: the newest 500 of the process, each told once however often it repeats."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.alerts.rule import Kind, Rule
from engine.feed.mailbox import FeedKey

ALERTS_KEPT = 500
TOPICS_KEPT = 5_000
FAR_LARGER = 2.0
"""What is so many times larger than what was told is told although the cooldown is not over."""

Key = TypeVar("Key")


class Happening(Struct, frozen=True):
    """Something that a rule may want to hear of.

    `identity` is the same for the same thing, whoever asks; `topic` is what stays quiet together during a cooldown.
    `size` is compared with the least of a rule, in its unit. `at_ns` is event time.
    """

    kind: Kind
    key: FeedKey
    at_ns: int
    identity: str
    topic: str
    text: str
    source: str
    size: float | None = None


class Alert(Struct, frozen=True):
    """One thing that a person is told.

    `at_ns` is event time, `raised_ns` by our clock. `repeats` counts what came again during the cooldown, the last
    time at `last_ns`. `ways` says by channel how the sending stands: waiting, sent, or why not.
    """

    number: int
    rule: str
    name: str
    kind: Kind
    key: FeedKey
    at_ns: int
    raised_ns: int
    last_ns: int
    text: str
    source: str
    toast: bool
    topic: str
    repeats: int = 0
    acknowledged_ns: int | None = None
    ways: tuple[tuple[str, str], ...] = ()
    size: float | None = None

    @property
    def waits(self) -> bool:
        """Whether nobody has acknowledged it yet."""
        return self.acknowledged_ns is None


class AlertLog:
    """All alerts of the process. Any thread may ask."""

    def __init__(self) -> None:
        self.count = 0
        """The number of the newest alert."""
        self.pushed_out = 0
        """Alerts that were pushed out before anybody acknowledged them."""
        self._alerts: OrderedDict[int, Alert] = OrderedDict()
        self._latest: OrderedDict[tuple[str, FeedKey, str], int] = OrderedDict()
        self._lock = Lock()

    def tell(
        self, rule: Rule, what: Happening, now_ns: int, channels: tuple[str, ...], told: dict[str, int]
    ) -> tuple[Alert, tuple[str, ...]] | None:
        """Keep what a rule wants told; the alert, and the channels by which it has now to go out.

        None: it falls into the cooldown, or another rule has raised it already and all is done. `told` is what was
        told in the same look, by identity; it is kept up to date.
        """
        with self._lock:
            topic = (rule.id, what.key, what.topic)
            if (number := told.get(what.identity)) is not None:
                _keep(self._latest, topic, number)
                return self._join(number, rule, channels)
            earlier = self._alerts.get(self._latest.get(topic, 0))
            if earlier is not None and _rests(earlier, what, rule.cooldown_s):
                if earlier.last_ns != what.at_ns:
                    self._alerts[earlier.number] = replace(earlier, repeats=earlier.repeats + 1, last_ns=what.at_ns)
                return None
            self.count += 1
            alert = Alert(
                self.count, rule.id, rule.name, what.kind, what.key, what.at_ns, now_ns, what.at_ns, what.text,
                what.source, rule.toast, what.topic, ways=tuple([(name, "waiting") for name in channels]),
                size=what.size,
            )  # fmt: skip
            self._alerts[alert.number] = alert
            _keep(self._latest, topic, alert.number)
            told[what.identity] = alert.number
            self._trim()
            return alert, channels

    def alerts(self, most: int = ALERTS_KEPT) -> list[Alert]:
        """The newest, newest first."""
        with self._lock:
            return [self._alerts[number] for number in list(self._alerts)[: -most - 1 : -1]]

    def since(self, number: int) -> list[Alert]:
        """Those after a number, oldest first; begin with `count`."""
        if number >= self.count:
            return []
        return [alert for alert in reversed(self.alerts()) if alert.number > number]

    @property
    def waiting(self) -> int:
        """How many of those that are kept nobody has acknowledged."""
        with self._lock:
            return sum(alert.waits for alert in self._alerts.values())

    def acknowledge(self, number: int | None, now_ns: int) -> int:
        """Acknowledge one alert (None: all of them); how many were waiting."""
        with self._lock:
            chosen = list(self._alerts) if number is None else [number] if number in self._alerts else []
            waiting = [one for one in chosen if self._alerts[one].waits]
            for one in waiting:
                self._alerts[one] = replace(self._alerts[one], acknowledged_ns=now_ns)
            return len(waiting)

    def went(self, number: int, channel: str, how: str) -> None:
        """Note how the sending of an alert by a channel stands."""
        self._change(number, lambda alert: replace(alert, ways=_with(alert.ways, channel, how)))

    def _change(self, number: int, change: Callable[[Alert], Alert]) -> None:
        with self._lock:
            alert = self._alerts.get(number)
            if alert is not None:
                self._alerts[number] = change(alert)

    def _join(self, number: int, rule: Rule, channels: tuple[str, ...]) -> tuple[Alert, tuple[str, ...]] | None:
        """Add another rule's wishes to an alert."""
        alert = self._alerts[number]
        had = {name for name, _ in alert.ways}
        new = tuple([name for name in channels if name not in had])
        ways = (*alert.ways, *[(name, "waiting") for name in new])
        alert = self._alerts[number] = replace(alert, toast=alert.toast or rule.toast, ways=ways)
        return (alert, new) if new else None

    def _trim(self) -> None:
        while len(self._alerts) > ALERTS_KEPT:
            _, old = self._alerts.popitem(last=False)
            self.pushed_out += old.waits


def _rests(earlier: Alert, what: Happening, cooldown_s: float) -> bool:
    """Whether a happening falls into the cooldown of an earlier alert."""
    if earlier.size is not None and what.size is not None and what.size >= FAR_LARGER * earlier.size > 0.0:
        return False
    return 0 <= what.at_ns - earlier.at_ns < cooldown_s * 1e9


def _with(ways: tuple[tuple[str, str], ...], channel: str, how: str) -> tuple[tuple[str, str], ...]:
    return tuple([(name, how if name == channel else said) for name, said in ways])


def _keep(kept: OrderedDict[Key, int], key: Key, number: int) -> None:
    kept.pop(key, None)
    kept[key] = number
    while len(kept) > TOPICS_KEPT:
        kept.popitem(last=False)
