"""The picture of a book is drawn when somebody looks, and is always of a book that stood."""

from __future__ import annotations

from threading import Event, Thread

from engine.feed.picture import Picture
from engine.market.book import Book
from engine.market.events import FeedState
from tests.engine.support import delta, make_feed, snapshot


def book_of(size: float) -> Book:
    book = Book(2)
    book.replace(((100.0, size), (99.0, 2.0), (98.0, 3.0)), ((101.0, 1.0),))
    return book


def test_there_is_no_picture_before_the_first_book() -> None:
    picture = Picture("fake", "S", Book())

    assert not picture.exists
    assert picture.current
    assert picture.draw() is None


def test_it_shows_the_best_levels_of_the_newest_book() -> None:
    book = book_of(1.0)
    picture = Picture("fake", "S", book)
    picture.change(7, 5, 6, "stream")
    book.apply(((100.0, 4.0),), ())
    picture.change(8, 6, 7, "stream")

    view = picture.draw()

    assert view is not None
    assert view.bids == ((100.0, 4.0), (99.0, 2.0))
    assert (view.sequence, view.exchange_ns, view.received_ns, view.state) == (8, 6, 7, FeedState.LIVE)


def test_it_is_drawn_once_for_any_number_of_looks() -> None:
    picture = Picture("fake", "S", book_of(1.0))
    picture.change(7, None, 6, "stream")

    assert not picture.current
    assert picture.draw() is picture.draw()
    assert picture.current


def test_it_turns_with_the_state_before_and_after_it_is_drawn() -> None:
    picture = Picture("fake", "S", book_of(1.0))
    picture.change(7, None, 6, "stream")
    picture.turn(FeedState.STALE)
    first = picture.draw()
    picture.turn(FeedState.LIVE)
    second = picture.draw()

    assert first is not None
    assert second is not None
    assert (first.state, second.state) == (FeedState.STALE, FeedState.LIVE)


def test_a_lost_book_takes_the_picture_with_it_drawn_or_not() -> None:
    for looked in (False, True):
        picture = Picture("fake", "S", book_of(1.0))
        picture.change(7, None, 6, "stream")
        if looked:
            picture.draw()
        picture.forget()

        assert not picture.exists
        assert picture.draw() is None


def test_who_looks_while_updates_pass_sees_only_books_that_stood() -> None:
    feed = make_feed()
    feed.push(snapshot(1, ((100.0, 1.0),), ((101.0, 1.0),)))
    done = Event()
    wrong: list[tuple[int | None, float]] = []
    seen = set()

    def look() -> None:
        while not done.is_set():
            view = feed.view
            assert view is not None
            seen.add(view.sequence)
            if view.bid_sizes[0] != view.sequence or view.ask_sizes[0] != view.sequence:
                wrong.append((view.sequence, view.bid_sizes[0]))

    reader = Thread(target=look, daemon=True)
    reader.start()
    for number in range(2, 5_000):
        feed.push(delta(number, number, ((100.0, float(number)),), ((101.0, float(number)),)))
    done.set()
    reader.join(5.0)

    assert not reader.is_alive()
    assert wrong == []
    assert seen
    last = feed.view
    assert last is not None
    assert last.sequence == 4_999
