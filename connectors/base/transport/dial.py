"""A TCP or TLS connection that can be given up at any moment, from any thread, in every phase of its making.

Names are looked up on a helper thread (nothing can interrupt the system's resolver), the TCP handshake is made without
blocking, and whatever blocks later (proxy, TLS, reading, writing) is woken by shutting the socket down.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import time
from functools import cache
from selectors import EVENT_WRITE, DefaultSelector
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from connectors.base.refusal import PROXY_HINT
from engine.errors import Disconnected

SLICE_S = 0.05
PROXY_ANSWER_BYTES = 16_384
KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))

_Address = tuple[Any, ...]


class Dial:
    """One connection, from the look-up of its name to its end."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self._aborted = Event()
        self._lock = Lock()

    def connect(self, host: str, port: int, timeout_s: float, *, tls: bool, proxied: bool = True) -> socket.socket:
        """A connected socket with `timeout_s` as its timeout. `proxied`: through the environment's proxy, if any.

        Raises:
            Disconnected: not reachable, not trusted, or aborted.
        """
        deadline = time.monotonic() + timeout_s
        proxy = proxy_for(host, tls=tls) if proxied else None
        try:
            if proxy is None:
                self._open(host, port, deadline)
            else:
                self._open(proxy.hostname or "", proxy.port or 80, deadline)
                self._tunnel(host, port, proxy, deadline)
            if tls:
                self._secure(host, deadline)
        except OSError as error:
            self.close()
            if self._aborted.is_set():
                raise Disconnected("connecting was given up") from error
            raise Disconnected(f"cannot connect to {host}:{port}: {_words(error)}", hint=_hint(error)) from error
        except Disconnected:
            self.close()
            raise
        connected = self._current()
        connected.settimeout(timeout_s)
        return connected

    @property
    def aborted(self) -> bool:
        """Whether someone gave this connection up."""
        return self._aborted.is_set()

    def abort(self) -> None:
        """Wake whoever waits for this connection; from any thread, any number of times."""
        self._aborted.set()
        with self._lock:
            current = self.socket
            if current is not None:
                _shut(current)

    def close(self) -> None:
        """Close the socket; only the owner's thread calls this."""
        with self._lock:
            current, self.socket = self.socket, None
        if current is not None:
            _shut(current)
            current.close()

    def _current(self) -> socket.socket:
        current = self.socket
        if current is None or self._aborted.is_set():
            raise Disconnected("connecting was given up")
        return current

    def _keep(self, made: socket.socket) -> None:
        with self._lock:
            self.socket = made
        if self._aborted.is_set():
            raise Disconnected("connecting was given up")

    def _open(self, host: str, port: int, deadline: float) -> None:
        addresses = resolve(host, port, deadline, self._aborted)
        failure: OSError = OSError("the name has no address")
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            left_s = deadline - time.monotonic()
            share_s = left_s if index == len(addresses) - 1 else left_s / 2
            made = socket.socket(family, kind, protocol)
            try:
                self._keep(made)
                self._handshake(made, address, time.monotonic() + share_s)
                _tune(made)
                return
            except OSError as error:
                failure = error
                self.close()
        raise failure

    def _handshake(self, made: socket.socket, address: _Address, deadline: float) -> None:
        made.setblocking(False)
        made.connect_ex(address)
        with DefaultSelector() as selector:
            selector.register(made, EVENT_WRITE)
            while not selector.select(SLICE_S):
                if self._aborted.is_set():
                    raise Disconnected("connecting was given up")
                if time.monotonic() >= deadline:
                    raise TimeoutError("timed out")
        code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _tunnel(self, host: str, port: int, proxy: SplitResult, deadline: float) -> None:
        current = self._current()
        current.settimeout(max(SLICE_S, deadline - time.monotonic()))
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if proxy.username:
            secret = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(secret).decode()}")
        current.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        # Byte by byte: what follows the blank line belongs to the venue.
        while not answer.endswith(b"\r\n\r\n"):
            byte = current.recv(1)
            if not byte or len(answer) > PROXY_ANSWER_BYTES:
                raise OSError("the proxy closed the connection")
            answer += byte
        line = answer.split(b"\r\n", 1)[0].decode("latin-1")
        status = line.split(" ")[1] if " " in line else ""
        if status != "200":
            raise _ProxyRefusal(line, status)

    def _secure(self, host: str, deadline: float) -> None:
        plain = self._current()
        plain.settimeout(max(SLICE_S, deadline - time.monotonic()))
        secured = _trust().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        self._keep(secured)
        secured.do_handshake()


class _ProxyRefusal(OSError):
    """The proxy does not open the tunnel; `status` is its HTTP status."""

    def __init__(self, line: str, status: str) -> None:
        super().__init__(f"the proxy answered {line!r}")
        self.status = status


class _Lookup:
    """One question to the resolver, shared by all who ask it meanwhile."""

    def __init__(self) -> None:
        self.done = Event()
        self.addresses: list[_Address] = []
        self.error: OSError | None = None


_lookups: dict[tuple[str, int], _Lookup] = {}
_lookups_lock = Lock()


def resolve(host: str, port: int, deadline: float, aborted: Event) -> list[_Address]:
    """The addresses of a name, as `socket.getaddrinfo` gives them, by `deadline` (monotonic seconds).

    Raises:
        OSError: the name is unknown, or the resolver was too slow.
        Disconnected: aborted.
    """
    key = (host, port)
    with _lookups_lock:
        lookup = _lookups.get(key)
        if lookup is None:
            lookup = _lookups[key] = _Lookup()
            Thread(target=_look_up, args=(key, lookup), name=f"resolve {host}", daemon=True).start()
    while not lookup.done.wait(SLICE_S):
        if aborted.is_set():
            raise Disconnected("connecting was given up")
        if time.monotonic() >= deadline:
            raise TimeoutError("looking up the name timed out")
    if lookup.error is not None:
        raise lookup.error
    return lookup.addresses


def _look_up(key: tuple[str, int], lookup: _Lookup) -> None:
    try:
        lookup.addresses = list(socket.getaddrinfo(key[0], key[1], type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        lookup.error = error if isinstance(error, OSError) else OSError(f"not a host name: {error}")
    finally:
        with _lookups_lock:
            _lookups.pop(key, None)
        lookup.done.set()


def proxy_for(host: str, *, tls: bool) -> SplitResult | None:
    """The proxy that the environment names for this host; None to go straight, as always to this machine itself."""
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    proxies = getproxies()
    address = proxies.get("https" if tls else "http") or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    proxy = urlsplit(address if "//" in address else f"http://{address}")
    if proxy.scheme != "http":
        raise Disconnected(f"the proxy scheme {proxy.scheme}:// is not supported", hint="Set an http:// proxy.")
    return proxy


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _tune(made: socket.socket) -> None:
    made.setblocking(True)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _shut(current: socket.socket) -> None:
    try:
        # Not SSLSocket.shutdown: it takes the TLS state away from under a thread that is reading.
        socket.socket.shutdown(current, socket.SHUT_RDWR)
    except OSError:
        return  # never connected, or gone already


def _words(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


def _hint(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The venue's certificate is not trusted here: check the date of this machine and any proxy in between."
    if isinstance(error, socket.gaierror):
        return "The name cannot be looked up: check the network and the address in the settings."
    if isinstance(error, _ProxyRefusal):
        return PROXY_HINT if error.status == "407" else "The proxy in HTTPS_PROXY does not let us through: check it."
    return "Check the network, or whether a firewall or proxy stands between here and the venue."
