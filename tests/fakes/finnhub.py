"""A Finnhub on one local port: prints of a `Truth`'s market, one connection per key, fifty symbols, no acknowledgement.

Source: finnhub-python 2.4.29, field notes of 2026, and frames recorded on 2023-03-31.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence

from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import Print, SimulatorTruth
from tests.fakes.venue import FakeVenue, encoded
from tests.fakes.websocket_server import Session

KEY = "c0ffee-key"
SYMBOLS, MESSAGES_PER_S = 50, 10


class FakeFinnhub(FakeVenue):
    """The venue. `paid`: bid and ask may be asked for. `killed` counts the connections that a second one ended."""

    truth: SimulatorTruth
    book_path = "/api/v1/quote"

    def __init__(self, truth: SimulatorTruth, *, paid: bool = False, key: str = KEY, pace: float = 1.0) -> None:
        super().__init__(truth, pace=pace)
        self.paid = paid
        self.key = key
        self.killed = 0
        self.http_faults: list[HttpResponse] = []
        """What the next REST calls are answered with."""
        self.sent: dict[str, list[Print]] = {}
        """The prints that went out, by symbol."""
        self.stamps: list[tuple[int, str, int]] = []
        """The stamp of every print, its symbol, and the how manieth of that symbol it was."""
        self.skewed: Callable[[int], int] = lambda stamp: stamp
        """What the venue's clock makes of a stamp in milliseconds."""
        self.deaf = self.refusing = 0
        """How many subscriptions to leave undone without a word, and to refuse in words."""
        self._stamp = 0
        self._wanted: dict[int, dict[str, None]] = {}
        self._arrivals: dict[int, deque[float]] = {}

    # ---- the market

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.truth.symbols)

    def move_one(self, symbol: str) -> None:
        self.send_prints(symbol, self.truth.step(symbol).trades)

    def subscribers(self, symbol: str) -> int:
        with self.lock:
            return sum([symbol in wanted for wanted in self._wanted.values()])

    def send_prints(self, symbol: str, prints: Sequence[Print]) -> None:
        receivers = [session for session in self.sessions if symbol in self._wanted.get(session.number, ())]
        if not prints or not receivers or symbol in self._muted:
            return
        known = self.sent.setdefault(symbol, [])
        data = []
        for one in prints:
            self._stamp = max(self._stamp + 1, time.time_ns() // 1_000_000)
            stamp = self.skewed(self._stamp)
            known.append(one)
            self.stamps.append((stamp, symbol, len(known) - 1))
            data.append({"c": None, "p": float(one.price), "s": symbol, "t": stamp, "v": float(one.size)})
        for piece in self.spoilt(symbol, json.dumps({"data": data, "type": "trade"})):
            for session in receivers:
                session.post_raw(encoded(piece))
        self.published[symbol] = len(known)
        self.changed.notify_all()

    def flood(self, symbol: str, messages: int) -> None:
        """So many messages of one print each."""
        with self.lock:
            print_ = self.truth.trades(symbol)[-1]
            for _ in range(messages):
                self.send_prints(symbol, [print_])

    def heal(self) -> None:
        super().heal()
        self.deaf = self.refusing = 0
        self.http_faults.clear()

    def depth(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(body=json.dumps(self._quote(request.query.get("symbol", ""))).encode())

    def say(self, message: dict[str, str]) -> None:
        with self.lock:
            for session in self.sessions:
                session.post(json.dumps(message))

    def subscribed(self, symbol: str) -> bool:
        with self.lock:
            return any(symbol in wanted for wanted in self._wanted.values())

    # ---- the dialect

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        if request.query.get("token") != self.key:
            return HttpResponse(401, b'{"error":"Invalid API key"}')
        return None

    def on_open(self, session: Session) -> None:
        with self.lock:
            self._wanted[session.number] = {}
            self._arrivals[session.number] = deque()
            if len(self.sessions) > 1:
                for one in list(self.sessions):
                    self.killed += 1
                    one.fin()

    def on_gone(self, session: Session) -> None:
        with self.lock:
            self._wanted.pop(session.number, None)
            self._arrivals.pop(session.number, None)

    def on_text(self, session: Session, text: str) -> None:
        message = json.loads(text)
        with self.lock:
            wanted = self._wanted[session.number]
            if self.count_message(self._arrivals[session.number]) > MESSAGES_PER_S:
                self.violations.append(f"more than {MESSAGES_PER_S} messages in a second")
            if message["type"] == "unsubscribe":
                wanted.pop(message["symbol"], None)
            elif self.deaf:
                self.deaf -= 1
            elif self.refusing:
                self.refusing -= 1
                session.post('{"msg":"Something went wrong","type":"error"}')
            elif len(wanted) >= SYMBOLS:
                session.post('{"msg":"Subscribing to too many symbols","type":"error"}')
            else:
                wanted[message["symbol"]] = None
            self.changed.notify_all()

    def on_http(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            if self.http_faults:
                return self.http_faults.pop(0)
            fault = self._rest.take(request)
        if fault is not None:
            return fault.respond(request)
        if request.headers.get("x-finnhub-token") != self.key or "token" in request.query:
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
        if request.path == self.book_path:
            return self.depth(request)
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
