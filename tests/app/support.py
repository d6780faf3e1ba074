"""A venue for one tab's tests, and waiting with a deadline for what other threads do."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

from engine.market.events import MarketEvent
from tests.engine.support import DEADLINE_S, FakeConnector

LOOK_EVERY_S = 0.005


def wait_until(true: Callable[[], bool], deadline_s: float = DEADLINE_S) -> bool:
    """Whether it became true before the deadline; for things that give no signal of their own."""
    ends = monotonic() + deadline_s
    pause = Event()
    while not true():
        if monotonic() >= ends:
            return False
        pause.wait(LOOK_EVERY_S)
    return True


class TabVenue(FakeConnector):
    """A fake venue that speaks to whoever watches a symbol."""

    def __init__(self) -> None:
        super().__init__("fake")

    @property
    def started(self) -> list[str]:
        return [stream.symbol for stream in self.streams]

    @property
    def stopped(self) -> list[str]:
        return [stream.symbol for stream in self.streams if stream.stopped.is_set()]

    def say(self, symbol: str, *events: MarketEvent) -> None:
        """Let the newest stream of a symbol say these, in order."""
        stream = next(stream for stream in reversed(self.streams) if stream.symbol == symbol)
        for event in events:
            stream.say(event)
