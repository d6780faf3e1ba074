"""Plays a capture as if it were its venue: the same frames through the same decoder and feed, at a chosen speed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic_ns

from msgspec.structs import replace

from connectors.base.venue import Control, Decode, Venue
from engine.connector import Callback, Capabilities
from engine.errors import DecodeError, StoreError, StreamUnsupported
from engine.feed.feed import Feed
from engine.market.events import BookSnapshot, FeedState, MarketEvent
from engine.market.instrument import Instrument
from engine.store.capture import Damage, Record, read_capture

SCAN_RECORDS = 5_000
BREATH_RECORDS = 200
BREATH_S = 0.001
TICK_NS = 500_000_000

Decoders = dict[tuple[str, str], Decode]
"""What reads the frames of each recorded connection, by its name and address."""

log = logging.getLogger(__name__)


class PlaybackClock:
    """The recorder's clock, moving `speed` times as fast as ours; None for speed: it is where the player is."""

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self._file_ns = 0
        self._started_ns: int | None = None

    def start(self, file_ns: int) -> None:
        self._file_ns = file_ns
        self._started_ns = monotonic_ns()

    def reach(self, file_ns: int) -> None:
        """The player is at this record (only when it runs as fast as it can, or has ended)."""
        self._file_ns = file_ns
        self._started_ns = None

    def now_ns(self) -> int:
        if self._started_ns is None or self.speed is None:
            return self._file_ns
        return self._file_ns + round((monotonic_ns() - self._started_ns) * self.speed)

    def wait_s(self, file_ns: int) -> float:
        """Seconds of our time until the recorder's clock shows `file_ns`; 0 when it is past or speed is None."""
        return 0.0 if self.speed is None else max(0.0, (file_ns - self.now_ns()) / 1e9 / self.speed)


class PlaybackStream:
    """One symbol of a capture that somebody watches."""

    def __init__(self, connector: PlaybackConnector, symbol: str, feed: Feed, callback: Callback) -> None:
        self.symbol = symbol
        self.feed = feed
        self.callback: Callback | None = callback
        self._connector = connector

    def stop(self) -> None:
        self.callback = None
        self._connector.release(self)


class PlaybackConnector:
    """A capture file in the place of a venue. The first stream starts it, the last one stops and rewinds it."""

    def __init__(self, venue: Venue, path: Path, speed: float | None) -> None:
        self._venue = venue
        self._path = path
        self.clock = PlaybackClock(speed)
        pace = "max" if speed is None else f"{speed:g}×"
        self.name = f"{path.name} @ {pace}"
        self.capabilities = Capabilities(
            streaming=True, polling=False, depth=venue.capabilities.depth, trades=venue.capabilities.trades,
            gap_detection=venue.capabilities.gap_detection, source="replay", note=f"A recording of {venue.name}.",
        )  # fmt: skip
        self.damage: list[Damage] = []
        self.dropped_frames = 0
        self._feeds: dict[str, Feed] = {}
        self._streams: list[PlaybackStream] = []
        self._lock = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def recorded(self) -> str:
        """The venue that was recorded."""
        return self._venue.name

    def start_stream(self, symbol: str, callback: Callback) -> PlaybackStream:
        with self._lock:
            stream = PlaybackStream(self, symbol, self._feed(symbol), callback)
            self._streams = [*self._streams, stream]
            if self._thread is None:
                self._stopping = Event()
                self._thread = Thread(
                    target=self._play, args=(self._stopping,), name=f"playback-{self._path.name}", daemon=True
                )
                self._thread.start()
        return stream

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> PlaybackStream:
        raise StreamUnsupported("a recording cannot be polled", hint="Choose streaming.")

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        if symbol is None:
            live = [feed for feed in self._feeds.values() if feed.view is not None]
            newest = max(live, key=lambda feed: feed.quality.last_ns or 0, default=None)
        else:
            newest = self._feeds.get(symbol)
        return newest.snapshot() if newest is not None else None

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        feed = self._feeds.get(symbol)
        snapshot = feed.snapshot(depth) if feed is not None else None
        if snapshot is None:
            raise StoreError(f"the recording has no book of {symbol} at this moment")
        return snapshot

    def instruments(self) -> Sequence[Instrument]:
        """The symbols that speak in the first 5,000 records."""
        symbols: dict[str, None] = {}
        venue = self._venue.fresh()
        decoders: Decoders = {}
        for number, record in enumerate(self._records()):
            for event in self._events(venue, record, decoders):
                symbols.setdefault(event.symbol)
            if number >= SCAN_RECORDS:
                break
        self.damage.clear()
        return [Instrument(self.name, symbol, symbol, "") for symbol in symbols if symbol]

    def release(self, stream: PlaybackStream) -> None:
        """A stream has ended; the player stops with the last one, within 2 s."""
        with self._lock:
            self._streams = [other for other in self._streams if other is not stream]
            if self._streams:
                return
            thread, self._thread = self._thread, None
            self._stopping.set()
        if thread is not None:
            thread.join(timeout=2.0)
        self._feeds = {}

    def close(self) -> None:
        for stream in list(self._streams):
            stream.stop()

    def _feed(self, symbol: str) -> Feed:
        feed = self._feeds.get(symbol)
        if feed is None:
            feed = self._feeds[symbol] = Feed(
                self.name, symbol, self._venue.continuity,
                clock=self.clock, crossed_allowed=self._venue.crossed_allowed,
            )  # fmt: skip
        return feed

    def _records(self) -> Iterator[Record]:
        return read_capture(self._path, self.damage.append)

    def _events(self, venue: Venue, record: Record, decoders: Decoders) -> list[MarketEvent]:
        """What a record says; `decoders` are those of the connections that were met so far."""
        return [item for item in self._items(venue, record, decoders) if not isinstance(item, Control)]

    def _items(self, venue: Venue, record: Record, decoders: Decoders) -> list[MarketEvent | Control]:
        try:
            if record.direction == "open":
                for way in [way for way in decoders if way[0] == record.connection]:
                    del decoders[way]
                return []
            if record.direction == "recv" and record.channel == "ws":
                way = (record.connection, record.url)
                decode = decoders.get(way)
                if decode is None:
                    decode = decoders[way] = venue.recorded_decoder(record.url, record.connection)
                items = decode(record.data, record.received_ns)
            elif record.direction == "resp":
                items = venue.decode_response(record.url, record.data, record.received_ns)
            else:
                return []
        except DecodeError:
            self.dropped_frames += 1
            return []
        return [item if isinstance(item, Control) else replace(item, source="replay") for item in items]

    def _lose(self, reason: str) -> None:
        """The numbering of the recorded connection broke: no book can be trusted until its next snapshot."""
        for symbol, feed in list(self._feeds.items()):
            feed.quality.gaps += 1
            self._tell(symbol, feed.lose(reason))

    def _play(self, stopping: Event) -> None:
        try:
            self._play_records(stopping)
        except Exception as error:  # the border: top of a thread
            log.exception("playing %s failed", self._path)
            self._say(FeedState.FAILED, f"{type(error).__name__}: {error}")

    def _play_records(self, stopping: Event) -> None:
        started = False
        tick_ns = 0
        venue = self._venue.fresh()
        decoders: Decoders = {}
        for number, record in enumerate(self._records()):
            if not started:
                self.clock.start(record.received_ns)
                started = True
            wait_s = self.clock.wait_s(record.received_ns)
            # As fast as possible still lets the page breathe.
            if stopping.wait(wait_s or BREATH_S) if wait_s > 0 or number % BREATH_RECORDS == 0 else stopping.is_set():
                return
            if self.clock.speed is None:
                self.clock.reach(record.received_ns)
            for item in self._items(venue, record, decoders):
                if not isinstance(item, Control):
                    self._publish(self._feed(item.symbol), item)
                elif item.kind == "restart":
                    self._lose(item.reason)
            if record.received_ns - tick_ns >= TICK_NS:
                tick_ns = record.received_ns
                self._tick(tick_ns)
        self.clock.reach(self.clock.now_ns())
        self._say(FeedState.STOPPED, f"the recording has ended{self._losses()}")

    def _losses(self) -> str:
        """What could not be played, in words; empty when everything was."""
        words = []
        if self.damage:
            first = self.damage[0]
            words.append(f"{len(self.damage)} damaged places, the first in line {first.line}: {first.reason}")
        if self.dropped_frames:
            words.append(f"{self.dropped_frames} unreadable frames")
        return f" ({'; '.join(words)})" if words else ""

    def _publish(self, feed: Feed, event: MarketEvent) -> None:
        self._tell(feed.symbol, feed.push(event))

    def _tick(self, now_ns: int) -> None:
        for symbol, feed in list(self._feeds.items()):
            self._tell(symbol, feed.tick(now_ns))

    def _say(self, state: FeedState, reason: str) -> None:
        for symbol, feed in list(self._feeds.items()):
            hint = "Stop and start again to play it from the beginning." if state is FeedState.STOPPED else ""
            self._tell(symbol, feed.set_state(state, reason, hint=hint, source="replay"))

    def _tell(self, symbol: str, events: Sequence[MarketEvent]) -> None:
        for event in events:
            for stream in self._streams:
                callback = stream.callback
                if stream.symbol == symbol and callback is not None:
                    callback(event)
