from __future__ import annotations

import pytest

from engine.flow.section import LONGEST_SILENCE_NS, SILENCE_NS, Changes, Json, Observer, Section, Table
from engine.flow.state import BookState, state_of
from engine.flow.ticks import TickFinder
from engine.market.book import Book
from tests.engine.flow.books import at


class Diary(Section):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.told.append(("quote", (t_ns - at(0)) / 1e9))

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self.told.append(("trade", (t_ns - at(0)) / 1e9))

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.told.append(("reset", (t_ns - at(0)) / 1e9))

    def on_timer(self, t_ns: int) -> None:
        self.told.append(("edge", (t_ns - at(0)) / 1e9))


def say(observer: Observer, seconds: float) -> None:
    observer.on_bbo(at(seconds), 100, 1, 101, 1)


def test_edges_of_whole_seconds_pass_before_the_event_that_passes_them() -> None:
    diary = Diary()
    observer = Observer([diary])
    observer.on_trade(at(0.2), 1, 1, 1, None, 1)
    for seconds in (0.4, 1.0, 1.5, 3.2):
        say(observer, seconds)
    assert diary.told == [
        ("trade", 0.2), ("quote", 0.4), ("quote", 1.0), ("edge", 1.0), ("quote", 1.5), ("edge", 2.0), ("edge", 3.0),
        ("quote", 3.2),
    ]  # fmt: skip


def test_time_passes_without_events_too() -> None:
    diary = Diary()
    observer = Observer([diary])
    observer.on_time(at(5))
    assert not diary.told, "the grid begins with the first quote"
    say(observer, 0.5)
    observer.on_time(at(2.5))
    assert diary.told[1:] == [("edge", 1.0), ("edge", 2.0)]


def test_an_edge_at_the_very_end_counts() -> None:
    diary = Diary()
    observer = Observer([diary])
    say(observer, 0.5)
    say(observer, 2.0)
    observer.finish(observer.last_ns)
    assert diary.told[-1] == ("edge", 2.0)


def test_a_long_silence_is_a_break_and_a_very_long_one_begins_the_grid_anew() -> None:
    diary = Diary()
    observer = Observer([diary])
    say(observer, 0.5)
    say(observer, 0.5 + SILENCE_NS / 1e9)
    assert ("reset", 5.5) not in diary.told
    say(observer, 11)
    assert ("reset", 10.5) in diary.told
    diary.told.clear()
    later = 11 + LONGEST_SILENCE_NS / 1e9 + 10.5
    say(observer, later)
    say(observer, later + 1)
    seconds = [("edge", float(edge)) for edge in range(11, 16)]
    assert diary.told == [
        *seconds, ("reset", 16), ("quote", later), ("edge", later + 0.5), ("quote", later + 1),
    ]  # fmt: skip


def test_silence_ends_what_is_known_at_the_same_moment_whether_or_not_somebody_counts_the_seconds() -> None:
    watched, played = Diary(), Diary()
    live, replay = Observer([watched]), Observer([played])
    for observer in (live, replay):
        say(observer, 0.5)
    for second in range(1, 20):
        live.on_time(round(second * 1e9) + 1)
    for observer in (live, replay):
        say(observer, 20.5)
    assert watched.told == played.told
    assert watched.told.index(("edge", 5)) < watched.told.index(("reset", 5.5)) < watched.told.index(("edge", 6))
    assert [what for what, _ in watched.told].count("reset") == 1


def test_a_section_is_told_only_what_it_has_a_method_for() -> None:
    class Edges(Section):
        def __init__(self) -> None:
            self.edges = 0

        def on_timer(self, t_ns: int) -> None:
            self.edges += 1

    edges, diary = Edges(), Diary()
    observer = Observer([edges])
    say(observer, 0.5)
    observer.on_book(at(0.6), Book(), None)
    observer.on_trade(at(0.7), 1, 1, 1, None, 1)
    observer.on_reset(at(0.8), "a gap")
    say(observer, 2.5)
    assert edges.edges == 2
    observer.set_sections([diary])
    say(observer, 3.5)
    assert (edges.edges, diary.told) == (2, [("edge", 3.0), ("quote", 3.5)])


def test_without_quotes_the_top_of_each_book_stands_for_one() -> None:
    class Quotes(Section):
        def __init__(self) -> None:
            self.quotes: list[tuple[float, ...]] = []

        def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
            self.quotes.append((bid, bid_size, ask, ask_size))

    quotes = Quotes()
    observer = Observer([quotes], derive_quotes=True)
    book = Book()
    observer.on_book(at(0), book, None)
    book.replace([(100, 1), (99, 5)], [(101, 2)])
    observer.on_book(at(1), book, Changes((), (), (), ()))
    assert quotes.quotes == [(100, 1, 101, 2)]


def test_what_sections_found_is_joined_key_by_key() -> None:
    class Finder(Section):
        def __init__(self, found: Json) -> None:
            self.found = found

        def finish(self, t_ns: int) -> Json:
            return self.found

        def tables(self) -> dict[str, Table]:
            return {next(iter(self.found)): Table(("a",), [(1,)])}

    observer = Observer([Finder({"a": {"x": 1}}), Finder({"a": {"y": 2}, "b": 3})])
    assert observer.finish(at(0)) == {"a": {"x": 1, "y": 2}, "b": 3}
    assert list(observer.tables()) == ["a"]


@pytest.mark.parametrize(
    ("bid", "ask", "state"),
    [
        (None, None, BookState.EMPTY), (100.0, None, BookState.EMPTY_ASK), (None, 100.0, BookState.EMPTY_BID),
        (100.0, 100.0, BookState.LOCKED), (101.0, 100.0, BookState.CROSSED), (100.0, 101.0, BookState.OK),
    ],
)  # fmt: skip
def test_the_state_of_a_book_by_its_best_prices(bid: float | None, ask: float | None, state: BookState) -> None:
    assert state_of(bid, ask) is state
    assert state.two_sided == (state in (BookState.OK, BookState.LOCKED))


def test_the_price_step_is_found_from_prices() -> None:
    finder = TickFinder()
    assert finder.tick is None
    finder.add_all([61_837.5, 61_838.25])
    assert finder.tick == 0.75, "two prices are not enough"
    finder.add_all([61_840.0, 61_842.5])
    assert finder.tick == 0.25
    tiny = TickFinder()
    tiny.add_all([0.00001234, 0.00001237, 0.00001235])
    assert tiny.tick == 1e-8
