"""Alerts in words: what others wrote is shown and never read as markup; the tone is a sound that can be played."""

from __future__ import annotations

import io
import wave

import pytest

from app.alert_words import ICONS, beep, channels_of, feed_of, toast_of, what_of
from app.panels.alert_bell import MOST_TOASTS, notes
from app.panels.alert_channels import row
from app.panels.alert_list import table
from engine.alerts.alert import Alert
from engine.alerts.channel import ChannelReport
from engine.alerts.rule import EXPLAINED, Kind, Rule


def alert(number: int = 1, **changed: object) -> Alert:
    fields: dict[str, object] = {
        "number": number, "rule": "r", "name": "<b>*Mine*</b>", "kind": Kind.GAP, "key": ("mock", "BTC/USDT", "stream"),
        "at_ns": 1_700_000_000_000_000_000, "raised_ns": 1, "last_ns": 1_700_000_001_000_000_000, "text": "[x](y) <i>",
        "source": "mock", "toast": True, "topic": "gap",
    }  # fmt: skip
    return Alert(**{**fields, **changed})  # type: ignore[arg-type]


def test_a_toast_says_where_and_marks_what_is_simulated() -> None:
    text = toast_of(alert())
    assert "BTC/USDT at mock \\(simulated\\)" in text
    assert "[x](y)" not in text
    assert "<i>" not in text


def test_many_at_once_are_three_toasts_and_a_count() -> None:
    told = notes([alert(number) for number in range(8)])
    assert len(told) == MOST_TOASTS + 1
    assert told[-1].startswith("🔔 5 more")


def test_the_list_shows_words_of_others_as_they_are() -> None:
    drawn = table([alert(repeats=2, ways=(("phone", "sent"),), acknowledged_ns=1_700_000_002_000_000_000)])
    assert "<b>*Mine*</b>" not in drawn
    assert "&lt;b&gt;*Mine*&lt;/b&gt;" in drawn
    assert "×2, last 22:13:21" in drawn
    assert "phone: sent" in drawn
    assert "22:13:22" in drawn


def test_a_channel_that_fails_shows_it() -> None:
    report = ChannelReport("phone", "Telegram", "tgram://***", 1, 2, 3, 4, "try 1 of 5 failed: <no>", "trouble")
    drawn = row(report)
    assert "td-warn" in drawn
    assert "try 1 of 5 failed: &lt;no&gt;" in drawn
    assert "2 sent, 3 failed, 1 waiting, 4 dropped" in drawn


def test_rules_are_worded_by_what_they_listen_to() -> None:
    rule = Rule("r", "R", Kind.LARGE_ORDER, feed=("mock", "BTC/USDT"), least=5_000.0, channels=("a", "b"))
    assert what_of(rule) == "large order, 5,000 in quote units or more"
    assert (feed_of(rule), channels_of(rule)) == ("BTC/USDT at mock", "a, b")
    rule = Rule("r", "R", Kind.CONDITION, "mid > 1", channels=("*",))
    assert (what_of(rule), feed_of(rule), channels_of(rule)) == ("mid > 1", "every open feed", "all")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_icon_and_its_explanation(kind: Kind) -> None:
    assert ICONS[kind]
    assert EXPLAINED[kind].endswith(".")


def test_the_tone_is_a_wave_file_and_each_one_is_another() -> None:
    with wave.open(io.BytesIO(beep(1))) as sound:
        assert 0.3 < sound.getnframes() / sound.getframerate() < 0.5
    assert beep(1) != beep(2)
