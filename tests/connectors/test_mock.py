"""The mock as a venue: the real transport around the simulated exchange, healthy and broken on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest
from msgspec.structs import replace

from connectors.base import Control, Patience
from connectors.base.simulation.faults import Fault, ScriptedFault
from connectors.base.simulation.market import Market
from connectors.base.simulation.spoiler import GARBAGE
from connectors.base.simulation.wire import encode_fact
from connectors.mock import MockConnector
from engine.connector import Stream
from engine.errors import Blocked, ConfigError, DecodeError, Disconnected, InvalidSymbol, RateLimited, StreamUnsupported
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Quote, Trade

BTC, ETH = "BTC/USDT", "ETH/USDT"
DEADLINE_S = 6.0
IMPATIENT = Patience(
    read_s=0.02,
    fetch_s=0.5,
    fallback_s=0.3,
    fallback_attempts=2,
    hold_s=0.1,
    healthy_s=0.5,
    probe_s=0.3,
    resubscribe_s=1.0,
)


class QuickMock(MockConnector):
    """The mock with a short temper, so that what takes seconds in life takes tenths here."""

    limits = replace(MockConnector.limits, silence_s=0.8, backoff_base_s=0.1, backoff_cap_s=0.2, connect_per_s=50.0)


class Listener:
    """Keeps what one symbol's stream says and compares its book with the truth at every word."""

    def __init__(self, connector: MockConnector, symbol: str = BTC) -> None:
        self.events: list[MarketEvent] = []
        self.wrong: list[str] = []
        self.compared = 0
        self.stream: Stream | None = None
        self._connector = connector
        self._symbol = symbol
        self._changed = threading.Condition()

    def __call__(self, event: MarketEvent) -> None:
        with self._changed:
            self.events.append(event)
            if isinstance(event, BookDelta | BookSnapshot):
                self._compare()
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE_S), f"waited in vain until {what}: {self.states[-8:]}"

    def wait_for(self, state: FeedState, *, after: int = 0) -> None:
        self.wait(lambda: state in self.states_after(after), f"it is {state}")

    @property
    def states(self) -> list[str]:
        return [f"{one.state}: {one.reason}" for one in self.events if isinstance(one, FeedStatus)]

    def states_after(self, position: int) -> list[FeedState]:
        return [one.state for one in self.events[position:] if isinstance(one, FeedStatus)]

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def _compare(self) -> None:
        view = self.stream.feed.view if self.stream is not None else None
        if view is None or view.sequence is None or view.state is not FeedState.LIVE:
            return
        truth = self._connector.exchange.truth_at(self._symbol, view.sequence, 20)
        if truth is not None:
            self.compared += 1
            if (view.bids[:20], view.asks[:20]) != truth:
                self.wrong.append(f"at {view.sequence}")


@contextmanager
def mock(settings: dict[str, str] | None = None) -> Iterator[QuickMock]:
    before = set(threading.enumerate())
    connector = QuickMock({"MOCK_RATE": "400", **(settings or {})}, patience=IMPATIENT, fallback_interval_s=0.1)
    try:
        yield connector
    finally:
        begun = time.monotonic()
        connector.close()
        assert time.monotonic() - begun < 2.0
        for thread in set(threading.enumerate()) - before:
            thread.join(2.0)
            assert not thread.is_alive(), thread.name


@contextmanager
def listening(connector: MockConnector, symbol: str = BTC, *, live: bool = True) -> Iterator[Listener]:
    listener = Listener(connector, symbol)
    listener.stream = connector.start_stream(symbol, listener)
    try:
        if live:
            listener.wait_for(FeedState.LIVE)
        yield listener
    finally:
        listener.stream.stop()
    assert listener.wrong == []


def test_it_is_a_connector_that_owns_up_to_inventing() -> None:
    with mock() as connector:
        assert connector.name == "mock"
        assert connector.capabilities.source == "mock"
        assert "nvented" in connector.capabilities.note


def test_a_stream_opens_with_a_snapshot_and_brings_all_kinds_of_events_as_mock() -> None:
    with mock() as connector, listening(connector) as heard:
        heard.wait(
            lambda: heard.count(Trade) > 5 and heard.count(Quote) > 5 and heard.count(BookDelta) > 50, "it flows"
        )
        data = [event for event in heard.events if not isinstance(event, FeedStatus)]
        books = [event for event in data if isinstance(event, BookSnapshot | BookDelta)]
        assert isinstance(books[0], BookSnapshot)
        assert {event.source for event in data} == {"mock"}
        assert {event.venue for event in data} == {"mock"}
        assert heard.compared > 20
        assert connector.latest_snapshot(BTC) is not None


def test_several_symbols_share_one_connection() -> None:
    with mock() as connector, listening(connector) as btc, listening(connector, ETH) as eth:
        btc.wait(lambda: btc.count(BookDelta) > 20, "it flows")
        eth.wait(lambda: eth.count(BookDelta) > 20, "it flows")
        assert len(connector.exchange._inboxes) == 1


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        (Fault.GAP, 2), (Fault.DUPLICATE, 3), (Fault.REORDER, 1), (Fault.CROSSED, 1), (Fault.BAD_VALUES, 3),
        (Fault.BAD_FRAME, 7), (Fault.HUGE_FRAME, 1), (Fault.DROP, 1), (Fault.CLOSE_1012, 2), (Fault.CLOSE_1008, 1),
        (Fault.SHUTDOWN_NOTICE, 1), (Fault.FLOOD, 1), (Fault.CLOCK_SKEW, 50),
    ],
)  # fmt: skip
def test_after_a_fault_the_book_is_live_and_true_again(fault: Fault, count: int) -> None:
    with mock() as connector, listening(connector) as heard:
        connector.faults.set(fault, count=count)
        heard.wait(lambda: connector.faults.acted[fault] >= count or fault is Fault.CLOCK_SKEW, f"{fault} acted")
        connector.faults.clear()
        position = len(heard.events)
        stream = heard.stream
        assert stream is not None
        heard.wait(
            lambda: (
                stream.feed.state is FeedState.LIVE
                and sum(isinstance(event, BookDelta) for event in heard.events[position:]) > 30
            ),
            f"it flows again after {fault}",
        )
        heard.compared = 0
        heard.wait(lambda: heard.compared > 10, "the book was compared again")


def test_a_script_of_many_faults_never_shows_a_wrong_book() -> None:
    with mock({"MOCK_SEED": "5"}) as connector, listening(connector) as heard:
        faults = [Fault.DUPLICATE, Fault.GAP, Fault.BAD_FRAME, Fault.STALE_SNAPSHOT, Fault.REORDER, Fault.DROP]
        sent = connector.exchange.sent
        connector.faults.play([ScriptedFault(sent + 60 * n, fault) for n, fault in enumerate(faults, 1)])
        heard.wait(lambda: all(connector.faults.acted[fault] for fault in faults), "every fault acted")
        position = len(heard.events)
        heard.wait(lambda: sum(isinstance(e, BookDelta) for e in heard.events[position:]) > 50, "it flows again")
        assert heard.compared > 50


def test_silence_is_noticed_and_the_connection_made_anew() -> None:
    with mock() as connector, listening(connector) as heard:
        position = len(heard.events)
        connector.faults.set(Fault.STALL, seconds=1.2)
        heard.wait_for(FeedState.RECONNECTING, after=position)
        heard.wait(lambda: "nothing received" in " ".join(heard.states), "the reason is said")
        heard.wait_for(FeedState.LIVE, after=position)


def test_one_silent_symbol_does_not_disturb_the_others() -> None:
    with mock() as connector, listening(connector) as btc, listening(connector, ETH) as eth:
        connector.faults.set(Fault.SYMBOL_STALL, symbol=ETH)
        btc.wait(lambda: connector.faults.acted[Fault.SYMBOL_STALL] > 0, "the fault acts")
        silent, position = len(eth.events), len(btc.events)
        btc.wait(lambda: len(btc.events) > position + 60, "BTC goes on")
        assert len(eth.events) <= silent + 2
        connector.faults.clear()
        eth.wait(lambda: len(eth.events) > silent + 20, "ETH is back")
        assert btc.states_after(position) == []


def test_a_lost_stream_falls_back_to_polling_and_returns() -> None:
    with mock() as connector, listening(connector) as heard:
        position = len(heard.events)
        connector.faults.set(Fault.HANDSHAKE_REFUSED)
        connector.faults.set(Fault.DROP)
        heard.wait_for(FeedState.POLLING, after=position)
        heard.wait(lambda: heard.events[-1].source == "poll" and heard.count(BookSnapshot) > 3, "books are polled")
        connector.faults.clear()
        polled = len(heard.events)
        heard.wait_for(FeedState.LIVE, after=polled)
        heard.wait(lambda: heard.events[-1].source == "mock", "the stream is back")


def test_without_a_stream_it_is_polled() -> None:
    with mock() as connector:
        connector.faults.set(Fault.REFUSE_STREAM)
        with listening(connector, live=False) as heard:
            heard.wait_for(FeedState.POLLING)
            heard.wait(lambda: heard.count(BookSnapshot) > 2, "books are polled")


def test_the_rest_mode_streams_nothing_and_can_be_polled() -> None:
    with mock({"MOCK_MODE": "rest"}) as connector:
        heard = Listener(connector)
        with pytest.raises(StreamUnsupported):
            connector.start_stream(BTC, heard)
        stream = connector.start_polling(BTC, heard, 0.1)
        heard.wait(lambda: heard.count(BookSnapshot) > 2, "books are polled")
        assert {event.source for event in heard.events if isinstance(event, BookSnapshot)} == {"poll"}
        stream.stop()
        connector.mode = "stream"
        with listening(connector):
            pass


@pytest.mark.parametrize(
    ("fault", "value"), [(Fault.SNAPSHOT_ERROR, 500), (Fault.SNAPSHOT_HTML, None), (Fault.REFUSE_REST, None)]
)
def test_without_a_snapshot_there_is_no_book_until_rest_recovers(fault: Fault, value: float | None) -> None:
    with mock() as connector:
        connector.faults.set(fault, value=value)
        with listening(connector, live=False) as heard:
            heard.wait(lambda: connector.faults.acted[fault] > 1, "it was tried again")
            assert FeedState.LIVE not in heard.states_after(0)
            connector.faults.clear()
            heard.wait_for(FeedState.LIVE)


@pytest.mark.parametrize(
    ("fault", "value", "error"),
    [
        (Fault.SNAPSHOT_ERROR, 429, RateLimited), (Fault.SNAPSHOT_ERROR, 451, Blocked),
        (Fault.SNAPSHOT_ERROR, 403, Blocked), (Fault.SNAPSHOT_ERROR, 500, Disconnected),
        (Fault.SNAPSHOT_HTML, None, Disconnected), (Fault.REFUSE_REST, None, Disconnected),
        (Fault.SNAPSHOT_SLOW, 30, Disconnected),
    ],
)  # fmt: skip
def test_rest_errors_are_of_the_kind_that_says_what_to_do(
    fault: Fault, value: float | None, error: type[Exception]
) -> None:
    with mock() as connector:
        connector.faults.set(fault, value=value, count=1)
        with pytest.raises(error):
            connector.fetch_snapshot(BTC)
        assert len(connector.fetch_snapshot(BTC, 5).bids) == 5


def test_closing_ends_a_slow_call_at_once() -> None:
    with mock() as connector:
        connector.patience = replace(IMPATIENT, fetch_s=30.0)
        connector.faults.set(Fault.SNAPSHOT_SLOW, value=30)
        heard = Listener(connector)
        connector.start_stream(BTC, heard)
        heard.wait(lambda: connector.faults.acted[Fault.SNAPSHOT_SLOW] > 0, "the call is under way")
    # Leaving the block closes the connector and checks time and threads.


def test_a_subscription_without_an_answer_is_made_again_or_said() -> None:
    with mock() as connector:
        connector.faults.set(Fault.ACK_REFUSED, count=1)
        with listening(connector, live=False) as heard:
            heard.wait(lambda: connector.faults.acted[Fault.ACK_REFUSED] == 1, "it was refused")
            heard.wait(lambda: any("refused" in state for state in heard.states), "the reason is said")


def test_a_wrong_symbol_is_named_invalid_with_near_ones() -> None:
    with mock() as connector:
        heard = Listener(connector, "BTCUSDT")
        heard.stream = connector.start_stream("BTCUSDT", heard)
        heard.wait_for(FeedState.INVALID)
        heard.wait(
            lambda: any(isinstance(e, FeedStatus) and BTC in e.hint for e in heard.events), "a near one is named"
        )
        with pytest.raises(InvalidSymbol):
            connector.fetch_snapshot("BTCUSDT")


def test_rate_may_be_changed_while_it_runs_up_to_thousands_a_second() -> None:
    with mock({"MOCK_RATE": "5"}) as connector, listening(connector) as heard:
        connector.rate = 5000
        position, begun = len(heard.events), time.monotonic()
        heard.wait(lambda: len(heard.events) > position + 3000, "thousands came")
        assert time.monotonic() - begun < 4.0
        with pytest.raises(ConfigError):
            connector.rate = 5001


def test_instances_are_independent_and_equal_seeds_begin_alike() -> None:
    with mock({"MOCK_SEED": "9"}) as one, mock({"MOCK_SEED": "9"}) as same, mock({"MOCK_SEED": "10"}) as other:
        one.faults.set(Fault.REFUSE_REST)
        assert same.fetch_snapshot(BTC, 3)
        first = Market(9).truth(BTC, 5).bids
        assert one.exchange.market.truth(BTC, 5).bids == first
        assert other.exchange.market.truth(BTC, 5).bids != first


def test_instruments_need_no_network_and_can_be_chosen() -> None:
    with mock({"MOCK_SYMBOLS": "EUR/USD, BTC/USDT"}) as connector:
        connector.faults.set(Fault.REFUSE_REST)
        assert [(one.symbol, one.venue) for one in connector.instruments()] == [("EUR/USD", "mock"), (BTC, "mock")]
    with mock() as connector:
        body = connector.fetch(connector.instruments_request(), 1.0)
        assert connector.decode_instruments(body) == list(connector.instruments())


@pytest.mark.parametrize(
    "settings",
    [
        {"MOCK_MODE": "carrier pigeon"}, {"MOCK_SEED": "x"}, {"MOCK_RATE": "fast"}, {"MOCK_RATE": "0"},
        {"MOCK_RATE": "nan"}, {"MOCK_SYMBOLS": "BTCUSDT"},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        MockConnector(settings)
    assert next(iter(settings)) in str(caught.value) or "rate" in str(caught.value)


def test_a_frame_says_what_the_fact_was() -> None:
    with mock() as connector:
        facts = Market(3, rate=100.0).advance("EUR/USD", 20.0)
        assert {type(fact) for fact in facts} == {Trade, BookDelta, Quote}
        for fact in facts:
            assert connector.decode(encode_fact(fact), fact.received_ns) == (fact,)
        assert connector.decode(b'{"t":"notice","kind":"heartbeat"}', 1) == (Control("heartbeat"),)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_a_decode_error(garbage: bytes) -> None:
    with mock() as connector:
        with pytest.raises(DecodeError):
            connector.decode(garbage, 1)
        for read in (connector.decode_instruments, connector.decode_server_time):
            with pytest.raises(DecodeError):
                read(garbage)
        with pytest.raises(DecodeError):
            connector.decode_snapshot(BTC, garbage, 1, "stream")


def test_its_addresses_are_recognised_and_no_others() -> None:
    assert MockConnector.recognises("mock://exchange/stream")
    assert not MockConnector.recognises("wss://stream.binance.com:9443/ws")


def test_stats_are_those_of_the_market() -> None:
    with mock() as connector:
        assert connector.stats(BTC).events == 0
        with listening(connector):
            pass
        assert connector.stats(BTC).events > 0
        assert msgspec.json.encode(connector.stats(BTC))


def several(settings: dict[str, str]) -> dict[str, MockConnector]:
    return {name: make(settings) for name, make in MockConnector.variants(settings).items()}


def test_there_are_several_simulated_venues_and_settings_name_them() -> None:
    assert list(MockConnector.variants({})) == ["mock", "mock:alpha", "mock:beta", "mock:gamma"]
    assert list(MockConnector.variants({"MOCK_VENUES": "beta, Zeta,beta"})) == ["mock", "mock:beta", "mock:zeta"]
    assert list(MockConnector.variants({"MOCK_VENUES": "none"})) == ["mock"]
    made = MockConnector.variants({"MOCK_VENUES": "no:name"})
    with pytest.raises(ConfigError, match="MOCK_VENUES"):
        made["mock:no:name"]({})


def test_each_simulated_venue_says_who_it_is_and_obeys_the_common_settings() -> None:
    made = several({"MOCK_SYMBOLS": "BTC/USDT", "MOCK_RATE": "80", "MOCK_VENUES": "alpha,gamma"})
    try:
        for name, connector in made.items():
            assert (connector.name, connector.rate) == (name, 80.0)
            [instrument] = connector.instruments()
            assert (instrument.venue, instrument.unified) == (name, "BTC/USDT")
            assert connector.capabilities.source == "mock"
            book = connector.fetch_snapshot(instrument.symbol, 5)
            assert (book.venue, book.symbol) == (name, instrument.symbol)
    finally:
        for connector in made.values():
            connector.close()


def test_a_venues_own_latency_shows_in_its_stream() -> None:
    settings = {"MOCK_SYMBOLS": "BTC/USDT", "MOCK_VENUES": "gamma"}
    connector = QuickMock.variants(settings)["mock:gamma"](settings)
    try:
        with listening(connector, "XBT/USDT") as heard:
            heard.wait(lambda: heard.count(BookDelta) > 20, "it speaks")
            arrivals = [event for event in heard.events if isinstance(event, BookDelta)]
        assert min(event.received_ns - (event.exchange_ns or 0) for event in arrivals) >= 120_000_000
    finally:
        connector.close()
