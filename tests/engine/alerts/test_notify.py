"""All channels together: none holds up another, all end within two seconds, and what they say is one line."""

from __future__ import annotations

from time import monotonic

import pytest
from msgspec.structs import replace

from engine.alerts.alert import Alert
from engine.alerts.channel import (
    Channel,
)
from engine.alerts.notify import LONGEST_LINE, Notifier, line_of, title_of
from engine.alerts.rule import Kind
from tests.engine.alerts.test_channel import FakeSender
from tests.engine.support import DEADLINE_S


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


def alert(source: str = "stream") -> Alert:
    return Alert(7, "gap", "Gap", Kind.GAP, ("kraken", "BTC/USD", "stream"), 1, 1, 1, "1 gap", source, False, "gap")


def test_a_slow_channel_does_not_hold_up_another() -> None:
    slow, quick = FakeSender(), FakeSender()
    slow.free.clear()
    notifier = Notifier([Channel("slow", slow), Channel("quick", quick)])
    notifier.send(alert(), ["slow", "quick", "unknown"])
    assert quick.wait_for(1)
    assert slow.messages == []
    slow.free.set()
    notifier.close()


def test_it_ends_within_two_seconds_while_an_answer_is_awaited_and_sends_nothing_more() -> None:
    sender = FakeSender()
    sender.free.clear()
    notifier = Notifier([Channel("phone", sender)])
    notifier.test("phone")
    assert sender.settled(lambda: sender.tries == 1)
    notifier.test("phone")
    began = monotonic()
    notifier.close()
    assert monotonic() - began < 2.0
    notifier.test("phone")
    sender.free.set()
    assert notifier.channels["phone"].join(monotonic() + DEADLINE_S)
    assert len(sender.messages) == 1


def test_it_ends_at_once_while_it_waits_for_the_next_try() -> None:
    sender = FakeSender(failures=99)
    notifier = Notifier([Channel("phone", sender, pause_s=lambda failures: 3600.0)])
    notifier.test("phone")
    assert sender.settled(lambda: notifier.reports()[0].trouble != "")
    began = monotonic()
    notifier.close()
    assert monotonic() - began < 1.0
    assert notifier.channels["phone"].join(0.0)


def test_a_test_says_that_it_is_one(sender: FakeSender) -> None:
    notifier = Notifier([Channel("phone", sender)])
    notifier.test("phone")
    [(title, body)] = sender.wait_for(1)
    assert "test" in title
    assert "test" in body
    notifier.close()


def test_a_simulated_market_is_marked_in_the_headline() -> None:
    assert title_of(alert()) == "Gap: BTC/USD at kraken"
    assert line_of(alert("mock")) == "[simulated] Gap: BTC/USD at kraken: 1 gap"


def test_words_of_others_become_one_line_with_an_end() -> None:
    wild = replace(alert(), name="Gap\r\nBcc: all", text="word " * 1000)
    assert title_of(wild) == "Gap Bcc: all: BTC/USD at kraken"
    assert len(line_of(wild)) == LONGEST_LINE
    assert "\n" not in line_of(wild)
