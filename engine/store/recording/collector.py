"""Gathers what a recording writes in one transaction: entries, gaps, and now and then books, bars and quality."""

from __future__ import annotations

from time import monotonic

from msgspec import Struct

from engine.clock import JUMP_NS, Clock
from engine.feed.mailbox import FeedKey
from engine.hub import Hub
from engine.market.events import Trade
from engine.store.base import CandleBar, Entered, Entry, Gap, MarketDepth, QualityNote, Recording
from engine.store.recording.bars import BarMaker, depth_of
from engine.store.recording.options import RecordOptions
from engine.store.recording.recording_queue import RecordingQueue

QUALITY_EVERY_S = 60.0


class Batch(Struct):
    """What is written in one transaction; `taken` is what the entries were made of."""

    taken: list[tuple[FeedKey, Entered]]
    entries: list[Entry]
    gaps: list[Gap]
    depth: list[MarketDepth]
    bars: list[CandleBar]
    quality: list[QualityNote]


class Rhythm:
    """Says when something that happens every so many seconds is due; 0 means never. The first time after one pause."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = monotonic() + every_s

    def due(self) -> bool:
        now = monotonic()
        if not self._every_s or now < self._next:
            return False
        # From the plan, not from now, so that it does not drift; what was missed is not made up for.
        self._next = max(self._next + self._every_s, now)
        return True


class Collector:
    """Makes the batches of one recording and numbers its entries."""

    def __init__(
        self, hub: Hub, recording: Recording, queue: RecordingQueue, options: RecordOptions, clock: Clock
    ) -> None:
        self._hub, self._recording, self._queue, self._clock = hub, recording, queue, clock
        self._index = 0
        self._bars = BarMaker(recording.id, options.timeframes)
        self._rhythms = Rhythm(options.depth_every_s), Rhythm(QUALITY_EVERY_S)
        self._watch = clock.now_ns(), monotonic()

    def collect(self, *, last: bool = False) -> Batch:
        """Everything that came since the last time. `last` ends all holes."""
        taken, gaps = self._queue.drain()
        entries = [Entry(index, key, event) for index, (key, event) in enumerate(taken, self._index)]
        self._index += len(entries)
        for key, event in taken:
            if type(event) is Trade:
                self._bars.add(key, event)
        gaps += self._jump()
        if last:
            gaps += self._queue.end_holes(self._clock.now_ns())
        depth, quality = [rhythm.due() for rhythm in self._rhythms]
        return Batch(
            taken, entries, gaps,
            self._depth() if depth else [],
            self._bars.take(),
            self._quality() if quality or last else [],
        )  # fmt: skip

    def _depth(self) -> list[MarketDepth]:
        """The books that may be shown as current."""
        at_ns, rows = self._clock.now_ns(), []
        for key in self._recording.feeds:
            feed = self._hub.feed(key)
            if feed is not None and feed.state.has_data and (view := feed.view) is not None:
                rows.append(depth_of(key, view, at_ns, self._recording.id))
        return rows

    def _quality(self) -> list[QualityNote]:
        at_ns = self._clock.now_ns()
        feeds = [(key, self._hub.feed(key)) for key in self._recording.feeds]
        return [QualityNote(key, at_ns, feed.quality.report(at_ns)) for key, feed in feeds if feed is not None]

    def _jump(self) -> list[Gap]:
        """A gap where this machine's clock has jumped: times before and after it do not belong to one line."""
        (then_ns, then_s), self._watch = self._watch, (self._clock.now_ns(), monotonic())
        now_ns, now_s = self._watch
        jump_ns = now_ns - then_ns - round((now_s - then_s) * 1e9)
        if abs(jump_ns) <= JUMP_NS:
            return []
        reason = f"this machine's clock jumped by {jump_ns / 1e9:+.1f} s (sleep, or a corrected date)"
        return [Gap(None, min(then_ns, now_ns), max(then_ns, now_ns), None, reason)]
