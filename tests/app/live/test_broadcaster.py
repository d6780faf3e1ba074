from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.live import frames
from app.live.broadcaster import Broadcaster
from app.live.tab import Tab
from engine.market.events import Level
from engine.market.signal import Signal
from tests.app.live.market import HandSource
from tests.app.live.reading import KEY, Read, Screen, read

OTHER = ("mock", "ETHUSDT", "stream")
BIDS: list[Level] = [(99.5, 1.0), (99.0, 2.5)]
ASKS: list[Level] = [(100.0, 0.5), (100.5, 4.0)]


class Studio:
    """A broadcaster on a source that the test drives."""

    def __init__(self) -> None:
        self.source = HandSource(KEY, OTHER)
        self.broadcaster = Broadcaster(self.source)

    def open(self, *keys: tuple[str, str, str]) -> Tab:
        tab = Tab()
        self.broadcaster.join(tab)
        tab.watch(keys)
        self.broadcaster.rewatch()
        return tab

    def tick(self) -> None:
        self.source.clock.advance(0.05)
        self.broadcaster.tick(self.source.clock.now_ns())

    def book(self, size: float = 1.0) -> None:
        self.source.feeds[KEY].book([(99.5, size), (99.0, 2.5)], ASKS)


def received(tab: Tab) -> list[bytes]:
    """Take all that may be sent, and acknowledge it."""
    messages = []
    while (message := tab.take()) is not None:
        messages.append(message)
        tab.acknowledge(1)
    return messages


def frames_of(tab: Tab) -> list[Read]:
    return [frame for message in received(tab) for frame in read(message)]


def test_a_tab_begins_with_a_snapshot_and_goes_on_with_deltas() -> None:
    studio = Studio()
    tab = studio.open(KEY)
    studio.book()
    studio.tick()
    studio.book(2.0)
    studio.tick()
    first, second = frames_of(tab)
    assert (first.kind, second.kind) == (frames.SNAPSHOT, frames.DELTA)
    assert second.seq == first.seq + 1
    assert second.sections[frames.BIDS] == [(99.5, 2.0)]


def test_every_tab_gets_the_very_same_bytes() -> None:
    studio = Studio()
    tabs = [studio.open(KEY, OTHER) for _ in range(3)]
    studio.tick()
    studio.book()
    studio.tick()
    messages = [received(tab) for tab in tabs]
    assert messages[0][1] is messages[1][1]
    assert messages[1][1] is messages[2][1]


def test_a_late_tab_sees_the_book_that_the_first_one_sees() -> None:
    studio = Studio()
    early = studio.open(KEY)
    for size in range(1, 6):
        studio.book(float(size))
        studio.tick()
    late = studio.open(KEY)
    for size in range(6, 9):
        studio.book(float(size))
        studio.tick()
    screens = []
    for tab in (early, late):
        screen = Screen()
        for frame in frames_of(tab):
            screen.take(frame)
        screens.append(screen)
    assert screens[0].bids == screens[1].bids == [(99.5, 8.0), (99.0, 2.5)]
    assert screens[0].points == screens[1].points


def test_a_page_that_sleeps_wakes_up_to_a_snapshot() -> None:
    studio = Studio()
    tab = studio.open(KEY)

    seen: list[Read] = []
    for size in range(1, 30):
        studio.book(float(size))
        studio.tick()
        seen += read(tab.take() or b"")
    assert tab.overflows == 1
    tab.acknowledge(3)
    studio.book(99.0)
    studio.tick()
    seen += read(tab.take() or b"")
    assert [frame.kind for frame in seen] == [frames.SNAPSHOT, frames.DELTA, frames.DELTA, frames.SNAPSHOT]
    assert seen[-1].sections[frames.BIDS][0] == (99.5, 99.0)


def test_a_signal_reaches_the_screen() -> None:
    studio = Studio()
    tab = studio.open(KEY)
    studio.tick()
    studio.source.signals.append((KEY, Signal("pressure", "mock", "BTCUSDT", "buy", 0.5, 99.7, 1_000_000, "why")))
    studio.tick()
    assert frames_of(tab)[-1].sections[frames.SIGNALS] == [[1.0, "buy", 0.5, 99.7, "pressure", "why"]]


def test_feeds_are_read_only_while_somebody_watches() -> None:
    studio = Studio()

    async def visit() -> None:
        studio.broadcaster.start()
        tab = studio.open(KEY)
        await until(lambda: studio.source.watched == [(KEY,)])
        second = studio.open(KEY, OTHER)
        await until(lambda: studio.source.watched[-1] == (KEY, OTHER))
        studio.broadcaster.leave(second)
        await until(lambda: studio.source.watched[-1] == (KEY,))
        studio.broadcaster.leave(tab)
        await until(lambda: studio.source.watched[-1] == ())
        await studio.broadcaster.stop()

    asyncio.run(visit())
    assert studio.source.closed


def test_a_reload_finds_the_history_and_a_long_absence_is_a_gap() -> None:
    studio = Studio()
    tab = studio.open(KEY)
    studio.book()
    studio.tick()
    studio.broadcaster.leave(tab)
    studio.source.clock.advance(1.0)
    tab = studio.open(KEY)
    studio.tick()
    [snapshot] = frames_of(tab)
    assert len(snapshot.sections[frames.POINTS]) == 1
    assert snapshot.sections[frames.GAPS] == []
    studio.broadcaster.leave(tab)
    studio.source.clock.advance(30.0)
    tab = studio.open(KEY)
    studio.tick()
    [snapshot] = frames_of(tab)
    [(start, end)] = snapshot.sections[frames.GAPS]
    assert 29_900.0 <= end - start <= 30_100.0


def test_what_nobody_has_watched_for_a_minute_is_forgotten() -> None:
    studio = Studio()
    tab = studio.open(KEY)
    studio.tick()
    studio.broadcaster.leave(tab)
    studio.source.clock.advance(61.0)
    studio.tick()
    assert not studio.broadcaster.channels


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task does; fails after two seconds."""
    async with asyncio.timeout(2.0):
        while not condition():  # noqa: ASYNC110  another thread brings it about
            await asyncio.sleep(0.005)
