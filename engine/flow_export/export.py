"""Plays a capture through the line with the order-flow analysis on it, and writes what that found to files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from engine.errors import DecodeError, StoreError
from engine.feed.feed import Feed
from engine.flow.section import Changes, Observer, Section
from engine.flow.studies.grid_record import GridRecord
from engine.flow.ticks import TickFinder
from engine.flow_export.sampling import Sampling
from engine.flow_export.sections import MAKERS, Subject
from engine.flow_export.studies import Study, write_studies
from engine.flow_export.tape_sections import TapeFindings
from engine.market.book import Book
from engine.market.instrument import nearest_symbols
from engine.store.captures.reader import Damage, read_capture
from engine.store.captures.verify import FrameReader, Verification, refuse_unreadable

Kind = TypeVar("Kind")

CLOSE_TO_TOP = 50
"""The price step is found from so many levels a side of each book; further out prices are round."""


class Census(Section):
    """The first pass: how many events there will be, and the price step."""

    __slots__ = ("_finder", "_last", "books", "quotes", "trades", "volume")

    def __init__(self) -> None:
        self.quotes = self.books = self.trades = 0
        self.volume = 0.0
        self._finder = TickFinder()
        self._last = (0.0, 0.0)

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.quotes += 1
        if (bid, ask) != self._last:
            self._last = bid, ask
            self._finder.add(bid)
            self._finder.add(ask)

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        self.books += 1
        if changes is None:
            for side in (book.bids(CLOSE_TO_TOP), book.asks(CLOSE_TO_TOP)):
                self._finder.add_all(price for price, _ in side)

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.trades += 1
        self.volume += size

    def subject(self, venue: str, symbol: str, tick: float | None) -> Subject:
        """What the second pass needs to know.

        Raises:
            StoreError: neither the capture nor `tick` tells the price step.
        """
        step = tick or self._finder.tick
        if step is None:
            what = "trades of {symbol!r} only" if self.trades else "no two prices of {symbol!r}"
            raise StoreError(
                f"the capture holds {what.format(symbol=symbol)}", hint="Give the price step with --tick to go on."
            )
        return Subject(venue, symbol, step, self.quotes or self.books, self.books, self.trades, self.volume)


class ObservedReplay(Verification):
    """A capture on its way through the line, with an observer on the feeds of some symbols."""

    def __init__(self, reader: FrameReader, observers: dict[str, Observer]) -> None:
        super().__init__(reader)
        self._observers = observers

    def new_feed(self, symbol: str) -> Feed:
        feed = super().new_feed(symbol)
        feed.observer = self._observers.get(symbol)
        return feed


def replay(path: Path, reader: FrameReader, observers: dict[str, Observer]) -> list[str]:
    """Play a whole capture to the observers of these symbols; every symbol that it names.

    Raises:
        StoreError: the file cannot be opened, or is none that the connector reads.
    """
    refuse_unreadable(path, reader)
    play = ObservedReplay(reader, observers)
    for record in read_capture(path, play.damaged):
        try:
            play.play(record)
        except DecodeError as error:
            play.damaged(Damage(record.line, str(error)))
    return sorted(play.feeds)


def count(path: Path, reader: FrameReader, symbols: Sequence[str]) -> dict[str, Census]:
    """The first pass over a capture.

    Raises:
        StoreError: it does not name a symbol.
    """
    found = {symbol: Census() for symbol in symbols}
    named = replay(path, reader, {symbol: Observer([census]) for symbol, census in found.items()})
    for symbol in symbols:
        if symbol not in named:
            near = nearest_symbols(symbol, named) or named[:5]
            raise StoreError(
                f"the capture says nothing of {symbol!r}",
                hint=f"Did you mean {', '.join(near)}?" if near else "It names no symbol at all.",
            )
    return found


def analyse(path: Path, reader: FrameReader, symbols: Sequence[str], tick: float | None = None) -> dict[str, Observer]:
    """Play a capture through every section, and hand back the observers of the symbols, ready to `finish`.

    Raises:
        StoreError: the file cannot be read, or says nothing of a symbol.
    """
    observers = {}
    for symbol, census in count(path, reader, symbols).items():
        subject = census.subject(reader.name, symbol, tick)
        sections = [section for make in MAKERS for section in make(subject)]
        observers[symbol] = Observer(sections, derive_quotes=not census.quotes)
    replay(path, reader, observers)
    return observers


def _one(observer: Observer, kind: type[Kind]) -> Kind:
    return next(section for section in observer.sections if isinstance(section, kind))


def _study(observer: Observer) -> Study:
    events = _one(observer, TapeFindings).events()
    return Study(_one(observer, GridRecord), events, _one(observer, Sampling))


def export(
    path: Path, reader: FrameReader, prefixes: dict[str, str], folder: Path, tick: float | None = None
) -> list[Path]:
    """Analyse the symbols (`prefixes` names the files of each): write `<prefix>.json` and `<prefix>.<table>.csv`.

    Files that hold several recordings (`regime.json`, `signals.json`, `correlation.json`, `sampling_latency.json`) are
    added to.

    Raises:
        StoreError: the capture cannot be read, says nothing of a symbol, or the files cannot be written.
    """
    observers = analyse(path, reader, list(prefixes), tick)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for symbol, observer in observers.items():
            prefix = prefixes[symbol]
            found = {"capture": prefix, **observer.finish(observer.last_ns)}
            target = folder / f"{prefix}.json"
            target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            written.append(target)
            for name, table in observer.tables().items():
                target = folder / f"{prefix}.{name}.csv"
                with target.open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file, lineterminator="\n").writerows([table.columns, *table.rows])
                written.append(target)
        written += write_studies(folder, {prefixes[symbol]: _study(one) for symbol, one in observers.items()})
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}", hint="Choose a folder that can be written.") from error
    return written
