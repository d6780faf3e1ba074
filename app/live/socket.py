"""The socket route: who may open it, what may come in, and the pump that sends frames out.

A page opens `/ws/live`, sends `{"ticket": …, "watch": [[venue, symbol, mode], …]}` (or `"resume"` instead of a
ticket) and is told `{"resume": token}`. Then binary messages come. It answers `{"ack": n}` when it has painted `n` more
of them, sends `{"resync": [[venue, symbol, mode], …]}` when it missed something, and `{"watch": […]}` to see other
feeds, with a new ticket for those that the old one does not name; what no ticket names is not delivered, and the page
is told `{"denied": true}`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from time import monotonic
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.live.broadcaster import Broadcaster
from app.live.tab import Tab
from app.live.tickets import Claims, TicketOffice, TicketRefused
from engine.feed.mailbox import FeedKey

FIRST_MESSAGE_S = 5.0
LARGEST_MESSAGE = 16_384
MESSAGES_PER_S = 150.0
MESSAGE_BURST = 300.0
POLICY = 1008
TRY_LATER = 1013

log = logging.getLogger(__name__)


class Wish(Struct, forbid_unknown_fields=True):
    """All that a page may say."""

    ticket: str | None = None
    resume: str | None = None
    watch: list[FeedKey] | None = None
    ack: int | None = None
    resync: list[FeedKey] | None = None


_decode = msgspec.json.Decoder(Wish).decode


class Refusal(Exception):
    """The page broke a rule; the socket is closed with this word."""


class LiveSocket:
    """Serves pages from one broadcaster. `allowed_hosts` are host names without port; `*` allows any."""

    def __init__(
        self, broadcaster: Broadcaster, office: TicketOffice, *, allowed_hosts: tuple[str, ...], most_tabs: int = 200
    ) -> None:
        self.broadcaster = broadcaster
        self.office = office
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self.most_tabs = most_tabs
        self.refused = 0

    async def serve(self, websocket: WebSocket) -> None:
        """One page from handshake to goodbye."""
        if not self.is_ours(websocket.headers.get("host", ""), websocket.headers.get("origin", "")):
            self.refused += 1
            await websocket.close(POLICY)  # before accept: the handshake is answered with 403
            return
        await websocket.accept()
        if len(self.broadcaster.tabs) >= self.most_tabs:
            await websocket.close(TRY_LATER, "too many pages")
            return
        tab = Tab()
        try:
            await self._talk(websocket, tab)
        except Refusal as refusal:
            self.refused += 1
            log.info("page refused: %s", refusal)
            with suppress(RuntimeError):
                await websocket.close(POLICY, str(refusal))
        except WebSocketDisconnect:
            pass
        finally:
            self.broadcaster.leave(tab)

    def is_ours(self, host: str, origin: str) -> bool:
        """Whether the page that asks was served by us: its origin is our host, and our host goes by a known name."""
        name = _name(host)
        known = "*" in self.allowed_hosts or name in self.allowed_hosts
        same = origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
        return bool(name) and known and same

    async def _talk(self, websocket: WebSocket, tab: Tab) -> None:
        budget = _Budget()
        try:
            async with asyncio.timeout(FIRST_MESSAGE_S):
                wish = await _receive(websocket, budget)
        except TimeoutError:
            raise Refusal("no ticket came") from None
        claims = self._admit(wish, None)
        if claims is None:
            raise Refusal("the first message must bring a ticket")
        await websocket.send_text(msgspec.json.encode({"resume": self.office.mint_resume(claims)}).decode())
        self.broadcaster.join(tab)
        await self._follow(websocket, tab, claims, wish)
        pump = asyncio.create_task(_pump(websocket, tab))
        try:
            while True:
                wish = await _receive(websocket, budget)
                admitted = self._admit(wish, claims)
                if admitted is not None:
                    claims = admitted
                    token = self.office.mint_resume(claims)
                    await websocket.send_text(msgspec.json.encode({"resume": token}).decode())
                await self._follow(websocket, tab, claims, wish)
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError, OSError):
                await pump

    def _admit(self, wish: Wish, before: Claims | None) -> Claims | None:
        """The claims of a ticket in this message, if there is one; a running socket keeps its session."""
        try:
            if wish.ticket is not None:
                claims = self.office.check(wish.ticket)
            elif wish.resume is not None:
                claims = self.office.check_resume(wish.resume)
            else:
                return None
        except TicketRefused as refused:
            raise Refusal(str(refused)) from None
        if before is not None and before.session != claims.session:
            raise Refusal("the ticket belongs to another session")
        return claims

    async def _follow(self, websocket: WebSocket, tab: Tab, claims: Claims, wish: Wish) -> None:
        if wish.ack is not None and not tab.acknowledge(wish.ack):
            raise Refusal("acknowledged what was never sent")
        if wish.watch is not None:
            # Panels learn of a new ticket one after the other: some may still show what the new one does not name.
            allowed = [key for key in wish.watch if key in claims.keys]
            tab.watch(allowed)
            self.broadcaster.rewatch()
            if len(allowed) < len(wish.watch):
                await websocket.send_text('{"denied":true}')
        if wish.resync is not None:
            tab.refresh(wish.resync)


class _Budget:
    """How many messages a page may still send: 150 per second, 300 at once."""

    def __init__(self) -> None:
        self._left = MESSAGE_BURST
        self._at = monotonic()

    def spend(self) -> None:
        now = monotonic()
        self._left = min(MESSAGE_BURST, self._left + (now - self._at) * MESSAGES_PER_S) - 1.0
        self._at = now
        if self._left < 0:
            raise Refusal("too many messages")


async def _receive(websocket: WebSocket, budget: _Budget) -> Wish:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    budget.spend()
    text = message.get("text")
    if text is None or len(text) > LARGEST_MESSAGE:
        raise Refusal("not a message we know")
    try:
        return _decode(text)
    except msgspec.DecodeError:
        raise Refusal("not a message we know") from None


async def _pump(websocket: WebSocket, tab: Tab) -> None:
    while True:
        await websocket.send_bytes(await tab.next_message())


def _name(host: str) -> str:
    """The host name in a Host header, lower case, without port and brackets; empty for nonsense."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
