"""A channel sends on a thread of its own, tries again, and is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Condition, Event
from time import monotonic

import pytest

from engine.alerts.channel import (
    FIRST_WAIT_S,
    LEAST_PAUSE_S,
    LONGEST_WAIT_S,
    QUEUE,
    TOGETHER,
    TRIES,
    Channel,
    _pause_s,
)
from engine.errors import SendError
from tests.engine.support import DEADLINE_S


class FakeSender:
    """Takes messages, or fails as often as it is told to; can be held."""

    service, address = "Fake", "fake://***"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.tries = 0
        self.messages: list[tuple[str, str]] = []
        self.free = Event()
        self.free.set()
        self._changed = Condition()

    def send(self, title: str, body: str) -> None:
        with self._changed:
            self.tries += 1
            self._changed.notify_all()
        assert self.free.wait(DEADLINE_S)
        with self._changed:
            if self.failures:
                self.failures -= 1
                raise SendError("no answer")
            self.messages.append((title, body))
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[tuple[str, str]]:
        assert self.settled(lambda: len(self.messages) >= count), self.messages
        return self.messages

    def settled(self, true: Callable[[], bool]) -> bool:
        """Whether it became true before the deadline; looked at now and then, for others change it, too."""
        ends = monotonic() + DEADLINE_S
        with self._changed:
            while not true():
                if monotonic() > ends:
                    return False
                self._changed.wait(0.01)
        return True


class Told:
    """What was told of the sending."""

    def __init__(self) -> None:
        self.words: list[tuple[int, str]] = []

    def __call__(self, number: int, channel: str, how: str) -> None:
        self.words.append((number, how))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def channel(sender: FakeSender, told: Told) -> Iterator[Channel]:
    made = Channel("phone", sender, told, pause_s=lambda failures: 0.0)
    yield made
    sender.free.set()
    made.stop()
    assert made.join(monotonic() + DEADLINE_S)


def test_a_message_that_fails_is_tried_again_and_each_try_is_shown(
    channel: Channel, sender: FakeSender, told: Told
) -> None:
    sender.failures = 2
    channel.put(1, "T", "line")
    assert sender.wait_for(1) == [("T", "line")]
    assert sender.settled(lambda: len(told.words) == 3)
    assert told.words == [(1, "try 1 of 5 failed: no answer"), (1, "try 2 of 5 failed: no answer"), (1, "sent")]
    report = channel.report()
    assert (report.sent, report.failed, report.last, report.trouble) == (1, 0, "sent", "")


def test_after_five_failures_it_is_given_up_and_the_next_one_is_sent(
    channel: Channel, sender: FakeSender, told: Told
) -> None:
    sender.failures = TRIES
    channel.put(1, "T", "lost")
    assert sender.settled(lambda: channel.report().failed == 1)
    assert channel.report().trouble == "failed 5 times: no answer"
    channel.put(2, "T", "next")
    assert sender.wait_for(1) == [("T", "next")]
    assert sender.settled(lambda: channel.report().trouble == "")
    assert sender.tries == TRIES + 1
    assert told.words[TRIES - 1] == (1, "failed 5 times: no answer")


def test_who_puts_never_waits_and_the_oldest_gives_way_when_too_many_wait(
    channel: Channel, sender: FakeSender, told: Told
) -> None:
    sender.free.clear()
    channel.put(1, "T", "1")
    assert sender.settled(lambda: sender.tries == 1)
    began = monotonic()
    for number in range(2, QUEUE + 5):
        channel.put(number, "T", str(number))
    assert monotonic() - began < 1.0
    assert (channel.report().waiting, channel.report().dropped) == (QUEUE, 3)
    assert told.words == [(number, "not sent: too many were waiting") for number in (2, 3, 4)]


def test_several_that_wait_go_together(channel: Channel, sender: FakeSender) -> None:
    sender.free.clear()
    channel.put(1, "T", "first")
    assert sender.settled(lambda: sender.tries == 1)
    for number in range(2, TOGETHER + 4):
        channel.put(number, "T", f"line {number}")
    sender.free.set()
    messages = sender.wait_for(3)
    assert messages[1] == (f"{TOGETHER} alerts", "\n".join([f"line {number}" for number in range(2, TOGETHER + 2)]))
    assert messages[2][0] == "2 alerts"


def test_pauses_grow_with_chance_and_have_an_end() -> None:
    assert _pause_s(0) == LEAST_PAUSE_S
    for failures in range(1, 20):
        most = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (failures - 1))
        found = {_pause_s(failures) for _ in range(50)}
        assert len(found) > 1
        assert most / 2 <= min(found) <= max(found) <= most
