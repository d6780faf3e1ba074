"""The fake server does what the tests that lean on it believe it does."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import websocket

from tests.fakes import frames
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.websocket_server import FakeServer, Session


class Echo(FakeServer):
    """Answers text with the same text and GETs with their query."""

    def on_text(self, session: Session, text: str) -> None:
        session.send(text)

    def on_http(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/slow":
            return HttpResponse(body=b"late", delay_s=30.0)
        if request.path == "/half":
            return HttpResponse(body=b"0123456789", truncate_at=4)
        if request.path == "/hangup":
            return HttpResponse(drop=True)
        return HttpResponse(body=repr(request.query).encode(), headers={"X-Seen": "yes"})


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo() as running:
        yield running
    assert running.alive_threads == 0
    assert running.sockets == 0


def connect(server: FakeServer, path: str = "/ws", timeout: float = 3.0) -> websocket.WebSocket:
    return websocket.create_connection(
        server.ws_url + path, timeout=timeout, skip_utf8_validation=True, http_no_proxy=["127.0.0.1"]
    )


def hang_up(client: websocket.WebSocket) -> None:
    """Close the client's socket without a close frame."""
    if client.sock is not None:
        client.sock.close()


def session_of(server: FakeServer) -> Session:
    assert server.wait_for(lambda: server.sessions)
    return server.sessions[-1]


def test_text_comes_back_and_is_logged_with_its_time(server: Echo) -> None:
    client = connect(server, "/stream?streams=a/b")
    before = time.monotonic()
    client.send("grüße")
    assert client.recv_data() == (frames.TEXT, "grüße".encode())
    entry = server.entries("text")[0]
    assert entry.text == "grüße"
    assert entry.connection == 1
    assert before <= entry.at <= time.monotonic()
    assert server.entries("handshake")[0].text == "/stream?streams=a/b"
    assert session_of(server).request.query == {"streams": "a/b"}
    client.close()
    assert server.wait_for(lambda: server.connections == 0)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 5_000_000])
def test_frames_of_every_length_class_pass_both_ways(server: Echo, size: int) -> None:
    client = connect(server)
    message = b"x" * size
    client.send(message)
    assert client.recv_data() == (frames.TEXT, message)
    client.close()


def test_a_ping_is_answered_unless_told_not_to(server: Echo) -> None:
    client = connect(server, timeout=0.2)
    client.ping("hello")
    assert client.recv_data(control_frame=True) == (frames.PONG, b"hello")
    session_of(server).answers_pings = False
    client.ping("again")
    assert server.wait_for(lambda: server.counts["ping"] == 2)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv_data(control_frame=True)
    client.close()


def test_the_servers_ping_is_answered_and_logged(server: Echo) -> None:
    client = connect(server)
    session_of(server).ping(b"20 s")
    assert client.recv_data(control_frame=True) == (frames.PING, b"20 s")
    assert server.wait_for(lambda: server.counts["pong"] == 1)
    assert server.entries("pong")[0].payload == b"20 s"
    client.close()


def test_a_fragmented_message_arrives_whole(server: Echo) -> None:
    client = connect(server)
    session_of(server).send_fragmented("größer", parts=4)
    assert client.recv_data()[1].decode() == "größer"
    client.close()


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1012, 4002])
def test_a_close_frame_carries_its_code_and_reason(server: Echo, code: int) -> None:
    client = connect(server)
    session_of(server).close(code, "because")
    opcode, payload = client.recv_data(control_frame=True)
    assert opcode == frames.CLOSE
    assert payload == code.to_bytes(2, "big") + b"because"
    hang_up(client)


def test_fin_ends_the_connection_in_order(server: Echo) -> None:
    client = connect(server)
    session_of(server).fin()
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        client.recv_data()
    hang_up(client)


def test_rst_resets_the_connection(server: Echo) -> None:
    client = connect(server)
    session_of(server).rst()
    assert client.sock is not None
    with pytest.raises(ConnectionResetError):
        client.sock.recv(1)
    hang_up(client)


def test_a_stalled_session_is_silent_but_still_hears(server: Echo) -> None:
    client = connect(server, timeout=0.2)
    session = session_of(server)
    session.stall()
    client.ping()
    assert server.wait_for(lambda: server.counts["ping"] == 1)
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv_data(control_frame=True)
    session.resume()
    client.send("back")
    assert client.recv_data() == (frames.TEXT, b"back")
    client.close()


def test_a_half_open_session_neither_reads_nor_writes() -> None:
    with Echo(receive_buffer=4_096) as server:
        client = connect(server, timeout=0.3)
        session_of(server).half_open()
        with pytest.raises((websocket.WebSocketTimeoutException, TimeoutError)):
            for _ in range(200):
                client.send("x" * 100_000)
        assert server.counts["text"] <= 1
        hang_up(client)


def test_half_a_frame_leaves_the_client_waiting(server: Echo) -> None:
    client = connect(server, timeout=0.2)
    session_of(server).send_half("never finished")
    with pytest.raises(websocket.WebSocketTimeoutException):
        client.recv_data()
    hang_up(client)


@pytest.mark.parametrize(("status", "header"), [(429, {"Retry-After": "7"}), (451, {}), (503, {}), (403, {})])
def test_a_handshake_can_be_refused_with_any_answer(server: Echo, status: int, header: dict[str, str]) -> None:
    server.refuse(status, headers=header, body=b'{"code":0}')
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        connect(server)
    assert caught.value.status_code == status
    assert caught.value.resp_body == b'{"code":0}'
    assert (caught.value.resp_headers or {}).get("retry-after") == header.get("Retry-After")
    connect(server).close()
    assert server.counts["refused"] == 1


def test_a_handshake_can_be_left_hanging(server: Echo) -> None:
    server.hang_handshakes()
    with pytest.raises((websocket.WebSocketTimeoutException, TimeoutError)):
        connect(server, timeout=0.2)


def test_the_same_port_answers_plain_requests(server: Echo) -> None:
    with urlopen(server.http_url + "/depth?symbol=BTCUSDT&limit=5", timeout=3) as response:
        assert response.read() == b"{'symbol': 'BTCUSDT', 'limit': '5'}"
        assert response.headers["X-Seen"] == "yes"
    keeps = http.client.HTTPConnection("127.0.0.1", server.port, timeout=3)
    for number in range(3):
        keeps.request("GET", f"/?n={number}")
        assert keeps.getresponse().read() == repr({"n": str(number)}).encode()
    keeps.close()
    assert [entry.text for entry in server.entries("http")][1:] == ["/?n=0", "/?n=1", "/?n=2"]


def test_responses_can_break_off_or_never_come(server: Echo) -> None:
    with pytest.raises(http.client.IncompleteRead), urlopen(server.http_url + "/half", timeout=3) as response:
        response.read()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        urlopen(server.http_url + "/hangup", timeout=3)


def test_an_unknown_path_is_not_found() -> None:
    with FakeServer() as server, pytest.raises(HTTPError) as caught:
        urlopen(server.http_url + "/nothing", timeout=3)
    assert caught.value.code == 404
    caught.value.close()


def test_a_slow_reader_holds_the_writer_until_it_reads_or_leaves(server: Echo) -> None:
    client = connect(server, timeout=5.0)
    session = session_of(server)
    sent: list[bool] = []
    writer = threading.Thread(target=lambda: sent.append(session.send_raw(frames.encode(1, b"y" * 1_000) * 50_000)))
    writer.start()
    for _ in range(50_000):
        assert len(client.recv_data()[1]) == 1_000
    writer.join(5)
    assert sent == [True]
    client.close()


def test_posted_frames_wait_in_order_for_a_client_that_does_not_read(server: Echo) -> None:
    client = connect(server)
    session = session_of(server)
    for number in range(20_000):
        assert session.post(f"{number:01000d}")
    assert session.backlog > 0
    for number in range(20_000):
        assert int(client.recv_data()[1]) == number
    assert session.drain()
    client.close()


def _stuck_in_slow_response(server: FakeServer) -> Callable[[], None]:
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
    assert server.wait_for(lambda: server.counts["http"])
    return client.close


def _stuck_in_write(server: FakeServer) -> Callable[[], None]:
    client = connect(server)
    session = session_of(server)
    writer = threading.Thread(target=session.send, args=(b"z" * 30_000_000,))
    writer.start()

    def finish() -> None:
        writer.join(1)
        assert not writer.is_alive()
        hang_up(client)

    return finish


def _idle(server: FakeServer) -> Callable[[], None]:
    client = connect(server)
    session_of(server)
    return partial(hang_up, client)


@pytest.mark.parametrize("prepare", [_stuck_in_slow_response, _stuck_in_write, _idle])
def test_stop_takes_less_than_a_second_whatever_goes_on(prepare: Callable[[FakeServer], Callable[[], None]]) -> None:
    server = Echo().start()
    finish = prepare(server)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 1.0
    finish()
    assert server.alive_threads == 0
    assert server.sockets == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=0.5)
