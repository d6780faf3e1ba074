"""One GET or POST at a time: the only door to urllib3.

No retries and no redirects here: who asks decides whether to ask again. Every thread keeps its own connection per
host alive, and any thread may abort another's call.
"""

from __future__ import annotations

import time
from http.client import HTTPException
from threading import Lock, get_ident
from urllib.parse import urlsplit

from msgspec import Struct
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from connectors.base.transport.dial import Dial
from connectors.base.venue import Request
from engine.errors import Disconnected

MAX_BODY_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 65_536
HEADERS = {"User-Agent": "tapedeck", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
POST_HEADERS = {"Content-Type": "application/json"}

_Host = tuple[str, str, int]


class Response(Struct, frozen=True):
    """What came back, whatever the status; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class RestClient:
    """Calls for one connector, from any of its threads."""

    def __init__(self) -> None:
        self._callers: dict[int, _Caller] = {}
        self._lock = Lock()
        self._closed = False

    def get(self, request: Request, timeout_s: float) -> Response:
        """The response to a GET (a POST, if there is a body), whatever its status; `timeout_s` bounds the whole call.

        Raises:
            Disconnected: not reachable, too slow, over 64 MB, or aborted.
        """
        with self._lock:
            if self._closed:
                raise Disconnected("the connector is closed")
            caller = self._callers.setdefault(get_ident(), _Caller())
        return caller.get(request, timeout_s)

    def abort(self, thread: int | None = None) -> None:
        """End what a thread (all threads for None) is asking: its call raises Disconnected at once."""
        with self._lock:
            callers = list(self._callers.values()) if thread is None else [self._callers.get(thread)]
        for caller in callers:
            if caller is not None:
                caller.abort()

    def forget(self) -> None:
        """Close what the calling thread has kept alive: it will not ask again soon."""
        with self._lock:
            caller = self._callers.pop(get_ident(), None)
        if caller is not None:
            caller.close()

    def close(self) -> None:
        """End every call and refuse new ones."""
        with self._lock:
            self._closed = True
            callers = list(self._callers.values())
            self._callers.clear()
        for caller in callers:
            caller.close()


class _Caller:
    """One thread's connections."""

    def __init__(self) -> None:
        self._connections: dict[_Host, _Connection] = {}
        self._lock = Lock()
        self._busy = False
        self._closed = False

    def get(self, request: Request, timeout_s: float) -> Response:
        with self._lock:
            self._busy = True
        try:
            return self._get(request, time.monotonic() + timeout_s)
        finally:
            with self._lock:
                self._busy = False
                connections = list(self._connections.values()) if self._closed else []
            for connection in connections:
                connection.close()

    def abort(self) -> None:
        """Wake the owner's thread if it is asking."""
        with self._lock:
            connections = list(self._connections.values()) if self._busy else []
        for connection in connections:
            connection.dial.abort()

    def close(self) -> None:
        """Close everything; what is in use is aborted and closed by its owner."""
        with self._lock:
            self._closed = True
            busy, connections = self._busy, list(self._connections.values())
        for connection in connections:
            if busy:
                connection.dial.abort()
            else:
                connection.close()

    def _get(self, request: Request, deadline: float) -> Response:
        address = urlsplit(request.url)
        tls = address.scheme == "https"
        host = (address.scheme, address.hostname or "", address.port or (443 if tls else 80))
        path = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
        with self._lock:
            connection = self._connections.pop(host, None)
        kept = connection is not None
        while True:
            connection = connection or _Connection(host)
            with self._lock:
                if self._closed:
                    connection.close()
                    raise Disconnected("the call was given up")
                self._connections[host] = connection
            try:
                return connection.call(path, dict(request.headers), request.body, deadline)
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                with self._lock:
                    self._connections.pop(host, None)
                connection.close()
                aborted = connection.dial.aborted
                # A connection that was kept alive may have been closed meanwhile: that is no failure of the venue.
                if kept and not aborted and time.monotonic() < deadline and not isinstance(error, TimeoutError):
                    connection, kept = None, False
                    continue
                words = "the call was given up" if aborted else f"{host[1]} did not answer: {_words(error)}"
                raise Disconnected(words, hint="Check the network; the call is repeated by itself.") from error
            except Disconnected:
                with self._lock:
                    self._connections.pop(host, None)
                connection.close()
                raise


class _Connection(HTTPConnection):
    """urllib3's connection on a socket that can be aborted in every phase."""

    def __init__(self, host: _Host) -> None:
        super().__init__(host[1], host[2])
        self.dial = Dial()
        self._tls = host[0] == "https"
        if self._tls:
            self.default_port = 443  # type: ignore[misc]
        self._deadline = 0.0

    def connect(self) -> None:
        left_s = max(0.05, self._deadline - time.monotonic())
        self.sock = self.dial.connect(self.host, self.port, left_s, tls=self._tls)

    def call(self, path: str, headers: dict[str, str], body: bytes | None, deadline: float) -> Response:
        self._deadline = deadline
        self._patience()
        method, common = ("GET", HEADERS) if body is None else ("POST", HEADERS | POST_HEADERS)
        self.request(method, path, body, common | headers, preload_content=False, decode_content=True)
        self._patience()
        response = self.getresponse()
        content = self._read(response)
        lower = {name.lower(): value for name, value in response.headers.items()}
        if lower.get("connection", "").lower() == "close":
            self.close()
        return Response(response.status, lower, content)

    def close(self) -> None:
        super().close()
        self.dial.close()

    def _read(self, response: BaseHTTPResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := response.read1(CHUNK_BYTES):
            self._patience()
            parts.append(part)
            size += len(part)
            if size > MAX_BODY_BYTES:
                raise ValueError(f"a body of more than {MAX_BODY_BYTES} bytes")
        return b"".join(parts)

    def _patience(self) -> None:
        """Let the socket wait only as long as the call may still take."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.timeout = left_s
        if self.sock is not None:
            self.sock.settimeout(left_s)


def _words(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
