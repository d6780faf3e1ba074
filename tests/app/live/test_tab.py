from __future__ import annotations

from app.live.tab import QUEUE_LIMIT, WINDOW, Tab
from tests.app.live.reading import KEY

OTHER = ("mock", "ETHUSDT", "stream")


def drain(tab: Tab) -> list[bytes]:
    """What may be sent right now."""
    sent = []
    while (message := tab.take()) is not None:
        sent.append(message)
    return sent


def test_a_page_that_does_not_paint_is_sent_three_messages_and_no_more() -> None:
    tab = Tab()
    for number in range(5):
        tab.put(bytes([number]))
    assert drain(tab) == [b"\0", b"\1", b"\2"]
    assert tab.acknowledge(1)
    assert drain(tab) == [b"\3"]


def test_an_overflow_drops_all_that_waits_and_begins_anew_once_the_page_has_caught_up() -> None:
    tab = Tab()
    tab.watch([KEY, OTHER])
    tab.put(b"opening")
    assert not tab.fresh
    tab.put(b"a")
    tab.put(b"b")
    assert len(drain(tab)) == WINDOW
    for _ in range(QUEUE_LIMIT + 1):
        assert tab.ready
        tab.put(b"late")
    assert (tab.overflows, tab.dropped) == (1, QUEUE_LIMIT + 1)
    assert tab.fresh == {KEY, OTHER}
    assert not tab.ready
    assert drain(tab) == []
    tab.acknowledge(3)
    assert tab.ready
    tab.put(b"snapshots")
    assert not tab.fresh
    assert drain(tab) == [b"snapshots"]


def test_only_feeds_that_are_new_open_with_a_snapshot() -> None:
    tab = Tab()
    tab.watch([KEY])
    tab.put(b"opening")
    tab.watch([KEY, OTHER, OTHER])
    assert tab.keys == (KEY, OTHER)
    assert tab.fresh == {OTHER}


def test_a_page_cannot_acknowledge_what_it_was_never_sent() -> None:
    tab = Tab()
    tab.put(b"one")
    drain(tab)
    assert not tab.acknowledge(2)
    assert not tab.acknowledge(-1)
    assert tab.acknowledge(1)
    assert not tab.acknowledge(1)


def test_a_page_that_lost_its_place_gets_only_feeds_that_it_watches() -> None:
    tab = Tab()
    tab.watch([KEY])
    tab.put(b"opening")
    tab.refresh([KEY, OTHER])
    assert tab.fresh == {KEY}
