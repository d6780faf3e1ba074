"""Any exchange through ccxt: its name and card without ccxt, and the real ccxt.pro against the fake Binance.

ccxt's books carry no numbers, so each published book is looked up among all books that the venue ever stood at.
"""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.base import Patience
from connectors.ccxt_any import CcxtConnector, _first_newer
from engine.connector import Connector, Stream
from engine.errors import Blocked, ConfigError, DecodeError, Disconnected, InvalidSymbol, RateLimited
from engine.feed.mailbox import Mailbox
from engine.hub import Hub
from engine.market.events import BookSnapshot, FeedState, FeedStatus, MarketEvent, Source, Trade
from engine.plugins import discover, variants
from tests.app.support import wait_until
from tests.fakes.binance import FakeBinance
from tests.fakes.ccxt_rig import RememberingTruth
from tests.fakes.http_server import HttpResponse

ROOT = Path(__file__).resolve().parents[2]
BTC, ETH = "BTCUSDT", "ETHUSDT"
TOP = 20
BOUND_S = 12.0
WAIT_S = 0.8
"""ccxt's silence that is borne in these tests; two of them end a connection."""


# ---- without ccxt


def test_the_names_in_the_setting_become_venues_and_ccxt_is_not_imported_for_it() -> None:
    code = (
        "import sys\n"
        "from engine.plugins import discover, variants, frame_readers\n"
        "settings = {'CCXT_VENUES': 'bybit, OKX,,bybit, mudrex'}\n"
        "plugin = discover('connectors', 'start_stream').found['ccxt']\n"
        "made = {name: make(settings) for name, make in variants(plugin, settings).items()}\n"
        "print([(name, one.name, one.capabilities.streaming) for name, one in made.items()])\n"
        "print(len(frame_readers()) > 6, 'ccxt' in sys.modules, 'aiohttp' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    named, loaded = done.stdout.strip().splitlines()
    assert named == str([(f"ccxt:{one}", f"ccxt:{one}", True) for one in ("bybit", "okx", "mudrex")])
    assert loaded == "True False False"


def test_without_the_setting_there_is_no_venue_and_others_are_what_they_were() -> None:
    found = discover("connectors", "start_stream").found
    assert variants(found["ccxt"], {}) == {}
    assert list(variants(found["binance"], {})) == ["binance"]


def make(name: str, **settings: str) -> Connector:
    (maker,) = CcxtConnector.variants({"CCXT_VENUES": name}).values()
    connector: Connector = maker(settings)
    return connector


def test_a_name_that_ccxt_does_not_know_says_which_is_near() -> None:
    with pytest.raises(ConfigError, match="'bibit'") as caught:
        make("bibit")
    assert "bybit" in caught.value.hint


def test_an_exchange_without_a_stream_is_polled_at_once_and_the_reason_is_told() -> None:
    class Polled(CcxtConnector):
        def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot:
            return BookSnapshot(self.name, symbol, ((1.0, 2.0),), ((3.0, 4.0),), None, None, 5, source)

    (maker,) = Polled.variants({"CCXT_VENUES": "zaif"}).values()
    connector: Any = maker({})
    assert (connector.capabilities.streaming, connector.capabilities.polling) == (False, True)
    hub, mailbox, key = Hub({"ccxt:zaif": connector}), Mailbox(), ("ccxt:zaif", "BTC/JPY", "stream")
    try:
        hub.subscribe([key], mailbox)
        assert hub.notice(key) == "ccxt knows no stream of zaif, only its REST"
        assert wait_until(lambda: (feed := hub.feed(key)) is not None and feed.state is FeedState.POLLING)
    finally:
        hub.close()


def test_frames_that_are_not_ours_are_decode_errors() -> None:
    connector: Any = make("bybit")
    for frame in (b"", b"{", b"\xff", b'{"k":"other"}', b'{"k":"book","s":1}'):
        with pytest.raises(DecodeError):
            connector.decode(frame, 1)


def test_bitstamps_kept_updates_go_on_right_after_the_snapshot() -> None:
    kept = [{"microtimestamp": str(number)} for number in (3, 5, 8)]
    assert [_first_newer({"nonce": number}, kept) for number in (2, 3, 4, 5, 8, 9)] == [-1, 1, 1, 2, 3, 3]
    assert _first_newer({"nonce": 5}, []) == _first_newer({"nonce": None}, kept) == -1


# ---- the real ccxt.pro


class Ear:
    """Hears one stream."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.closed = False
        self.late = 0
        self.stream: Stream | None = None

    def __call__(self, event: MarketEvent) -> None:
        self.late += self.closed
        self.events.append(event)

    @property
    def state(self) -> FeedState:
        assert self.stream is not None
        return self.stream.feed.state

    @property
    def books(self) -> list[BookSnapshot]:
        return [event for event in self.events if isinstance(event, BookSnapshot)]

    @property
    def trades(self) -> list[Trade]:
        return [event for event in self.events if isinstance(event, Trade)]

    def said(self, state: FeedState, words: str = "") -> bool:
        return any(
            isinstance(event, FeedStatus) and event.state is state and words in event.reason for event in self.events
        )


class Alarms(logging.Handler):
    """What ccxt, asyncio and the transport complain of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or "release all resources" in record.getMessage():
            self.heard.append(self.format(record))


class World:
    """A fake Binance with a moving market, and ccxt's binance pointed at it."""

    def __init__(self) -> None:
        self.truth = RememberingTruth((BTC, ETH), seed=3, history=5_000)
        self.venue = FakeBinance(self.truth)
        self.ears: dict[str, Ear] = {}
        self.wait_s = WAIT_S
        self._before = set(threading.enumerate())
        self._connector: Any = None
        self._alarms = Alarms()

    def __enter__(self) -> World:
        logging.getLogger().addHandler(self._alarms)
        self.venue.start()
        return self

    def __exit__(self, *failure: object) -> None:
        took_s = self.close()
        self.venue.stop()
        left = [one.name for one in threading.enumerate() if one not in self._before and one.is_alive()]
        gc.collect()
        logging.getLogger().removeHandler(self._alarms)
        if failure[0] is None:
            assert self._alarms.heard == []
            assert left == []
            assert took_s < 2.0
            assert [ear.late for ear in self.ears.values()] == [0] * len(self.ears)
            for symbol, ear in self.ears.items():
                self.verify(symbol, ear)

    def connector(self, limits: dict[str, Any] | None = None, **patience: Any) -> Any:
        """The connector under test: impatient, and quick to try again."""
        if self._connector is None:
            quick = replace(CcxtConnector.limits, connect_per_s=20.0, backoff_cap_s=1.0, rest_per_s=50.0)
            hasty = type("Hasty", (CcxtConnector,), {"wait_s": self.wait_s, "limits": replace(quick, **(limits or {}))})
            (maker,) = hasty.variants({"CCXT_VENUES": "binance"}).values()  # type: ignore[attr-defined]
            urls = {"CCXT_BINANCE_WS_URL": self.venue.ws_url, "CCXT_BINANCE_REST_URL": self.venue.http_url}
            self._connector = maker(urls)
            self._connector.patience = replace(Patience(read_s=0.02, fallback_s=60.0, fallback_attempts=99), **patience)
        return self._connector

    def start(self, *symbols: str) -> None:
        for symbol in symbols:
            ear = self.ears[symbol] = Ear()
            ear.stream = self.connector().start_stream(symbol, ear)

    def live(self, *symbols: str) -> None:
        """Start these and wait until they are LIVE and moving."""
        self.connector()
        self.start(*symbols)
        self.venue.run(20.0)
        self.until(lambda: all(self.moves(symbol) for symbol in symbols), "LIVE")

    def moves(self, symbol: str) -> bool:
        return self.ears[symbol].state is FeedState.LIVE and len(self.ears[symbol].books) > 2

    def moves_again(self, symbol: str) -> Callable[[], bool]:
        """Whether it is LIVE and has published more books than by now."""
        ear = self.ears[symbol]
        seen = len(ear.books)
        return lambda: ear.state is FeedState.LIVE and len(ear.books) > seen + 2

    def until(self, true: Callable[[], object], what: str) -> None:
        story = {name: [e for e in ear.events if isinstance(e, FeedStatus)][-6:] for name, ear in self.ears.items()}
        assert self.venue.wait_for(true, BOUND_S), f"waited in vain for {what}: {story}"

    def verify(self, symbol: str, ear: Ear) -> None:
        """Every streamed book stood at the venue, and none after a later one."""
        stood, last = self.truth.stood[symbol], 0
        for book in ear.books:
            sequence = stood.get((book.bids[:TOP], book.asks[:TOP]))
            assert sequence is not None, f"{symbol}: a book that never was"
            assert sequence >= last or book.source == "poll"
            last = sequence

    def close(self) -> float:
        """How long the connector took to close, in seconds."""
        if self._connector is None:
            return 0.0
        begun = time.monotonic()
        self._connector.close()
        for ear in self.ears.values():
            ear.closed = True
        return time.monotonic() - begun


@pytest.fixture(autouse=True, scope="module")
def _import_once() -> None:
    """The import takes a second or two; it is no part of what is timed here."""
    import ccxt.pro  # noqa: F401


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


def test_it_is_live_within_seconds_and_every_book_is_true(world: World) -> None:
    begun = time.monotonic()
    world.live(BTC, ETH)
    assert time.monotonic() - begun < 3.0
    world.until(lambda: len(world.ears[BTC].books) > 40 and len(world.ears[BTC].trades) > 10, "a long line")
    assert world.ears[BTC].books[-1].source == "stream"
    assert len(world.ears[BTC].books[-1].bids) == 100
    assert world.venue.violations == []


def test_trades_are_those_of_the_venue_with_the_takers_side(world: World) -> None:
    world.live(BTC)
    world.until(lambda: len(world.ears[BTC].trades) > 20, "trades")
    with world.venue.market:
        printed = {str(one.trade_id): one for one in world.truth.trades(BTC)}
    heard = [trade for trade in world.ears[BTC].trades if trade.trade_id in printed]
    assert len(heard) > 20
    for trade in heard:
        one = printed[str(trade.trade_id)]
        assert (trade.price, trade.size) == (float(one.price), float(one.size))
        assert trade.aggressor == (-1 if one.buyer_is_maker else 1)
    numbers = [int(str(trade.trade_id)) for trade in heard]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_silent_stall_is_ended_by_our_own_patience(world: World) -> None:
    world.live(BTC, ETH)
    again = world.moves_again(BTC)
    world.venue.stall()
    begun = time.monotonic()
    world.until(lambda: world.ears[BTC].said(FeedState.RECONNECTING, "nothing received"), "the end of the connection")
    assert time.monotonic() - begun < 4 * WAIT_S
    world.until(again, "LIVE again")


@pytest.mark.parametrize(
    "break_it",
    [FakeBinance.fin, FakeBinance.rst, lambda venue: venue.close_all(1012, "restart"), FakeBinance.half_open],
    ids=["fin", "rst", "close 1012", "half open"],
)
def test_a_broken_connection_is_made_anew(world: World, break_it: Callable[[FakeBinance], None]) -> None:
    world.live(BTC, ETH)
    again = world.moves_again(ETH)
    break_it(world.venue)
    world.until(lambda: world.ears[ETH].said(FeedState.RECONNECTING), "RECONNECTING")
    world.until(again, "LIVE again")


def test_a_gap_that_ccxt_notices_hides_the_book_until_it_is_whole_again(world: World) -> None:
    world.live(BTC, ETH)
    again, moved = world.moves_again(BTC), world.moves_again(ETH)
    world.venue.gap(BTC)
    world.until(lambda: world.ears[BTC].said(FeedState.SYNCING, "gap"), "the gap")
    world.until(again, "LIVE again")
    assert moved()
    assert not world.ears[ETH].said(FeedState.RECONNECTING)


def test_one_silent_symbol_is_shown_stale_and_asked_for_again_while_the_other_lives(world: World) -> None:
    world.live(BTC, ETH)
    world.until(lambda: len(world.ears[BTC].books) > 30, "a busy symbol")
    asked = world.venue.counts["text"]
    world.venue.mute(BTC)
    world.until(lambda: world.ears[BTC].state is FeedState.STALE, "STALE")
    world.until(lambda: world.venue.counts["text"] >= asked + 4, "leaving and asking for books and trades again")
    world.venue.unmute(BTC)
    world.until(world.moves_again(BTC), "LIVE again")
    assert not world.ears[ETH].said(FeedState.STALE)
    assert not world.ears[ETH].said(FeedState.RECONNECTING)


def test_a_subscription_that_is_not_answered_is_asked_for_again(world: World) -> None:
    world.venue.drop_acks(2)
    world.live(BTC)


def test_frames_that_ccxt_cannot_read_do_not_leave_a_deaf_connection(world: World) -> None:
    world.live(BTC)
    again = world.moves_again(BTC)
    world.venue.send_all(b'{"e":"depthUpdate","s":"BTCUSDT","b":7}')
    world.until(again, "LIVE again")


def test_a_book_that_the_library_drops_because_of_another_socket_is_not_left_frozen(world: World) -> None:
    world.live(BTC)
    again = world.moves_again(BTC)
    world.venue.send_to("btcusdt@trade", b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":9e15,"u":9e15,"b":[],"a":[]}')
    world.until(lambda: world.ears[BTC].said(FeedState.RECONNECTING, "dropped the book"), "the end of the connection")
    world.until(again, "LIVE again")


def test_trades_that_come_in_one_burst_are_all_told(world: World) -> None:
    world.wait_s = 30.0  # the venue is silent while it prepares the burst
    world.live(BTC)
    world.venue.flood(BTC, 20_000)
    world.until(lambda: len(world.ears[BTC].trades) > 2_000, "the burst")
    numbers = [int(str(trade.trade_id)) for trade in world.ears[BTC].trades]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_symbol_that_is_not_listed_is_said_so_with_the_near_ones(world: World) -> None:
    world.connector()
    world.start("BTCUSD")
    world.until(lambda: world.ears["BTCUSD"].said(FeedState.INVALID), "INVALID")
    assert "BTCUSDT" in [one for one in world.ears["BTCUSD"].events if isinstance(one, FeedStatus)][-1].hint
    del world.ears["BTCUSD"]


def test_a_listener_that_leaves_and_comes_back_is_served_again(world: World) -> None:
    world.live(BTC, ETH)
    stream = world.ears[BTC].stream
    assert stream is not None
    stream.stop()
    assert world.venue.wait_for(lambda: not world.venue.subscribers(BTC), BOUND_S)
    world.start(BTC)
    world.until(lambda: world.moves(BTC), "LIVE again")
    assert world.ears[ETH].state is FeedState.LIVE


def test_a_venue_that_refuses_this_place_is_not_asked_again(world: World) -> None:
    world.venue.refuse(451, body=b"restricted location", times=None)
    world.venue.fail_rest(451, times=None)
    world.connector()
    world.start(BTC)
    world.until(lambda: world.ears[BTC].state is FeedState.BLOCKED, "BLOCKED")
    seen = world.venue.counts["handshake"]
    assert not world.venue.wait_for(lambda: world.venue.counts["handshake"] > seen, 1.0)


def test_without_a_stream_books_are_polled_until_it_is_back(world: World) -> None:
    world.connector(fallback_s=0.5)
    world.live(BTC)
    world.venue.refuse(503, times=None)
    world.venue.rst()
    world.until(lambda: world.ears[BTC].state is FeedState.POLLING, "POLLING")
    polled = len(world.ears[BTC].books)
    world.until(lambda: len(world.ears[BTC].books) > polled + 1, "polled books")
    assert world.ears[BTC].books[-1].source == "poll"
    world.venue.accept_all()
    world.until(world.moves_again(BTC), "LIVE again")


def test_polling_alone_serves_books(world: World) -> None:
    ear = Ear()
    ear.stream = world.connector().start_polling(BTC, ear, 0.1)
    world.ears[BTC] = ear
    world.venue.run(20.0)
    world.until(lambda: len(ear.books) > 3, "polled books")
    assert ear.state is FeedState.POLLING


def test_instruments_and_a_single_book_come_by_rest(world: World) -> None:
    connector = world.connector()
    assert [(one.symbol, one.unified, one.tick) for one in connector.instruments()] == [
        (BTC, "BTC/USDT", 0.5),
        (ETH, "ETH/USDT", 0.05),
    ]
    for symbol in (BTC, "BTC/USDT"):
        book = connector.fetch_snapshot(symbol, 5)
        assert (book.symbol, book.source, len(book.bids), len(book.asks)) == (symbol, "poll", 5, 5)
    with pytest.raises(InvalidSymbol) as caught:
        connector.fetch_snapshot("BTCUSD")
    assert "BTCUSDT" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [(451, Blocked), (429, RateLimited), (418, RateLimited), (500, Disconnected), (403, Disconnected)],
)
def test_a_refused_call_says_what_to_do_about_it(world: World, status: int, kind: type[Exception]) -> None:
    connector = world.connector()
    connector.instruments()
    world.venue.fail_rest(status, times=None)
    with pytest.raises(kind):
        connector.fetch_snapshot(BTC)


@pytest.mark.parametrize("path", ["/api/v3/exchangeInfo", "/api/v3/depth"])
def test_it_stops_at_once_whatever_it_waits_for(world: World, path: str) -> None:
    world.venue.rest_fault(HttpResponse(body=b"{}", delay_s=30.0), path=path, times=None)
    world.connector()
    world.start(BTC)
    assert world.venue.wait_for(lambda: any(path in entry.text for entry in world.venue.entries("http")), BOUND_S)
    assert world.close() < 2.0


def test_a_call_on_another_thread_ends_when_the_connector_closes(world: World) -> None:
    connector = world.connector()
    connector.instruments()
    world.venue.rest_fault(HttpResponse(body=b"{}", delay_s=30.0), times=None)
    raised: list[BaseException] = []

    def call() -> None:
        try:
            connector.fetch_snapshot(BTC)
        except Disconnected as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert world.venue.wait_for(lambda: any("depth" in entry.text for entry in world.venue.entries("http")), BOUND_S)
    assert world.close() < 2.0
    thread.join(2.0)
    assert len(raised) == 1
    with pytest.raises(Disconnected):
        connector.fetch_snapshot(BTC)


def test_an_old_connection_is_replaced_without_a_gap(world: World) -> None:
    world.connector({"rotate_after_s": 1.0})
    world.live(BTC)
    seen = world.venue.counts["open"]
    states = len(world.ears[BTC].events)
    world.until(lambda: world.venue.counts["open"] > seen, "a second connection")
    world.until(world.moves_again(BTC), "LIVE on it")
    told = [event.state for event in world.ears[BTC].events[states:] if isinstance(event, FeedStatus)]
    assert set(told) <= {FeedState.LIVE}
