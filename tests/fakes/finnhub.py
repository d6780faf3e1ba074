"""A Finnhub on one local port: prints of a `Truth`'s market, one connection per key, fifty symbols, no acknowledgement.

Source: finnhub-python 2.4.29, field notes of 2026, and frames recorded on 2023-03-31.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import Print, SimulatorTruth
from tests.fakes.websocket_server import FakeServer, Session

KEY = "c0ffee-key"
SYMBOLS = 50


class FakeFinnhub(FakeServer):
    """The venue. `paid`: bid and ask may be asked for. `killed` counts the connections that a second one ended."""

    def __init__(self, truth: SimulatorTruth, *, paid: bool = False) -> None:
        super().__init__()
        self.truth = truth
        self.paid = paid
        self.killed = 0
        self.http_faults: list[HttpResponse] = []
        """What the next REST calls are answered with."""
        self.sent: dict[str, list[Print]] = {}
        """The prints that went out, by symbol."""
        self._wanted: dict[int, dict[str, None]] = {}

    # ---- the market

    def step(self, times: int = 1) -> None:
        """Move every market by so many batches and send their prints."""
        for _ in range(times):
            for symbol in self.truth.symbols:
                with self.lock:
                    self.send_prints(symbol, self.truth.step(symbol).trades)

    def send_prints(self, symbol: str, prints: Sequence[Print]) -> None:
        now = time.time_ns() // 1_000_000
        data = [{"c": None, "p": float(one.price), "s": symbol, "t": now, "v": float(one.size)} for one in prints]
        receivers = [session for session in self.sessions if symbol in self._wanted.get(session.number, ())]
        if not data or not receivers:
            return
        self.sent.setdefault(symbol, []).extend(prints)
        for session in receivers:
            session.post(json.dumps({"data": data, "type": "trade"}))
        self.changed.notify_all()

    def run(self, rate_per_s: float = 20.0) -> threading.Event:
        ended = threading.Event()
        self._spawn(self._run, "fake-market", 1.0 / rate_per_s, ended)
        return ended

    def say(self, message: dict[str, str]) -> None:
        with self.lock:
            for session in self.sessions:
                session.post(json.dumps(message))

    def subscribed(self, symbol: str) -> bool:
        with self.lock:
            return any(symbol in wanted for wanted in self._wanted.values())

    # ---- the dialect

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        if request.query.get("token") != KEY:
            return HttpResponse(401, b'{"error":"Invalid API key"}')
        return None

    def on_open(self, session: Session) -> None:
        with self.lock:
            self._wanted[session.number] = {}
            if len(self.sessions) > 1:
                for one in list(self.sessions):
                    self.killed += 1
                    one.fin()

    def on_gone(self, session: Session) -> None:
        with self.lock:
            self._wanted.pop(session.number, None)

    def on_text(self, session: Session, text: str) -> None:
        message = json.loads(text)
        with self.lock:
            wanted = self._wanted[session.number]
            if message["type"] == "unsubscribe":
                wanted.pop(message["symbol"], None)
            elif len(wanted) >= SYMBOLS:
                session.post('{"msg":"Subscribing to too many symbols","type":"error"}')
            else:
                wanted[message["symbol"]] = None
            self.changed.notify_all()

    def on_http(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            if self.http_faults:
                return self.http_faults.pop(0)
        if request.headers.get("x-finnhub-token") != KEY or "token" in request.query:
            return HttpResponse(401, b'{"error":"Invalid API key"}')
        symbol = request.query.get("symbol", "")
        if request.path == "/api/v1/stock/bidask":
            if not self.paid:
                return HttpResponse(403, b'{"error":"You don\'t have access to this resource."}')
            if symbol not in self.truth.symbols:
                return HttpResponse(body=b'{"a":0,"av":0,"b":0,"bv":0,"t":0}')
            with self.lock:
                book = self.truth.snapshot(symbol, 1)
            (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
            found = {"a": float(ask), "av": float(ask_size), "b": float(bid), "bv": float(bid_size), "t": 1582641000000}
            return HttpResponse(body=json.dumps(found).encode())
        if request.path == "/api/v1/quote":
            return HttpResponse(body=json.dumps(self._quote(symbol)).encode())
        rows = {
            "/api/v1/stock/symbol": [{"symbol": "AAPL", "displaySymbol": "AAPL", "currency": "USD", "type": "EQS"}],
            "/api/v1/forex/symbol": [{"symbol": "OANDA:EUR_USD", "displaySymbol": "EUR/USD"}],
            "/api/v1/crypto/symbol": [{"symbol": "BINANCE:BTCUSDT", "displaySymbol": "BTC/USDT"}],
        }.get(request.path)
        return HttpResponse(404, b"{}") if rows is None else HttpResponse(body=json.dumps(rows).encode())

    def _quote(self, symbol: str) -> dict[str, float]:
        """The last price; zeros for a symbol that there is not."""
        with self.lock:
            prints = self.truth.trades(symbol) if symbol in self.truth.symbols else ()
        price, at = (float(prints[-1].price), 1_582_641_000 + len(prints)) if prints else (0, 0)
        return {"c": price, "d": 0.0, "dp": 0.0, "h": price, "l": price, "o": price, "pc": price, "t": at}

    def _run(self, interval_s: float, ended: threading.Event) -> None:
        while not self.stopping.is_set() and not ended.is_set():
            self.step()
            ended.wait(interval_s)
