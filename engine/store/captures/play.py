"""Plays a capture: raw frames through their venue's own decoder, continuity and feed, as when they came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from msgspec.structs import force_setattr, replace

from engine.clock import Clock, ManualClock
from engine.errors import DecodeError, StoreError
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import FeedState, MarketEvent, Trade
from engine.store.captures.handovers import Successors
from engine.store.captures.notes import read_note
from engine.store.captures.reader import Damage, Record, read_capture, segments
from engine.store.captures.verify import FrameReader
from engine.store.playable import About, Published

SCAN_RECORDS = 5_000
TICK_NS = 500_000_000
STREAM = "stream"
_EVENTS = frozenset(get_args(MarketEvent))


class PlayableCapture:
    """A capture file and who reads it. Its feeds are the symbols that speak in its first 5,000 records."""

    def __init__(self, path: Path, reader: FrameReader) -> None:
        self.path = path
        self.reader = reader
        self.title = path.name
        self.feeds, self.start_ns, self.end_ns = self._scan()

    def about(self, venue: str) -> About:
        can = getattr(self.reader, "capabilities", None)
        if can is None:
            return About(0, True, "as recorded")
        return About(can.depth, can.trades, can.gap_detection)

    def make_feed(self, key: FeedKey, clock: Clock) -> Feed:
        reader = self.reader
        return Feed(key[0], key[1], reader.continuity, clock=clock, crossed_allowed=reader.crossed_allowed)

    def close(self) -> None:
        """Nothing is held between two passes."""

    def begin(self, feed_of: Callable[[FeedKey], Feed]) -> CapturePass:
        return CapturePass(self.path, self.reader.fresh(), feed_of)

    def _scan(self) -> tuple[tuple[FeedKey, ...], int, int]:
        """The feeds, and when the capture begins and ends."""
        whole = CapturePass(self.path, self.reader.fresh(), _no_feed)
        keys: dict[FeedKey, None] = {}
        first_ns = last_ns = 0
        records = read_capture(self.path, lambda damage: None)
        for record in islice(records, SCAN_RECORDS):
            first_ns = first_ns or record.received_ns
            last_ns = max(last_ns, record.received_ns)
            for item in whole.items(record):
                if type(item) in _EVENTS and item.symbol:
                    keys.setdefault((self.reader.name, item.symbol, STREAM))
        parts = segments(self.path)
        # When it ends, the last of several files says: the others need not be read for that.
        rest = records if len(parts) == 1 else read_capture(parts[-1], lambda damage: None)
        for record in rest:
            last_ns = max(last_ns, record.received_ns)
        if not first_ns:
            raise StoreError(f"{self.path}: there is nothing in it that can be played", hint="Choose another file.")
        return tuple(keys), first_ns, last_ns


class CapturePass:
    """One way through a capture."""

    def __init__(self, path: Path, reader: FrameReader, feed_of: Callable[[FeedKey], Feed]) -> None:
        self.damage: list[Damage] = []
        self.dropped_frames = 0
        self._path = path
        self._reader = reader
        self._feed_of = feed_of
        self._feeds: dict[str, tuple[FeedKey, Feed]] = {}
        self._decoders: dict[tuple[str, str], Callable[[bytes, int], Sequence[Any]]] = {}
        """What reads the frames of each recorded connection, by its name and address."""
        self._connections: dict[str, str] = {}
        self._tick_ns = 0
        self._clock = ManualClock(0)
        self._successors = Successors(self._aside)

    def moments(self) -> Iterator[tuple[int, Record]]:
        newest_ns = 0
        for record in read_capture(self._path, self.damage.append):
            at_ns = record.received_ns
            if at_ns > newest_ns:
                newest_ns = at_ns
            yield newest_ns, record

    def take(self, record: Record) -> Published:
        if record.direction == "open":
            return self._reopened(record.connection)
        if record.direction == "note":
            return self._note(record)
        published: list[tuple[FeedKey, MarketEvent]] = []
        feeds, connections, streamed = self._feeds, self._connections, record.channel == "ws"
        successors = self._successors
        if successors.waiting:
            self._clock.set(record.received_ns)
        for item in self.items(record):
            if type(item) not in _EVENTS:
                if item.kind == "restart":
                    published += self._broken(record.connection, item.reason)
                continue
            if successors.waiting and successors.push(record, item):
                continue
            symbol = item.symbol
            key, feed = feeds.get(symbol) or self._meet(symbol)
            if streamed:
                connections[symbol] = record.connection
            force_setattr(item, "source", "replay")  # fresh from the decoder: nobody else has it
            for event in feed.push(item):
                published.append((key, event))
                if type(event) is Trade:
                    successors.told(event)
        if record.received_ns - self._tick_ns >= TICK_NS:
            published += self._tick(record.received_ns)
        return published

    def _tick(self, now_ns: int) -> Published:
        """Let the feeds notice silence, as their connection did twice a second."""
        self._tick_ns = now_ns
        return [(key, event) for key, feed in self._feeds.values() for event in feed.tick(now_ns)]

    def losses(self) -> str:
        words = []
        if self.damage:
            first = self.damage[0]
            words.append(f"{len(self.damage)} damaged places, the first in line {first.line}: {first.reason}")
        if self.dropped_frames:
            words.append(f"{self.dropped_frames} unreadable frames")
        return "; ".join(words)

    def items(self, record: Record) -> Sequence[Any]:
        """What a record says: events, and words about the connection."""
        try:
            if record.direction == "recv" and record.channel == "ws":
                way = (record.connection, record.url)
                decode = self._decoders.get(way)
                if decode is None:
                    decode = self._decoders[way] = self._reader.recorded_decoder(*reversed(way))
                return decode(record.data, record.received_ns)
            if record.direction == "resp":
                return self._reader.decode_response(record.url, record.data, record.received_ns)
        except DecodeError:
            self.dropped_frames += 1
        return ()

    def _note(self, record: Record) -> Published:
        """The recorder's own words: frames that are missing, or a connection that takes the place of another."""
        words, published = read_note(record), list[tuple[FeedKey, MarketEvent]]()
        if "lost" in words:
            published += self._broken(record.connection, f"the recorder lost {words['lost']} records here")
        elif "beside" in words and str(words["beside"]) in self._connections.values():
            self._successors.begin(record.connection)
        elif "ended" in words:
            self._successors.forget(record.connection)
        elif "takes over" in words:
            known = {symbol: feed for symbol, (_, feed) in self._feeds.items()}
            for symbol, news in self._successors.take_over(record.connection, known):
                key, feed = self._feeds.get(symbol) or self._meet(symbol)
                self._connections[symbol] = record.connection
                for item in news:
                    published += [(key, event) for event in feed.push(replace(item, source="replay"))]
        return published

    def _aside(self, symbol: str) -> Feed:
        """A feed that nobody hears, for a connection that has not yet taken over."""
        reader = self._reader
        return Feed(
            reader.name, symbol, reader.continuity, clock=self._clock, crossed_allowed=reader.crossed_allowed
        )  # fmt: skip

    def _meet(self, symbol: str) -> tuple[FeedKey, Feed]:
        key = (self._reader.name, symbol, STREAM)
        found = self._feeds[symbol] = key, self._feed_of(key)
        return found

    def _on(self, connection: str) -> list[tuple[FeedKey, Feed]]:
        """The feeds that a recorded connection carried last."""
        return [found for symbol, found in self._feeds.items() if self._connections.get(symbol) == connection]

    def _reopened(self, connection: str) -> Published:
        """A new connection of that name: nothing continues."""
        for way in [way for way in self._decoders if way[0] == connection]:
            del self._decoders[way]
        published: list[tuple[FeedKey, MarketEvent]] = []
        for key, feed in self._on(connection):
            feed.connection_lost()
            said = feed.set_state(FeedState.RECONNECTING, "the connection was opened anew", source="replay")
            published += [(key, event) for event in said]
        return published

    def _broken(self, connection: str, reason: str) -> Published:
        """The numbering of a connection broke: no book on it can be trusted until its next snapshot."""
        published: list[tuple[FeedKey, MarketEvent]] = []
        for key, feed in self._on(connection):
            feed.quality.gaps += 1
            published += [(key, event) for event in feed.lose(reason)]
        return published


def _no_feed(key: FeedKey) -> Feed:
    raise AssertionError("a scan pushes nothing")
