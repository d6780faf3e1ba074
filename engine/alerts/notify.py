"""Sends alerts out of the house by all channels, and says how they read there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from engine.alerts.alert import Alert
from engine.alerts.channel import Channel, ChannelReport

LONGEST_LINE = 400

log = logging.getLogger(__name__)


class Notifier:
    """All channels by name."""

    def __init__(self, channels: Sequence[Channel] = (), problems: Sequence[str] = ()) -> None:
        self.channels = {channel.name: channel for channel in channels}
        self.problems = list(problems)
        """What is wrong with addresses that could not be used, in words without secrets."""

    def send(self, alert: Alert, channels: Sequence[str]) -> None:
        """Queue an alert for these channels; returns at once."""
        for name in channels:
            if (channel := self.channels.get(name)) is not None:
                channel.put(alert.number, title_of(alert), line_of(alert))

    def test(self, name: str) -> None:
        """Queue a message that says that it is a test; how it goes is in the report."""
        if (channel := self.channels.get(name)) is not None:
            channel.put(0, "Tapedeck: test", "This is a test. Alerts of Tapedeck will come this way.")

    def reports(self) -> list[ChannelReport]:
        return [channel.report() for channel in self.channels.values()]

    def close(self) -> None:
        """Send nothing more; returns within 2 s. A call that hangs then ends by its own timeout, and sends no more."""
        for channel in self.channels.values():
            channel.stop()
        deadline = monotonic() + 1.5
        slow = [channel.name for channel in self.channels.values() if not channel.join(deadline)]
        if slow:
            log.warning("still waiting for an answer at the end: %s", ", ".join(slow))


def title_of(alert: Alert) -> str:
    """The headline: what, and on which feed; simulated markets are marked as such."""
    mark = "[simulated] " if alert.source == "mock" else ""
    return _one_line(f"{mark}{alert.name}: {alert.key[1]} at {alert.key[0]}")


def line_of(alert: Alert) -> str:
    """One line that can stand alone."""
    return _one_line(f"{title_of(alert)}: {alert.text}")


def _one_line(text: str) -> str:
    """Words of others, which may be long and of many lines."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
