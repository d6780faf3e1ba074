"""Five fake venues in a process of their own, so that their work is not counted as ours.

`python -m benchmarks.scale_venues SYMBOLS RATE` lists so many symbols at each venue, moves every market RATE times a
second, prints the venues' addresses and what they list as one JSON object, and stays until its input ends; then it
prints the limits that a client broke.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from msgspec.structs import replace

from connectors.base.simulation.exchange import TICK_NS, Inbox, SimulatedExchange
from connectors.base.simulation.faults import FaultBoard
from connectors.base.simulation.market import Market
from connectors.base.simulation.rest import SimulatedRest
from connectors.base.simulation.symbols import INSTRUMENTS, SimulatedInstrument
from engine.clock import SYSTEM_CLOCK
from tests.fakes import frames
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_usdm import FakeBinanceUsdm, StridingTruth
from tests.fakes.coinbase import FakeCoinbase
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.kraken import FakeKraken
from tests.fakes.truth import SimulatorTruth
from tests.fakes.websocket_server import FakeServer, Session

HISTORY = 64
MESSAGES_PER_BATCH = 4.0
"""What the other venues send for one batch, about: a book update, a quote, some trades."""


def listed(count: int) -> list[SimulatedInstrument]:
    """So many instruments: the simulator's own under numbered names."""
    kinds = [one for one in INSTRUMENTS if one.symbol.endswith("/USDT")]
    return [
        replace(kind, symbol=kind.symbol.replace("/", f"{number // len(kinds)}/"))
        for number, kind in enumerate(kinds[number % len(kinds)] for number in range(count))
    ]


class WiredMock(FakeServer):
    """The simulated exchange of the mock connector behind a real socket."""

    def __init__(self, instruments: Sequence[SimulatedInstrument], rate: float) -> None:
        super().__init__()
        faults = FaultBoard()
        market = Market(1, instruments=instruments, start_ns=SYSTEM_CLOCK.now_ns(), history=HISTORY)
        self.exchange = SimulatedExchange(market, faults, SYSTEM_CLOCK, rate)
        self._answers = SimulatedRest(self.exchange)
        self._inboxes: dict[int, tuple[Session, Inbox]] = {}

    def start(self) -> WiredMock:
        super().start()
        self._spawn(self._deliver, "fake-exchange")
        return self

    def on_open(self, session: Session) -> None:
        with self.lock:
            self._inboxes[session.number] = (session, self.exchange.join())

    def on_gone(self, session: Session) -> None:
        with self.lock:
            _, inbox = self._inboxes.pop(session.number)
        self.exchange.leave(inbox)

    def on_text(self, session: Session, text: str) -> None:
        self.exchange.hear(self._inboxes[session.number][1], text)

    def on_http(self, request: HttpRequest) -> HttpResponse:
        answer = self._answers.answer(f"mock://exchange{request.target}")
        return HttpResponse(answer.status, answer.body)

    def _deliver(self) -> None:
        while not self.stopping.wait(TICK_NS / 1e9):
            self.exchange.catch_up()
            with self.lock:
                clients = list(self._inboxes.values())
            for session, inbox in clients:
                ready = []
                while inbox.items and isinstance(frame := inbox.items[0][1], bytes):
                    inbox.items.popleft()
                    ready.append(frames.encode(frames.TEXT, frame) if frame else b"")
                session.post_raw(b"".join(ready))


def main() -> int:
    count, rate = int(sys.argv[1]), float(sys.argv[2])
    instruments = listed(count)
    names = [one.symbol.replace("/", "") for one in instruments]
    options: dict[str, Any] = {"history": HISTORY, "instruments": instruments}
    binance = FakeBinance(SimulatorTruth(names, seed=1, **options))
    futures = FakeBinanceUsdm(StridingTruth(names, seed=2, **options))
    kraken = FakeKraken(SimulatorTruth(names, seed=3, **options))
    coinbase = FakeCoinbase(SimulatorTruth(names, seed=4, **options))
    mock = WiredMock(instruments, rate * MESSAGES_PER_BATCH)
    moving: tuple[FakeBinance | FakeKraken | FakeCoinbase, ...] = (binance, futures, kraken, coinbase)
    venues = {
        "binance": (binance, names),
        "binance_usdm": (futures, names),
        "kraken": (kraken, list(kraken.listed)),
        "coinbase": (coinbase, coinbase.names),
        "mock": (mock, [one.symbol for one in instruments]),
    }
    sys.setswitchinterval(0.0005)
    with ExitStack() as running:
        for venue, _ in venues.values():
            running.enter_context(venue)
        ends: list[threading.Event] = [venue.run(rate) for venue in moving]
        said = {
            name: {"ws": venue.ws_url, "rest": venue.http_url, "symbols": symbols}
            for name, (venue, symbols) in venues.items()
        }
        print(json.dumps(said), flush=True)
        sys.stdin.read()
        for end in ends:
            end.set()
        print(json.dumps([found for venue in moving for found in venue.violations]), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
