"""A WebSocket and HTTP server on a raw socket, so that everything a venue can do wrong can be done on purpose.

One port serves both: requests with `Upgrade: websocket` become a `Session`, all others are answered by `on_http`. One
thread accepts, one thread per connection reads; `Session` may be written to from any thread. A subclass overrides the
`on_…` methods, which run on the connection's own thread. Nothing sleeps: waiting is done on sockets and conditions.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from tests.fakes import frames
from tests.fakes.http_server import HttpRequest, HttpResponse, encode_head, parse_head
from tests.fakes.wire import Ended, Wire

LOG_LIMIT = 200_000
HEAD_LIMIT = 65_536


@dataclass(frozen=True)
class Entry:
    """One thing that a client did.

    `at` is `time.monotonic()`; `connection` is the session's number from 1 (0 for plain HTTP). `kind` is `http`,
    `handshake`, `refused`, `open`, `text`, `binary`, `ping`, `pong`, `close` or `gone`; `payload` are the frame's bytes
    (the target for the first three). `headers` only with requests.
    """

    at: float
    connection: int
    kind: str
    payload: bytes = b""
    headers: Mapping[str, str] | None = None

    @property
    def text(self) -> str:
        return self.payload.decode("utf-8", "replace")


class Session:
    """One accepted WebSocket connection, seen from the server. Every sending method returns whether all went out."""

    def __init__(self, server: FakeServer, number: int, wire: Wire, request: HttpRequest) -> None:
        self.server = server
        self.number = number
        self.request = request
        self.opened_at = time.monotonic()
        self.answers_pings = True
        self.close_code: int | None = None
        """The code of the client's close frame; None while it sent none."""
        self._wire = wire

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def open(self) -> bool:
        return not self._wire.ended

    def send(self, message: str | bytes) -> bool:
        """One text frame."""
        return self.send_raw(frames.encode(frames.TEXT, message))

    def send_frame(self, opcode: int, payload: bytes | str = b"", *, fin: bool = True, reserved: int = 0) -> bool:
        """One frame of any kind."""
        return self.send_raw(frames.encode(opcode, payload, fin=fin, reserved=reserved))

    def send_binary(self, payload: bytes) -> bool:
        return self.send_frame(frames.BINARY, payload)

    def send_fragmented(self, message: str | bytes, parts: int = 3) -> bool:
        """One text message in several frames."""
        return self.send_raw(frames.encode_fragments(frames.TEXT, message, parts))

    def send_half(self, message: str | bytes) -> bool:
        """The first half of a text frame's bytes; the rest never comes."""
        data = frames.encode(frames.TEXT, message)
        return self.send_raw(data[: len(data) // 2])

    def send_raw(self, data: bytes) -> bool:
        """Bytes as they are; False when the session is silent or over. Waits while the client does not read."""
        return self._wire.write(data)

    def post(self, message: str | bytes) -> bool:
        """One text frame, without waiting for a client that does not read (see `backlog`)."""
        return self._wire.post(frames.encode(frames.TEXT, message))

    def post_raw(self, data: bytes) -> bool:
        """Bytes as they are, without waiting."""
        return self._wire.post(data)

    @property
    def backlog(self) -> int:
        """Posted bytes that have not left yet."""
        return self._wire.backlog

    def drain(self, limit: int = 0) -> bool:
        """Wait until at most `limit` posted bytes are left; False when the session is silent or over."""
        return self._wire.drain(limit)

    def ping(self, payload: bytes = b"") -> bool:
        return self.send_frame(frames.PING, payload)

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """A close frame and, after it, the end of the TCP connection; never waits."""
        self.post_raw(frames.encode_close(code, reason))
        self.fin()

    def announce_close(self, code: int | None = 1000, reason: str = "") -> None:
        """Only the close frame; the TCP connection stays."""
        self.send_raw(frames.encode_close(code, reason))

    def fin(self) -> None:
        """End the TCP connection in good order, without a close frame."""
        self._wire.end()

    def rst(self) -> None:
        """End the TCP connection with a reset."""
        self._wire.end(reset=True)

    def stall(self) -> None:
        """Go silent: nothing is written any more, no pong either; the client's frames are still read and logged."""
        self._wire.mute()

    def half_open(self) -> None:
        """As if the cable were cut: nothing is written and nothing is read."""
        self._wire.mute(reading=False)

    def stop_reading(self) -> None:
        """Read nothing more (the client's sends will block in the end) but go on writing."""
        self._wire.pause_reading()

    def resume(self) -> None:
        """Undo `stall`, `half_open` and `stop_reading`; what was written meanwhile is lost."""
        self._wire.resume()


class FakeServer:
    """Serves on 127.0.0.1 at a free port from `start()` (or `with`) to `stop()`."""

    def __init__(self, *, receive_buffer: int | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port: int = self._listener.getsockname()[1]
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.log: deque[Entry] = deque(maxlen=LOG_LIMIT)
        self.logged = 0
        """Entries ever written (the log keeps the last 200,000)."""
        self.sessions: list[Session] = []
        """Open WebSocket sessions, oldest first."""
        self.accepted = 0
        """WebSocket sessions ever opened."""
        self.counts: Counter[str] = Counter()
        """Log entries by kind."""
        self.stopping = threading.Event()
        self._refusals: deque[HttpResponse] = deque()
        self._refuse_always: HttpResponse | None = None
        self._wires: set[Wire] = set()
        self._threads: set[threading.Thread] = set()
        self._acceptor = Wire(self._listener)

    # ---- life

    def start(self) -> Self:
        self._spawn(self._accept, "fake-accept")
        return self

    def stop(self) -> None:
        """End every connection and thread; returns within a second."""
        self.stopping.set()
        with self.changed:
            wires, threads = list(self._wires), list(self._threads)
            self.changed.notify_all()
        for wire in [self._acceptor, *wires]:
            wire.end()
        deadline = time.monotonic() + 0.9
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """WebSocket connections open now."""
        with self.changed:
            return len(self.sessions)

    @property
    def sockets(self) -> int:
        """Connections of any kind open now."""
        with self.changed:
            return len(self._wires)

    @property
    def alive_threads(self) -> int:
        """Threads of this server that still run."""
        with self.changed:
            return sum([thread.is_alive() for thread in self._threads])

    # ---- for tests

    def wait_for(self, predicate: Callable[[], object], timeout: float = 5.0) -> bool:
        """Whether `predicate` became true in time; it is looked at on every change here and each 20 ms besides."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.changed.wait(min(left, 0.02))
        return True

    def entries(self, kind: str | None = None, connection: int | None = None) -> list[Entry]:
        """The log, of one kind and one connection if given."""
        with self.changed:
            return [
                entry
                for entry in self.log
                if (kind is None or entry.kind == kind) and (connection is None or entry.connection == connection)
            ]

    def refuse(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        times: int | None = 1,
        delay_s: float = 0.0,
    ) -> None:
        """Answer the next `times` handshakes (None: all, until `accept_all`) with this plain HTTP response."""
        data = body.encode() if isinstance(body, str) else body
        response = HttpResponse(status, data, dict(headers or {}), delay_s=delay_s)
        with self.changed:
            if times is None:
                self._refuse_always = response
            else:
                self._refusals.extend([response] * times)

    def hang_handshakes(self, times: int = 1) -> threading.Event:
        """Leave the next `times` handshakes unanswered until the returned event is set."""
        hold = threading.Event()
        with self.changed:
            self._refusals.extend([HttpResponse(503, hold=hold)] * times)
        return hold

    def accept_all(self) -> None:
        """Forget all refusals."""
        with self.changed:
            self._refuse_always = None
            self._refusals.clear()

    # ---- for subclasses; each runs on the connection's thread

    def on_http(self, request: HttpRequest) -> HttpResponse:
        """The answer to a plain request."""
        return HttpResponse(404, b'{"error":"not found"}')

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        """A refusal, or None to accept."""
        return None

    def on_open(self, session: Session) -> None:
        """A session was accepted."""

    def on_text(self, session: Session, text: str) -> None:
        """A whole text message arrived."""

    def on_frame(self, session: Session, frame: frames.Frame) -> None:
        """Any frame arrived (called before it is answered)."""

    def on_gone(self, session: Session) -> None:
        """A session is over."""

    # ---- inside

    def record(
        self, connection: int, kind: str, payload: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        with self.changed:
            self.log.append(Entry(time.monotonic(), connection, kind, payload, headers))
            self.logged += 1
            self.counts[kind] += 1
            self.changed.notify_all()

    def _spawn(self, target: Callable[..., None], name: str, *args: object) -> None:
        def run() -> None:
            try:
                target(*args)
            except Ended:
                return
            finally:
                with self.changed:
                    self._threads.discard(threading.current_thread())
                    self.changed.notify_all()

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self.changed:  # `stop` joins what it finds here: nothing that has not begun
            self._threads.add(thread)
            thread.start()

    def _accept(self) -> None:
        try:
            while True:
                self._acceptor.wait_readable()
                try:
                    client, _ = self._listener.accept()
                except BlockingIOError:
                    continue
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._welcome(Wire(client))
        except OSError:
            # Stopped between the look and the accept.
            return
        finally:
            self._acceptor.end()
            self._acceptor.close()

    def _welcome(self, wire: Wire) -> None:
        with self.changed:
            self._wires.add(wire)
        if self.stopping.is_set():
            wire.end()
        self._spawn(self._serve, "fake-connection", wire)

    def _serve(self, wire: Wire) -> None:
        try:
            while True:
                request = self._read_request(wire)
                if request is None:
                    return
                if request.wants_upgrade:
                    self._serve_session(wire, request)
                    return
                self.record(0, "http", request.target.encode(), request.headers)
                if not self._answer(wire, self.on_http(request)) or request.ends_connection:
                    return
        finally:
            wire.end()
            wire.close()
            with self.changed:
                self._wires.discard(wire)
                self.changed.notify_all()

    def _read_request(self, wire: Wire) -> HttpRequest | None:
        head = wire.read_until(b"\r\n\r\n", HEAD_LIMIT)
        if head is None:
            return None
        try:
            request = parse_head(head)
        except ValueError:
            return None
        length = int(request.headers.get("content-length", "0"))
        if not length:
            return request
        return HttpRequest(request.method, request.target, request.headers, wire.read_exactly(length))

    def _answer(self, wire: Wire, response: HttpResponse) -> bool:
        """Send a response; whether the connection may go on."""
        if response.delay_s:
            wire.wait_ended(response.delay_s)
        if response.hold is not None:
            while not response.hold.is_set():
                wire.wait_ended(0.02)
        data = response.encode()
        return bool(data) and wire.write(data) and not response.ends_connection

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        with self.changed:
            if self._refusals:
                return self._refusals.popleft()
            if self._refuse_always is not None:
                return self._refuse_always
        return self.on_handshake(request)

    def _serve_session(self, wire: Wire, request: HttpRequest) -> None:
        self.record(0, "handshake", request.target.encode(), request.headers)
        refusal = self._refusal(request)
        if refusal is not None:
            self.record(0, "refused", request.target.encode(), request.headers)
            self._answer(wire, refusal)
            return
        answer = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": frames.accept_key(request.headers.get("sec-websocket-key", "")),
        }
        with self.changed:
            self.accepted += 1
            session = Session(self, self.accepted, wire, request)
            self.sessions.append(session)
        try:
            wire.write(encode_head(101, answer, None))
            self.record(session.number, "open", request.target.encode())
            self.on_open(session)
            self._read_frames(session, wire)
        finally:
            wire.end()
            with self.changed:
                self.sessions.remove(session)
            self.record(session.number, "gone")
            self.on_gone(session)

    def _read_frames(self, session: Session, wire: Wire) -> None:
        message = bytearray()
        while True:
            frame = wire.read_frame()
            if frame is None:
                return
            self.record(session.number, frames.NAMES.get(frame.opcode, "unknown"), frame.payload)
            self.on_frame(session, frame)
            if frame.opcode == frames.PING and session.answers_pings:
                session.send_frame(frames.PONG, frame.payload)
            elif frame.opcode == frames.CLOSE:
                session.close_code = int.from_bytes(frame.payload[:2], "big") if len(frame.payload) >= 2 else None
                session.send_raw(frames.encode(frames.CLOSE, frame.payload[:2]))
                return
            elif frame.opcode in (frames.TEXT, frames.CONTINUATION):
                message += frame.payload
                if frame.fin:
                    text, message = message.decode("utf-8", "replace"), bytearray()
                    self.on_text(session, text)
