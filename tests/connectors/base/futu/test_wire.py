"""OpenD's messages become frames, and frames become events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.base.futu import door as futu_door
from connectors.base.futu.decoder import TOLD_KEPT, Decoder, Told
from connectors.base.futu.errors import QuotaUsedUp, refused
from connectors.base.futu.wire import (
    BY_PREFIX,
    MARKETS,
    BookFrame,
    NoticeFrame,
    TicksFrame,
    book_frame,
    encode,
    local_ns,
    stamp_ns,
    ticks_frame,
)
from connectors.base.venue import Control
from engine.errors import Blocked, DecodeError, Disconnected, FeedError, InvalidSymbol, RateLimited
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookSnapshot, Trade
from tests.fakes.futu import BOOK, PRINTS, new

HONG_KONG = BY_PREFIX["HK"]
SECOND = 1_700_000_000


@pytest.fixture(autouse=True)
def _library() -> None:
    futu_door.load()


def book(market: int = 1, **content: Any) -> Any:
    message = new(BOOK)
    message.retType = 0
    message.s2c.security.market, message.s2c.security.code = market, "00700"
    message.s2c.orderBookBidList.add(price=321.4, volume=500, orederCount=3)
    message.s2c.orderBookAskList.add(price=321.6, volume=700, orederCount=1)
    for name, value in content.items():
        setattr(message.s2c, name, value)
    return message


def prints(**content: Any) -> Any:
    message = new(PRINTS)
    message.retType = 0
    message.s2c.security.market, message.s2c.security.code = 1, "00700"
    given = {"price": 321.4, "volume": 100, "turnover": 1.0, "dir": 1, "sequence": 7, "time": "", "pushDataType": 1}
    message.s2c.tickerList.add(**given | content)
    return message


def read(frame: Any, decoder: Decoder | None = None) -> list[Any]:
    return list((decoder or Decoder("futu", Told())).decode(encode(frame), 99))


# ---- from messages to frames


def test_a_book_keeps_the_code_and_has_both_sides() -> None:
    assert book_frame(book()) == BookFrame("HK.00700", ((321.4, 500.0),), ((321.6, 700.0),), None, None)


def test_the_precise_size_counts_where_there_is_one() -> None:
    message = book()
    message.s2c.orderBookBidList.add(price=321.2, volume=0, hpVolume=0.25, orederCount=1)
    found = book_frame(message)
    assert isinstance(found, BookFrame)
    assert found.b[1] == (321.2, 0.25)


@pytest.mark.parametrize(
    ("price", "size"), [(-1.0, 5.0), (5.0, -1.0), (float("nan"), 5.0), (5.0, float("nan")), (5.0, float("inf"))]
)
def test_a_message_with_an_impossible_number_is_unreadable(price: float, size: float) -> None:
    message = book()
    message.s2c.orderBookAskList.add(price=price, volume=1, hpVolume=size, orederCount=1)
    assert isinstance(book_frame(message), NoticeFrame)
    assert isinstance(ticks_frame(prints(price=price, hpVolume=size)), NoticeFrame)


@pytest.mark.parametrize(("price", "size"), [(0.0, 5.0), (5.0, 0.0), (0.0, 0.0)])
def test_empty_places_are_left_out(price: float, size: float) -> None:
    message = book()
    message.s2c.orderBookAskList.add(price=price, volume=1, hpVolume=size, orederCount=1)
    found = book_frame(message)
    assert isinstance(found, BookFrame)
    assert found.a == ((321.6, 700.0),)
    assert ticks_frame(prints(price=price, hpVolume=size)) == TicksFrame("HK.00700", ())


def test_stamps_in_utc_come_first_and_are_exact_to_the_microsecond() -> None:
    found = book_frame(
        book(svrRecvTimeBidTimestamp=SECOND + 0.123456, svrRecvTimeBid="2020-01-01 00:00:00.000")
    )  # fmt: skip
    assert isinstance(found, BookFrame)
    assert (found.tb, found.ta) == (SECOND * 10**9 + 123_456_000, None)


@pytest.mark.parametrize(
    ("text", "prefix", "utc"),
    [
        ("2026-08-07 09:30:00.123", "HK", "2026-08-07T01:30:00.123"),
        ("2026-08-07 09:30:00.123", "US", "2026-08-07T13:30:00.123"),
        ("2026-01-07 09:30:00", "US", "2026-01-07T14:30:00"),
        ("2026-08-07 09:30:00", "SZ", "2026-08-07T01:30:00"),
        ("2026-08-07 09:30:00", "JP", "2026-08-07T00:30:00"),
    ],
)
def test_other_times_are_the_markets_own(text: str, prefix: str, utc: str) -> None:
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert local_ns(text, BY_PREFIX[prefix]) == round(expected.timestamp() * 1000) * 10**6


@pytest.mark.parametrize("text", ["", "0000-00-00 00:00:00.000", "1970-01-01 08:00:00.000", "yesterday at about nine"])
def test_zero_and_nonsense_are_no_time(text: str) -> None:
    assert stamp_ns(0.0, text, HONG_KONG) is None


def test_every_market_is_named_and_numbered_as_the_library_does() -> None:
    import futu

    for number, market in MARKETS.items():
        assert futu.Market.to_string2(number) == market.prefix


@pytest.mark.parametrize("change", ["failed", "empty", "market", "code"])
def test_a_message_without_content_is_unreadable(change: str) -> None:
    for message, read_message in ((book(), book_frame), (prints(), ticks_frame)):
        if change == "failed":
            message.retType = -1
        elif change == "empty":
            message.ClearField("s2c")
        elif change == "market":
            message.s2c.security.market = 77
        else:
            message.ParseFromString(message.SerializeToString().replace(b"00700", b"\xff0700"))
        found = read_message(message)
        assert isinstance(found, NoticeFrame)
        with pytest.raises(DecodeError):
            read(found)


# ---- from frames to events


def test_a_frame_becomes_a_whole_book_stamped_by_its_newer_side() -> None:
    (found,) = read(BookFrame("HK.00700", ((1.0, 2.0),), ((3.0, 4.0),), 5, 6))
    assert found == BookSnapshot("futu", "HK.00700", ((1.0, 2.0),), ((3.0, 4.0),), None, 6, 99, "stream")


def test_a_book_that_was_overtaken_is_left_out_on_the_same_connection_only() -> None:
    decoder = Decoder("futu", Told())
    new_one, old_one = BookFrame("A", (), (), 10, 20), BookFrame("A", (), (), 10, 19)
    assert len(read(new_one, decoder)) == 1
    assert read(old_one, decoder) == []
    assert len(read(new_one, decoder)) == 1, "the same again does no harm"
    assert len(read(BookFrame("A", (), (), 9, 21), decoder)) == 1, "one side is newer"
    assert len(read(BookFrame("A", (), (), None, 1), decoder)) == 1, "nobody knows"
    assert len(read(BookFrame("B", (), (), 1, 1), decoder)) == 1, "another stock"
    assert len(read(old_one)) == 1, "another connection"


@pytest.mark.parametrize(("direction", "side"), [(1, BUY), (2, SELL), (3, UNKNOWN_SIDE), (0, UNKNOWN_SIDE)])
def test_the_direction_is_the_takers(direction: int, side: int) -> None:
    found = read(ticks_frame(prints(dir=direction, timestamp=SECOND + 0.5)))
    assert found == [
        Trade("futu", "HK.00700", 321.4, 100.0, side, 7, SECOND * 10**9 + 5 * 10**8, 99, "stream")
    ]  # fmt: skip


@pytest.mark.parametrize(("why", "past"), [(1, False), (2, False), (3, True), (0, False)])
def test_what_is_repeated_on_subscribing_is_past(why: int, past: bool) -> None:
    (found,) = read(ticks_frame(prints(pushDataType=why)))
    assert found.backfill is past


def test_a_print_is_told_once_whatever_connection_it_comes_by() -> None:
    told = Told()
    assert len(read(ticks_frame(prints()), Decoder("futu", told))) == 1
    assert read(ticks_frame(prints(pushDataType=3)), Decoder("futu", told)) == []
    assert told.is_news("US.AAPL", 7), "numbers belong to their stock"


def test_what_was_told_is_remembered_within_a_bound() -> None:
    told = Told()
    assert all(told.is_news("A", number) for number in range(TOLD_KEPT + 1))
    assert not told.is_news("A", 1)
    assert told.is_news("A", 0), "the oldest is forgotten"


def test_a_notice_is_passed_on() -> None:
    assert read(NoticeFrame("refused", "A", "no")) == [Control("refused", "A", "no")]


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"k":"book"}', b'{"k":"other"}', b"\xff", b"[" * 100_000])
def test_a_broken_frame_is_an_error(broken: bytes) -> None:
    with pytest.raises(DecodeError):
        Decoder("futu", Told()).decode(broken, 0)


# ---- refusals


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Unknown stock BAD", InvalidSymbol),
        ("Unknow stock01835", InvalidSymbol),
        ("未知股票 01835", InvalidSymbol),
        ("ERROR. format of code 00700 is wrong. (US.AAPL, HK.00700, SZ.000001)", InvalidSymbol),
        ("Subscription quota is insufficient", QuotaUsedUp),
        ("订阅额度不足", QuotaUsedUp),
        ("No right to subscribe 00700", Blocked),
        ("没有权限", Blocked),
        ("The request is too frequent", RateLimited),
        ("频率太高", RateLimited),
        ("Timeout", Disconnected),
        ("Disconnect", Disconnected),
        ("Connection closed", Disconnected),
        ("Connect timeout", Disconnected),
        ("something new", Disconnected),
        ("", Disconnected),
    ],
)
def test_a_refusal_is_of_the_kind_that_says_what_to_do(text: str, kind: type[FeedError]) -> None:
    error = refused(text)
    assert type(error) is kind
    assert str(error)


def test_a_long_refusal_is_cut() -> None:
    assert len(str(refused("x" * 10_000))) < 300
