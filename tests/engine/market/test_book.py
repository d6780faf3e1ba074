from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DecodeError
from engine.market.book import WINDOW, Book, BookView
from engine.market.events import FeedState, Levels

INFINITY, NAN = float("inf"), float("nan")
PRICES = st.integers(1, 60).map(lambda ticks: ticks / 4)
SIZES = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.5])
CHANGES = st.lists(st.tuples(PRICES, SIZES), max_size=25).map(tuple)
WHOLE = st.dictionaries(PRICES, st.sampled_from([0.5, 1.0, 2.5]), max_size=60).map(lambda side: tuple(side.items()))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), CHANGES, CHANGES),
        st.tuples(st.just("replace"), WHOLE, WHOLE),
        st.tuples(st.just("truncate"), st.integers(1, 30), st.none()),
        st.tuples(st.just("clear"), st.none(), st.none()),
    ),
    max_size=30,
)


class NaiveSide:
    """The same side as nothing but a dict."""

    def __init__(self, *, descending: bool) -> None:
        self.descending = descending
        self.sizes: dict[float, float] = {}

    def apply(self, levels: Levels) -> None:
        for price, size in levels:
            self.sizes.pop(price, None)
            if size:
                self.sizes[price] = size

    def levels(self, depth: int | None = None) -> Levels:
        return tuple(sorted(self.sizes.items(), reverse=self.descending))[:depth]


class NaiveBook:
    def __init__(self) -> None:
        self.bids = NaiveSide(descending=True)
        self.asks = NaiveSide(descending=False)

    def step(self, kind: str, first: Any, second: Any) -> None:
        for side, levels in ((self.bids, first), (self.asks, second)):
            if kind == "apply":
                side.apply(levels)
            elif kind == "replace":
                side.sizes = dict(levels)
            elif kind == "truncate":
                side.sizes = dict(side.levels(first))
            else:
                side.sizes = {}

    @property
    def crossed(self) -> bool:
        bids, asks = self.bids.levels(1), self.asks.levels(1)
        return bool(bids and asks and bids[0][0] >= asks[0][0])


def columns(levels: Levels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(price for price, _ in levels), tuple(size for _, size in levels)


def act(book: Book, kind: str, first: Any, second: Any) -> None:
    if kind == "apply":
        book.apply(first, second)
    elif kind == "replace":
        book.replace(first, second)
    elif kind == "truncate":
        book.truncate(first)
    else:
        book.clear()


@settings(max_examples=300, deadline=None)
@given(depth=st.integers(1, 6), steps=STEPS)
def test_a_book_is_what_a_plain_dict_says_after_any_changes(depth: int, steps: list[tuple[str, Any, Any]]) -> None:
    book, naive = Book(depth), NaiveBook()
    for kind, first, second in steps:
        act(book, kind, first, second)
        naive.step(kind, first, second)
        assert book.levels == (len(naive.bids.sizes), len(naive.asks.sizes))
        assert book.top_bids() == columns(naive.bids.levels(depth))
        assert book.top_asks() == columns(naive.asks.levels(depth))
        assert book.crossed is naive.crossed
        for asked in (0, 1, depth, depth * WINDOW, depth * WINDOW + 1, 200, None):
            assert book.bids(asked) == naive.bids.levels(asked)
            assert book.asks(asked) == naive.asks.levels(asked)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(CHANGES, CHANGES), max_size=20))
def test_the_columns_are_the_same_objects_exactly_while_their_content_is(steps: list[tuple[Levels, Levels]]) -> None:
    book = Book(3)
    before = book.top_bids()
    for bids, asks in steps:
        book.apply(bids, asks)
        after = book.top_bids()
        assert book.top_bids() is after
        if not bids:
            assert after is before
        before = after


def test_a_change_far_from_the_touch_leaves_the_columns_untouched() -> None:
    book = Book(2)
    book.replace([(100.0 - i, 1.0) for i in range(50)], [(101.0 + i, 1.0) for i in range(50)])
    bids, asks = book.top_bids(), book.top_asks()
    book.apply([(60.0, 5.0), (59.5, 1.0), (58.0, 0.0)], [(149.0, 5.0), (1000.0, 2.0)])
    assert book.top_bids() is bids
    assert book.top_asks() is asks
    assert dict(book.bids())[60.0] == 5.0
    assert book.levels == (50, 51)


def test_the_ordered_window_is_filled_again_when_deletions_empty_it() -> None:
    book = Book(3)
    book.replace([(1000.0 - i, 1.0) for i in range(500)], [(2000.0 + i, 1.0) for i in range(500)])
    for start in range(0, 480, 7):
        gone = range(start, start + 7)
        book.apply([(1000.0 - i, 0.0) for i in gone], [(2000.0 + i, 0.0) for i in gone])
        best = start + 7
        assert book.top_bids()[0] == tuple(1000.0 - best - i for i in range(3))
        assert book.top_asks()[0] == tuple(2000.0 + best + i for i in range(3))
    assert book.levels == (17, 17)


def test_one_update_may_delete_the_whole_window_and_more() -> None:
    book = Book(2)
    book.replace([(1000.0 - i, 1.0) for i in range(100)], [])
    book.apply([(1000.0 - i, 0.0) for i in range(99)], [])
    assert book.bids() == ((901.0, 1.0),)
    book.apply([(901.0, 0.0)], [])
    assert book.top_bids() == ((), ())
    assert book.levels == (0, 0)


def test_many_better_prices_do_not_let_the_window_grow_without_bound() -> None:
    book = Book(2)
    for i in range(1000):
        book.apply([(1.0 + i, 1.0)], [])
        assert len(book._bids.near) <= 2 * WINDOW * 2
    assert book.top_bids()[0] == (1000.0, 999.0)
    assert book.bids(20) == tuple((1000.0 - i, 1.0) for i in range(20))


def test_a_price_on_both_sides_is_a_crossed_book() -> None:
    book = Book()
    book.replace([(100.0, 1.0)], [(101.0, 1.0)])
    assert not book.crossed
    book.apply([(101.0, 1.0)], [])
    assert book.crossed
    book.apply([], [(101.0, 0.0)])
    assert not book.crossed


def test_the_last_word_on_a_price_within_one_update_counts() -> None:
    book = Book()
    book.apply([(100.0, 1.0), (100.0, 0.0), (100.0, 3.0), (99.0, 2.0), (99.0, 0.0)], [])
    assert book.bids() == ((100.0, 3.0),)


@pytest.mark.parametrize(
    "level",
    [
        (NAN, 1.0), (INFINITY, 1.0), (-INFINITY, 1.0), (-1.0, 1.0), (0.0, 1.0), (-0.0, 1.0),
        (100.0, NAN), (100.0, INFINITY), (100.0, -1.0), (100.0, 0.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", [0, 1])
def test_a_snapshot_with_an_impossible_level_is_refused(level: tuple[float, float], side: int) -> None:
    sides: list[list[tuple[float, float]]] = [[], []]
    sides[side] = [(50.0, 1.0), level]
    with pytest.raises(DecodeError):
        Book().replace(*sides)


def test_a_snapshot_that_names_a_price_twice_is_refused() -> None:
    with pytest.raises(DecodeError, match="twice"):
        Book().replace([(100.0, 1.0), (100.0, 2.0)], [])


@pytest.mark.parametrize(
    "level",
    [
        (NAN, 1.0), (INFINITY, 1.0), (-INFINITY, 1.0), (-1.0, 1.0), (0.0, 1.0), (-0.0, 1.0),
        (100.0, NAN), (100.0, INFINITY), (100.0, -INFINITY), (100.0, -1.0), (NAN, NAN),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("levels", [0, 3, 60])
def test_an_update_with_an_impossible_level_is_refused_however_deep_the_book(
    level: tuple[float, float], side: int, levels: int
) -> None:
    book = Book(3)
    book.replace([(100.0 - i, 1.0) for i in range(levels)], [(101.0 + i, 1.0) for i in range(levels)])
    sides: list[list[tuple[float, float]]] = [[], []]
    sides[side] = [level]
    with pytest.raises(DecodeError):
        book.apply(*sides)


@pytest.mark.parametrize("price", [NAN, INFINITY, -INFINITY, -5.0, 0.0])
def test_deleting_an_impossible_price_is_refused_since_what_was_meant_stays(price: float) -> None:
    for bids, asks in (([(price, 0.0)], []), ([], [(price, 0.0)])):
        book = Book()
        book.replace([(100.0, 1.0)], [(101.0, 1.0)])
        with pytest.raises(DecodeError):
            book.apply(bids, asks)


def test_deleting_a_price_that_is_not_there_does_nothing() -> None:
    book = Book()
    book.replace([(100.0, 1.0)], [(101.0, 1.0)])
    book.apply([(99.0, 0.0)], [(5000.0, 0.0)])
    assert (book.bids(), book.asks()) == (((100.0, 1.0),), ((101.0, 1.0),))


def view(bids: Levels, asks: Levels) -> BookView:
    return BookView("v", "s", *columns(bids), *columns(asks), 1, None, 1, "stream", FeedState.LIVE)


def test_a_view_gives_its_figures() -> None:
    seen = view(((99.0, 3.0), (98.0, 1.0)), ((101.0, 1.0),))
    assert (seen.best_bid, seen.best_ask, seen.mid, seen.spread, seen.spread_bps) == (99.0, 101.0, 100.0, 2.0, 200.0)
    assert (seen.bids, seen.asks) == (((99.0, 3.0), (98.0, 1.0)), ((101.0, 1.0),))
    assert seen.imbalance(1) == 0.5
    assert seen.imbalance(10) == pytest.approx(0.6)


def test_what_a_view_cannot_know_is_none() -> None:
    empty, half = view((), ()), view(((99.0, 1.0),), ())
    assert [empty.best_bid, empty.mid, empty.spread, empty.spread_bps, empty.imbalance(5)] == [None] * 5
    assert [half.best_ask, half.mid, half.spread, half.spread_bps] == [None] * 4
    assert half.imbalance(5) == 1.0


@pytest.mark.parametrize("depth", [1, 3, 40, 400])
def test_cutting_a_book_names_the_prices_that_went(depth: int) -> None:
    book = Book(3)
    bids, asks = [(500.0 - i, 1.0) for i in range(60)], [(501.0 + i, 1.0) for i in range(60)]
    book.replace(bids, asks)
    gone_bids, gone_asks = book.truncate(depth)
    assert sorted(gone_bids) == sorted(price for price, _ in bids[depth:])
    assert sorted(gone_asks) == sorted(price for price, _ in asks[depth:])
    assert book.truncate(depth) == ([], [])
    assert book.best_bids(2) == [price for price, _ in bids[: min(depth, 2)]]
    assert book.best_asks(2) == [price for price, _ in asks[: min(depth, 2)]]


def test_parts_of_a_book_are_those_of_the_whole_however_far_from_the_touch() -> None:
    random = Random(37)
    book = Book(2)
    assert (book.touch, book.between(0.0, 1e9), book.bid_total(0.0, 1e9)) == (None, ([], []), 0)
    bids, asks = [(500.0 - i, 1.0) for i in range(200)], [(501.0 + i, 1.0) for i in range(200)]
    book.replace(bids, asks)
    for _ in range(300):
        changes = [(float(random.randrange(301, 501)), random.choice((0.0, 1.0, 2.5))) for _ in range(3)]
        others = [(float(random.randrange(501, 700)), random.choice((0.0, 1.0, 2.5))) for _ in range(3)]
        before = dict(book.bids()), dict(book.asks())
        wanted = [before[0].get(price, 0.0) for price, _ in changes], [before[1].get(price, 0.0) for price, _ in others]
        assert book.sizes_of(changes, others) == wanted
        book.apply(changes, others)
        low, high = sorted((random.uniform(290, 710), random.uniform(290, 710)))
        levels = sorted((*book.bids(), *book.asks()))
        inside = [(price, size) for price, size in levels if low <= price < high]
        assert list(zip(*book.between(low, high), strict=True)) == inside
        assert book.bid_total(low, high) == sum(size for price, size in book.bids() if low <= price < high)
        assert book.ask_total(low, high) == sum(size for price, size in book.asks() if low <= price < high)
        assert book.touch == (book.bids()[0][0], book.asks()[0][0])
        prices, sizes, _, _ = book.best_columns(2)
        assert tuple(zip(prices, sizes, strict=True)) == book.bids(2)
