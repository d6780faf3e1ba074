"""The live check of one venue: against the simulated exchange, fakes on real sockets, and as a command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.base.simulation.faults import Fault
from connectors.mock import MockConnector
from engine.__main__ import main
from engine.connector import Connector
from engine.errors import InvalidSymbol
from engine.hub import Hub
from engine.market.events import FeedState
from engine.smoke import Outcome, Second, Smoke, spelled
from tests.fakes.binance import FakeBinance
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.rig import PACE, HurriedRuntime
from tests.fakes.websocket_server import FakeServer

ROOT = Path(__file__).resolve().parents[2]
SYMBOL = "BTC/USDT"
STOP_S = 2.0


def watch(connector: Connector, seconds: float, say: Callable[[Second], object] = lambda second: None) -> Outcome:
    """One run in the connector's own hurried time."""
    assert isinstance(connector, MockConnector)
    hub = Hub({connector.name: connector}, clock=connector.runtime.clock)
    try:
        run = Smoke(hub, connector, SYMBOL, lambda wait_s: threading.Event().wait(wait_s / PACE))
        run.run(seconds, say)
        return run.outcome()
    finally:
        hub.close()


def hurried(**settings: str) -> MockConnector:
    return MockConnector(settings, runtime=HurriedRuntime(1))


def test_a_minute_without_fault_is_sound() -> None:
    seconds: list[Second] = []
    outcome = watch(hurried(), 10.0, seconds.append)

    assert (outcome.verdict, outcome.state) == ("sound", FeedState.LIVE), outcome.says
    assert outcome.live_after_s is not None
    assert outcome.live_after_s < 10.0
    assert outcome.quality is not None
    assert outcome.quality.updates > 100
    assert outcome.seconds == seconds
    assert len(seconds) >= 5
    assert seconds[-1].bid is not None
    assert seconds[-1].ask is not None
    assert seconds[-1].bid < seconds[-1].ask
    assert seconds[-1].source == "mock"


@pytest.mark.parametrize(
    ("fault", "words"), [(Fault.GAP, "gaps"), (Fault.CROSSED, "crossed"), (Fault.DROP, "lost connections")]
)
def test_what_went_wrong_in_between_is_told(fault: Fault, words: str) -> None:
    connector = hurried()

    def harm(second: Second) -> None:
        if second.state is FeedState.LIVE and not connector.faults.acted[fault]:
            connector.faults.set(fault)

    outcome = watch(connector, 30.0, harm)

    assert connector.faults.acted[fault]
    assert outcome.verdict == "unsound"
    assert words in outcome.says


def test_a_venue_that_is_silent_at_the_end_is_not_sound() -> None:
    connector = hurried()

    def hush(second: Second) -> None:
        if second.state is FeedState.LIVE:
            connector.faults.set(Fault.STALL)

    outcome = watch(connector, 12.0, hush)

    assert outcome.verdict == "unsound"
    assert "nothing received" in outcome.says


def test_a_venue_without_a_stream_is_sound_when_it_is_polled() -> None:
    outcome = watch(hurried(MOCK_MODE="rest"), 15.0)

    assert (outcome.verdict, outcome.state) == ("sound", FeedState.POLLING), outcome.says
    assert "no stream" in outcome.says


def test_polling_where_there_should_be_a_stream_is_no_data() -> None:
    connector = hurried()
    connector.faults.set(Fault.REFUSE_STREAM)

    outcome = watch(connector, 20.0)

    assert outcome.verdict == "no data"
    assert "polled instead of streamed" in outcome.says


def test_a_refusal_for_good_ends_the_run_at_once() -> None:
    connector = hurried()
    connector.faults.set(Fault.HANDSHAKE_REFUSED, value=451)
    connector.faults.set(Fault.SNAPSHOT_ERROR, value=451)

    outcome = watch(connector, 100_000.0)

    assert (outcome.verdict, outcome.state) == ("no data", FeedState.BLOCKED)
    assert "451" in outcome.says
    assert "location" in outcome.remedy


@pytest.mark.parametrize("wanted", ["BTC/USDT", "btc/usdt", "BTC-USDT", "xbt_usdt"])
def test_a_symbol_may_be_spelled_in_any_usual_way(wanted: str) -> None:
    assert spelled(hurried(), wanted) == "BTC/USDT"


def test_a_wrong_symbol_is_answered_with_near_ones() -> None:
    with pytest.raises(InvalidSymbol) as caught:
        spelled(hurried(), "BTC/USDX")

    assert "BTC/USDT" in caught.value.hint


# ---- the command


def test_the_command_says_every_second_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smoke", "mock", "eth-usdt", "--seconds", "2"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    assert "live" in lines[-2]
    assert "gaps" in lines[-2]
    assert lines[-1].startswith("mock ETH/USDT: SOUND after ")


def test_the_command_speaks_json_and_streams_from_a_real_socket(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeBinance() as venue:
        monkeypatch.setenv("BINANCE_WS_URL", venue.ws_url)
        monkeypatch.setenv("BINANCE_REST_URL", venue.http_url)
        venue.run(20.0)
        code = main(["smoke", "binance", "BTC/USDT", "--seconds", "3", "--json"])

    said = json.loads(capsys.readouterr().out)
    assert (code, said["verdict"], said["symbol"]) == (0, "sound", "BTCUSDT"), said["says"]
    assert said["quality"]["applied"] > 10
    assert said["seconds"][-1]["state"] == "live"


def test_a_refused_location_ends_in_one_sentence_that_names_the_way_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeBinance() as venue:
        monkeypatch.setenv("BINANCE_WS_URL", venue.ws_url)
        monkeypatch.setenv("BINANCE_REST_URL", venue.http_url)
        venue.refuse(451, times=None)
        for path in ("/api/v3/depth", "/api/v3/exchangeInfo"):
            venue.fail_rest(451, times=None, path=path)
        code = main(["smoke", "binance", "BTC/USDT", "--seconds", "30"])

    verdict, remedy = capsys.readouterr().out.splitlines()[-2:]
    assert code == 1
    assert "NO DATA" in verdict
    assert "451" in verdict
    assert "BINANCE_WS_URL" in remedy


class LockedFinnhub(FakeServer):
    """A Finnhub that knows no key."""

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        return HttpResponse(401, b"")

    def on_http(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(401, b'{"error":"Invalid API key"}')


def test_a_wrong_key_names_its_variable_and_is_not_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LockedFinnhub() as venue:
        monkeypatch.setenv("FINNHUB_WS_URL", venue.ws_url)
        monkeypatch.setenv("FINNHUB_REST_URL", venue.http_url)
        monkeypatch.setenv("FINNHUB_API_KEY", "a-wrong-key-7")
        code = main(["smoke", "finnhub", "AAPL", "--seconds", "30"])

    captured = capsys.readouterr()
    assert code == 1
    assert "FINNHUB_API_KEY" in captured.out.splitlines()[-1]
    assert "a-wrong-key-7" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mokc", "BTC/USDT"), ("no connector named 'mokc'", "Did you mean mock?")),
        (("mock", "BTC/USDX"), ("does not list 'BTC/USDX'", "Did you mean BTC/USDT")),
        (("ccxt:bibit", "BTC/USDT"), ("ccxt knows no exchange 'bibit'", "bybit")),
        (("uniswap", "WETH/USDC"), ("UNISWAP_RPC_URL",)),
    ],
)
def test_a_wrong_call_is_one_sentence_with_a_remedy(
    arguments: tuple[str, str],
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UNISWAP_RPC_URL", raising=False)
    code = main(["smoke", *arguments, "--seconds", "5"])

    captured = capsys.readouterr()
    said = captured.err + captured.out
    assert code in (1, 2)
    for word in words:
        assert word in said


def test_control_c_ends_it_within_two_seconds() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "engine", "smoke", "mock", "BTC/USDT", "--seconds", "600"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert "BTC" in process.stdout.readline() or process.stdout.readline()
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)
        took_s = time.monotonic() - begun

    assert process.returncode == 130
    assert took_s < STOP_S
    assert said.splitlines()[-1].startswith("mock BTC/USDT: ")
    assert errors == ""
