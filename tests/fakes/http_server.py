"""The plain HTTP half of the fake server: requests as read, responses as wished (also broken ones)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class HttpRequest:
    """One request head with its body. Header names are lower case, `target` is path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters, each with its last value."""
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in pairs.items()}

    @property
    def wants_upgrade(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def ends_connection(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


@dataclass
class HttpResponse:
    """What to answer, and how badly.

    `delay_s` waits first (ends at once when the server stops); `hold` waits until the event is set. `truncate_at` sends
    the full Content-Length but only so many body bytes and hangs up; `drop` hangs up without a byte.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=UTF-8"
    delay_s: float = 0.0
    hold: threading.Event | None = None
    truncate_at: int | None = None
    drop: bool = False

    @property
    def ends_connection(self) -> bool:
        return self.drop or self.truncate_at is not None

    def encode(self) -> bytes:
        """The bytes for the wire."""
        if self.drop:
            return b""
        body = self.body if self.truncate_at is None else self.body[: self.truncate_at]
        return encode_head(self.status, {"Content-Type": self.content_type, **self.headers}, len(self.body)) + body


def encode_head(status: int, headers: Mapping[str, str], length: int | None) -> bytes:
    """Status line and headers; `length` None leaves Content-Length out."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Status"
    lines = [f"HTTP/1.1 {status} {phrase}", *[f"{name}: {value}" for name, value in headers.items()]]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def parse_head(head: bytes) -> HttpRequest:
    """A request from its head (without the empty line).

    Raises:
        ValueError: it is not HTTP.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    pairs = [line.partition(":") for line in lines if line]
    return HttpRequest(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})
