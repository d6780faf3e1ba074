"""The wire: one WebSocket, reduced to what a supervisor needs. The only door to websocket-client.

The library's low-level class is used, never its run loop: that one reconnects behind our back, hides clean closes and
ignores Retry-After. UTF-8 is not validated here: the decoder does it, and the library's own check is pure Python.
"""

from __future__ import annotations

import struct
from typing import Any, Protocol
from urllib.parse import urlsplit

from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketException,
    WebSocketTimeoutException,
    continuous_frame,
    frame_buffer,
)

from connectors.base.refusal import FIREWALL_HINT, is_web_page, refusal
from connectors.base.transport.dial import Dial
from engine.errors import Disconnected, FeedError, RateLimited, StreamUnsupported

MAX_FRAME_BYTES = 20 * 1024 * 1024
SEND_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.5
CHUNK_BYTES = 65_536

NO_STREAM_HERE = (200, 404, 405, 410, 426, 501)
"""HTTP answers of a server that does not speak WebSocket at this address."""

GOING_AWAY, POLICY_VIOLATION, TOO_BIG, SERVICE_RESTART, TRY_LATER = 1001, 1008, 1009, 1012, 1013


class PlannedClose(Disconnected):
    """The venue closed on purpose (going away, restarting, rotating): connect anew at once."""


class Link(Protocol):
    """One connection to a venue's stream. One thread opens, reads and sends; any thread may abort."""

    def open(self, url: str, timeout_s: float) -> None:
        """Connect and shake hands.

        Raises:
            Disconnected: not reachable; RateLimited, Blocked, StreamUnsupported: refused, and how.
        """

    def receive(self, timeout_s: float) -> bytes | None:
        """The next message; None when nothing came in time, empty when only a sign of life (ping, pong) came.

        Raises:
            Disconnected: the connection ended, with the close code and reason; PlannedClose, RateLimited likewise.
        """

    def send(self, text: str) -> None:
        """Send one text message.

        Raises:
            Disconnected: it cannot be sent.
        """

    def ping(self) -> None:
        """Ask the venue for a sign of life; its answer shows in `receive`."""

    def close(self) -> None:
        """Say good-bye without waiting for an answer and free the socket."""

    def abort(self) -> None:
        """End the connection now, from any thread; a blocked call of another thread returns with Disconnected."""


class WebSocketLink:
    """A Link over a real WebSocket."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self._headers = dict(headers or {})
        self._dial = Dial()
        self._socket = _Socket()
        self._timeout_s = -1.0

    def open(self, url: str, timeout_s: float) -> None:
        address = urlsplit(url)
        tls = address.scheme == "wss"
        host = address.hostname or ""
        connected = self._dial.connect(host, address.port or (443 if tls else 80), timeout_s, tls=tls)
        try:
            self._socket.connect(  # type: ignore[no-untyped-call]
                url, socket=connected, timeout=timeout_s, header=self._headers, redirect_limit=0, suppress_origin=True
            )
        except WebSocketBadStatusException as error:
            self._dial.close()
            raise _refused(error, host) from error
        except (WebSocketException, OSError, ValueError) as error:
            self._dial.close()
            raise Disconnected(f"handshake with {host} failed: {_words(error)}", hint=FIREWALL_HINT) from error

    def receive(self, timeout_s: float) -> bytes | None:
        if timeout_s != self._timeout_s:
            self._timeout_s = timeout_s
            self._socket.settimeout(timeout_s)
        try:
            opcode, data = self._socket.recv_data(control_frame=True)
        except WebSocketTimeoutException:
            return None
        except _TooBig as error:
            self._leave(TOO_BIG)
            raise Disconnected(f"a message of {error.size} bytes is over the bound of {MAX_FRAME_BYTES}") from error
        except (WebSocketException, OSError, ValueError) as error:
            raise Disconnected(f"connection lost: {_words(error)}") from error
        if opcode == ABNF.OPCODE_TEXT or opcode == ABNF.OPCODE_BINARY:
            return data  # type: ignore[no-any-return]
        if opcode == ABNF.OPCODE_CLOSE:
            raise _closed(data)
        return b""

    def send(self, text: str) -> None:
        self._send(text.encode(), ABNF.OPCODE_TEXT)

    def ping(self) -> None:
        self._send(b"", ABNF.OPCODE_PING)

    def close(self) -> None:
        if self._socket.connected:
            self._leave(1000)
        self._dial.close()

    def abort(self) -> None:
        self._dial.abort()

    def _send(self, payload: bytes, opcode: int) -> None:
        try:
            self._socket.send(payload, opcode)
        except (WebSocketException, OSError, ValueError) as error:
            raise Disconnected(f"cannot send: {_words(error)}") from error

    def _leave(self, status: int) -> None:
        self._socket.send_timeout_s = CLOSE_TIMEOUT_S
        self._socket.send_close(status)


class _TooBig(Exception):
    """A message over the bound."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


class _Socket(WebSocket):
    """The library's socket with a read buffer, a bound on messages and a send timeout apart from the read timeout."""

    def __init__(self) -> None:
        super().__init__(enable_multithread=False, skip_utf8_validation=True)
        self.frame_buffer = _Frames(self._recv, True)
        self.cont_frame = _Fragments(False, True)
        self.send_timeout_s = SEND_TIMEOUT_S
        self._read = b""
        self._position = 0

    def _recv(self, bufsize: int) -> bytes:
        # The library asks for 2 + 2 + n bytes per frame: one system call per chunk instead of three per frame.
        if not self.connected:
            return super()._recv(bufsize)  # type: ignore[no-any-return, no-untyped-call]
        start = self._position
        if start >= len(self._read):
            self._read = super()._recv(CHUNK_BYTES)  # type: ignore[no-untyped-call]
            start = 0
        end = min(start + bufsize, len(self._read))
        self._position = end
        return self._read[start:end]

    def send_frame(self, frame: Any) -> int:
        # A frame sent in part cannot be taken back, so sending has more patience than reading.
        read_timeout_s = self.gettimeout()
        self.settimeout(self.send_timeout_s)
        try:
            return super().send_frame(frame)
        finally:
            self.settimeout(read_timeout_s)

    def send_close(self, status: int = 1000, reason: str | bytes = b"") -> None:
        try:
            super().send_close(status, reason)
        except (WebSocketException, OSError):
            return  # The peer has gone without waiting; what it said before counts.


class _Frames(frame_buffer):
    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MAX_FRAME_BYTES:
            raise _TooBig(self.length)


class _Fragments(continuous_frame):
    def add(self, frame: Any) -> None:
        size = len(frame.data) + (len(self.cont_data[1]) if self.cont_data else 0)
        if size > MAX_FRAME_BYTES:
            raise _TooBig(size)
        super().add(frame)


def _closed(payload: bytes) -> FeedError:
    """What a close frame means: 2 bytes of code, then the reason."""
    code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
    reason = payload[2:].decode("utf-8", "replace")
    message = f"the venue closed the connection: {code} {reason}".rstrip()
    if code in (GOING_AWAY, SERVICE_RESTART):
        return PlannedClose(message)
    if code in (POLICY_VIOLATION, TRY_LATER):
        return RateLimited(message, hint="The venue found us too busy; the pace is lowered.")
    return Disconnected(message)


def _refused(error: WebSocketBadStatusException, host: str) -> FeedError:
    headers = {str(key).lower(): str(value) for key, value in (error.resp_headers or {}).items()}
    if error.status_code == 200 and is_web_page(error.resp_body or b"", headers):
        return Disconnected(f"a web page instead of the stream of {host}", hint=FIREWALL_HINT)
    if error.status_code in NO_STREAM_HERE:
        message = f"{host} has no stream at this address (HTTP {error.status_code})"
        return StreamUnsupported(message, hint="Check the stream's address in the settings.")
    return refusal(error.status_code, error.resp_body or b"", headers, f"the stream of {host}")


def _words(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
