"""A short recording, somebody who listens, and time that does not take as long as it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition
from time import monotonic

from msgspec.structs import replace

from connectors.base.playback.player import Player
from engine.feed.mailbox import FeedKey
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent
from engine.store.base import Entry, Gap
from engine.store.play_tape import PlayableTape
from tests.engine.support import DEADLINE_S, START_NS, delta, snapshot, trade
from tests.fakes.memory_store import MemoryStore

KEY = ("binance", "BTCUSDT", "stream")
SECOND = 1_000_000_000


class HurriedPace:
    """Time that leaps to the end of every wait, so that an hour takes as long as its events."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.waited_s = 0.0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wait(self, changed: Condition, seconds: float | None) -> None:
        if seconds is None:
            changed.wait(DEADLINE_S)
            return
        self.waited_s += seconds
        self.now_ns += round(seconds * 1e9) + 1


class Ear:
    """Hears a feed, and wakes who waits for something in it."""

    def __init__(self, times: list[int] | None = None) -> None:
        """`times` collects when the events were received, of several ears in one order."""
        self.events: list[MarketEvent] = []
        self._times = times
        self._changed = Condition()

    def __call__(self, event: MarketEvent) -> None:
        with self._changed:
            self.events.append(event)
            if self._times is not None:
                self._times.append(event.received_ns)
            self._changed.notify_all()

    def wait(self, true: Callable[[list[MarketEvent]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: true(self.events), DEADLINE_S), self.events[-3:]

    def wait_end(self, times: int = 1) -> None:
        self.wait(lambda events: len(ended(events)) >= times)

    def of(self, *kinds: type) -> list[MarketEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def clear(self) -> None:
        with self._changed:
            self.events = []


def ended(events: Sequence[MarketEvent]) -> list[MarketEvent]:
    return [event for event in events if isinstance(event, FeedStatus) and event.state is FeedState.STOPPED]


def books(events: Sequence[MarketEvent]) -> list[int | None]:
    """The numbers of the book events."""
    return [
        event.last_sequence if isinstance(event, BookDelta) else event.sequence
        for event in events
        if isinstance(event, BookDelta | BookSnapshot)
    ]


def line(count: int = 10, every_s: float = 1.0) -> list[MarketEvent]:
    """LIVE, a book numbered 100, then one update each `every_s`, a trade in the middle."""
    said: list[MarketEvent] = [
        FeedStatus("binance", "BTCUSDT", FeedState.LIVE, "", "", 0, None, START_NS, "stream"),
        snapshot(100),
    ]
    for number in range(1, count + 1):
        at_ns = START_NS + round(number * every_s * SECOND)
        said.append(delta(100 + number, bids=((100.0, float(number)),), at_ns=at_ns))
        if number == count // 2:
            said.append(trade(1, at_ns=at_ns))
    return said


def tape(*lines: tuple[FeedKey, Sequence[MarketEvent]], gaps: Sequence[Gap] = ()) -> PlayableTape:
    """A recording of these lines, in the order of their times."""
    store = MemoryStore()
    recording = store.begin([key for key, _ in lines], at_ns=START_NS)
    said = sorted(
        [(event.received_ns, key, event) for key, events in lines for event in events], key=lambda row: row[0]
    )
    store.append(recording.id, [Entry(index, key, event) for index, (_, key, event) in enumerate(said)], gaps=gaps)
    return PlayableTape(store, store.end(recording.id, at_ns=said[-1][0]))


def as_replayed(events: Sequence[MarketEvent]) -> list[MarketEvent]:
    """The same, as a replay says them."""
    return [replace(event, source="replay") for event in events]


def wait_until(player: Player, true: Callable[[Player], bool]) -> None:
    """For what no event tells."""
    ends, pause = monotonic() + DEADLINE_S, Condition()
    while not true(player):
        assert monotonic() < ends, player.state()
        with pause:
            pause.wait(0.002)
