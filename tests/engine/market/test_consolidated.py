"""Several books as one: every live level is there exactly, and nothing of a venue that does not count remains."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.errors import ConfigError
from engine.market.book import BookView
from engine.market.consolidated import (
    MOST_MEMBERS,
    STALE_AFTER_S,
    ConsolidatedBook,
    ConsolidatedView,
    Member,
    Said,
    SharedLevel,
    Standing,
    Step,
    common_step,
)
from engine.market.events import FeedState, Level

START = 1_700_000_000_000_000_000
A, B, C = (Member(venue, "BTCUSDT") for venue in ("a", "b", "c"))


def picture(bids: Sequence[Level], asks: Sequence[Level]) -> BookView:
    """A view of these levels, which are given best first."""
    columns = [tuple(column) for side in (bids, asks) for column in (zip(*side, strict=True) if side else ((), ()))]
    bid_prices, bid_sizes, ask_prices, ask_sizes = columns
    return BookView(
        "a", "BTCUSDT", bid_prices, bid_sizes, ask_prices, ask_sizes, None, None, START, "stream", FeedState.LIVE
    )


def live(bids: Sequence[Level], asks: Sequence[Level], last_ns: int = START) -> Said:
    return Said(picture(bids, asks), FeedState.LIVE, last_ns)


def book_of(**said: Said) -> ConsolidatedBook:
    book = ConsolidatedBook([Member(venue, "BTCUSDT") for venue in said])
    for venue, one in said.items():
        book.take(Member(venue, "BTCUSDT"), one)
    return book


def levels(side: Sequence[SharedLevel]) -> list[tuple[Any, ...]]:
    return [(level.price, level.size, dict(level.shares)) for level in side]


TIGHT = live([(99.0, 1.0), (98.0, 2.0)], [(101.0, 3.0)])
WIDE = live([(98.0, 5.0)], [(101.0, 1.0), (102.0, 4.0)])


def test_levels_of_one_price_stand_together_and_say_whose_they_are() -> None:
    whole = book_of(a=TIGHT, b=WIDE).read(START)
    assert levels(whole.bids) == [(99.0, 1.0, {0: 1.0}), (98.0, 7.0, {0: 2.0, 1: 5.0})]
    assert levels(whole.asks) == [(101.0, 4.0, {0: 3.0, 1: 1.0}), (102.0, 4.0, {1: 4.0})]


def test_the_best_prices_name_their_venues() -> None:
    whole = book_of(a=TIGHT, b=WIDE).read(START)
    assert whole.best_bid is not None
    assert whole.best_ask is not None
    assert (whole.best_bid.price, whole.best_bid.size, whole.best_bid.venues) == (99.0, 1.0, (0,))
    assert (whole.best_ask.price, whole.best_ask.size, whole.best_ask.venues) == (101.0, 4.0, (0, 1))
    assert whole.spread == 2.0
    assert whole.spread_bps == pytest.approx(200.0)
    assert whole.gaps == ()


def test_a_gap_says_where_to_buy_and_sell_how_much_and_what_is_left_after_fees() -> None:
    high = live([(102.0, 0.5)], [(103.0, 1.0)])
    [gap] = book_of(a=TIGHT, b=high).read(START).gaps
    assert (gap.buy, gap.sell, gap.ask, gap.ask_size, gap.bid, gap.bid_size) == (0, 1, 101.0, 3.0, 102.0, 0.5)
    assert gap.quantity == 0.5
    assert gap.gross == 1.0
    assert gap.gross_bps == pytest.approx(1 / 101 * 10_000)
    assert gap.net_bps(0.0, 0.0) == pytest.approx(gap.gross_bps)
    paid, earned = 101 * 1.001, 102 * 0.999
    assert gap.net_bps(10.0, 10.0) == pytest.approx((earned - paid) / 101 * 10_000)
    assert gap.net_bps(10.0, None) is None
    assert gap.net_bps(None, 0.0) is None


def test_the_widest_gap_comes_first_and_equal_prices_are_none() -> None:
    one, two, three = (live([(bid, 1.0)], [(bid + 0.5, 1.0)]) for bid in (100.0, 101.0, 103.0))
    whole = book_of(a=one, b=two, c=three).read(START)
    assert [(gap.buy, gap.sell) for gap in whole.gaps] == [(0, 2), (1, 2), (0, 1)]
    assert whole.spread == -2.5
    assert (
        book_of(a=live([(100.0, 1.0)], [(101.0, 1.0)]), b=live([(101.0, 1.0)], [(102.0, 1.0)])).read(START).gaps == ()
    )


@pytest.mark.parametrize(
    ("said", "standing", "why"),
    [
        (TIGHT, Standing.LIVE, ""),
        (Said(TIGHT.view, FeedState.POLLING, START), Standing.LIVE, ""),
        (Said(TIGHT.view, FeedState.STALE, START), Standing.STALE, "nothing received for 0.0 s"),
        (Said(TIGHT.view, FeedState.LIVE, START - 5_000_000_000), Standing.STALE, "nothing received for 5.0 s"),
        (Said(TIGHT.view, FeedState.LIVE, START - 4_999_999_999), Standing.LIVE, ""),
        (Said(TIGHT.view, FeedState.LIVE, START - 9_000_000_000, 20.0), Standing.LIVE, ""),
        (Said(TIGHT.view, FeedState.LIVE, None), Standing.STALE, "nothing received yet"),
        (
            Said(TIGHT.view, FeedState.SYNCING, START, reason="gap: expected update 5"),
            Standing.WAITING,
            "gap: expected",
        ),
        (Said(TIGHT.view, FeedState.BLOCKED, START), Standing.WAITING, "blocked"),
        (Said(TIGHT.view, FeedState.INVALID, START), Standing.WAITING, "invalid symbol"),
        (Said(None, FeedState.LIVE, START), Standing.WAITING, "no book"),
        (live([], []), Standing.WAITING, "no book"),
        (live([(99.0, 1.0)], []), Standing.LIVE, ""),
        (live([(101.0, 1.0)], [(100.0, 1.0)]), Standing.CROSSED, "its own book is crossed: bid 101, ask 100"),
        (live([(100.0, 1.0)], [(100.0, 1.0)]), Standing.CROSSED, "its own book is crossed"),
    ],
)
def test_only_a_live_venue_counts(said: Said, standing: Standing, why: str) -> None:
    whole = book_of(a=said, b=live([(98.0, 1.0)], [])).read(START)
    assert whole.venues[0].standing is standing
    assert whole.venues[0].why.startswith(why)
    assert (0 in {member for side in (whole.bids, whole.asks) for level in side for member, _ in level.shares}) == (
        standing is Standing.LIVE
    )


def test_silence_evicts_by_itself_and_a_word_brings_back() -> None:
    book = book_of(a=TIGHT, b=live([(98.0, 5.0)], [], START + 4_000_000_000))
    bound = START + round(STALE_AFTER_S * 1e9)
    assert book.read(bound - 1).venues[0].standing is Standing.LIVE
    late = book.read(bound)
    assert late.venues[0].standing is Standing.STALE
    assert levels(late.bids) == [(98.0, 5.0, {1: 5.0})]
    assert late.venues[0].bid == 99.0, "what it last said is still shown beside the others"
    book.take(A, live([(99.0, 1.0)], [], bound))
    assert levels(book.read(bound).bids)[0] == (99.0, 1.0, {0: 1.0})


def test_who_is_left_out_comes_back_with_what_it_says_now() -> None:
    book = book_of(a=TIGHT, b=WIDE)
    book.include(A, False)
    whole = book.read(START)
    assert (whole.venues[0].standing, whole.venues[0].why) == (Standing.OFF, "left out by you")
    assert levels(whole.bids) == [(98.0, 5.0, {1: 5.0})]
    book.take(A, live([(97.0, 9.0)], []))
    book.include(A, True)
    assert levels(book.read(START).bids) == [(98.0, 5.0, {1: 5.0}), (97.0, 9.0, {0: 9.0})]


def test_beyond_what_every_venue_shows_the_whole_is_not_whole() -> None:
    deep = live([(99.0, 1.0), (90.0, 1.0)], [(101.0, 1.0), (120.0, 1.0)])
    whole = book_of(a=deep, b=live([(98.0, 5.0), (96.0, 1.0)], [(102.0, 1.0)])).read(START)
    assert (whole.whole_bid, whole.whole_ask) == (96.0, 102.0)


def test_fifty_levels_of_each_venue_and_side_are_taken() -> None:
    bids = [(1000.0 - step, 1.0) for step in range(70)]
    asks = [(1001.0 + step, 2.0) for step in range(70)]
    whole = book_of(a=live(bids, asks), b=live(bids, asks)).read(START)
    assert levels(whole.bids) == [(price, 2.0, {0: 1.0, 1: 1.0}) for price, _ in bids[:50]]
    assert levels(whole.asks) == [(price, 4.0, {0: 2.0, 1: 2.0}) for price, _ in asks[:50]]


def test_no_venue_is_an_empty_book_with_unknown_prices() -> None:
    whole = book_of(a=Said(), b=Said()).read(START)
    assert (whole.bids, whole.asks, whole.gaps) == ((), (), ())
    assert (whole.best_bid, whole.best_ask, whole.spread, whole.spread_bps) == (None, None, None, None)


def test_more_members_than_can_be_told_apart_are_refused() -> None:
    many = [Member(str(number), "X") for number in range(MOST_MEMBERS + 1)]
    with pytest.raises(ConfigError):
        ConsolidatedBook(many)
    with pytest.raises(ConfigError):
        ConsolidatedBook([A, A])
    with pytest.raises(ConfigError):
        ConsolidatedBook([A]).take(B, Said())


def test_ticks_that_differ_are_laid_on_the_coarsest() -> None:
    assert common_step([0.5, 0.1, None]) == 0.5
    assert common_step([0.1, 0.1, None]) is None
    assert common_step([None, None]) is None
    assert common_step([]) is None


def test_grouping_makes_no_price_look_better_and_leaves_best_prices_alone() -> None:
    fine = live([(100.03, 1.0), (100.01, 2.0), (99.99, 4.0)], [(100.06, 1.0), (100.1, 2.0)])
    whole = book_of(a=fine, b=live([(100.0, 8.0)], [(100.1, 16.0)])).read(START, Step(0.1))
    assert levels(whole.bids) == [(100.0, 11.0, {0: 3.0, 1: 8.0}), (99.9, 4.0, {0: 4.0})]
    assert levels(whole.asks) == [(100.1, 19.0, {0: 3.0, 1: 16.0})]
    assert whole.best_bid is not None
    assert whole.best_bid.price == 100.03
    with pytest.raises(ConfigError):
        Step(0.0)


@settings(max_examples=300, deadline=None)
@given(
    price=st.decimals("0.00000001", "99999999", places=8, allow_nan=False, allow_infinity=False),
    step=st.sampled_from(["0.01", "0.05", "0.5", "1.0", "2.5", "10.0", "0.00001", "0.0025"]),
    up=st.booleans(),
)
def test_a_step_is_the_nearest_one_on_the_worse_side(price: Decimal, step: str, up: bool) -> None:
    # At most 15 digits, as in every book here.
    price = Decimal(f"{price:.6g}")
    found = Step(float(step)).price(float(price), up=up)
    exact = price / Decimal(step)
    wanted = exact.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * Decimal(step)
    assert found == float(wanted)


LEVEL = st.tuples(st.integers(1, 60), st.integers(1, 9))
"""Ticks and lots: several venues meet at the same prices often."""


class Market(RuleBasedStateMachine):
    """Any sequence of books, states, toggles and moments, measured against the plain definition."""

    @initialize(count=st.integers(2, MOST_MEMBERS))
    def begin(self, count: int) -> None:
        self.members = [Member(f"v{number}", "X") for number in range(count)]
        self.book = ConsolidatedBook(self.members)
        self.now = START
        self.said = dict.fromkeys(self.members, Said())
        self.off: set[Member] = set()

    def member(self, number: int) -> Member:
        return self.members[number % len(self.members)]

    def tell(self, member: Member, said: Said) -> None:
        self.said[member] = said
        self.book.take(member, said)

    @rule(number=st.integers(0, 9), bids=st.lists(LEVEL, max_size=60), asks=st.lists(LEVEL, max_size=60))
    def update(self, number: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        below = sorted({-tick / 10: float(lots) for tick, lots in bids}.items())
        above = sorted({tick / 10: float(lots) for tick, lots in asks}.items())
        middle = 100.0
        view = picture(
            [(middle - -price, size) for price, size in reversed(below)], [(middle + p, s) for p, s in above]
        )
        member = self.member(number)
        self.tell(member, Said(view, FeedState.LIVE, self.now))

    @rule(number=st.integers(0, 9), shift=st.sampled_from([-3.0, -0.5, 0.5, 3.0]))
    def drift(self, number: int, shift: float) -> None:
        """A venue's whole book lies elsewhere: gaps come about, and its own book may be crossed with one side moved."""
        member = self.member(number)
        view = self.said[member].view
        if view is not None:
            bids = [(price + shift, size) for price, size in view.bids]
            self.tell(member, Said(picture(bids, view.asks), FeedState.LIVE, self.now))

    @rule(number=st.integers(0, 9), state=st.sampled_from(list(FeedState)), keeps=st.booleans())
    def state(self, number: int, state: FeedState, keeps: bool) -> None:
        member = self.member(number)
        before = self.said[member]
        self.tell(member, Said(before.view if keeps else None, state, before.last_ns))

    @rule(number=st.integers(0, 9), wanted=st.booleans())
    def toggle(self, number: int, wanted: bool) -> None:
        member = self.member(number)
        self.book.include(member, wanted)
        (self.off.discard if wanted else self.off.add)(member)

    @rule(ms=st.sampled_from([1, 400, 4_999, 5_000, 5_001, 60_000]))
    def wait(self, ms: int) -> None:
        self.now += ms * 1_000_000

    def counts(self, member: Member) -> bool:
        said, view = self.said[member], self.said[member].view
        if member in self.off or view is None or not (view.bids or view.asks):
            return False
        if said.state not in (FeedState.LIVE, FeedState.POLLING):
            return False
        if said.last_ns is None or self.now - said.last_ns >= 5_000_000_000:
            return False
        return not (view.bids and view.asks and view.bids[0][0] >= view.asks[0][0])

    @invariant()
    def every_live_level_is_there_and_nothing_else(self) -> None:
        if not hasattr(self, "book"):
            return
        whole = self.book.read(self.now)
        self.check_side(whole, "bids")
        self.check_side(whole, "asks")
        for member, venue in zip(self.members, whole.venues, strict=True):
            assert (venue.standing is Standing.LIVE) == self.counts(member)

    def check_side(self, whole: ConsolidatedView, side: str) -> None:
        wanted: dict[float, dict[int, float]] = {}
        for position, member in enumerate(self.members):
            view = self.said[member].view
            if self.counts(member) and view is not None:
                for price, size in getattr(view, side)[:50]:
                    wanted.setdefault(price, {})[position] = size
        found = getattr(whole, side)
        assert {level.price: dict(level.shares) for level in found} == wanted
        assert all(level.size == sum(dict(level.shares).values()) for level in found)
        prices = [level.price for level in found]
        assert prices == sorted(set(prices), reverse=side == "bids")
        best = whole.best_bid if side == "bids" else whole.best_ask
        assert (best.price if best else None) == (prices[0] if prices else None)
        assert len(found) <= 50 * MOST_MEMBERS

    @invariant()
    def grouping_keeps_every_size(self) -> None:
        if not hasattr(self, "book"):
            return
        plain, grouped = self.book.read(self.now), self.book.read(self.now, Step(0.5))
        for one, other in ((plain.bids, grouped.bids), (plain.asks, grouped.asks)):
            assert sum(level.size for level in one) == sum(level.size for level in other)
        assert (plain.best_bid, plain.best_ask, plain.gaps) == (grouped.best_bid, grouped.best_ask, grouped.gaps)


Market.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestMarket = Market.TestCase
