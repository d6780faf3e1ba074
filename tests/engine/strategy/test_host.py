from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Condition
from time import monotonic
from typing import ClassVar

import pytest

from engine.analysis.flow_desk import FlowDesk
from engine.clock import ManualClock
from engine.errors import ConfigError
from engine.feed.mailbox import EventQueue, FeedKey
from engine.flow.analyzer import FlowMetrics
from engine.hub import Hub
from engine.market.book import BookView
from engine.market.events import FeedState, FeedStatus, MarketEvent, Trade
from engine.market.signal import Signal
from engine.strategy.host import SIGNALS_KEPT, Run, StrategyHost
from strategies.base import Strategy, param
from strategies.book_pressure import BookPressure
from tests.engine.support import DEADLINE_S, START_NS, FakeConnector, delta, snapshot, trade

KEY = ("binance", "BTCUSDT", "stream")


@dataclass
class Echo(Strategy):
    """Says something for every trade, and falls over when told to."""

    name: ClassVar[str] = "echo"
    made: ClassVar[list[Echo]] = []

    fail_at: int = param(0, low=0, high=100_000, help="the trade to fail at; 0 for none")
    books: list[int | None] = field(default_factory=list, init=False)
    states: list[FeedState] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        Echo.made.append(self)

    def on_book(self, book: BookView) -> Iterable[Signal]:
        self.books.append(book.sequence)
        return ()

    def on_trade(self, trade: Trade) -> Iterable[Signal]:
        if self.fail_at and trade.trade_id == self.fail_at:
            raise ZeroDivisionError("the strategy divides by nothing")
        yield Signal("echo", trade.venue, trade.symbol, "buy", 1.0, trade.price, trade.received_ns, str(trade.trade_id))

    def on_status(self, status: FeedStatus) -> None:
        self.states.append(status.state)

    def readings(self) -> Mapping[str, float]:
        return {"books": float(len(self.books))}


@dataclass
class Unreadable(Strategy):
    name: ClassVar[str] = "unreadable"

    def readings(self) -> Mapping[str, float]:
        raise KeyError("no such reading")


@dataclass
class Watcher(Strategy):
    """Says what the order flow is."""

    name: ClassVar[str] = "watcher"

    def on_flow(self, flow: FlowMetrics) -> Iterable[Signal]:
        imbalance = flow["imbalance_5"]
        if imbalance is not None:
            yield Signal("watcher", flow.venue, flow.symbol, "flat", 0.5, 1.0, flow.at_ns, f"{imbalance:.2f}")


class Ear:
    """Hears signals and wakes who waits for them."""

    def __init__(self) -> None:
        self.heard: list[tuple[FeedKey, Signal]] = []
        self._changed = Condition()

    def __call__(self, key: FeedKey, signal: Signal) -> None:
        with self._changed:
            self.heard.append((key, signal))
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, DEADLINE_S)
            return [signal.reason for _, signal in self.heard]


@pytest.fixture
def connector() -> FakeConnector:
    return FakeConnector(clock=ManualClock(START_NS))


@pytest.fixture
def hub(connector: FakeConnector) -> Iterator[Hub]:
    hub = Hub({"binance": connector}, clock=connector.clock)
    yield hub
    hub.close()


@pytest.fixture
def host(hub: Hub) -> Iterator[StrategyHost]:
    Echo.made = []
    host = StrategyHost(hub, {"echo": Echo, "book_pressure": BookPressure, "unreadable": Unreadable})
    yield host
    host.close()


@pytest.fixture
def ear(host: StrategyHost) -> Ear:
    ear = Ear()
    host.listen(ear)
    return ear


def until(happened: Callable[[], bool], run: Run) -> None:
    """Wait for what the run's own thread does; its end is awaited at once, anything else with a deadline."""
    end = monotonic() + DEADLINE_S
    while not happened():
        assert monotonic() < end, run.report()
        run._thread.join(0.005)


def test_every_update_reaches_the_strategy_in_order(host: StrategyHost, connector: FakeConnector, ear: Ear) -> None:
    run = host.acquire("echo", KEY)
    stream = connector.streams[0]
    for event in (snapshot(100), delta(101), trade(1), delta(102), delta(110), trade(2)):
        stream.say(event)
    assert ear.wait_for(2) == ["1", "2"]
    [strategy] = Echo.made
    assert strategy.books == [100, 101, 102]
    assert strategy.states == [FeedState.LIVE, FeedState.SYNCING]
    assert run.report().updates == 5


def test_signals_are_given_since_a_position(host: StrategyHost, connector: FakeConnector, ear: Ear) -> None:
    run = host.acquire("echo", KEY)
    for number in (1, 2, 3):
        connector.streams[0].say(trade(number))
    ear.wait_for(3)
    first, position = run.since(0)
    assert ([signal.reason for signal in first], position) == (["1", "2", "3"], 3)
    assert run.since(position) == ([], 3)
    connector.streams[0].say(trade(4))
    ear.wait_for(4)
    assert [signal.reason for signal in run.since(position)[0]] == ["4"]


def test_only_the_newest_signals_are_kept_and_the_count_goes_on(
    host: StrategyHost, connector: FakeConnector, ear: Ear
) -> None:
    run = host.acquire("echo", KEY)
    for number in range(1, SIGNALS_KEPT + 11):
        connector.streams[0].say(trade(number))
    ear.wait_for(SIGNALS_KEPT + 10)
    kept, position = run.since(0)
    assert (len(kept), position, kept[0].reason) == (SIGNALS_KEPT, SIGNALS_KEPT + 10, "11")


def test_the_same_strategy_on_the_same_feed_runs_once(host: StrategyHost, hub: Hub) -> None:
    first = host.acquire("book_pressure", KEY, {"depth": 5, "threshold": 0.5})
    second = host.acquire("book_pressure", KEY, {"threshold": 0.5, "depth": 5})
    other = host.acquire("book_pressure", KEY, {"depth": 6})
    assert first is second
    assert other is not first
    assert hub.running() == {KEY: 2}


def test_a_default_that_is_spelt_out_is_the_same_run(host: StrategyHost) -> None:
    assert host.acquire("book_pressure", KEY) is host.acquire("book_pressure", KEY, {"depth": 10.0})


def test_the_last_one_to_release_a_run_ends_it(host: StrategyHost, hub: Hub) -> None:
    run = host.acquire("echo", KEY)
    host.acquire("echo", KEY)
    host.release(run)
    assert host.runs() == [run]
    assert hub.running() == {KEY: 1}
    host.release(run)
    assert host.runs() == []
    assert hub.running() == {KEY: 0}
    assert not run._thread.is_alive()


def test_a_strategy_with_a_fault_ends_its_own_run_only_and_says_why(
    host: StrategyHost, hub: Hub, connector: FakeConnector, ear: Ear
) -> None:
    failing, working = host.acquire("echo", KEY, {"fail_at": 2}), host.acquire("echo", KEY)
    for number in (1, 2, 3):
        connector.streams[0].say(trade(number))
    failing._thread.join(DEADLINE_S)
    ear.wait_for(4)
    assert failing.report().error == "ZeroDivisionError: the strategy divides by nothing"
    assert (failing.report().signals, working.report().signals, working.report().error) == (1, 3, "")
    assert hub.running() == {KEY: 1}
    host.release(failing)
    assert host.runs() == [working]


def test_readings_that_raise_end_the_run_and_not_the_page(host: StrategyHost, connector: FakeConnector) -> None:
    run = host.acquire("unreadable", KEY)
    connector.streams[0].say(trade(1))
    run._thread.join(DEADLINE_S)
    report = run.report()
    assert report.error == "KeyError: 'no such reading'"
    assert report.readings == {}


def test_readings_are_those_after_the_last_update(host: StrategyHost, connector: FakeConnector) -> None:
    run = host.acquire("echo", KEY)
    for event in (snapshot(100), delta(101)):
        connector.streams[0].say(event)
    until(lambda: run.report().readings == {"books": 2.0}, run)


def test_an_unknown_strategy_or_parameter_is_a_mistake_that_starts_nothing(host: StrategyHost, hub: Hub) -> None:
    with pytest.raises(ConfigError, match="nope"):
        host.acquire("nope", KEY)
    with pytest.raises(ConfigError, match="dpeth"):
        host.acquire("book_pressure", KEY, {"dpeth": 10})
    with pytest.raises(ConfigError, match="outside"):
        host.acquire("book_pressure", KEY, {"depth": 1000})
    with pytest.raises(ConfigError, match="connector"):
        host.acquire("echo", ("nope", "BTCUSDT", "stream"))
    assert host.runs() == []
    assert hub.running() == {}


def test_closing_the_host_ends_every_run(host: StrategyHost) -> None:
    runs = [host.acquire("echo", KEY), host.acquire("book_pressure", KEY)]
    host.close()
    assert host.runs() == []
    assert not any(run._thread.is_alive() for run in runs)
    host.release(runs[0])


def script() -> list[MarketEvent]:
    events: list[MarketEvent] = [snapshot(100)]
    for number in range(101, 300):
        size = 30.0 if number // 40 % 2 else 0.1
        at_ns = START_NS + (number - 100) * 200_000_000
        events.append(delta(number, number, ((100.0, size),), ((101.0, 3.0),), at_ns=at_ns))
    return events


def test_the_same_events_give_the_same_signals(host: StrategyHost, connector: FakeConnector, hub: Hub) -> None:
    queue = EventQueue()
    hub.subscribe([KEY], queue)
    ear = Ear()
    host.listen(ear)
    host.acquire("book_pressure", KEY)
    for event in script():
        connector.streams[0].say(event)
    alone = BookPressure()
    expected = [
        signal
        for item in queue.drain()
        if item.view is not None and not isinstance(item.event, FeedStatus)
        for signal in alone.on_book(item.view)
    ]
    assert len(expected) >= 3
    ear.wait_for(len(expected))
    assert [signal for _, signal in ear.heard] == expected
    assert {key for key, _ in ear.heard} == {KEY}


@pytest.fixture
def flow(hub: Hub) -> Iterator[FlowDesk]:
    desk = FlowDesk(hub, lambda key: 1.0)
    yield desk
    desk.close()


def test_a_strategy_that_listens_to_the_order_flow_is_shown_it(
    hub: Hub, flow: FlowDesk, connector: FakeConnector
) -> None:
    host, ear = StrategyHost(hub, {"watcher": Watcher, "echo": Echo}, flow), Ear()
    host.listen(ear)
    run = host.acquire("watcher", KEY)
    for number in range(100, 110):
        connector.streams[0].say(snapshot(number, ((100.0, 3.0),), ((101.0, 1.0),)))
    assert ear.wait_for(1)[0] == "0.50"
    assert run.report().error == ""
    line = flow.acquire(KEY)
    assert line.leases == 2
    host.acquire("echo", KEY)
    assert line.leases == 2, "who does not listen costs nothing"
    host.close()
    assert line.leases == 1


def test_a_run_that_fails_gives_the_order_flow_back(hub: Hub, flow: FlowDesk, connector: FakeConnector) -> None:
    @dataclass
    class Falls(Watcher):
        def on_trade(self, trade: Trade) -> Iterable[Signal]:
            raise ZeroDivisionError("falls")

    host = StrategyHost(hub, {"falls": Falls}, flow)
    run = host.acquire("falls", KEY)
    line = flow.acquire(KEY)
    assert line.leases == 2
    connector.streams[0].say(trade(1))
    run._thread.join(DEADLINE_S)
    assert line.leases == 1
    host.close()
    assert line.leases == 1
