"""What waits between the library's thread and ours is bounded; nothing that counts is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.base.futu import door as futu_door
from connectors.base.futu import link as futu_link
from connectors.base.futu.gateway import Address
from connectors.base.futu.link import BOOK, CROWDED, PRINTS, OpenDLink
from connectors.base.transport.worker import Worker
from connectors.futu import FutuConnector
from engine.errors import Disconnected
from tests.fakes.futu import new

READ_S = 0.001


@pytest.fixture
def link() -> Iterator[OpenDLink]:
    futu_door.load()
    connector = FutuConnector()
    worker = Worker("test", connector)
    made = OpenDLink(Address("127.0.0.1", 1), connector.runtime, worker, answer_s=1.0, silence_s=40.0)
    yield made
    made.close()


def book(code: str, price: float) -> Any:
    message = new(BOOK)
    message.retType = 0
    message.s2c.security.market, message.s2c.security.code = 1, code
    message.s2c.orderBookBidList.add(price=price, volume=1, orederCount=1)
    return message


def prints(number: int) -> Any:
    message = new(PRINTS)
    message.retType = 0
    message.s2c.security.market, message.s2c.security.code = 1, "1"
    message.s2c.tickerList.add(time="", sequence=number, dir=1, price=1.0, volume=1, turnover=1.0)
    return message


def drained(link: OpenDLink) -> list[Any]:
    found = []
    while frame := link.receive(READ_S):
        found.append(msgspec.json.decode(frame))
    return found


def test_few_messages_come_as_they_are_in_their_order(link: OpenDLink) -> None:
    for number in range(3):
        link.pushed(BOOK, book("1", 1.0 + number))
        link.pushed(PRINTS, prints(number))
    said = drained(link)
    assert [one["k"] for one in said] == ["book", "ticks"] * 3
    assert [one["b"][0][0] for one in said[::2]] == [1.0, 2.0, 3.0]
    assert link.conflated == 0


def test_in_a_crowd_the_newest_book_of_a_code_counts_and_every_print_does(link: OpenDLink) -> None:
    for number in range(3 * CROWDED):
        link.pushed(BOOK, book("1", 1.0 + number))
        link.pushed(BOOK, book("2", 0.5 + number))
        link.pushed(PRINTS, prints(number))
    said = drained(link)
    last = {one["s"]: one["b"][0][0] for one in said if one["k"] == "book"}
    assert last == {"HK.1": 3.0 * CROWDED, "HK.2": 3 * CROWDED - 0.5}
    assert [row[3] for one in said if one["k"] == "ticks" for row in one["t"]] == list(range(3 * CROWDED))
    books = len([one for one in said if one["k"] == "book"])
    assert books + link.conflated == 6 * CROWDED
    assert books < CROWDED


def test_after_a_crowd_books_come_as_they_are_again(link: OpenDLink) -> None:
    for number in range(2 * CROWDED):
        link.pushed(BOOK, book("1", 1.0 + number))
    drained(link)
    conflated = link.conflated
    for number in range(3):
        link.pushed(BOOK, book("1", 1.0 + number))
    assert len(drained(link)) == 3
    assert link.conflated == conflated


def test_more_prints_than_can_be_taken_end_the_link(link: OpenDLink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futu_link, "WAITING_LIMIT", 100)
    for number in range(200):
        link.pushed(PRINTS, prints(number))
    for _ in range(100):
        assert link.receive(READ_S)
    with pytest.raises(Disconnected, match="more comes in"):
        link.receive(READ_S)


def test_signs_of_life_are_told_and_silence_is_not(link: OpenDLink) -> None:
    assert link.receive(READ_S) is None
    link.heard()
    assert link.receive(READ_S) == b""
    assert link.receive(READ_S) is None


def test_what_came_before_the_end_is_read_first(link: OpenDLink) -> None:
    link.pushed(PRINTS, prints(1))
    link.lost("RemoteClose")
    assert link.receive(READ_S)
    with pytest.raises(Disconnected, match="OpenD closed the connection"):
        link.receive(READ_S)


def test_an_aborted_link_says_so(link: OpenDLink) -> None:
    link.abort()
    with pytest.raises(Disconnected, match="ended"):
        link.receive(10.0)
