"""Plays a capture through the very decoder, sync and feed that serve live data, and says what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from engine.clock import ManualClock
from engine.errors import DecodeError, StoreError
from engine.feed.feed import Feed
from engine.feed.sync import Continuity
from engine.market.events import BUY, SELL, FeedState, Levels, MarketEvent, Trade, Written
from engine.store.captures.handovers import Successors
from engine.store.captures.notes import read_note
from engine.store.captures.reader import Damage, Record, read_capture

TOP = 10
PROBLEMS_LISTED = 100
PROBE_RECORDS = 200


class FrameReader(Protocol):
    """What verification needs of a connector: its pure half."""

    name: str
    continuity: Continuity
    crossed_allowed: bool

    def recorded_decoder(self, url: str, connection: str) -> Callable[[bytes, int], Sequence[Any]]: ...

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]: ...

    def fresh(self) -> FrameReader:
        """One for a new pass over a recording; itself, unless it remembers what it has read."""

    @classmethod
    def recognises(cls, url: str) -> bool: ...

    @classmethod
    def unreadable(cls, url: str) -> str: ...


class _Tape:
    """Exact sums over the trades of one symbol."""

    def __init__(self) -> None:
        self.trades = 0
        self.volume = {BUY: Decimal(0), SELL: Decimal(0), 0: Decimal(0)}
        self.first: int | str | None = None
        self.last: int | str | None = None

    def add(self, trade: Trade) -> None:
        if trade.backfill:
            return
        self.trades += 1
        self.volume[trade.aggressor] += exact(trade.size) if trade.exact_size is None else Decimal(trade.exact_size)
        if self.first is None:
            self.first = trade.trade_id
        self.last = trade.trade_id


class Report(Struct):
    """What a capture holds. `problems` is empty only when nothing is wrong."""

    connector: str
    frames: int = 0
    dropped_frames: int = 0
    seconds: float = 0.0
    symbols: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    def problem(self, text: str) -> None:
        """Count a problem; the first hundred are kept in words."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_LISTED:
            self.problems.append(text)


def exact(number: float) -> Decimal:
    """The decimal that a venue wrote, from its double: exact for up to 15 significant digits."""
    return Decimal(repr(number))


def plain(number: Decimal) -> str:
    """A decimal without exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def recognise(path: Path, readers: Mapping[str, FrameReader]) -> FrameReader:
    """The connector whose venue a capture was recorded from, by the URLs in it.

    Raises:
        StoreError: the file cannot be opened, no connector knows its venue, or its connector does not read it.
    """
    seen: dict[str, None] = {}
    damages: list[Damage] = []
    for number, record in enumerate(read_capture(path, lambda damage: damages.append(damage) if not damages else None)):
        named = _named(read_note(record), readers)
        if named is not None:
            return named
        if record.url and record.url not in seen:
            seen[record.url] = None
            for reader in readers.values():
                if reader.recognises(record.url):
                    refuse_unreadable(path, reader)
                    return reader
        if number >= PROBE_RECORDS:
            break
    if not seen:
        raise StoreError(
            f"{path} {_nothing(damages)}", hint="A capture is JSON lines as engine/store/captures/reader.py describes."
        )
    hosts = ", ".join(sorted({url.split("?")[0] for url in seen})[:3])
    raise StoreError(
        f"{path}: no connector recognises this capture (it has {hosts})",
        hint=f"Name one with --connector: {', '.join(sorted(readers))}.",
    )


def _nothing(damages: Sequence[Damage]) -> str:
    """What to say of a file that names no venue: it is damaged from the start, or there is nothing in it."""
    if not damages:
        return "names no venue: there is no record with a URL in it"
    return f"is no capture, or damaged from its beginning: line {damages[0].line}: {damages[0].reason}"


def _named(words: Mapping[str, Any], readers: Mapping[str, FrameReader]) -> FrameReader | None:
    """The connector that a recording names: mock:alpha is read as mock is, and so is what was no venue's own frame."""
    name = str(words.get("connector", ""))
    family = readers.get(name.partition(":")[0])
    return family if words.get("frames") else readers.get(name) or family


def refuse_unreadable(path: Path, reader: FrameReader) -> None:
    """Refuse a capture whose URLs (in its first records) show that the connector cannot read it.

    Raises:
        StoreError: the connector says why.
    """
    seen: set[str] = set()
    for number, record in enumerate(read_capture(path, lambda damage: None)):
        if record.url not in seen:
            seen.add(record.url)
            reason = reader.unreadable(record.url)
            if reason:
                raise StoreError(f"{path}: {reason}")
        if number >= PROBE_RECORDS:
            return


class Verification:
    """One capture on its way through the line."""

    def __init__(self, reader: FrameReader) -> None:
        self.report = Report(reader.name)
        self.feeds: dict[str, Feed] = {}
        self._reader = reader.fresh()
        self._clock = ManualClock(0)
        self._tapes: dict[str, _Tape] = {}
        self._connections: dict[str, str] = {}
        self._decoders: dict[tuple[str, str], Callable[[bytes, int], Sequence[Any]]] = {}
        self._successors = Successors(lambda symbol: Verification.new_feed(self, symbol))
        self._first_ns: int | None = None
        self._last_ns = 0

    def damaged(self, damage: Damage) -> None:
        self.report.problem(f"line {damage.line}: {damage.reason}")

    def play(self, record: Record) -> None:
        """Take one record in file order."""
        self._clock.set(record.received_ns)
        if record.direction == "open":
            self._reopened(record.connection)
        elif record.direction == "recv" and record.channel == "ws":
            self.report.frames += 1
            if self._first_ns is None:
                self._first_ns = record.received_ns
            self._last_ns = max(self._last_ns, record.received_ns)
            decode = self._decoders.get((record.connection, record.url)) or self._new_decoder(record)
            self._take(record, decode(record.data, record.received_ns))
        elif record.direction == "note":
            self._note(record)
        elif record.direction == "resp":
            self._take(record, self._reader.decode_response(record.url, record.data, record.received_ns))

    def finish(self) -> Report:
        report = self.report
        report.seconds = round((self._last_ns - (self._first_ns or self._last_ns)) / 1e9, 3)
        for symbol in sorted(self.feeds):
            report.symbols[symbol] = self._symbol(symbol)
        if not report.frames:
            report.problem("the capture holds no frame")
        return report

    def new_feed(self, symbol: str) -> Feed:
        """The line of a symbol that the capture names for the first time."""
        reader = self._reader
        return Feed(
            reader.name, symbol, reader.continuity, clock=self._clock, crossed_allowed=reader.crossed_allowed
        )  # fmt: skip

    def _new_decoder(self, record: Record) -> Callable[[bytes, int], Sequence[Any]]:
        way = (record.connection, record.url)
        decoder = self._decoders[way] = self._reader.recorded_decoder(record.url, record.connection)
        return decoder

    def _note(self, record: Record) -> None:
        """The recorder's own words: frames that are missing, or a connection that takes the place of another."""
        words = read_note(record)
        if "lost" in words:
            self._broken(record, f"the recorder lost {words['lost']} records of connection {record.connection or '-'}")
        elif "beside" in words and str(words["beside"]) in self._connections.values():
            self._successors.begin(record.connection)
        elif "ended" in words:
            self._successors.forget(record.connection)
        elif "takes over" in words:
            for symbol, events in self._successors.take_over(record.connection, self.feeds):
                self._connections[symbol] = record.connection
                self._push(symbol, events)

    def _take(self, record: Record, items: Sequence[Any]) -> None:
        for item in items:
            symbol = getattr(item, "symbol", "")
            if not isinstance(item, MarketEvent) or not symbol:
                if getattr(item, "kind", "") == "restart":
                    self._broken(record, item.reason)
                continue
            if self._successors.push(record, item):
                continue
            if record.channel == "ws":
                self._connections[symbol] = record.connection
            self._push(symbol, (item,))

    def _push(self, symbol: str, items: Sequence[MarketEvent]) -> None:
        feed = self.feeds.get(symbol)
        if feed is None:
            feed = self.feeds[symbol] = self.new_feed(symbol)
            self._tapes[symbol] = _Tape()
        for item in items:
            for event in feed.push(item):
                if type(event) is Trade:
                    self._tapes[symbol].add(event)
                self._successors.told(event)

    def _broken(self, record: Record, reason: str) -> None:
        """The numbering of a connection broke: whatever it carries may lack something."""
        self.report.problem(f"line {record.line}: {reason}")
        for symbol, feed in self.feeds.items():
            if self._connections.get(symbol) == record.connection:
                feed.quality.gaps += 1
                feed.lose(reason)

    def _reopened(self, connection: str) -> None:
        for way in [way for way in self._decoders if way[0] == connection]:
            del self._decoders[way]
        for symbol, feed in self.feeds.items():
            if self._connections.get(symbol) == connection:
                feed.connection_lost()
                feed.set_state(FeedState.RECONNECTING, "the connection was opened anew")

    def _symbol(self, symbol: str) -> dict[str, Any]:
        feed, tape = self.feeds[symbol], self._tapes[symbol]
        quality = feed.quality
        book = feed.snapshot(TOP)
        counts = {
            "snapshots": quality.snapshots,
            "applied": quality.applied,
            "ignored": quality.ignored,
            "duplicates": quality.duplicates,
            "gaps": quality.gaps,
            "resyncs": quality.resyncs,
            "crossed": quality.crossed,
            "checksums_ok": quality.checksums_ok,
            "checksums_bad": quality.checksums_bad,
        }
        wrong = {name: counts[name] for name in ("gaps", "crossed", "checksums_bad") if counts[name]}
        wrong |= {
            name: getattr(quality, name)
            for name in ("out_of_order", "quote_mismatches", "trade_gaps", "decode_errors")
            if getattr(quality, name)
        }
        if wrong:
            self.report.problem(f"{symbol}: {', '.join(f'{name} {count}' for name, count in wrong.items())}")
        if feed.state in (FeedState.SYNCING, FeedState.RECONNECTING):
            reason = feed.status.reason if feed.status is not None else ""
            self.report.problem(f"{symbol}: the book never came (back): {reason}")
        return {
            "state": feed.state.value,
            **counts,
            "trades": tape.trades,
            "buy_volume": plain(tape.volume[BUY]),
            "sell_volume": plain(tape.volume[SELL]),
            "first_trade_id": tape.first,
            "last_trade_id": tape.last,
            "levels": list(feed.levels),
            "top": {
                "bids": _decimals(book.bids, book.wire[0] if book.wire else None) if book else [],
                "asks": _decimals(book.asks, book.wire[1] if book.wire else None) if book else [],
            },
        }


def _decimals(levels: Levels, written: Written | None) -> list[list[str]]:
    """Levels in plain decimals: the venue's own text where it was kept, for a double does not hold 18 digits."""
    if written is not None:
        return [[plain(Decimal(price)), plain(Decimal(size))] for price, size in written]
    return [[plain(exact(price)), plain(exact(size))] for price, size in levels]


def verify(path: Path, reader: FrameReader) -> Report:
    """Play a whole capture.

    Raises:
        StoreError: the file cannot be opened, or is none that the connector reads. Whatever is wrong inside it is in
            the report.
    """
    refuse_unreadable(path, reader)
    verification = Verification(reader)
    for record in read_capture(path, verification.damaged):
        try:
            verification.play(record)
        except DecodeError as error:
            verification.report.dropped_frames += record.direction == "recv"
            verification.damaged(Damage(record.line, str(error)))
    return verification.finish()
