"""Listens to what the unified library sends and receives on its sockets, without changing any of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

Wire = Callable[[Literal["send", "recv"], str, Any], None]
"""Takes one message: which way it went, the socket's address, and what `as_bytes` makes bytes of."""


def listen(exchange: Any, wire: Wire) -> None:
    """Tell `wire` of every message on the sockets that this exchange object opens from now on."""
    make: Callable[[str], Any] = exchange.client

    def client(url: str) -> Any:
        known = url in (exchange.clients or {})
        found = make(url)
        if not known:
            _listen_to(found, url, wire)
        return found

    exchange.client = client


def _listen_to(client: Any, url: str, wire: Wire) -> None:
    take: Callable[[Any], None] = client.handle_text_or_binary_message
    send: Callable[[Any], Awaitable[Any]] = client.send

    def taken(data: Any) -> None:
        wire("recv", url, data)
        take(data)

    async def sent(message: Any) -> Any:
        wire("send", url, message)
        return await send(message)

    client.handle_text_or_binary_message, client.send = taken, sent


def as_bytes(message: Any) -> bytes:
    """A message as it is on the wire, unpacked where the exchange packs."""
    if isinstance(message, bytes):
        return message
    return message.encode() if isinstance(message, str) else msgspec.json.encode(message)
