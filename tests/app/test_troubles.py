"""What goes wrong on the way to a venue reaches the page with a remedy: the real connectors on a refusing server."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.troubles import troubles
from connectors.base.simulation.faults import Fault
from connectors.binance import BinanceConnector
from connectors.binance_usdm import BinanceUsdmConnector
from connectors.ccxt_any import CcxtConnector
from connectors.coinbase import CoinbaseConnector
from connectors.ctrader import CtraderConnector
from connectors.finnhub import FinnhubConnector
from connectors.kraken import KrakenConnector
from connectors.mock import MockConnector
from connectors.uniswap import UniswapConnector
from engine.feed.feed import Feed
from engine.market.events import FeedState
from tests.app.support import wait_until
from tests.engine.support import make_feed, quote
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_usdm import FakeBinanceUsdm, StridingTruth
from tests.fakes.coinbase import FakeCoinbase
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.kraken import FakeKraken
from tests.fakes.rig import PACE, PATIENCE, HurriedRuntime
from tests.fakes.truth import SimulatorTruth
from tests.fakes.websocket_server import FakeServer

KEY = "a-key-that-nobody-may-see"
PAGE = b"<!DOCTYPE html><html><body>Access denied by the gateway</body></html>"
BOUND_S = 8.0
IMPORT_S = 40.0
"""The first use of ccxt reads some hundred modules."""
AT_A_TIME = re.compile(r"next in \d+ (s|min), at \d\d:\d\d:\d\d UTC")


class Refusing(FakeServer):
    """Answers everything, handshakes and calls alike, with the same response."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        return self.response

    def on_http(self, request: HttpRequest) -> HttpResponse:
        return self.response


VENUES: dict[str, tuple[type[Any], str]] = {
    "binance": (BinanceConnector, "BTCUSDT"),
    "binance_usdm": (BinanceUsdmConnector, "BTCUSDT"),
    "kraken": (KrakenConnector, "BTC/USD"),
    "coinbase": (CoinbaseConnector, "BTC-USD"),
    "finnhub": (FinnhubConnector, "AAPL"),
    "ctrader": (CtraderConnector, "EURUSD"),
    "uniswap": (UniswapConnector, "WETH/USDC@500"),
}
LOCATION = {
    "binance": "BINANCE_WS_URL=wss://stream.binance.us:9443",
    "binance_usdm": "choose another venue",
    "kraken": "such as coinbase",
    "coinbase": "such as kraken",
    "finnhub": "choose another venue",
    "ctrader": "ask the broker",
    "uniswap": "UNISWAP_RPC_URL",
}
KEYS = {"finnhub": "FINNHUB_API_KEY", "ctrader": "CTRADER_CLIENT_ID", "uniswap": "UNISWAP_RPC_URL"}


def settings(name: str, address: str) -> dict[str, str]:
    """What points a venue at a server on this machine."""
    return {
        f"{name.upper()}_WS_URL": f"ws://{address}", f"{name.upper()}_REST_URL": f"http://{address}",
        "FINNHUB_API_KEY": KEY, "CTRADER_CLIENT_ID": "client", "CTRADER_CLIENT_SECRET": KEY,
        "CTRADER_ACCESS_TOKEN": KEY, "CTRADER_REFRESH_TOKEN": KEY, "UNISWAP_RPC_URL": f"http://{address}/v3/{KEY}",
    }  # fmt: skip


@contextmanager
def watched(connector: Any, symbol: str) -> Iterator[Feed]:
    stream = connector.start_stream(symbol, lambda event: None)
    try:
        yield stream.feed
    finally:
        connector.close()


def told(feed: Feed, wanted: Callable[[str], object], state: FeedState | None = None, bound_s: float = BOUND_S) -> str:
    """What the card says, once it says what is wanted (and stands in `state`).

    Raises:
        AssertionError: it never did, with what it says instead.
    """
    said = [""]

    def look() -> bool:
        said[0] = "\n".join(troubles(feed))
        return bool(wanted(said[0])) and state in (None, feed.state)

    assert wait_until(look, bound_s), (feed.state, said)
    return said[0]


def card(name: str, address: str, wanted: Callable[[str], object], state: FeedState | None = None) -> str:
    kind, symbol = VENUES[name]
    with watched(kind(settings(name, address), runtime=HurriedRuntime(1), patience=PATIENCE), symbol) as feed:
        text = told(feed, wanted, state)
        assert KEY not in text
        return text


def refused(name: str, response: HttpResponse, wanted: Callable[[str], object], state: FeedState | None = None) -> str:
    with Refusing(response) as server:
        return card(name, f"127.0.0.1:{server.port}", wanted, state)


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(451, b'{"code":0,"msg":"Service unavailable from a restricted location"}'),
        HttpResponse(403, b'{"error":"this service is not available in your country"}'),
    ],
    ids=["451", "403 with the reason"],
)
def test_a_location_that_is_not_served_names_another_host_or_venue(name: str, response: HttpResponse) -> None:
    text = refused(name, response, lambda text: LOCATION[name] in text, FeedState.BLOCKED)

    assert str(response.status) in text


@pytest.mark.parametrize("name", VENUES)
def test_a_refused_key_names_its_variable_or_says_that_none_is_needed(name: str) -> None:
    wanted = KEYS.get(name, "needs no key")

    refused(name, HttpResponse(401, b'{"error":"Invalid API key"}'), lambda text: wanted in text)


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("status", [429, 418])
def test_a_throttle_says_until_when_by_the_clock(name: str, status: int) -> None:
    response = HttpResponse(status, b'{"msg":"too many requests"}', {"Retry-After": "3000"})

    text = refused(name, response, AT_A_TIME.search)

    assert "slow down" in text or "goes on by itself" in text or "429" in text


@pytest.mark.parametrize("name", [name for name in VENUES if name != "uniswap"])
@pytest.mark.parametrize("status", [403, 200])
def test_a_page_in_the_venues_place_points_at_firewall_and_proxy(name: str, status: int) -> None:
    refused(name, HttpResponse(status, PAGE, content_type="text/html"), lambda text: "HTTPS_PROXY" in text)


@pytest.mark.parametrize("name", VENUES)
def test_a_name_that_is_not_found_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    card(name, "venue.invalid", lambda text: "name" in text and "check the network" in text.lower())


NEAR: dict[str, tuple[Callable[[], FakeServer], str, str]] = {
    "binance": (lambda: FakeBinance(pace=PACE), "BTCUSTD", "BTCUSDT"),
    "binance_usdm": (lambda: FakeBinanceUsdm(StridingTruth(), pace=PACE), "ETHUSTD", "ETHUSDT"),
    "kraken": (lambda: FakeKraken(SimulatorTruth(), pace=PACE), "BTC/USTD", "BTC/USDT"),
    "coinbase": (lambda: FakeCoinbase(SimulatorTruth(), pace=PACE), "SOL-UDS", "SOL-USD"),
}


@pytest.mark.parametrize("name", NEAR)
def test_a_symbol_that_does_not_exist_is_answered_with_near_ones(name: str) -> None:
    fake, wrong, right = NEAR[name]
    with fake() as server:
        address = f"127.0.0.1:{server.port}"
        connector = VENUES[name][0](settings(name, address), runtime=HurriedRuntime(1), patience=PATIENCE)
        with watched(connector, wrong) as feed:
            text = told(feed, lambda text: "Did you mean" in text, FeedState.INVALID)

    assert right in text


@pytest.mark.parametrize("name", VENUES)
def test_a_venue_that_cannot_be_reached_points_at_the_network(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]

    card(name, f"127.0.0.1:{port}", lambda text: "check the network" in text.lower())


@pytest.mark.parametrize("name", [name for name in VENUES if name != "uniswap"])
def test_a_venue_in_trouble_is_tried_again_by_itself(name: str) -> None:
    refused(name, HttpResponse(503, b"down for maintenance"), lambda text: "by itself" in text and "attempt" in text)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (HttpResponse(451, b"restricted location"), "CCXT_BINANCE_WS_URL"),
        (HttpResponse(403, PAGE, content_type="text/html"), "HTTPS_PROXY"),
        (HttpResponse(429, b"{}", {"Retry-After": "3000"}), "slow down"),
    ],
    ids=["451", "403 with a page", "429"],
)
def test_an_exchange_through_ccxt_tells_the_same(response: HttpResponse, words: str) -> None:
    with Refusing(response) as server:
        address = f"127.0.0.1:{server.port}"
        maker = CcxtConnector.variant("ccxt:binance")
        assert maker is not None
        connector = maker({"CCXT_BINANCE_WS_URL": f"ws://{address}", "CCXT_BINANCE_REST_URL": f"http://{address}"})
        with watched(connector, "BTC/USDT") as feed:
            told(feed, lambda text: words in text, bound_s=IMPORT_S)


@pytest.mark.parametrize(
    ("fault", "value", "words"),
    [
        (Fault.HANDSHAKE_REFUSED, 451, "clear the fault"),
        (Fault.HANDSHAKE_REFUSED, 429, "slow down"),
        (Fault.REFUSE_STREAM, None, "Clear the fault"),
    ],
)
def test_the_simulated_exchange_plays_refusals(fault: Fault, value: float | None, words: str) -> None:
    connector = MockConnector({}, runtime=HurriedRuntime(1))
    connector.faults.set(fault, value=value)
    with watched(connector, "BTC/USDT") as feed:
        told(feed, lambda text: words in text, bound_s=IMPORT_S)


def test_a_clock_that_is_wrong_is_told_with_the_remedy() -> None:
    connector = MockConnector({}, runtime=HurriedRuntime(1))
    connector.faults.set(Fault.CLOCK_SKEW, value=3600)
    with watched(connector, "BTC/USDT") as feed:
        text = told(feed, lambda text: "this machine's clock runs 60 min behind the venue's" in text)

    assert "NTP" in text


def test_the_clock_of_a_recording_is_told_and_nobody_is_asked_to_set_it() -> None:
    feed = make_feed()
    feed.set_state(FeedState.LIVE, source="replay")
    feed.quality.clock_offset_ns = -3_600_000_000_000

    assert troubles(feed) == ["the recording machine's clock ran 60 min behind the venue's"]


def test_a_clock_that_is_right_is_no_trouble() -> None:
    feed = make_feed()
    feed.push(quote(1))
    feed.quality.clock_offset_ns = 999_000_000

    assert not [line for line in troubles(feed) if "clock" in line]


def test_silence_is_told_with_the_reason_that_is_known() -> None:
    feed = make_feed()
    feed.push(quote(1))
    feed.set_state(
        FeedState.STALE, "too many calls", hint="Wait.", attempt=2, next_try_ns=feed.clock.now_ns() + 42 * 10**9
    )

    lines = troubles(feed, "polled every second")

    assert lines[0] == "polled every second"
    assert lines[1].startswith("nothing received for ")
    assert lines[2] == "too many calls"
    assert AT_A_TIME.search(lines[3])
    assert lines[4] == "→ Wait."
