"""What to be told of: one rule is one kind of happening, on one feed or on all that are open."""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

from engine.alerts.condition import parse
from engine.errors import ConfigError

ALL_CHANNELS = "*"
LONGEST_NAME = 80
LONGEST_COOLDOWN_S = 86_400.0


class Kind(StrEnum):
    """What a rule listens to. The first ones are about the feed itself, then order flow, then a condition in words."""

    STALE = "stale"
    GAP = "gap"
    FALLBACK = "fallback"
    RECOVERED = "recovered"
    FAILED = "failed"
    LARGE_ORDER = "large_order"
    ABSORPTION = "absorption"
    EXHAUSTION = "exhaustion"
    VACUUM = "vacuum"
    REGIME = "regime"
    CONDITION = "condition"


ABOUT_THE_FEED = frozenset({Kind.STALE, Kind.GAP, Kind.FALLBACK, Kind.RECOVERED, Kind.FAILED})
EXPLAINED = {
    Kind.STALE: "Nothing has come for 5 s or more.",
    Kind.GAP: "Updates or trades are missing.",
    Kind.FALLBACK: "The stream is lost and the book is polled.",
    Kind.RECOVERED: "The feed is live again after at least so many seconds.",
    Kind.FAILED: "The venue refuses, or does not know the symbol.",
    Kind.LARGE_ORDER: "A taker's order among the largest 1 % of the last 2,000, or a large sweep.",
    Kind.ABSORPTION: "Heavy taking that hardly moves the price.",
    Kind.EXHAUSTION: "The price reaches an extreme while the taking behind it fades.",
    Kind.VACUUM: "One side holds less than a quarter of its usual depth within 10 bps.",
    Kind.REGIME: "The kind of market changes: range, trend, volatile, quiet, liquidity stress.",
    Kind.CONDITION: "A condition in words, such as imbalance_10 > 0.6 for 3 s.",
}
LEAST_MEANS = {
    Kind.RECOVERED: "seconds of trouble",
    Kind.LARGE_ORDER: "in quote units",
}
"""What `Rule.least` is for the kinds that have one."""


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """One wish to be told.

    `feed` is (venue, symbol), whose feed then runs for as long as the rule is on, or None for all that are open.
    `least` leaves out what is smaller (see `LEAST_MEANS`). After an alert the same thing on the same feed stays quiet
    for `cooldown_s`. `channels` are names of ways out of the house, `*` for all of them.
    """

    id: str
    name: str
    kind: Kind
    condition: str = ""
    feed: tuple[str, str] | None = None
    least: float = 0.0
    cooldown_s: float = 60.0
    enabled: bool = True
    toast: bool = True
    channels: tuple[str, ...] = ()


def check(rule: Rule, figures: Collection[str]) -> Rule:
    """The rule, if it can be followed; `figures` are the names that a condition may use.

    Raises:
        ConfigError: it cannot; the message says what is wrong with it.
    """
    if not rule.id or not rule.name.strip() or len(rule.name) > LONGEST_NAME:
        raise ConfigError(f"A rule needs a name of at most {LONGEST_NAME} characters.")
    if not 0.0 <= rule.cooldown_s <= LONGEST_COOLDOWN_S:
        raise ConfigError(f"The cooldown must be from 0 to {LONGEST_COOLDOWN_S:g} s, not {rule.cooldown_s:g} s.")
    if not (math.isfinite(rule.least) and rule.least >= 0.0):
        raise ConfigError(f"The least must be a number from 0 on, not {rule.least:g}.")
    if rule.feed is not None and not all(rule.feed):
        raise ConfigError("A rule for one feed needs its venue and its symbol.")
    if rule.kind is Kind.CONDITION:
        parse(rule.condition, figures)
    return rule


def defaults() -> list[Rule]:
    """What is told before anybody has written a rule: troubles of feeds everywhere, order flow in the list."""

    def rule(kind: Kind, name: str, least: float = 0.0, *, cooldown_s: float = 60.0, toast: bool = False) -> Rule:
        out = (ALL_CHANNELS,) if kind in ABOUT_THE_FEED and kind is not Kind.GAP else ()
        return Rule(kind.value, name, kind, least=least, cooldown_s=cooldown_s, toast=toast, channels=out)

    return [
        rule(Kind.STALE, "Feed is stale", toast=True),
        rule(Kind.GAP, "Updates are missing"),
        rule(Kind.FALLBACK, "Polling instead of streaming", toast=True),
        rule(Kind.RECOVERED, "Feed is back", 5.0, toast=True),
        rule(Kind.FAILED, "Feed failed", toast=True),
        rule(Kind.LARGE_ORDER, "Large order", cooldown_s=30.0),
        rule(Kind.ABSORPTION, "Absorption"),
        rule(Kind.EXHAUSTION, "Exhaustion"),
        rule(Kind.VACUUM, "Liquidity vacuum"),
        rule(Kind.REGIME, "Regime change"),
    ]
