"""The frame clock: 20 times a second every watched feed is encoded once, and the same bytes go to every tab."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from itertools import count

from app.live.channels import AnyChannel, make_channel
from app.live.source import LiveSource
from app.live.tab import Tab
from engine.feed.mailbox import FeedKey

FRAMES_PER_S = 20.0
KEEP_HISTORY_NS = 60_000_000_000
UNHEARD_NS = 2_000_000_000
FEED_NUMBERS = 65_536

log = logging.getLogger(__name__)


class Broadcaster:
    """Owns the channels and the tabs. Everything but `LiveSource.watch` happens on the event loop.

    A feed is read while a tab watches it; its history outlives the last tab by a minute, so that a reloaded page
    finds its chart again (the time in which nobody listened is then a gap).
    """

    def __init__(self, source: LiveSource, *, frames_per_s: float = FRAMES_PER_S) -> None:
        self.source = source
        self.period_s = 1.0 / frames_per_s
        self.tabs: set[Tab] = set()
        self.channels: dict[FeedKey, AnyChannel] = {}
        self.frames = 0
        self.late = 0
        """Ticks that were skipped because the event loop came too late."""
        self._left_ns: dict[FeedKey, int] = {}
        self._numbers = count()
        self._wanted: tuple[FeedKey, ...] = ()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to tick; call on the running event loop."""
        self._tasks = [
            asyncio.create_task(self._run(), name="frame-clock"),
            asyncio.create_task(self._follow(), name="frame-clock-feeds"),
        ]

    async def stop(self) -> None:
        """Stop ticking and let go of every feed."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        await asyncio.to_thread(self.source.close)

    def join(self, tab: Tab) -> None:
        self.tabs.add(tab)

    def leave(self, tab: Tab) -> None:
        self.tabs.discard(tab)
        self.rewatch()

    def rewatch(self) -> None:
        """Tabs have come, gone or changed their minds: read what they want and nothing else."""
        wanted = tuple(dict.fromkeys([key for tab in self.tabs for key in tab.keys]))
        now_ns = self.source.clock.now_ns()
        for key in wanted:
            channel = self.channels.get(key)
            if channel is None:
                number = next(self._numbers) % FEED_NUMBERS
                channel = self.channels[key] = make_channel(key, number, self.source)
                channel.look(self.source.feed(key), self.source.notice(key))
            left_ns = self._left_ns.pop(key, None)
            if left_ns is not None and now_ns - left_ns >= UNHEARD_NS:
                channel.missed(left_ns, now_ns)
        for key in self.channels:
            if key not in wanted:
                self._left_ns.setdefault(key, now_ns)
        if set(wanted) != set(self._wanted):
            self._wanted = wanted
            self._changed.set()

    def tick(self, now_ns: int) -> None:
        """Encode one frame per watched feed and hand the bytes to the tabs."""
        source, channels = self.source, self.channels
        for news in source.drain():
            channel = channels.get(news.key)
            if channel is not None:
                channel.absorb(news)
        encoded: dict[FeedKey, bytes] = {}
        for key in self._wanted:
            channel = channels[key]
            channel.look(source.feed(key), source.notice(key))
            frame = channel.next_frame(now_ns)
            if frame is not None:
                encoded[key] = frame
                self.frames += 1
        self._deliver(encoded, now_ns)
        self._forget(now_ns)

    def _deliver(self, encoded: dict[FeedKey, bytes], now_ns: int) -> None:
        # Tabs that watch the same feeds share the very same bytes.
        joined: dict[tuple[tuple[FeedKey, ...], frozenset[FeedKey]], bytes] = {}
        for tab in self.tabs:
            if not tab.ready:
                continue
            wish = (tab.keys, tab.fresh)
            message = joined.get(wish)
            if message is None:
                message = joined[wish] = b"".join(
                    [
                        self.channels[key].snapshot(now_ns) if key in tab.fresh else encoded.get(key, b"")
                        for key in tab.keys
                    ]
                )
            if message:
                tab.put(message)

    def _forget(self, now_ns: int) -> None:
        for key in [key for key, left_ns in self._left_ns.items() if now_ns - left_ns > KEEP_HISTORY_NS]:
            del self._left_ns[key], self.channels[key]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self.period_s
            delay = due - loop.time()
            if delay <= -self.period_s:
                self.late += int(-delay / self.period_s)
                due = loop.time()
            await asyncio.sleep(max(0.0, delay))
            if not self.tabs:
                self._forget(self.source.clock.now_ns())
                continue
            try:
                self.tick(self.source.clock.now_ns())
            except Exception:
                log.exception("a frame failed; the next one follows")

    async def _follow(self) -> None:
        """Keep the source on what is wanted, off the event loop: starting a feed may take a moment."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await asyncio.to_thread(self.source.watch, self._wanted)
            except Exception:
                log.exception("feeds could not be changed")
