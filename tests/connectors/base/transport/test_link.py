from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from connectors.base.transport.link import MAX_FRAME_BYTES, PlannedClose, WebSocketLink
from engine.errors import Blocked, Disconnected, FeedError, RateLimited, StreamUnsupported
from tests.fakes import frames
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.websocket_server import FakeServer, Session


class Server(FakeServer):
    """Accepts one client at a time, or refuses with `refusal`."""

    refusal: HttpResponse | None = None
    session: Session | None = None
    opened: threading.Event

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        return self.refusal

    def on_open(self, session: Session) -> None:
        self.session = session
        self.opened.set()

    @property
    def client(self) -> Session:
        assert self.opened.wait(5.0)
        assert self.session is not None
        return self.session


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def link(server: Server) -> Iterator[WebSocketLink]:
    link = WebSocketLink()
    link.open(server.ws_url, 5.0)
    yield link
    link.close()


def receive(link: WebSocketLink, timeout_s: float = 5.0) -> bytes | None:
    """The next message or sign of life within the time."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        frame = link.receive(0.1)
        if frame is not None:
            return frame
    return None


def failure(link: WebSocketLink) -> FeedError:
    with pytest.raises(FeedError) as caught:
        for _ in range(100):
            link.receive(0.1)
    return caught.value


def test_messages_arrive_whole_and_in_order(server: Server, link: WebSocketLink) -> None:
    messages = [b"x" * size for size in (1, 125, 126, 65_535, 65_536, 300_000)]
    for message in messages:
        server.client.send(message)
    assert [receive(link) for _ in messages] == messages


def test_fragments_are_joined_and_binary_is_a_message_too(server: Server, link: WebSocketLink) -> None:
    server.client.send_fragmented(b"abcdefghi", 3)
    server.client.send_binary(b"\x00\xff")
    assert receive(link) == b"abcdefghi"
    assert receive(link) == b"\x00\xff"


def test_a_message_that_pauses_in_the_middle_is_completed(server: Server, link: WebSocketLink) -> None:
    data = frames.encode(frames.TEXT, b"y" * 1000)
    server.client.send_raw(data[:300])
    assert link.receive(0.05) is None
    assert link.receive(0.05) is None
    server.client.send_raw(data[300:])
    assert receive(link) == b"y" * 1000


def test_nothing_in_time_is_none_and_a_ping_is_a_sign_of_life(server: Server, link: WebSocketLink) -> None:
    assert link.receive(0.01) is None
    server.client.ping(b"are you there")
    assert receive(link) == b""
    assert server.wait_for(lambda: server.counts["pong"] == 1, 5.0)
    assert server.entries("pong")[0].payload == b"are you there"


def test_what_is_sent_arrives(server: Server, link: WebSocketLink) -> None:
    link.send("héllo")
    link.ping()
    assert server.wait_for(lambda: server.counts["text"] == 1 and server.counts["ping"] == 1, 5.0)
    assert server.entries("text")[0].text == "héllo"
    assert receive(link) == b""


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1012, PlannedClose), (1001, PlannedClose), (1008, RateLimited), (1013, RateLimited), (4001, Disconnected)],
)
def test_the_close_code_says_what_to_do(server: Server, link: WebSocketLink, code: int, kind: type[FeedError]) -> None:
    server.client.close(code, "because")
    error = failure(link)
    assert type(error) is kind
    assert str(code) in str(error)
    assert "because" in str(error)


def test_a_connection_that_just_ends_is_disconnected(server: Server, link: WebSocketLink) -> None:
    server.client.fin()
    assert type(failure(link)) is Disconnected


def test_a_message_over_the_bound_is_refused_before_it_is_read(server: Server, link: WebSocketLink) -> None:
    server.client.send_raw(b"\x82\x7f" + (MAX_FRAME_BYTES + 1).to_bytes(8, "big") + b"x" * 100)
    assert "bound" in str(failure(link))
    assert server.wait_for(lambda: server.counts["close"] == 1, 5.0)
    assert server.client.close_code == 1009


def test_many_small_fragments_do_not_add_up_over_the_bound(
    server: Server, link: WebSocketLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.base.transport.link.MAX_FRAME_BYTES", 1000)
    server.client.send_fragmented(b"z" * 1500, 30)
    assert "bound" in str(failure(link))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (451, b"", Blocked),
        (403, b'{"msg":"Service unavailable from a restricted location"}', Blocked),
        (401, b"", Blocked),
        (403, b"<html>", Disconnected),
        (404, b"", StreamUnsupported),
        (503, b"", Disconnected),
        (429, b"", RateLimited),
        (418, b"", RateLimited),
    ],
)
def test_a_refused_handshake_says_why(server: Server, status: int, body: bytes, kind: type[FeedError]) -> None:
    server.refusal = HttpResponse(status, body, headers={"Retry-After": "17"})
    with pytest.raises(FeedError) as caught:
        WebSocketLink().open(server.ws_url, 5.0)
    assert type(caught.value) is kind
    assert str(status) in str(caught.value)
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after_s == 17.0


def test_a_port_where_nobody_listens_is_disconnected_with_a_hint() -> None:
    with pytest.raises(Disconnected, match="connection refused") as caught:
        WebSocketLink().open("ws://127.0.0.1:1/stream", 2.0)
    assert caught.value.hint


def _elapsed_until_woken(link: WebSocketLink, blocked: Callable[[], object]) -> float:
    """Seconds between an abort and the end of a call that is blocked on another thread."""
    ended = threading.Event()
    outcome: list[BaseException] = []

    def call() -> None:
        try:
            blocked()
        except FeedError as error:
            outcome.append(error)
        ended.set()

    thread = threading.Thread(target=call)
    thread.start()
    assert not ended.wait(0.2)
    begun = time.monotonic()
    link.abort()
    assert ended.wait(5.0)
    thread.join(5.0)
    assert outcome
    return time.monotonic() - begun


def test_abort_wakes_a_blocked_receive(server: Server, link: WebSocketLink) -> None:
    assert server.client
    assert _elapsed_until_woken(link, lambda: link.receive(30.0)) < 1.0


def test_abort_wakes_a_handshake(server: Server) -> None:
    server.hang_handshakes()
    link = WebSocketLink()
    assert _elapsed_until_woken(link, lambda: link.open(server.ws_url, 30.0)) < 1.0
    link.close()


def test_abort_wakes_a_blocked_send(server: Server, link: WebSocketLink) -> None:
    server.client.stop_reading()

    def send() -> None:
        for _ in range(10_000):
            link.send("x" * 100_000)

    assert _elapsed_until_woken(link, send) < 1.0


def test_a_link_that_was_aborted_before_it_opened_does_not_open(server: Server) -> None:
    link = WebSocketLink()
    link.abort()
    with pytest.raises(Disconnected):
        link.open(server.ws_url, 5.0)
    link.close()


def test_proxies_of_the_environment_are_not_used_for_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    link = WebSocketLink()
    link.open(server.ws_url, 5.0)
    link.close()
