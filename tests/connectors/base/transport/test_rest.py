from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.base import Request
from connectors.base.refusal import refusal, retry_after_s
from connectors.base.transport.rest import RestClient
from engine.errors import Blocked, Disconnected, RateLimited
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.websocket_server import FakeServer


class Server(FakeServer):
    def __init__(self) -> None:
        super().__init__()
        self.response = HttpResponse(200, b"{}")
        self.hang = threading.Event()
        self.hang.set()

    def on_http(self, request: HttpRequest) -> HttpResponse:
        self.hang.wait(10.0)
        return self.response


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        server.hang.set()


@pytest.fixture
def client() -> Iterator[RestClient]:
    client = RestClient()
    yield client
    client.close()


def test_a_body_comes_back_with_its_status_and_headers(server: Server, client: RestClient) -> None:
    server.response = HttpResponse(404, b"nothing here", headers={"X-Thing": "1"})
    response = client.get(Request(server.http_url + "/a?b=c"), 5.0)
    assert (response.status, response.body, response.headers["x-thing"]) == (404, b"nothing here", "1")


def test_packed_bodies_are_unpacked(server: Server, client: RestClient) -> None:
    body = b"abc" * 100_000
    server.response = HttpResponse(200, gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert client.get(Request(server.http_url + "/"), 5.0).body == body


def test_headers_of_the_request_are_sent(server: Server, client: RestClient) -> None:
    client.get(Request(server.http_url + "/", headers=(("X-Key", "k"),)), 5.0)
    headers = server.entries("http")[0].headers
    assert headers is not None
    assert {name.lower(): value for name, value in headers.items()}["x-key"] == "k"


def test_a_slow_answer_ends_with_the_timeout(server: Server, client: RestClient) -> None:
    server.hang.clear()
    begun = time.monotonic()
    with pytest.raises(Disconnected):
        client.get(Request(server.http_url + "/"), 0.3)
    assert time.monotonic() - begun < 2.0


def test_a_call_can_be_aborted_from_another_thread(server: Server, client: RestClient) -> None:
    server.hang.clear()
    errors: list[Exception] = []

    def call() -> None:
        try:
            client.get(Request(server.http_url + "/"), 30.0)
        except Disconnected as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert server.wait_for(lambda: server.counts["http"] == 1, 5.0)
    begun = time.monotonic()
    client.abort(thread.ident)
    thread.join(5.0)
    assert time.monotonic() - begun < 1.0
    assert errors


def test_a_closed_client_refuses(server: Server, client: RestClient) -> None:
    client.close()
    with pytest.raises(Disconnected, match="closed"):
        client.get(Request(server.http_url + "/"), 5.0)


def test_nobody_there_is_disconnected(client: RestClient) -> None:
    with pytest.raises(Disconnected, match="connection refused"):
        client.get(Request("http://127.0.0.1:1/"), 2.0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"", RateLimited),
        (418, b"", RateLimited),
        (451, b"", Blocked),
        (401, b"", Blocked),
        (403, b"restricted location", Blocked),
        (403, b"denied by firewall", Disconnected),
        (500, b"", Disconnected),
        (502, b"<html>bad gateway</html>", Disconnected),
    ],
)
def test_a_status_says_what_to_do(status: int, body: bytes, kind: type[Exception]) -> None:
    error = refusal(status, body, {}, "venue")
    assert type(error) is kind
    assert f"HTTP {status}" in str(error)


def test_a_web_page_is_named_as_one_and_not_quoted() -> None:
    assert "a web page instead of data" in str(refusal(502, b"<html>secret</html>", {}, "venue"))
    assert "secret" not in str(refusal(502, b"<html>secret</html>", {}, "venue"))


def test_a_ban_without_a_wait_lasts_two_minutes() -> None:
    error = refusal(418, b"", {}, "venue")
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 120.0


def test_retry_after_may_be_seconds_or_a_date_or_nonsense() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s({"retry-after": "3"}) == 3.0
    assert retry_after_s({"retry-after": "Thu, 01 Jan 2026 12:00:09 GMT"}, now) == 9.0
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None


class Mirror(FakeServer):
    """Answers with what it was sent."""

    def on_http(self, request: HttpRequest) -> HttpResponse:
        kind = request.headers.get("content-type", "none")
        return HttpResponse(200, request.method.encode() + b" " + kind.encode() + b" " + request.body)


def test_a_request_with_a_body_is_a_post_of_json(client: RestClient) -> None:
    with Mirror() as mirror:
        url = mirror.http_url + "/rpc?x=1"
        assert client.get(Request(url, body=b'{"a":1}'), 5.0).body == b'POST application/json {"a":1}'
        assert client.get(Request(url, body=b""), 5.0).body == b"POST application/json "
        assert client.get(Request(url), 5.0).body == b"GET none "
        own = Request(url, (("Content-Type", "text/plain"),), body=b"b")
        assert client.get(own, 5.0).body == b"POST text/plain b"


def test_a_post_is_made_again_when_the_kept_connection_was_closed(client: RestClient) -> None:
    with Mirror() as mirror:
        request = Request(mirror.http_url, body=b"again")
        client.get(request, 5.0)
        with mirror.lock:
            for wire in list(mirror._wires):
                wire.end()
        assert mirror.wait_for(lambda: mirror.sockets == 0)
        assert client.get(request, 5.0).body.endswith(b"again")
