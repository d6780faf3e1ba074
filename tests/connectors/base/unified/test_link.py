"""The link of the unified library: what ends on it is told, whoever waits at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.base.unified.link import UnifiedLink
from connectors.base.unified.listing import Listing
from connectors.base.unified.wire import Told
from engine.clock import SYSTEM_CLOCK
from engine.errors import Disconnected


class Socket:
    """What the library calls a client; `subscriptions` is what is asked for on it."""

    def __init__(self, *subscriptions: str) -> None:
        self.subscriptions = dict.fromkeys(subscriptions, True)
        self.last_message_at: float | None = None
        self.connectionEstablished = 1_700_000_000_000.0


class Exchange:
    """The part of an exchange object that hears of the ends of its sockets, and forgets them."""

    def __init__(self, *sockets: Socket) -> None:
        self.clients = {f"socket {number}": socket for number, socket in enumerate(sockets)}
        self.orderbooks: dict[str, object] = {}
        self.session = None
        self.markets: dict[str, dict[str, Any]] = {}
        self.currencies: dict[str, object] = {}
        self.precisionMode = 4

    def on_close(self, client: Socket, code: int) -> None:
        self._forget(client)

    def on_error(self, client: Socket, error: BaseException) -> None:
        self._forget(client)

    def _forget(self, client: Socket) -> None:
        self.clients = {url: one for url, one in self.clients.items() if one is not client}

    async def close(self) -> None:
        self.clients = {}


class RequestTimeout(Exception):
    """As the library says that no pong came."""


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(Socket("btcusdt@depth"), Socket())


@pytest.fixture
def link(exchange: Exchange) -> Iterator[UnifiedLink]:
    async def begin() -> tuple[Any, Listing]:
        return exchange, Listing("okx", exchange)

    made = UnifiedLink("okx", begin, SYSTEM_CLOCK, Told(), wait_s=5.0, open_s=5.0, maker=False)
    made.open("", 5.0)
    yield made
    made.close()


def test_a_socket_that_is_closed_between_two_waits_ends_the_link(link: UnifiedLink, exchange: Exchange) -> None:
    first = exchange.clients["socket 0"]
    exchange.on_close(first, 1001)
    with pytest.raises(Disconnected, match="okx: the venue closed the connection, closing code 1001"):
        link.receive(1.0)
    assert first not in exchange.clients.values()  # the library has heard of it, too


def test_a_socket_that_fails_between_two_waits_ends_the_link(link: UnifiedLink, exchange: Exchange) -> None:
    exchange.on_error(exchange.clients["socket 0"], RequestTimeout("no pong"))
    with pytest.raises(Disconnected, match="no pong"):
        link.receive(1.0)


def test_a_socket_that_nothing_is_asked_for_on_may_go(link: UnifiedLink, exchange: Exchange) -> None:
    link.receive(0.0)
    exchange.on_close(exchange.clients["socket 1"], 1000)
    assert link.receive(0.01) is None
