from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.websockets import WebSocket

from app.live import frames
from app.live.broadcaster import Broadcaster
from app.live.socket import LARGEST_MESSAGE, LiveSocket
from app.live.tickets import TicketOffice
from tests.app.live.market import HandSource
from tests.app.live.reading import KEY, read

OTHER = ("mock", "ETHUSDT", "stream")
HOST = "127.0.0.1:8501"


class Page:
    """A browser page's end of the socket, as ASGI sees it."""

    def __init__(self, socket: LiveSocket, host: str = HOST, origin: str | None = f"http://{HOST}") -> None:
        headers = [(b"host", host.encode())]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        scope = {"type": "websocket", "path": "/ws/live", "headers": headers, "query_string": b"", "subprotocols": []}
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._in.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(socket.serve(WebSocket(scope, self._in.get, self._take)))

    async def _take(self, message: Any) -> None:
        self._out.put_nowait(dict(message))

    def say(self, **words: Any) -> None:
        self.say_text(json.dumps(words))

    def say_text(self, text: str) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(2.0):
            return await self._out.get()

    async def hear_words(self) -> Any:
        return json.loads((await self.hear())["text"])

    async def closed_with(self) -> tuple[int, str]:
        while True:
            message = await self.hear()
            if message["type"] == "websocket.close":
                return message["code"], message.get("reason") or ""


class House:
    """A socket with all that stands behind it."""

    def __init__(self, **options: Any) -> None:
        self.source = HandSource(KEY, OTHER)
        self.broadcaster = Broadcaster(self.source)
        self.office = TicketOffice()
        self.socket = LiveSocket(self.broadcaster, self.office, allowed_hosts=("127.0.0.1", "localhost"), **options)

    def tick(self) -> None:
        self.source.clock.advance(0.05)
        self.broadcaster.tick(self.source.clock.now_ns())

    async def guest(self, *keys: tuple[str, str, str]) -> tuple[Page, str]:
        """A page that has shown its ticket, and its resume token."""
        page = Page(self.socket)
        assert (await page.hear())["type"] == "websocket.accept"
        page.say(ticket=self.office.mint(keys, "tab-1"), watch=list(keys))
        return page, (await page.hear_words())["resume"]


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        (HOST, f"http://{HOST}", True),
        ("localhost:8501", "http://localhost:8501", True),
        ("LOCALHOST:8501", "http://localhost:8501", True),
        ("localhost", "https://localhost", True),
        (HOST, "http://evil.example", False),
        (HOST, "http://127.0.0.1:9999", False),
        (HOST, "null", False),
        (HOST, "", False),
        ("evil.example:8501", "http://evil.example:8501", False),
        ("", "http://", False),
        ("[::1", "http://[::1", False),
        (HOST, f"file://{HOST}", False),
    ],
)
def test_only_our_own_page_under_a_known_name_may_ask(host: str, origin: str, expected: bool) -> None:
    assert House().socket.is_ours(host, origin) is expected


def test_a_foreign_page_is_turned_away_before_the_handshake() -> None:
    async def scene() -> None:
        house = House()
        page = Page(house.socket, origin="http://evil.example")
        assert (await page.hear())["type"] == "websocket.close"
        assert house.socket.refused == 1

    run(scene)


@pytest.mark.parametrize(
    "words", [{}, {"watch": [KEY]}, {"ack": 1}, {"ticket": "forged", "watch": [KEY]}, {"resume": "x"}, {"secret": 1}]
)
def test_without_a_valid_ticket_nothing_is_sent(words: dict[str, Any]) -> None:
    async def scene() -> None:
        house = House()
        page = Page(house.socket)
        await page.hear()
        page.say(**words)
        code, _ = await page.closed_with()
        assert code == 1008
        assert not house.broadcaster.tabs

    run(scene)


def test_a_ticket_opens_a_snapshot_and_the_page_can_come_back_with_its_token() -> None:
    async def scene() -> None:
        house = House()
        page, token = await house.guest(KEY)
        house.tick()
        assert read((await page.hear())["bytes"])[0].kind == frames.SNAPSHOT
        page.leave()
        await page.task
        assert not house.broadcaster.tabs
        again = Page(house.socket)
        await again.hear()
        again.say(resume=token, watch=[KEY])
        assert "resume" in await again.hear_words()
        house.tick()
        assert read((await again.hear())["bytes"])[0].kind == frames.SNAPSHOT
        again.leave()
        await again.task

    run(scene)


def test_a_feed_that_no_ticket_names_is_not_delivered_until_one_does() -> None:
    async def scene() -> None:
        house = House()
        page, _ = await house.guest(KEY)
        page.say(watch=[KEY, OTHER])
        assert await page.hear_words() == {"denied": True}
        [tab] = house.broadcaster.tabs
        assert tab.keys == (KEY,)
        page.say(ticket=house.office.mint([KEY, OTHER], "tab-1"), watch=[KEY, OTHER])
        assert "resume" in await page.hear_words()
        house.tick()
        assert len(read((await page.hear())["bytes"])) == 2
        page.leave()
        await page.task

    run(scene)


def test_a_ticket_of_another_session_does_not_work_on_a_running_socket() -> None:
    async def scene() -> None:
        house = House()
        page, _ = await house.guest(KEY)
        page.say(ticket=house.office.mint([OTHER], "tab-2"), watch=[OTHER])
        assert (await page.closed_with())[0] == 1008

    run(scene)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"ack": "1"}', '{"ack": 5}', " " * (LARGEST_MESSAGE + 1)])
def test_nonsense_ends_the_conversation(text: str) -> None:
    async def scene() -> None:
        house = House()
        page, _ = await house.guest(KEY)
        page.say_text(text)
        assert (await page.closed_with())[0] == 1008
        await page.task
        assert not house.broadcaster.tabs

    run(scene)


def test_a_flood_of_messages_ends_the_conversation() -> None:
    async def scene() -> None:
        house = House()
        page, _ = await house.guest(KEY)
        for _ in range(400):
            page.say(resync=[KEY])
        assert await page.closed_with() == (1008, "too many messages")

    run(scene)


def test_a_page_that_missed_something_gets_a_snapshot() -> None:
    async def scene() -> None:
        house = House()
        page, _ = await house.guest(KEY)
        house.tick()
        await page.hear()
        page.say(ack=1, resync=[KEY])
        [tab] = house.broadcaster.tabs
        async with asyncio.timeout(2.0):
            while not tab.fresh:  # noqa: ASYNC110  the tab has no event for this
                await asyncio.sleep(0.005)
        house.tick()
        assert read((await page.hear())["bytes"])[0].kind == frames.SNAPSHOT
        page.leave()
        await page.task

    run(scene)


def test_one_page_too_many_is_told_to_come_later() -> None:
    async def scene() -> None:
        house = House(most_tabs=1)
        page, _ = await house.guest(KEY)
        second = Page(house.socket)
        assert (await second.closed_with())[0] == 1013
        page.leave()
        await page.task

    run(scene)
