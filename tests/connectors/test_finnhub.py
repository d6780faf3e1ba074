from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.base import Control
from connectors.finnhub import SYMBOLS, FinnhubConnector
from engine.errors import Blocked, DecodeError, FeedError, InvalidSymbol, RateLimited
from engine.market.events import FeedState, FeedStatus, MarketEvent, Quote, Trade
from engine.market.instrument import Instrument
from engine.settings import load_settings
from tests.fakes.finnhub import KEY, FakeFinnhub
from tests.fakes.rig import PATIENCE, HurriedRuntime
from tests.fakes.truth import SimulatorTruth
from tests.fakes.websocket_server import Session

AT = 1_700_000_000_000_000_000
BTC, ETH = "BTCUSDT", "ETHUSDT"
BOUND_S = 8.0


@pytest.fixture
def finnhub() -> FinnhubConnector:
    return FinnhubConnector({"FINNHUB_API_KEY": KEY})


def frame(*prints: dict[str, Any]) -> bytes:
    return json.dumps({"data": prints, "type": "trade"}).encode()


def test_every_print_of_a_frame_is_a_trade_without_side_and_number(finnhub: FinnhubConnector) -> None:
    one = {"c": ["1", "24", "12"], "p": 146.76, "s": "AAPL", "t": 1628238530221, "v": 43}
    found = finnhub.decode(frame(one, {**one, "c": None, "v": 1.5}, {**one, "c": []}, one), AT)
    trade = Trade("finnhub", "AAPL", 146.76, 43.0, 0, None, 1628238530221000000, AT, "stream")
    assert list(found) == [trade, replace(trade, size=1.5), trade, trade]


def test_a_price_without_an_amount_is_a_trade_of_size_zero(finnhub: FinnhubConnector) -> None:
    [trade] = finnhub.decode(frame({"c": None, "p": 1.08, "s": "OANDA:EUR_USD", "t": 1, "v": 0}), AT)
    assert isinstance(trade, Trade)
    assert (trade.symbol, trade.size) == ("OANDA:EUR_USD", 0.0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"type":"ping"}', "heartbeat"),
        (b'{"msg":"Subscribing to too many symbols","type":"error"}', "refused"),
        (b'{"type":"error","msg":"Invalid API key"}', "blocked"),
        (b'{"type":"error"}', "refused"),
    ],
)
def test_what_is_no_trade_is_about_the_connection(finnhub: FinnhubConnector, text: bytes, kind: str) -> None:
    [control] = finnhub.decode(text, AT)
    assert isinstance(control, Control)
    assert control.kind == kind
    assert list(finnhub.decode(b'{"type":"news","data":[]}', AT)) == []


@pytest.mark.parametrize(
    "wrong",
    [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"type":"trade","data":{}}', b'{"type":"trade","data":[{"s":"A"}]}',
     b'{"type":"trade","data":[{"s":"A","p":"x","t":1,"v":1}]}', b"[" * 100_000],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_a_decode_error(finnhub: FinnhubConnector, wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        finnhub.decode(wrong, AT)


def test_a_symbol_a_message(finnhub: FinnhubConnector) -> None:
    assert [json.loads(text) for text in finnhub.subscribe(["AAPL", "OANDA:EUR_USD"])] == [
        {"type": "subscribe", "symbol": "AAPL"}, {"type": "subscribe", "symbol": "OANDA:EUR_USD"},
    ]  # fmt: skip
    assert json.loads(finnhub.unsubscribe(["AAPL"])[0]) == {"type": "unsubscribe", "symbol": "AAPL"}


def test_no_depth_is_claimed_and_none_is_given(finnhub: FinnhubConnector) -> None:
    assert finnhub.capabilities.depth == 0
    with pytest.raises(FeedError, match="no depth"):
        finnhub.fetch_snapshot("AAPL")


def test_symbols_have_a_common_form_where_the_venue_tells_it(finnhub: FinnhubConnector) -> None:
    body = json.dumps(
        [
            {"symbol": "AAPL", "displaySymbol": "AAPL", "currency": "USD"},
            {"symbol": "OANDA:EUR_USD", "displaySymbol": "EUR/USD", "description": "Oanda EUR/USD"},
            {"symbol": "BINANCE:BTCUSDT", "displaySymbol": "BTC/USDT"},
        ]
    ).encode()
    assert finnhub.decode_instruments(body) == [
        Instrument("finnhub", "AAPL", "AAPL", "USD"),
        Instrument("finnhub", "OANDA:EUR_USD", "EUR", "USD"),
        Instrument("finnhub", "BINANCE:BTCUSDT", "BTC", "USDT"),
    ]


def test_failures_say_what_to_do(finnhub: FinnhubConnector) -> None:
    wrong_key, not_paid = finnhub.rest_error(401, b"", {}), finnhub.rest_error(403, b"", {})
    assert isinstance(wrong_key, Blocked)
    assert "FINNHUB_API_KEY" in wrong_key.hint
    assert isinstance(not_paid, Blocked)
    assert "plan" in not_paid.hint
    reset = str(time.time_ns() // 10**9 + 30)
    throttled = finnhub.rest_error(429, b"", {"x-ratelimit-reset": reset})
    assert isinstance(throttled, RateLimited)
    assert 25 < (throttled.retry_after_s or 0) <= 31
    assert finnhub.rest_error(500, b"", {}) is None


def test_the_key_travels_in_a_header_and_in_no_address(finnhub: FinnhubConnector) -> None:
    request = finnhub.snapshot_request("AAPL", 1)
    assert KEY not in request.url
    assert dict(request.headers) == {"X-Finnhub-Token": KEY}
    assert KEY not in finnhub.stream_url(["AAPL"])


def test_the_settings_carry_the_key_and_never_show_it() -> None:
    chosen = load_settings(None, {"FINNHUB_API_KEY": KEY})
    assert chosen.venue_settings["FINNHUB_API_KEY"] == KEY
    assert KEY not in repr(chosen)


def test_only_its_own_addresses_are_recognised() -> None:
    for url in ("wss://ws.finnhub.io", "wss://ws.finnhub.io?token=x", "https://finnhub.io/api/v1/quote?symbol=AAPL"):
        assert FinnhubConnector.recognises(url)
    for url in ("wss://finnhub.io.example.org", "http://[::1", "", "wss://ws.kraken.com"):
        assert not FinnhubConnector.recognises(url)


# ---- over real sockets


class Ear:
    """Hears one symbol."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []

    def __call__(self, event: MarketEvent) -> None:
        self.events.append(event)

    @property
    def trades(self) -> list[Trade]:
        return [event for event in self.events if isinstance(event, Trade)]

    @property
    def quotes(self) -> list[Quote]:
        return [event for event in self.events if isinstance(event, Quote)]

    @property
    def statuses(self) -> list[FeedStatus]:
        return [event for event in self.events if isinstance(event, FeedStatus)]

    @property
    def states(self) -> list[FeedState]:
        return [status.state for status in self.statuses]

    @property
    def state(self) -> FeedState | None:
        return self.states[-1] if self.states else None


class Stage:
    """A fake Finnhub and connectors on it."""

    def __init__(self, *, paid: bool = False) -> None:
        self.venue = FakeFinnhub(SimulatorTruth([BTC, ETH]), paid=paid)
        self.connectors: list[FinnhubConnector] = []

    def connector(self, key: str = KEY, **limits: float) -> FinnhubConnector:
        found = type("HastyFinnhub", (FinnhubConnector,), {"limits": replace(FinnhubConnector.limits, **limits)})(
            {
                "FINNHUB_WS_URL": self.venue.ws_url, "FINNHUB_REST_URL": self.venue.http_url, "FINNHUB_API_KEY": key,
            },
            runtime=HurriedRuntime(1), patience=PATIENCE,
        )  # fmt: skip
        assert isinstance(found, FinnhubConnector)
        self.connectors.append(found)
        return found

    def until(self, predicate: Any, what: str, timeout: float = BOUND_S) -> None:
        assert self.venue.wait_for(predicate, timeout), what


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    before = set(threading.enumerate())
    with made.venue:
        yield made
        for connector in made.connectors:
            connector.close()
        left = [one.name for one in threading.enumerate() if one not in before and not one.name.startswith("fake-")]
        assert left == []
        assert made.venue.wait_for(lambda: not made.venue.sockets, 2.0)


def test_a_feed_without_a_book_is_live_as_soon_as_a_trade_comes(stage: Stage) -> None:
    ear = Ear()
    stream = stage.connector().start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    assert FeedState.LIVE not in ear.states
    stage.venue.step(times=20)
    stage.until(lambda: len(ear.trades) == len(stage.venue.sent[BTC]) > 0, "every print")
    assert ear.state is FeedState.LIVE
    assert ear.states.index(FeedState.LIVE) == len(ear.states) - 1
    assert [(one.price, one.size) for one in ear.trades] == [
        (float(one.price), float(one.size)) for one in stage.venue.sent[BTC]
    ]
    assert stream.feed.view is None
    assert stream.feed.snapshot() is None


def test_many_symbols_share_the_one_connection(stage: Stage) -> None:
    connector, ears = stage.connector(), {symbol: Ear() for symbol in (BTC, ETH)}
    for symbol, ear in ears.items():
        connector.start_stream(symbol, ear)
    stage.until(lambda: all(stage.venue.subscribed(symbol) for symbol in ears), "subscriptions")
    stage.venue.step(times=30)
    stage.until(lambda: all(ear.trades for ear in ears.values()), "trades of both")
    assert {one.symbol for one in ears[ETH].trades} == {ETH}
    assert (stage.venue.accepted, stage.venue.killed) == (1, 0)


def test_a_broken_connection_is_made_anew_after_the_first_has_gone(stage: Stage) -> None:
    ear = Ear()
    stage.connector(connect_per_s=10.0).start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE")
    for session in list(stage.venue.sessions):
        Session.rst(session)
    stage.until(lambda: stage.venue.accepted == 2 and stage.venue.subscribed(BTC), "a second connection")
    assert FeedState.RECONNECTING in ear.states
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE again")
    assert stage.venue.killed == 0


def test_a_symbol_that_was_left_and_taken_again_never_opens_a_second_connection(stage: Stage) -> None:
    connector = stage.connector(connect_per_s=100.0, connect_burst=100)
    for _ in range(5):
        ear = Ear()
        stream = connector.start_stream(BTC, ear)
        stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
        stream.stop()
    assert stage.venue.killed == 0


def test_a_second_connector_with_the_same_key_is_refused(stage: Stage) -> None:
    first, second = stage.connector(), stage.connector()
    first.start_stream(BTC, Ear())
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    with pytest.raises(Blocked, match="same key") as caught:
        second.start_stream(ETH, Ear())
    assert KEY not in f"{caught.value}{caught.value.hint}"
    first.close()
    ear = Ear()
    second.start_stream(ETH, ear)
    stage.until(lambda: stage.venue.subscribed(ETH), "a subscription")
    assert stage.venue.killed == 0


def test_the_fifty_first_symbol_is_refused_with_a_reason(stage: Stage) -> None:
    connector = stage.connector(messages_per_s=1000.0)
    for number in range(SYMBOLS):
        connector.start_stream(f"S{number}", Ear())
    with pytest.raises(FeedError, match="50 symbols"):
        connector.start_stream("ONE-MORE", Ear())
    stage.until(lambda: stage.venue.subscribed("S49"), "fifty subscriptions")
    assert stage.venue.accepted == 1


def test_without_a_key_it_says_which_variable_to_set(stage: Stage) -> None:
    with pytest.raises(Blocked) as caught:
        stage.connector("").start_stream(BTC, Ear())
    assert "FINNHUB_API_KEY" in caught.value.hint


def test_a_wrong_key_blocks_the_feed_and_is_written_nowhere(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    ear, wrong = Ear(), "no-such-key-0815"
    with caplog.at_level(logging.DEBUG):
        stage.connector(wrong).start_stream(BTC, ear)
        stage.until(lambda: ear.state is FeedState.BLOCKED, "BLOCKED")
    assert "FINNHUB_API_KEY" in ear.statuses[-1].hint
    assert wrong not in caplog.text
    assert wrong not in str(ear.events)


def test_silence_is_stale_after_a_minute_and_a_print_ends_it(stage: Stage) -> None:
    ear = Ear()
    stage.connector().start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE")
    begun = time.monotonic()
    stage.until(lambda: ear.state is FeedState.STALE, "STALE", 10.0)
    assert time.monotonic() - begun > 5.0
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE again")
    assert stage.venue.accepted == 1


@pytest.mark.parametrize("closed", [True, False])
def test_a_subscription_that_got_lost_is_made_again_unless_the_market_is_closed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    connector, ear = stage.connector(), Ear()
    monkeypatch.setattr(connector, "rests", lambda symbol, now_ns: "the market is closed now" if closed else "")
    stage.venue.step(times=30)
    stage.venue.deaf = 1
    connector.start_stream(BTC, ear)
    if closed:
        stage.until(lambda: len(stage.venue.entries("http")) > 40, "prices polled for well over thirty seconds")
        assert len(stage.venue.entries("text")) == 1
        assert ear.state is FeedState.POLLING
    else:
        stage.until(lambda: stage.venue.subscribed(BTC), "a second subscription")
        assert [json.loads(entry.text)["type"] for entry in stage.venue.entries("text")] == [
            "subscribe", "unsubscribe", "subscribe",
        ]  # fmt: skip


def test_prices_without_amounts_reach_the_listener(stage: Stage) -> None:
    ear = Ear()
    stage.connector().start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    stage.venue.say({"type": "ping"})
    for session in stage.venue.sessions:
        session.post(frame({"c": None, "p": 1.08, "s": BTC, "t": 1, "v": 0}))
        session.post(frame({"c": None, "p": -1.0, "s": BTC, "t": 1, "v": 0}))
        session.post(frame({"c": None, "p": 1.09, "s": BTC, "t": 1, "v": -2}))
        session.post(frame({"c": None, "p": 1.10, "s": BTC, "t": 2, "v": 3}))
    stage.until(lambda: len(ear.trades) == 2, "two trades")
    assert [one.price for one in ear.trades] == [1.08, 1.10]


def test_bid_and_ask_are_polled_where_the_plan_has_them(stage: Stage) -> None:
    stage.venue.paid = True
    ear = Ear()
    stream = stage.connector().start_polling(BTC, ear, 1.0)
    stage.until(lambda: len(ear.quotes) >= 3, "quotes")
    assert ear.state is FeedState.POLLING
    assert {one.source for one in ear.quotes} == {"poll"}
    assert stream.feed.quote is not None
    assert stream.feed.view is None


def test_without_a_paid_plan_the_last_price_is_polled_and_told_once(stage: Stage) -> None:
    ear = Ear()
    stage.venue.step(times=30)
    stream = stage.connector().start_polling(BTC, ear, 1.0)
    stage.until(lambda: ear.trades, "a price")
    (first,) = ear.trades
    assert (first.source, first.size, first.aggressor) == ("poll", 0.0, 0)
    assert first.price == float(stage.venue.truth.trades(BTC)[-1].price)
    assert first.exchange_ns is not None
    asked = len(stage.venue.entries("http"))
    stage.until(lambda: len(stage.venue.entries("http")) >= asked + 3, "more polls")
    assert ear.trades == [first]
    assert (ear.state, stream.feed.view) == (FeedState.POLLING, None)
    stage.venue.step(times=30)
    stage.until(lambda: len(ear.trades) == 2, "the next price")
    assert sum(["/stock/bidask" in entry.text for entry in stage.venue.entries("http")]) == 1


def test_a_symbol_without_a_price_is_invalid_and_near_ones_are_named(stage: Stage) -> None:
    ear = Ear()
    stage.connector().start_polling("AAPLE", ear, 1.0)
    stage.until(lambda: ear.state is FeedState.INVALID, "INVALID")
    assert "AAPL" in ear.statuses[-1].hint


def test_while_the_stream_is_away_the_last_price_is_polled_and_no_print_is_lost_or_told_twice(stage: Stage) -> None:
    ear = Ear()
    stage.connector(connect_per_s=10.0).start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE")
    stage.venue.refuse(503, times=None)
    for session in list(stage.venue.sessions):
        Session.rst(session)
    stage.until(lambda: ear.state is FeedState.POLLING and ear.trades[-1].source == "poll", "a polled price", 20.0)
    stage.venue.accept_all()
    stage.until(lambda: stage.venue.subscribed(BTC), "the return", 20.0)
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE again")
    streamed = [(one.price, one.size) for one in ear.trades if one.source == "stream"]
    assert streamed == [(float(one.price), float(one.size)) for one in stage.venue.sent[BTC]]
    assert all(one.size == 0.0 for one in ear.trades if one.source == "poll")


def test_a_streamed_symbol_that_rest_does_not_know_is_no_invalid_one(stage: Stage) -> None:
    connector, ear = stage.connector(), Ear()
    connector.start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    nothing = b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}'
    with pytest.raises(InvalidSymbol):
        connector.decode_price(BTC, nothing, AT, "poll")
    with pytest.raises(FeedError, match="by REST") as caught:
        connector.decode_price("OANDA:EUR_USD", nothing, AT, "poll")
    assert not isinstance(caught.value, InvalidSymbol)
    stage.venue.step(times=20)
    stage.until(lambda: ear.trades, "a trade")
    with pytest.raises(FeedError) as caught:
        connector.decode_price(BTC, nothing, AT, "poll")
    assert not isinstance(caught.value, InvalidSymbol)


@pytest.mark.parametrize("wrong", [b"", b"[]", b'{"c":"x"}', b"\xff", b"[" * 100_000])
def test_a_price_that_cannot_be_read_is_a_decode_error(finnhub: FinnhubConnector, wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        finnhub.decode_price("AAPL", wrong, AT, "poll")


SATURDAY = 1_700_308_800 * 10**9  # 2023-11-18 12:00 UTC


def test_markets_that_are_closed_are_known_by_their_symbols(finnhub: FinnhubConnector) -> None:
    assert "American market is closed" in finnhub.rests("AAPL", SATURDAY)
    assert "currency market is closed" in finnhub.rests("OANDA:EUR_USD", SATURDAY)
    assert finnhub.rests("BINANCE:BTCUSDT", SATURDAY) == ""
    assert finnhub.rests("SAP.DE", SATURDAY) == ""
    tuesday = SATURDAY + 3 * 86_400 * 10**9
    assert finnhub.rests("AAPL", tuesday) == finnhub.rests("OANDA:EUR_USD", tuesday) == ""


def test_silence_of_a_closed_market_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    connector, ear = stage.connector(stale_after_s=5.0), Ear()
    monkeypatch.setattr(connector, "rests", lambda symbol, now_ns: "the market is closed now")
    connector.start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.STALE and ear.statuses[-1].reason == "the market is closed now", "why")
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE again")
    assert stage.venue.accepted == 1


def test_while_the_stream_is_away_quotes_are_polled_and_then_trades_return(stage: Stage) -> None:
    stage.venue.paid = True
    ear = Ear()
    stage.connector(connect_per_s=10.0).start_stream(BTC, ear)
    stage.until(lambda: stage.venue.subscribed(BTC), "a subscription")
    stage.venue.step(times=20)
    stage.until(lambda: ear.state is FeedState.LIVE, "LIVE")
    stage.venue.refuse(503, times=None)
    for session in list(stage.venue.sessions):
        Session.rst(session)
    stage.until(lambda: len(ear.quotes) > 2, "polled quotes", 20.0)
    assert FeedState.POLLING in ear.states
    stage.venue.accept_all()
    market = stage.venue.run()
    stage.until(lambda: ear.state is FeedState.LIVE, "the way back", 20.0)
    market.set()
    assert stage.venue.killed == 0


def test_the_lists_of_symbols_are_joined(stage: Stage) -> None:
    found = {one.symbol: one.unified for one in stage.connector().instruments()}
    assert found == {"AAPL": "AAPL/USD", "OANDA:EUR_USD": "EUR/USD", "BINANCE:BTCUSDT": "BTC/USDT"}
