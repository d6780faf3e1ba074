"""A gap in words: gross always, net only when both fees are known, and no venue can write into the page."""

from __future__ import annotations

import pytest

from app.across import AcrossView
from app.panels.across import gap_line
from engine.market.book import BookView
from engine.market.consolidated import ConsolidatedBook, ConsolidatedView, Member, Said
from engine.market.events import FeedState


def whole(*venues: str) -> ConsolidatedView:
    """Each venue half a dollar above the one before."""
    members = [Member(venue, "X") for venue in venues]
    book = ConsolidatedBook(members)
    for number, member in enumerate(members):
        price = 100.0 + number / 2
        columns = (price - 0.1,), (1.5,), (price + 0.1,), (0.25,)
        view = BookView(member.venue, "X", *columns, None, None, 0, "stream", FeedState.LIVE)
        book.take(member, Said(view, FeedState.LIVE, 0))
    return book.read(0)


def line(fees: dict[str, float | None], *venues: str, name: str = "BTC/USDT:USDT") -> str:
    seen = whole(*venues)
    members = tuple([venue.member for venue in seen.venues])
    return gap_line(AcrossView(name, members, frozenset(), fees, None, True), seen, seen.gaps[0], 2)


@pytest.mark.parametrize("fees", [{}, {"a": 1.0}, {"a": None, "b": 1.0}])
def test_without_both_fees_net_is_unknown(fees: dict[str, float | None]) -> None:
    words = line(fees, "a", "b")
    assert "100.10 × 0.250" in words
    assert "100.40 × 1.500" in words
    assert "gross 0.30 USDT (29.97 bps)" in words
    assert "at most 0.250 BTC" in words
    assert "net – (fees not known)" in words


def test_with_both_fees_net_is_what_is_left() -> None:
    assert "net +13.95 bps after fees 10 + 6 bps" in line({"a": 10.0, "b": 6.0}, "a", "b")
    assert "net -10.09 bps" in line({"a": 20.0, "b": 20.0}, "a", "b")


def test_names_of_others_are_shown_and_nothing_else() -> None:
    words = line({}, "<img src=x>", "b", name="<b>/<i>")
    assert "<img" not in words
    assert "&lt;img src=x&gt;" in words
    assert "<i>" not in words
