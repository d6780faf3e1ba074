"""No secret leaves the process but to the venue that it is for: whatever happens, it is in no log, status, error,
representation, export, recording of raw frames or answer to "Why no data?".

Each keyed connector is driven through success, a refused key, refusals that quote the key, a farewell that quotes it, a
dropped connection and unreadable answers.
"""

from __future__ import annotations

import gzip
import logging
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from app.causes import _reach
from app.view import STREAMING, View
from connectors.base import StreamingConnector
from connectors.ctrader import CtraderConnector
from connectors.finnhub import FinnhubConnector
from connectors.uniswap import UniswapConnector
from engine.connector import CandleSource, Connector
from engine.errors import EngineError
from engine.market.codec import encode
from engine.market.events import FeedState, FeedStatus, MarketEvent
from engine.settings import load_settings
from engine.store.flight.desk import FlightDesk
from tests.fakes.ctrader import FakeCtrader
from tests.fakes.finnhub import FakeFinnhub
from tests.fakes.http_server import HttpResponse
from tests.fakes.rig import PATIENCE, HurriedRuntime
from tests.fakes.truth import SimulatorTruth
from tests.fakes.uniswap import FakeNode
from tests.fakes.uniswap_pool import FakePool
from tests.fakes.websocket_server import FakeServer

BOUND_S = 10.0
FINNHUB_KEY = "f1nnhubK3y0000000777"
NODE_KEY, NODE_TOKEN, NODE_USER, NODE_PASSWORD = "n0dek3yn0dek3yn0d3", "t0k3n/t0k3n+t0k3n", "nodeuser", "n0dep@ssw0rd"
CLIENT_ID, CLIENT_SECRET = "7311_cl13ntid", "cl13nts3cr3t000"
TOKENS = ("acc3sst0ken0001", "r3fresht0ken001", "acc3sst0ken0002", "r3fresht0ken002")
SENT = {
    "finnhub": (FINNHUB_KEY,),
    "uniswap": (NODE_KEY, NODE_TOKEN, NODE_USER, NODE_PASSWORD),
    "ctrader": (CLIENT_ID, CLIENT_SECRET, *TOKENS),
}
"""What each venue is sent."""


def forms(name: str) -> list[str]:
    """Every spelling of a venue's secrets."""
    return sorted({form for one in SENT[name] for form in (one, quote(one), quote(one, safe=""))})


def echo(name: str) -> str:
    """What a venue says that quotes everything it was ever sent."""
    return " ".join(forms(name))


def leaks(name: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    """The secrets that are found, whole or (what was cut off in the middle) the greater part of them."""
    looked_for = {part for form in forms(name) for part in (form, form[: max(8, len(form) // 2)])}
    return [(part, text[:300]) for text in texts for part in looked_for if part in text]


FINNHUB_ECHO, UNISWAP_ECHO, CTRADER_ECHO = echo("finnhub"), echo("uniswap"), echo("ctrader")


class Records(logging.Handler):
    """Everything that anybody logs, at any level, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


class Watch:
    """One connector on its fake, and everything that it says to anybody."""

    def __init__(self, venue: FakeServer, kind: type[StreamingConnector], settings: Mapping[str, str], symbol: str):
        self.venue, self.symbol = venue, symbol
        self.events: list[MarketEvent] = []
        self.said: list[str] = []
        self._heard = 0
        loaded = load_settings(environ=settings)
        limits = replace(kind.limits, connect_per_s=50.0, connect_burst=50, backoff_cap_s=2.0)
        hasty = type(kind.__name__, (kind,), {"limits": limits})
        self.connector: Any = hasty(loaded.venue_settings, runtime=HurriedRuntime(1), patience=PATIENCE)
        self.said += [repr(loaded), repr(self.connector)]
        self._folder = tempfile.TemporaryDirectory()
        self._flight = FlightDesk({kind.name: self.connector})

    def __enter__(self) -> Self:
        self.venue.start()
        self._flight.start(self.connector.name, Path(self._folder.name))
        return self

    def __exit__(self, *_: object) -> None:
        self.connector.close()
        self.venue.stop()
        self._flight.close()
        with self._folder as folder:
            captures = [path for path in Path(folder).rglob("*") if path.is_file()]
            self.recorded = "\n".join([_content(path) for path in captures])
        # The capture itself escapes what it quotes.
        self.said += self.recorded.replace("\\/", "/").replace('\\"', '"').splitlines()

    def start(self) -> None:
        self.attempt(lambda: self.connector.start_stream(self.symbol, self.events.append))

    def ask_everything(self) -> None:
        """Every call that a person or the page can make."""
        connector = self.connector
        source = cast(CandleSource, connector)
        view = View(connector.name, STREAMING, 1.0, (self.symbol,), True, "", None)
        self.attempt(connector.instruments)
        self.attempt(lambda: connector.fetch_snapshot(self.symbol, 5))
        self.attempt(lambda: source.fetch_candles(self.symbol, "1m", 5))
        self.attempt(lambda: connector.near(self.symbol))
        self.said.append(repr(_reach(view, cast(Connector, connector))))
        self.said.append(repr(connector.snapshot_request(self.symbol, 5)) if connector.name == "finnhub" else "")

    def attempt(self, act: Callable[[], object]) -> None:
        try:
            self.said.append(repr(act()))
        except EngineError as error:
            self.said += ["".join(traceback.format_exception(error)), repr(error), error.hint]

    def until(self, *states: FeedState) -> None:
        """Wait until the feed was in one of these states, since the last such wait."""

        def been() -> bool:
            for position, event in enumerate(self.events[self._heard :], self._heard + 1):
                if isinstance(event, FeedStatus) and event.state in states:
                    self._heard = position
                    return True
            return False

        told = [event for event in self.events if isinstance(event, FeedStatus)]
        assert self.venue.wait_for(been, BOUND_S), f"waited in vain for {states}: {told}"

    def texts(self) -> list[str]:
        """All that was said."""
        exported = [encode(event).decode() for event in self.events]
        return [*self.said, *[repr(event) for event in self.events], *exported]


def _content(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


@pytest.fixture
def records() -> Iterator[Records]:
    heard, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    yield heard
    root.setLevel(level)
    root.removeHandler(heard)


def demand_silence(watch: Watch, records: Records) -> None:
    """No form of any secret anywhere, and something was said at all."""
    texts = [*watch.texts(), *records.lines]
    assert len(texts) > 5
    assert not leaks(watch.connector.name, texts)


# ---- Finnhub: the key travels in the stream's address and in a header


def finnhub() -> tuple[FakeFinnhub, Watch]:
    venue = FakeFinnhub(SimulatorTruth(["BTCUSDT"]), key=FINNHUB_KEY)
    urls = {"FINNHUB_WS_URL": venue.ws_url, "FINNHUB_REST_URL": venue.http_url}
    return venue, Watch(venue, FinnhubConnector, urls | {"FINNHUB_API_KEY": FINNHUB_KEY}, "BTCUSDT")


def finnhub_success(venue: FakeFinnhub, watch: Watch) -> None:
    watch.start()
    assert venue.wait_for(lambda: venue.subscribed("BTCUSDT"), BOUND_S)
    venue.step(times=20)
    watch.until(FeedState.LIVE)


def finnhub_drop(venue: FakeFinnhub, watch: Watch) -> None:
    finnhub_success(venue, watch)
    for session in list(venue.sessions):
        session.close(4001, FINNHUB_ECHO[:100])
    watch.until(FeedState.RECONNECTING)


def finnhub_refused(venue: FakeFinnhub, watch: Watch) -> None:
    venue.refuse(403, body=FINNHUB_ECHO, times=None)
    venue.http_faults = [
        HttpResponse(status, FINNHUB_ECHO.encode()) for status in (500, 403, 401, 429, 404, 200, 451)
    ] * 5
    watch.start()
    watch.until(FeedState.RECONNECTING)


def finnhub_bad_key(venue: FakeFinnhub, watch: Watch) -> None:
    venue.refuse(401, body=f"Invalid API key {FINNHUB_ECHO}", times=None)
    venue.http_faults = [HttpResponse(401, FINNHUB_ECHO.encode())] * 20
    watch.start()
    watch.until(FeedState.BLOCKED)


def finnhub_says_it(venue: FakeFinnhub, watch: Watch) -> None:
    finnhub_success(venue, watch)
    venue.say({"type": "error", "msg": f"too many symbols for {FINNHUB_ECHO}"})
    for session in list(venue.sessions):
        session.post(f'{{"{FINNHUB_ECHO}')
        session.post('{"type":"error","msg":"Invalid API key ' + FINNHUB_ECHO + '"}')
    watch.until(FeedState.BLOCKED, FeedState.POLLING, FeedState.CONNECTING)


@pytest.mark.parametrize(
    "act", [finnhub_success, finnhub_drop, finnhub_refused, finnhub_bad_key, finnhub_says_it]
)  # fmt: skip
def test_finnhubs_key_stays_hidden(act: Callable[[FakeFinnhub, Watch], None], records: Records) -> None:
    venue, watch = finnhub()
    with watch:
        act(venue, watch)
        watch.ask_everything()
        assert any(FINNHUB_KEY in entry.text for entry in venue.entries("handshake")), "the venue was sent the key"
    demand_silence(watch, records)


# ---- Uniswap: the key is part of the node's address


def uniswap() -> tuple[FakeNode, Watch]:
    node = FakeNode(FakePool.recorded())
    user, password = quote(NODE_USER, safe=""), quote(NODE_PASSWORD, safe="")
    address = f"http://{user}:{password}@127.0.0.1:{node.port}/v3/{NODE_KEY}?apikey={quote(NODE_TOKEN, safe='')}"
    return node, Watch(node, UniswapConnector, {"UNISWAP_RPC_URL": address}, "WBTC/WETH@3000")


def uniswap_success(node: FakeNode, watch: Watch) -> None:
    watch.start()
    watch.until(FeedState.LIVE)


def uniswap_refused(status: int) -> Callable[[FakeNode, Watch], None]:
    def act(node: FakeNode, watch: Watch) -> None:
        node.http_faults = [HttpResponse(status, UNISWAP_ECHO.encode())] * 1_000
        watch.start()
        watch.until(FeedState.BLOCKED, FeedState.RECONNECTING)

    return act


def uniswap_drop(node: FakeNode, watch: Watch) -> None:
    uniswap_success(node, watch)
    node.http_faults = [HttpResponse(drop=True)] * 1_000
    watch.until(FeedState.RECONNECTING)


def uniswap_says_it(node: FakeNode, watch: Watch) -> None:
    node.edit = lambda answers: [
        {"id": answer["id"], "error": {"code": -32000, "message": f"no such project {UNISWAP_ECHO}"}}
        for answer in answers
    ]
    watch.start()
    watch.until(FeedState.BLOCKED, FeedState.RECONNECTING)


def uniswap_nonsense(node: FakeNode, watch: Watch) -> None:
    node.edit = lambda answers: {"error": UNISWAP_ECHO}
    watch.start()
    watch.until(FeedState.BLOCKED, FeedState.RECONNECTING)


@pytest.mark.parametrize(
    "act",
    [uniswap_success, *[uniswap_refused(status) for status in (401, 403, 404, 429, 451, 500)], uniswap_drop,
     uniswap_says_it, uniswap_nonsense],
)  # fmt: skip
def test_the_nodes_keys_stay_hidden(act: Callable[[FakeNode, Watch], None], records: Records) -> None:
    node, watch = uniswap()
    with watch:
        act(node, watch)
        watch.ask_everything()
        assert any(NODE_KEY in path for path in node.paths), "the node was sent the key"
    demand_silence(watch, records)


# ---- cTrader: application, tokens, and the tokens that take their place


def ctrader(folder: Path, secret: str = CLIENT_SECRET) -> tuple[FakeCtrader, Watch]:
    venue = FakeCtrader(pace=10.0)
    venue.client = (CLIENT_ID, CLIENT_SECRET)
    venue.tokens, venue.renewals = {TOKENS[0]}, {TOKENS[1]: (TOKENS[2], TOKENS[3])}
    settings = {
        "CTRADER_WS_URL": venue.ws_url, "CTRADER_CLIENT_ID": CLIENT_ID, "CTRADER_CLIENT_SECRET": secret,
        "CTRADER_ACCESS_TOKEN": TOKENS[0], "CTRADER_REFRESH_TOKEN": TOKENS[1],
        "CTRADER_TOKEN_FILE": str(folder / "tokens.json"),
    }  # fmt: skip
    return venue, Watch(venue, CtraderConnector, settings, "EURUSD")


def ctrader_success(venue: FakeCtrader, watch: Watch) -> None:
    watch.start()
    watch.until(FeedState.LIVE)


def ctrader_renewed(venue: FakeCtrader, watch: Watch) -> None:
    ctrader_success(venue, watch)
    venue.invalidate()
    assert venue.wait_for(lambda: venue.logins == 2, BOUND_S)
    venue.tell_all(2148, reason=CTRADER_ECHO)
    watch.until(FeedState.RECONNECTING)


def ctrader_bad_tokens(venue: FakeCtrader, watch: Watch) -> None:
    venue.tokens.clear()
    venue.renewals.clear()
    venue.fail(2149, "CH_ACCESS_TOKEN_INVALID", description=CTRADER_ECHO[:150])
    venue.fail(2173, "ACCESS_DENIED", description=CTRADER_ECHO[:150])
    watch.start()
    watch.until(FeedState.BLOCKED)


def ctrader_refused(kind: int, code: str) -> Callable[[FakeCtrader, Watch], None]:
    def act(venue: FakeCtrader, watch: Watch) -> None:
        for start in range(0, len(CTRADER_ECHO), 150):
            venue.fail(kind, code, description=CTRADER_ECHO[start : start + 150])
        watch.start()
        watch.until(FeedState.BLOCKED, FeedState.RECONNECTING, FeedState.INVALID, FeedState.SYNCING)
        assert venue.wait_for(lambda: len(venue.errors[kind]) < 3, BOUND_S)

    return act


def ctrader_drop(venue: FakeCtrader, watch: Watch) -> None:
    ctrader_success(venue, watch)
    for session in list(venue.sessions):
        session.close(4000, CLIENT_SECRET)
    watch.until(FeedState.RECONNECTING)


def ctrader_handshake(venue: FakeCtrader, watch: Watch) -> None:
    venue.refuse(403, body=CTRADER_ECHO, times=None)
    watch.start()
    watch.until(FeedState.RECONNECTING)


def ctrader_nonsense(venue: FakeCtrader, watch: Watch) -> None:
    ctrader_success(venue, watch)
    for start in ('{"', '{"payloadType":"', '{"payloadType":2131,"payload":"'):
        for session in list(venue.sessions):
            session.post(f'{start}{CTRADER_ECHO}"}}')
    venue.step(times=5)
    assert venue.wait_for(lambda: len(watch.events) > 8, BOUND_S)


@pytest.mark.parametrize(
    "act",
    [
        ctrader_success, ctrader_renewed, ctrader_bad_tokens, ctrader_refused(2100, "CH_CLIENT_AUTH_FAILURE"),
        ctrader_refused(2102, "SERVER_IS_UNDER_MAINTENANCE"), ctrader_refused(2127, "SYMBOL_NOT_FOUND"),
        ctrader_refused(2156, "INTERNAL_ERROR"), ctrader_drop, ctrader_handshake, ctrader_nonsense,
    ],
)  # fmt: skip
def test_ctraders_keys_and_tokens_stay_hidden(
    act: Callable[[FakeCtrader, Watch], None], records: Records, tmp_path: Path
) -> None:
    venue, watch = ctrader(tmp_path)
    with watch:
        act(venue, watch)
        watch.ask_everything()
    demand_silence(watch, records)


def test_the_search_finds_what_it_looks_for(records: Records) -> None:
    _, watch = finnhub()
    logging.getLogger("connectors").info("connecting to wss://ws.finnhub.io?token=%s", FINNHUB_KEY)
    watch.said += [""] * 9
    with watch, pytest.raises(AssertionError):
        demand_silence(watch, records)


def test_a_recording_of_raw_frames_holds_the_log_in_but_no_key_of_it(tmp_path: Path) -> None:
    venue, watch = ctrader(tmp_path)
    with watch:
        ctrader_renewed(venue, watch)
    assert '\\"clientSecret\\": \\"***\\"' in watch.recorded
    assert '\\"accessToken\\"' in watch.recorded
    assert "EURUSD" in watch.recorded
    assert not leaks("ctrader", [watch.recorded])
