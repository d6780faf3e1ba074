"""Between the unified library and the transport: copies, names, addresses, errors (of the real ccxt), the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import ccxt
import pytest

from connectors.base.unified import wire
from connectors.base.unified.coroutines import OwnLoop
from connectors.base.unified.errors import is_lost_book, translate
from connectors.base.unified.listing import Listing, first_websocket, redirect
from connectors.base.venue import Control
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited, StreamUnsupported
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookSnapshot, FeedState, FeedStatus, Trade

URL = "https://api.bybit.com/v5/market/orderbook?symbol=X"


# ---- copies


def test_a_picture_is_a_copy_that_the_living_book_cannot_change() -> None:
    book: dict[str, Any] = {"bids": [[2.0, 1.0], [1.0, 5.0]], "asks": [[3.0, 1.0]], "timestamp": 7}
    picture = wire.picture("X", book)
    book["bids"][0][1] = 9.0
    book["asks"].clear()
    assert (picture.b, picture.a, picture.E) == (((2.0, 1.0), (1.0, 5.0)), ((3.0, 1.0),), 7_000_000)


def test_a_picture_is_as_deep_as_asked_and_has_no_empty_levels() -> None:
    book = {"bids": [[2.0, 1.0, 4], [1.5, 0.0, 1], [1.0, 5.0, 2]], "asks": [], "timestamp": None}
    assert wire.picture("X", book, 2) == wire.WireBook("X", ((2.0, 1.0),), (), None)


def test_what_is_written_is_read_back_to_the_last_digit() -> None:
    book = wire.WireBook("X", ((0.1 + 0.2, 1e-8),), ((61837.63, 123456789.12345678),), 5)
    assert wire.decode(wire.encode(book)) == book
    (snapshot,) = wire.events(book, "ccxt:x", 9)
    assert snapshot == BookSnapshot("ccxt:x", "X", book.b, book.a, None, 5, 9, "stream")


def one(side: str | None, at_ms: int | None = 1_000, number: object = "7") -> dict[str, object]:
    return {"price": 2, "amount": 3, "side": side, "timestamp": at_ms, "id": number}


@pytest.mark.parametrize(("maker", "sides"), [(False, [BUY, SELL, UNKNOWN_SIDE]), (True, [SELL, BUY, UNKNOWN_SIDE])])
def test_a_trade_carries_the_side_of_the_taker(maker: bool, sides: list[int]) -> None:
    told = wire.prints("X", [one("buy"), one("sell"), one(None, None, None)], maker=maker)
    events = wire.events(told, "v", 9)
    assert events[0] == Trade("v", "X", 2.0, 3.0, sides[0], "7", 1_000_000_000, 9, "stream")
    trades = [event for event in events if isinstance(event, Trade)]
    assert [trade.aggressor for trade in trades] == sides
    assert (trades[2].trade_id, trades[2].exchange_ns) == (None, None)


def test_old_trades_at_the_head_of_a_subscription_are_history() -> None:
    trades = [one("buy", 1_000), one("buy", 4_500), one("buy", 6_000)]
    told = wire.prints("X", trades, maker=False, subscribed_ns=5_000_000_000)
    assert [row[-1] for row in told.t] == [True, False, False]
    assert [row[-1] for row in wire.prints("X", trades, maker=False).t] == [False] * 3
    assert [row[-1] for row in wire.prints("X", trades[:1], maker=False, subscribed_ns=5_000_000_000).t] == [False]


def test_what_a_new_connection_repeats_is_left_out_once() -> None:
    told = wire.Told()

    def numbers(*names: str | None, opening: bool) -> list[str | None]:
        rows = wire.prints("X", [one("buy", 1, name) for name in names], maker=False)
        return [row[3] for row in told.news(rows, opening=opening).t]

    assert numbers("1", "2", opening=True) == ["1", "2"]
    assert numbers("3", opening=False) == ["3"]
    assert numbers("2", "3", "4", None, opening=True) == ["4", None]
    assert numbers("4", opening=False) == ["4"]


def test_a_lost_book_is_a_status_and_other_notices_are_controls() -> None:
    (lost,) = wire.events(wire.WireNotice("lost", "X", "gap: 3"), "v", 9)
    assert isinstance(lost, FeedStatus)
    assert (lost.state, lost.reason) == (FeedState.SYNCING, "gap: 3")
    assert wire.events(wire.WireNotice("invalid_symbol", "X", "no"), "v", 9) == (Control("invalid_symbol", "X", "no"),)


# ---- errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ccxt.BadSymbol("x does not have market symbol Y"), InvalidSymbol),
        (ccxt.ExchangeNotAvailable(f"binance GET {URL} 451  restricted location"), Blocked),
        (
            ccxt.ExchangeNotAvailable(f"bybit GET {URL} 403 Forbidden <html><p>block access from your country</p>"),
            Blocked,
        ),
        (ccxt.ExchangeNotAvailable(f"bybit GET {URL} 403 Forbidden"), Disconnected),
        (ccxt.NetworkError("451, message='Invalid response status', url='wss://stream.binance.com'"), Blocked),
        (ccxt.NetworkError("429, message='Invalid response status', url='wss://stream.binance.com'"), RateLimited),
        (ccxt.NetworkError("503, message='Invalid response status', url='wss://stream.binance.com'"), Disconnected),
        (ccxt.ExchangeNotAvailable(f"bybit GET {URL} 503 Service Unavailable price 451"), Disconnected),
        (ccxt.ExchangeNotAvailable("bybit GET https://api.bybit.com/v5"), Disconnected),
        (ccxt.RestrictedLocation("not in your country"), Blocked),
        (ccxt.AuthenticationError("Invalid API key"), Blocked),
        (ccxt.PermissionDenied("no"), Blocked),
        (ccxt.RateLimitExceeded(f"okx GET {URL} 429 Too Many Requests"), RateLimited),
        (ccxt.DDoSProtection(f"binance GET {URL} 418 I'm a teapot"), RateLimited),
        (ccxt.NotSupported("watchOrderBook() is not supported yet"), StreamUnsupported),
        (ccxt.OnMaintenance("later"), Disconnected),
        (ccxt.RequestTimeout("Connection timeout"), Disconnected),
        (ccxt.NetworkError("Connection closed by remote server, closing code 1012"), Disconnected),
        (ccxt.ExchangeError("something"), Disconnected),
        (KeyError("bids"), Disconnected),
        (Blocked("ours"), Blocked),
    ],
)
def test_every_error_of_ccxt_says_what_to_do_about_it(error: Exception, kind: type[FeedError]) -> None:
    meaning = translate(error, "ccxt:x")
    assert type(meaning) is kind
    assert len(str(meaning)) < 300


def test_a_ban_lasts_and_a_refusal_has_a_remedy() -> None:
    banned = translate(ccxt.DDoSProtection(f"binance GET {URL} 418 I'm a teapot"), "ccxt:x")
    assert isinstance(banned, RateLimited)
    assert banned.retry_after_s == 120.0
    assert "another" in translate(ccxt.ExchangeNotAvailable(f"binance GET {URL} 451  no"), "ccxt:x").hint


def test_a_gap_is_told_from_a_broken_connection() -> None:
    assert is_lost_book(ccxt.ChecksumError("nonce"))
    assert is_lost_book(ccxt.InvalidNonce("nonce"))
    assert not is_lost_book(ccxt.NetworkError("closed"))


# ---- names and addresses


class Exchange:
    """What a listing needs of an exchange object."""

    precisionMode = 4
    currencies: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, *markets: dict[str, Any]) -> None:
        self.markets = {market["symbol"]: market for market in markets}


def market(identifier: str, symbol: str, kind: str = "spot", **more: Any) -> dict[str, Any]:
    base, _, quote = symbol.partition(":")[0].partition("/")
    return {"id": identifier, "symbol": symbol, "base": base, "quote": quote, "type": kind, **more}


def test_a_market_goes_by_the_venues_own_name_unless_another_has_it_too() -> None:
    listing = Listing(
        "v",
        Exchange(
            market("BTCUSDT", "BTC/USDT", precision={"price": 0.1, "amount": 0.001}),
            market("BTCUSDT", "BTC/USDT:USDT", "swap"),
            market("SOLPERP", "SOL/USDC:USDC", "swap"),
            market("XXBTZUSD", "BTC/USD", active=False),
            market("BTC-1-C", "BTC/USD:BTC-1-C", "option"),
        ),
    )
    assert [(one.symbol, one.unified, one.tick, one.lot) for one in listing.instruments] == [
        ("BTCUSDT", "BTC/USDT", 0.1, 0.001),
        ("BTC/USDT:USDT", "BTC/USDT:USDT", None, None),
        ("SOLPERP", "SOL/USDC:USDC", None, None),
    ]
    assert listing.unified("BTCUSDT") == listing.unified("BTC/USDT") == "BTC/USDT"
    assert listing.unified("BTC/USDT:USDT") == "BTC/USDT:USDT"
    assert listing.unified("NOPE") is None
    assert [listing.own(symbol) for symbol in ("BTC/USD", "SOL/USDC:USDC", "A/B")] == ["XXBTZUSD", "SOLPERP", "A/B"]


def test_steps_given_as_decimal_places_become_steps() -> None:
    exchange = Exchange(market("A", "A/B", precision={"price": 2, "amount": 0}))
    exchange.precisionMode = 2
    (instrument,) = Listing("v", exchange).instruments
    assert (instrument.tick, instrument.lot) == (0.01, 1.0)


def test_every_host_is_replaced_and_every_path_kept() -> None:
    urls = {"public": "https://api.{hostname}/v5", "ws": {"spot": "wss://stream.x.com:9443/ws"}, "other": None}
    assert redirect(urls, "ws://127.0.0.1:9/base/", "http://127.0.0.1:8") == {
        "public": "http://127.0.0.1:8/v5",
        "ws": {"spot": "ws://127.0.0.1:9/base/ws"},
        "other": None,
    }
    assert redirect(urls, "", "") == urls
    assert first_websocket(urls) == "wss://stream.x.com:9443/ws"
    assert first_websocket({"rest": "https://x"}) == ""


# ---- a loop that runs only while its owner waits


def loop(faults: list[str] | None = None) -> OwnLoop:
    noted = faults if faults is not None else []
    return OwnLoop(lambda error: translate(error, "v"), lambda error, message: noted.append(message))


async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


async def fail() -> None:
    raise ccxt.BadSymbol("X")


def test_results_and_errors_come_back_translated() -> None:
    own = loop()
    assert own.run(nap(0.0), 1.0) == "slept"
    with pytest.raises(InvalidSymbol):
        own.run(fail(), 1.0)
    with pytest.raises(Disconnected, match="no answer within"):
        own.run(nap(9.0), 0.05)
    own.close(None, 1.0)
    with pytest.raises(Disconnected):
        own.run(nap(0.0), 1.0)
    own.close(None, 1.0)


def test_another_thread_can_end_a_wait_and_nothing_follows() -> None:
    own = loop()
    ended: list[float] = []

    def wait() -> None:
        with pytest.raises(Disconnected, match="given up"):
            own.run(nap(30.0), 60.0)
        own.close(None, 1.0)
        ended.append(time.monotonic())

    own.run(nap(0.0), 1.0)
    thread = threading.Thread(target=wait)
    thread.start()
    begun = time.monotonic()
    own.abort()
    thread.join(5.0)
    assert ended[0] - begun < 1.0
    own.abort()


def test_what_is_left_running_is_cancelled_before_the_farewell() -> None:
    own = loop()
    seen: list[str] = []

    async def worker() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            seen.append("cancelled")

    async def begin() -> None:
        seen.append(str(asyncio.get_running_loop().create_task(worker()).done()))
        await asyncio.sleep(0)

    async def farewell() -> None:
        seen.append("farewell")

    own.run(begin(), 1.0)
    own.close(farewell, 1.0)
    assert seen == ["False", "cancelled", "farewell"]


def test_a_name_that_takes_long_to_look_up_delays_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(*where: object, **kind: object) -> list[object]:
        release.wait(10.0)
        return []

    monkeypatch.setattr("socket.getaddrinfo", slow)

    async def look_up() -> object:
        return await asyncio.get_running_loop().getaddrinfo("example.org", 443)

    own = loop()
    begun = time.monotonic()
    with pytest.raises(Disconnected):
        own.run(look_up(), 0.1)
    own.close(None, 1.0)
    assert time.monotonic() - begun < 1.5
    release.set()


@pytest.mark.parametrize(
    ("bids", "asks", "spoilt"),
    [
        ([[2.0, 1.0], [1.0, 1.0]], [[3.0, 1.0], [4.0, 1.0]], False),
        ([[2.0, 1.0], [-1.0, 1.0]], [[3.0, 1.0], [4.0, 1.0]], True),
        ([[2.0, 1.0], [1.0, 1.0]], [[3.0, 1.0], [float("inf"), 1.0]], True),
        ([[2.0, 1.0]], [[-3.0, 1.0], [4.0, 1.0]], True),
        ([], [], False),
    ],
)
def test_an_impossible_price_is_noticed_wherever_it_stands(
    bids: list[list[float]], asks: list[list[float]], spoilt: bool
) -> None:
    assert wire.is_spoilt({"bids": bids, "asks": asks}) is spoilt
