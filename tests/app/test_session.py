"""One tab: what it watches, what lies in its buffers, and that it lets go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.session import POINTS_KEPT, LiveSession, StrategyChoice
from engine.clock import ManualClock
from engine.engine import Engine
from engine.feed.mailbox import FeedKey
from strategies.book_pressure import BookPressure
from tests.app.support import TabVenue, wait_until
from tests.engine.support import ASKS, BIDS, START_NS, delta, quote, snapshot, trade

BTC: FeedKey = ("fake", "BTCUSDT", "stream")
ETH: FeedKey = ("fake", "ETHUSDT", "stream")


@pytest.fixture
def connector() -> TabVenue:
    return TabVenue()


@pytest.fixture
def engine(connector: TabVenue) -> Iterator[Engine]:
    running = Engine({"fake": connector}, {"book_pressure": BookPressure}, clock=ManualClock(START_NS), linger_s=0.0)
    yield running
    running.close()


@pytest.fixture
def session(engine: Engine) -> Iterator[LiveSession]:
    tab = LiveSession(engine)
    yield tab
    tab.watch([], None)


def test_what_comes_lies_in_the_buffers_after_one_drain(session: LiveSession, connector: TabVenue) -> None:
    session.watch([BTC], None)
    connector.say("BTCUSDT", snapshot(1), trade(7), quote(2))
    session.drain()
    buffer = session.buffers[BTC]
    assert buffer.view is not None
    assert (buffer.view.bids, buffer.view.asks) == (BIDS, ASKS)
    assert [item.trade_id for item in buffer.trades] == [7]
    assert len(buffer.points) == 1


def test_nothing_is_counted_twice_by_a_second_drain(session: LiveSession, connector: TabVenue) -> None:
    session.watch([BTC], None)
    connector.say("BTCUSDT", snapshot(1), trade(7))
    session.drain()
    events = session.buffers[BTC].events
    session.drain()
    assert session.buffers[BTC].events == events
    assert len(session.buffers[BTC].trades) == 1


def test_the_price_buffer_keeps_the_last_thousand_points(session: LiveSession, connector: TabVenue) -> None:
    session.watch([BTC], None)
    connector.say("BTCUSDT", snapshot(1))
    for number in range(POINTS_KEPT + 50):
        at_ns = START_NS + (number + 1) * 100_000_000
        connector.say("BTCUSDT", quote(number + 2, bid=90 + number % 10, at_ns=at_ns))
        if number % 400 == 0:
            session.drain()
    session.drain()
    points = session.buffers[BTC].points
    assert len(points) == POINTS_KEPT
    assert points[-1].received_ns == START_NS + (POINTS_KEPT + 50) * 100_000_000


def test_another_symbol_is_added_without_interrupting_the_first(session: LiveSession, connector: TabVenue) -> None:
    session.watch([BTC], None)
    connector.say("BTCUSDT", snapshot(1))
    session.watch([BTC, ETH], None)
    assert connector.started.count("BTCUSDT") == 1
    session.watch([ETH], None)
    assert BTC not in session.buffers


def test_an_unknown_venue_is_an_error_in_words_and_the_page_goes_on(session: LiveSession) -> None:
    session.watch([("nowhere", "X", "stream")], None)
    assert session.error is not None
    assert "nowhere" in str(session.error)


def test_a_strategy_runs_on_every_update_and_its_signals_come_with_the_drain(
    session: LiveSession, connector: TabVenue
) -> None:
    session.watch([BTC], StrategyChoice("book_pressure", (("threshold", 0.1), ("cooldown_s", 0.0))))
    connector.say("BTCUSDT", snapshot(1, bids=((100.0, 9.0),), asks=((101.0, 1.0),)))
    connector.say("BTCUSDT", delta(2, bids=((100.0, 8.0),)))
    assert wait_until(lambda: session.reports()[0].signals > 0)
    session.drain()
    assert [signal.direction for signal in session.signals] == ["buy"]


def test_a_wrong_parameter_is_an_error_in_words(session: LiveSession) -> None:
    session.watch([BTC], StrategyChoice("book_pressure", (("treshold", 0.1),)))
    assert session.error is not None
    assert "threshold" in session.error.hint


def test_a_closed_tab_releases_its_feeds_and_strategies(engine: Engine, connector: TabVenue) -> None:
    tab = LiveSession(engine)
    tab.watch([BTC], StrategyChoice("book_pressure"))
    tab.release()
    assert wait_until(lambda: connector.stopped == ["BTCUSDT"])
    assert engine.strategies.runs() == []


def test_two_tabs_share_one_stream_and_one_run(engine: Engine, connector: TabVenue) -> None:
    one, other = LiveSession(engine), LiveSession(engine)
    for tab in (one, other):
        tab.watch([BTC], StrategyChoice("book_pressure"))
    assert connector.started == ["BTCUSDT"]
    assert len(engine.strategies.runs()) == 1
    one.watch([], None)
    assert len(engine.strategies.runs()) == 1
    other.watch([], None)
    assert engine.strategies.runs() == []


def test_the_first_look_waits_for_data_and_no_longer_than_it_may(session: LiveSession, connector: TabVenue) -> None:
    session.watch([BTC], None)
    session.await_first_data(0.05)
    assert session.buffers[BTC].view is None
    session.watch([BTC, ETH], None)
    connector.say("BTCUSDT", snapshot(1))
    connector.say("ETHUSDT", snapshot(1, symbol="ETHUSDT"))
    session.await_first_data(60.0)
    session.await_first_data(60.0)
    assert session.feed(ETH) is not None
