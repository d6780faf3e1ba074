"""A Binance spot venue on one local port: streams and REST, its limits enforced, its faults on demand.

`ws_url` and `http_url` go where BINANCE_WS_URL and BINANCE_REST_URL are asked for. The market is a `Truth`; it moves
when the test says `step`, or by itself after `run`. What a client may see at update id N is `truth.top_at(symbol, N)`.

Source: Binance spot API documents (streams, REST, limits), text of 2026-07-21.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.fakes import binance_faults as faults
from tests.fakes import binance_rest as rest
from tests.fakes import frames
from tests.fakes.binance_faults import Piece
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import SimulatorTruth, Truth, Update
from tests.fakes.venue import FakeVenue, encoded
from tests.fakes.websocket_server import Session

MESSAGES_PER_S = 5
STREAMS_PER_CONNECTION = 1_024
CONNECTS_PER_5_MINUTES = 300
WEIGHT_PER_MINUTE = 6_000
_COUNTED = ("text", "binary", "ping", "pong")


@dataclass
class Client:
    """What the venue knows of one session."""

    session: Session
    combined: bool
    streams: dict[str, None] = field(default_factory=dict)
    arrivals: deque[float] = field(default_factory=deque)
    held: bytearray | None = None
    """Frames that wait for the end of a flood; None when there is none."""

    def post(self, data: bytes) -> None:
        if self.held is None:
            self.session.post_raw(data)
        else:
            self.held += data


class FakeBinance(FakeVenue):
    """The venue. `violations` lists every limit that a client broke; it is cut off for it, as by the real one.

    `max_age_s` ends each connection at that age (the venue's 24 hours). `enforce` False only records violations. `pace`
    makes the venue's seconds shorter (10: its second lasts 100 ms), for clients whose clock runs faster.
    """

    def __init__(
        self,
        truth: Truth | None = None,
        *,
        enforce: bool = True,
        max_age_s: float | None = None,
        pace: float = 1.0,
        receive_buffer: int | None = None,
    ) -> None:
        super().__init__(truth or SimulatorTruth(), pace=pace, receive_buffer=receive_buffer)
        self.enforce = enforce
        self.max_age_s = max_age_s
        self.stamp: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        """The venue's clock as it writes it; replace it to skew or rescale."""
        self.emitted = 0
        """Stream frames handed to connections."""
        self._clients: dict[int, Client] = {}
        self._acks_to_drop = 0
        self._refusals_of_subscribe: deque[tuple[int, str]] = deque()
        self._connects: deque[float] = deque()
        self._weights: deque[tuple[float, int]] = deque()

    # ---- the market

    @property
    def names(self) -> Sequence[str]:
        return self.truth.symbols

    def move_one(self, symbol: str) -> None:
        self._publish(self.truth.step(symbol))

    def flood(self, symbol: str, messages: int = 50_000) -> None:
        """F17: let the market run until so many frames are due, and send them all at once; needs a subscriber."""
        with self.market:
            goal = self.emitted + messages
            for client in self._clients.values():
                client.held = bytearray()
            while self.emitted < goal and self.subscribers(symbol) and symbol not in self._muted:
                self.step(symbol)
            for client in self._clients.values():
                held, client.held = client.held or bytearray(), None
                client.session.post_raw(bytes(held))

    def subscribers(self, symbol: str, channel: str = "depth@100ms") -> int:
        """How many sessions have that stream now."""
        name = f"{symbol.lower()}@{channel}"
        with self.market:
            return sum([name in client.streams for client in self._clients.values()])

    def send_to(self, stream: str, frame: bytes) -> None:
        """A text frame as it is, to the sessions that have that stream."""
        with self.market:
            for client in self._clients.values():
                if stream in client.streams:
                    client.session.post(frame)

    def emit(self, stream: str, data: str) -> None:
        """Send a stream's data to everyone who subscribed to it, in the form they chose; faults happen here."""
        with self.market:
            receivers = [client for client in self._clients.values() if stream in client.streams]
            symbol, _, channel = stream.partition("@")
            symbol = symbol.upper()
            if not receivers or symbol in self._muted:
                return
            for piece in self.spoilt(symbol, data) if channel.startswith("depth") else (data,):
                for client in receivers:
                    _send(client, stream, piece)
                self.emitted += len(receivers)

    # ---- faults: connections

    def server_shutdown(self) -> None:
        """F3: announce that the venue will close."""
        message = f'{{"e":"serverShutdown","E":{self.stamp()}}}'
        with self.market:
            for client in self._clients.values():
                _send(client, "!serverShutdown", message)

    # ---- faults: one symbol's messages, counted; `after` so many good ones

    def crossed(self, symbol: str, count: int = 1, after: int = 0) -> None:
        """F24: the next messages put a bid above the asks."""
        self.rewrite(symbol, faults.edited(faults.crossing), count, after)

    def negative(self, symbol: str, count: int = 1, after: int = 0) -> None:
        """F24: the next messages carry a negative size."""
        self.rewrite(symbol, faults.edited(faults.negative_size), count, after)

    def heal(self) -> None:
        super().heal()
        self._acks_to_drop = 0
        self._refusals_of_subscribe.clear()

    # ---- faults: control frames

    def drop_acks(self, times: int = 1) -> None:
        """F16: the next subscriptions are neither done nor answered."""
        self._acks_to_drop = times

    def refuse_subscribe(self, times: int = 1, code: int = 2, message: str = "Invalid request: refused") -> None:
        """F16: the next subscriptions are answered with an error."""
        self._refusals_of_subscribe.extend([(code, message)] * times)

    # ---- faults: REST

    book_path = "/api/v3/depth"

    def failure(self, status: int, retry_after_s: int | None = None) -> HttpResponse:
        return rest.failure(status, retry_after_s)

    def stale_rest(self, symbol: str, times: int | None = 1, steps: int = 5) -> None:
        """F11: answer with the book of now after the market has moved on by `steps` batches."""
        with self.market:
            body = rest.depth_body(self.truth.snapshot(symbol, 1_000))
        self.rest_fault(HttpResponse(body=body), symbol=symbol, times=times)
        self.step(symbol, steps)

    # ---- faults: time

    def skew(self, seconds: float) -> None:
        """F18: the venue's clock is off by so much."""
        self.stamp = lambda: time.time_ns() // 1_000_000 + round(seconds * 1_000)

    def stamp_1970(self) -> None:
        """F18: the venue's clock stands at its beginning."""
        self.stamp = lambda: 0

    def stamp_microseconds(self) -> None:
        """F18: times come in µs."""
        self.stamp = lambda: time.time_ns() // 1_000

    # ---- the dialect: streams

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        now = time.monotonic()
        with self.market:
            self._connects.append(now)
            while self._connects[0] <= now - 300 / self.pace:
                self._connects.popleft()
            if len(self._connects) > CONNECTS_PER_5_MINUTES:
                self.violations.append(f"{len(self._connects)} connections in 5 minutes")
                return rest.failure(429, 60) if self.enforce else None
        known = request.path in ("/ws", "/ws/", "/stream") or request.path.startswith("/ws/")
        return None if known else HttpResponse(404, b"")

    def on_open(self, session: Session) -> None:
        combined = session.path == "/stream"
        listed = session.request.query.get("streams", "") if combined else session.path.removeprefix("/ws").strip("/")
        with self.market:
            client = self._clients[session.number] = Client(session, combined)
            self._add_streams(client, [stream for stream in listed.split("/") if stream])

    def on_gone(self, session: Session) -> None:
        with self.market:
            self._clients.pop(session.number, None)

    def on_frame(self, session: Session, frame: frames.Frame) -> None:
        if frames.NAMES.get(frame.opcode) not in _COUNTED:
            return
        client = self._clients[session.number]
        count = self.count_message(client.arrivals)
        if count > MESSAGES_PER_S:
            self._violated(session, f"{count} messages in a second on connection {session.number}")

    def on_text(self, session: Session, text: str) -> None:
        with self.market:
            client = self._clients[session.number]
            try:
                request = json.loads(text)
            except ValueError:
                session.post('{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}')
                return
            method = request.get("method") if isinstance(request, dict) else None
            if method not in _METHODS:
                session.post(
                    json.dumps({"code": 2, "msg": f"Invalid request: unknown variant `{method}`, {_EXPECTED}"})
                )
                return
            self._obey(client, method, request)

    def _obey(self, client: Client, method: str, request: Mapping[str, object]) -> None:
        number, params = request.get("id"), request.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            client.session.post(json.dumps({"result": list(client.streams), "id": number}))
            return
        if not isinstance(params, list):
            client.session.post(json.dumps({"code": 2, "msg": "Invalid request: params is not a list", "id": number}))
            return
        if method == "SUBSCRIBE" and self._acks_to_drop > 0:
            self._acks_to_drop -= 1
            return
        if method == "SUBSCRIBE" and self._refusals_of_subscribe:
            code, message = self._refusals_of_subscribe.popleft()
            client.session.post(json.dumps({"code": code, "msg": message, "id": number}))
            return
        client.session.post(json.dumps({"result": None, "id": number}))
        if method == "SUBSCRIBE":
            self._add_streams(client, [str(stream) for stream in params])
        elif method == "UNSUBSCRIBE":
            for stream in params:
                client.streams.pop(str(stream), None)
        elif params[:1] == ["combined"]:
            client.combined = bool(params[-1])

    def _add_streams(self, client: Client, streams: Sequence[str]) -> None:
        client.streams.update(dict.fromkeys(streams))
        if len(client.streams) > STREAMS_PER_CONNECTION:
            self._violated(client.session, f"{len(client.streams)} streams on one connection")
        with self.changed:
            self.changed.notify_all()

    def _violated(self, session: Session, what: str) -> None:
        self.violations.append(what)
        if self.enforce:
            session.close(1008, "Too many requests")

    # ---- the dialect: REST

    def on_http(self, request: HttpRequest) -> HttpResponse:
        with self.market:
            fault = self._rest.take(request)
        response = fault.respond(request) if fault is not None else self._honest(request)
        return rest.with_weight(response, self._weigh(request))

    def _honest(self, request: HttpRequest) -> HttpResponse:
        if self._weigh(None) > WEIGHT_PER_MINUTE:
            self.violations.append("more than 6000 request weight in a minute")
            if self.enforce:
                return rest.failure(429, 10)
        if request.path == "/api/v3/depth":
            return self.depth(request)
        with self.market:
            return rest.answer(self.truth, request, self.stamp())

    def depth(self, request: HttpRequest) -> HttpResponse:
        with self.market:
            return rest.depth(self.truth, request)

    def _weigh(self, request: HttpRequest | None) -> int:
        """Weight used in the last minute, this request's included."""
        now = time.monotonic()
        with self.market:
            if request is not None:
                self._weights.append((now, rest.weight(request)))
            while self._weights and self._weights[0][0] <= now - 60 / self.pace:
                self._weights.popleft()
            return sum([weight for _, weight in self._weights])

    def stream_data(self, update: Update, now: int) -> list[tuple[str, str]]:
        """Channel by channel what is sent of one batch."""
        trades = [("trade", rest.trade_data(update.symbol, one, now)) for one in update.trades]
        return [*trades, ("bookTicker", rest.ticker_data(update)), ("depth@100ms", rest.depth_data(update, now))]

    # ---- inside

    def _publish(self, update: Update) -> None:
        name = update.symbol.lower()
        for channel, data in self.stream_data(update, self.stamp()):
            self.emit(f"{name}@{channel}", data)
        self.published[update.symbol] = update.last
        if self.max_age_s is not None:
            oldest = time.monotonic() - self.max_age_s
            for client in list(self._clients.values()):
                if client.session.opened_at <= oldest:
                    client.session.close(1001, "24 hours")


_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY")
_EXPECTED = "expected one of " + ", ".join([f"`{method}`" for method in _METHODS])


def _send(client: Client, stream: str, piece: Piece) -> None:
    client.post(encoded(piece, lambda data: _wrapped(client, stream, data)))


def _wrapped(client: Client, stream: str, data: str) -> str:
    return f'{{"stream":"{stream}","data":{data}}}' if client.combined else data
