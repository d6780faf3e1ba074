"""Which parts of the order-flow analysis an export runs; each is made once per symbol."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from engine.flow.section import Section
from engine.flow.studies.grid_record import GridRecord
from engine.flow_export.book_sections import book_sections
from engine.flow_export.tape_sections import tape_sections


class Subject(Struct, frozen=True):
    """What is analysed: one symbol of a capture, counted beforehand.

    `tick` is the price step in quote units; `quotes` and `books` are how many best quotes and book states there will be
    (an applied snapshot or update each), `trades` and `volume` how many prints and their size in all.
    """

    venue: str
    symbol: str
    tick: float
    quotes: int
    books: int
    trades: int
    volume: float


def _book(subject: Subject) -> list[Section]:
    return book_sections(subject.tick, subject.quotes, subject.books)


def _tape(subject: Subject) -> list[Section]:
    return tape_sections(subject.tick, subject.volume)


def _record(subject: Subject) -> list[Section]:
    return [GridRecord()]


MAKERS: tuple[Callable[[Subject], list[Section]], ...] = (_book, _tape, _record)
