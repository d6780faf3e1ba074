"""What fails in the analysis costs the analysis, and never the book."""

from __future__ import annotations

import logging

import pytest

from engine.analysis.flow_border import FlowBorder
from engine.analysis.flow_line import AGAIN_AFTER_NS, FlowLine
from engine.flow.section import Observer, Section
from engine.market.book import Book
from engine.market.events import BookSnapshot, Quote
from tests.engine.analysis.test_flow_desk import KEY, Feeds
from tests.engine.flow.market import TICK
from tests.engine.support import delta, make_feed, quote, snapshot, trade


class Fault(Section):
    """Raises when it is told of anything."""

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        raise ZeroDivisionError("no such spread")

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        raise ZeroDivisionError("no such trade")

    def on_book(self, t_ns: int, book: Book, changes: object) -> None:
        raise ZeroDivisionError("no such book")

    def on_reset(self, t_ns: int, reason: str) -> None:
        raise ZeroDivisionError("no such reset")

    def on_lost_trades(self, count: int) -> None:
        raise ZeroDivisionError("no such loss")

    def on_interruption(self, t_ns: int) -> None:
        raise ZeroDivisionError("no such interruption")


@pytest.mark.parametrize("first", ["quote", "trade", "book", "loss", "reset"])
def test_the_book_goes_on_when_the_analysis_fails(first: str, caplog: pytest.LogCaptureFixture) -> None:
    failures: list[Exception] = []
    feed = make_feed()
    feed.push(snapshot(100))
    feed.push(trade(1))
    feed.observer = FlowBorder(KEY, Observer([Fault()]), failures.append)
    with caplog.at_level(logging.ERROR):
        if first == "quote":
            feed.push(quote(101))
        elif first == "trade":
            feed.push(trade(2))
        elif first == "loss":
            feed.push(trade(9))
        elif first == "reset":
            feed.lose("a bad checksum")
            feed.push(snapshot(100))
        assert feed.push(delta(101, bids=((100.0, 7.0),)))
        assert feed.push(delta(102, bids=((100.0, 8.0),)))
    assert feed.view is not None
    assert feed.view.bid_sizes[0] == 8.0
    assert [type(error) for error in failures] == [ZeroDivisionError], "told once"
    assert sum("the order flow has failed" in record.message for record in caplog.records) == 1
    assert str(KEY) in caplog.text


def test_what_does_not_fail_is_passed_on() -> None:
    class Times(Section):
        def __init__(self) -> None:
            self.told: list[str] = []

        def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
            self.told.append("quote")

        def on_trade(
            self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object
        ) -> None:
            self.told.append("trade")

        def on_timer(self, t_ns: int) -> None:
            self.told.append("edge")

        def on_interruption(self, t_ns: int) -> None:
            self.told.append("interruption")

    times = Times()
    border = FlowBorder(KEY, Observer([times]), lambda error: None)
    border.on_bbo(10**18 + 1, 1.0, 1.0, 2.0, 1.0)
    border.on_trade(10**18 + 2, 1.0, 1.0, 1, None, None)
    border.on_interruption(10**18 + 3)
    border.on_time(10**18 + 10**9 + 1)
    assert times.told == ["quote", "trade", "interruption", "edge"]


def attached(feeds: Feeds) -> FlowLine:
    line = FlowLine(KEY)
    feeds.start()
    feeds.play(3)
    line.attach(feeds.feeds[KEY], TICK, derive_quotes=False)
    feeds.play(3)
    line.look(feeds.clock)
    assert line.picture is not None
    assert line.analyzer is not None
    return line


def test_a_failed_analysis_is_shown_with_its_reason_and_begins_anew_half_a_minute_later() -> None:
    feeds = Feeds()
    line = attached(feeds)
    first, feed = line.analyzer, feeds.feeds[KEY]
    assert first is not None
    first.observer.set_sections((*first.observer.sections, Fault()))
    feeds.play(1)
    line.look(feeds.clock)
    assert line.picture is not None
    assert line.picture.failed.startswith("ZeroDivisionError: no such ")
    number = line.picture.number
    line.look(feeds.clock)
    assert line.picture.number == number, "it is said once"
    feeds.clock.advance(AGAIN_AFTER_NS / 1e9)
    line.look(feeds.clock)
    assert (line.feed, line.analyzer, feed.observer) == (None, None, None)
    line.attach(feed, TICK, derive_quotes=False)
    feeds.play(3)
    line.look(feeds.clock)
    assert line.analyzer is not first
    assert line.picture.failed == ""
    assert line.picture.metrics["spread_bps"] is not None


def test_an_analysis_that_cannot_be_read_fails_alike() -> None:
    feeds = Feeds()
    line = attached(feeds)
    assert line.analyzer is not None
    del line.analyzer.tape.costs.quotes
    line.analyzer.tape.costs = None  # type: ignore[assignment]
    line.look(feeds.clock)
    line.look(feeds.clock)
    assert line.picture is not None
    assert "AttributeError" in line.picture.failed
    feeds.play(1)
    assert feeds.feeds[KEY].view is not None


def test_a_lost_stream_makes_the_running_delta_and_the_session_partial() -> None:
    feeds = Feeds()
    line = attached(feeds)
    analyzer, feed = line.analyzer, feeds.feeds[KEY]
    assert analyzer is not None
    before = analyzer.read().readings
    assert [before[name].quality.value for name in ("cvd", "poc")] == ["exact", "exact"]
    feed.connection_lost()
    after = analyzer.read().readings
    assert [after[name].quality.value for name in ("cvd", "poc", "val", "vah")] == ["partial"] * 4
    analyzer.tape.cvd.anchor(feeds.clock.now_ns())
    analyzer.tape.session.anchor()
    feeds.play(2)
    anew = analyzer.read().readings
    assert [anew[name].quality.value for name in ("cvd", "poc")] == ["exact", "exact"]


def test_trades_lost_and_found_leave_the_session_as_sure_as_before() -> None:
    feeds = Feeds()
    line = attached(feeds)
    assert line.analyzer is not None
    observer, session = line.analyzer.observer, line.analyzer.tape.session
    observer.on_lost_trades(3)
    assert session.partial
    observer.on_lost_trades(-3)
    assert not session.partial


def test_whoever_joins_late_has_seen_no_interruption() -> None:
    line = FlowLine(KEY)
    feed = make_feed()
    feed.connection_lost()
    feed.push(snapshot(100))
    line.attach(feed, 1.0, derive_quotes=True)
    assert line.analyzer is not None
    feed.push(trade(1))
    assert not line.analyzer.tape.session.partial
    assert isinstance(feed.push(quote(101))[-1], Quote | BookSnapshot)
