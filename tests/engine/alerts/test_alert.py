"""Each thing is told once, however often it repeats and however many rules want it."""

from __future__ import annotations

from msgspec.structs import replace

from engine.alerts.alert import ALERTS_KEPT, Alert, AlertLog, Happening
from engine.alerts.rule import Kind, Rule

SECOND = 1_000_000_000
KEY = ("mock", "BTC/USDT", "stream")
RULE = Rule("gap", "Gap", Kind.GAP, cooldown_s=10.0)


def happening(second: float, topic: str = "gap") -> Happening:
    return Happening(Kind.GAP, KEY, round(second * SECOND), f"{topic} {second}", topic, "1 gap", "mock")


def tell(log: AlertLog, what: Happening, rule: Rule = RULE, channels: tuple[str, ...] = ()) -> Alert | None:
    told = log.tell(rule, what, what.at_ns, channels, {})
    return told[0] if told is not None else None


def test_what_repeats_during_the_cooldown_is_counted_and_not_told_again() -> None:
    log = AlertLog()
    tell(log, happening(100))
    assert tell(log, happening(101)) is None
    assert tell(log, happening(109.9)) is None
    [alert] = log.alerts()
    assert (alert.repeats, alert.at_ns, alert.last_ns) == (2, 100 * SECOND, round(109.9 * SECOND))
    assert tell(log, happening(110)) is not None
    assert log.count == 2


def test_what_is_far_larger_is_told_although_the_cooldown_is_not_over() -> None:
    log = AlertLog()
    tell(log, replace(happening(100), size=10.0))
    assert tell(log, replace(happening(101), size=19.0)) is None
    assert tell(log, replace(happening(102), size=20.0)) is not None
    assert tell(log, replace(happening(103), size=30.0)) is None


def test_another_topic_or_another_feed_has_a_cooldown_of_its_own() -> None:
    log = AlertLog()
    tell(log, happening(100))
    assert tell(log, happening(101, "other")) is not None
    assert tell(log, replace(happening(101), key=("mock", "ETH/USDT", "stream"))) is not None


def test_a_recording_that_begins_again_is_told_again() -> None:
    log = AlertLog()
    tell(log, happening(100))
    assert tell(log, happening(50)) is not None


def test_two_rules_that_want_the_same_thing_make_one_alert() -> None:
    log, told = AlertLog(), dict[str, int]()
    log.tell(RULE, happening(100), 0, ("phone",), told)
    other = Rule("other", "Other", Kind.GAP, toast=True)
    joined = log.tell(other, happening(100), 0, ("phone", "mail"), told)
    assert joined is not None
    alert, new = joined
    assert (alert.number, new, alert.ways) == (1, ("mail",), (("phone", "waiting"), ("mail", "waiting")))
    assert log.tell(other, happening(100), 0, ("mail",), told) is None
    for rule in (RULE, other):
        assert log.tell(rule, happening(101), 0, (), {}) is None
    assert [(one.number, one.repeats) for one in log.alerts()] == [(1, 1)]


def test_the_same_moment_of_a_recording_is_told_at_every_playing() -> None:
    log = AlertLog()
    tell(log, happening(100))
    tell(log, happening(200))
    assert tell(log, happening(100)) is not None


def test_acknowledging_is_known_by_all_and_does_not_count_twice() -> None:
    log = AlertLog()
    for second in (100, 200, 300):
        tell(log, happening(second))
    assert log.waiting == 3
    assert log.acknowledge(2, 7) == 1
    assert log.acknowledge(2, 8) == 0
    assert log.acknowledge(99, 8) == 0
    assert [alert.acknowledged_ns for alert in log.alerts()] == [None, 7, None]
    assert log.acknowledge(None, 9) == 2
    assert log.waiting == 0


def test_who_reads_since_a_number_misses_none_and_sees_none_twice() -> None:
    log = AlertLog()
    tell(log, happening(100))
    position = log.count
    assert log.since(position) == []
    tell(log, happening(200))
    tell(log, happening(300))
    assert [alert.number for alert in log.since(position)] == [2, 3]


def test_only_the_newest_are_kept_and_what_nobody_saw_is_counted() -> None:
    log = AlertLog()
    for second in range(ALERTS_KEPT + 5):
        tell(log, happening(100 + 20 * second))
        if second == 1:
            log.acknowledge(None, 0)
    assert len(log.alerts()) == ALERTS_KEPT
    assert log.pushed_out == 3
    assert log.alerts(2)[0].number == ALERTS_KEPT + 5


def test_how_the_sending_stands_is_noted_by_channel() -> None:
    log = AlertLog()
    tell(log, happening(100), channels=("phone", "mail"))
    log.went(1, "mail", "sent")
    log.went(99, "mail", "sent")
    assert log.alerts()[0].ways == (("phone", "waiting"), ("mail", "sent"))
