"""The fake Binance speaks the venue's dialect, tells the truth, and lies exactly as often as it is told to."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import websocket

from tests.fakes import binance_faults as faults
from tests.fakes.binance import FakeBinance
from tests.fakes.capture_player import CaptureBinance

BTC = "BTCUSDT"


@pytest.fixture
def venue() -> Iterator[FakeBinance]:
    with FakeBinance() as running:
        yield running
    assert running.alive_threads == 0


def connect(venue: FakeBinance, path: str = "/stream") -> websocket.WebSocket:
    return websocket.create_connection(
        venue.ws_url + path, timeout=3.0, skip_utf8_validation=True, http_no_proxy=["127.0.0.1"]
    )


def subscribe(client: websocket.WebSocket, *streams: str, method: str = "SUBSCRIBE") -> dict[str, Any]:
    client.send(json.dumps({"method": method, "params": list(streams), "id": 1}))
    return receive(client)


def receive(client: websocket.WebSocket) -> dict[str, Any]:
    message = json.loads(client.recv())
    assert isinstance(message, dict)
    return message


def get(venue: FakeBinance, path: str) -> Any:
    with urlopen(venue.http_url + path, timeout=3) as response:
        return json.load(response)


def failing(venue: FakeBinance, path: str = f"/api/v3/depth?symbol={BTC}") -> tuple[int, bytes, str | None]:
    with pytest.raises(HTTPError) as caught:
        urlopen(venue.http_url + path, timeout=3)
    with caught.value as error:
        return error.code, error.read(), error.headers["Retry-After"]


class Follower:
    """A client that does everything right: joins the snapshot, applies deltas, compares with the truth."""

    def __init__(self) -> None:
        self.last = 0
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})

    def load(self, body: dict[str, Any]) -> None:
        self.last = body["lastUpdateId"]
        self.sides = ({}, {})
        self._set(body["bids"], body["asks"])

    def apply(self, data: dict[str, Any]) -> str:
        if data["u"] <= self.last:
            return "old"
        if data["U"] > self.last + 1:
            return "gap"
        self._set(data["b"], data["a"])
        self.last = data["u"]
        return "applied"

    def top(self) -> Any:
        bids, asks = self.sides
        return tuple(sorted(bids.items(), reverse=True)[:20]), tuple(sorted(asks.items())[:20])

    def _set(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, levels in zip(self.sides, (bids, asks), strict=True):
            for price, size in levels:
                side[float(price)] = float(size)
                if not float(size):
                    del side[float(price)]


def test_a_correct_client_always_stands_on_the_truth(venue: FakeBinance) -> None:
    client = connect(venue)
    assert subscribe(client, "btcusdt@depth@100ms") == {"result": None, "id": 1}
    venue.step(BTC, 5)
    follower = Follower()
    follower.load(get(venue, f"/api/v3/depth?symbol={BTC}&limit=1000"))
    assert follower.top() == venue.truth.top_at(BTC, follower.last)
    venue.step(BTC, 200)
    verdicts = []
    for _ in range(205):
        message = receive(client)
        assert message["stream"] == "btcusdt@depth@100ms"
        verdicts.append(follower.apply(message["data"]))
        assert follower.top() == venue.truth.top_at(BTC, follower.last)
    assert verdicts == ["old"] * 5 + ["applied"] * 200
    client.close()


def test_trades_and_quotes_come_with_the_update_that_they_belong_to(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@bookTicker")
    venue.step(BTC, 100)
    trades: list[int] = []
    quote: dict[str, Any] = {}
    updates = 0
    while updates < 100:
        message = receive(client)
        data = message["data"]
        if message["stream"].endswith("@trade"):
            trades.append(data["t"])
        elif message["stream"].endswith("@bookTicker"):
            quote = data
        else:
            updates += 1
            top = venue.truth.top_at(BTC, data["u"])
            assert top is not None
            assert (quote["u"], float(quote["b"]), float(quote["a"])) == (data["u"], top[0][0][0], top[1][0][0])
    assert trades
    assert trades == list(range(trades[0], trades[0] + len(trades)))
    client.close()


def test_raw_connections_get_the_data_unwrapped(venue: FakeBinance) -> None:
    client = connect(venue, "/ws/btcusdt@depth@100ms")
    assert venue.wait_for(lambda: venue.subscribers(BTC))
    venue.step(BTC)
    assert receive(client)["e"] == "depthUpdate"
    client.close()


def test_streams_can_be_named_in_the_address(venue: FakeBinance) -> None:
    client = connect(venue, "/stream?streams=btcusdt@depth@100ms/ethusdt@depth@100ms")
    assert venue.wait_for(lambda: venue.subscribers("ETHUSDT"))
    venue.step()
    assert [receive(client)["stream"] for _ in range(2)] == ["btcusdt@depth@100ms", "ethusdt@depth@100ms"]
    client.close()


def test_unsubscribing_ends_a_stream_and_the_list_shows_it(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@trade", "btcusdt@depth@100ms")
    subscribe(client, "btcusdt@depth@100ms", method="UNSUBSCRIBE")
    assert subscribe(client, method="LIST_SUBSCRIPTIONS") == {"result": ["btcusdt@trade"], "id": 1}
    assert venue.subscribers(BTC) == 0
    client.close()


def test_nonsense_is_answered_with_the_venues_errors(venue: FakeBinance) -> None:
    client = connect(venue)
    client.send("{oops")
    assert receive(client)["code"] == 3
    assert subscribe(client, method="DANCE")["code"] == 2
    assert subscribe(client, "nonsense@depth@100ms") == {"result": None, "id": 1}
    client.close()


def test_rest_answers_like_the_venue(venue: FakeBinance) -> None:
    assert get(venue, "/api/v3/ping") == {}
    assert abs(get(venue, "/api/v3/time")["serverTime"] / 1e3 - time.time()) < 5
    listed = get(venue, "/api/v3/exchangeInfo")["symbols"]
    assert (listed[0]["symbol"], listed[0]["baseAsset"], listed[0]["quoteAsset"]) == (BTC, "BTC", "USDT")
    assert listed[0]["filters"][0]["filterType"] == "PRICE_FILTER"
    book = get(venue, f"/api/v3/depth?symbol={BTC}&limit=5")
    assert [len(book["bids"]), len(book["asks"])] == [5, 5]
    venue.step(BTC, 50)
    past = get(venue, f"/api/v3/trades?symbol={BTC}&limit=3")
    assert len(past) == 3
    assert failing(venue, "/api/v3/depth?symbol=NOPE") == (400, b'{"code":-1121,"msg":"Invalid symbol."}', None)
    assert b"-1102" in failing(venue, "/api/v3/depth")[1]


@pytest.mark.parametrize("status", [403, 418, 429, 451, 500, 503])
def test_rest_fails_as_often_as_told(venue: FakeBinance, status: int) -> None:
    venue.fail_rest(status, retry_after_s=7, times=2)
    assert failing(venue)[0] == status
    assert failing(venue)[2] == "7"
    assert get(venue, f"/api/v3/depth?symbol={BTC}")["lastUpdateId"] > 0


def test_a_stale_snapshot_is_older_than_what_was_published_since(venue: FakeBinance) -> None:
    venue.stale_rest(BTC, steps=5)
    old = get(venue, f"/api/v3/depth?symbol={BTC}")["lastUpdateId"]
    new = get(venue, f"/api/v3/depth?symbol={BTC}")["lastUpdateId"]
    assert new - old >= 5


def test_a_slow_snapshot_is_late_and_true_to_its_moment(venue: FakeBinance) -> None:
    venue.slow_rest(0.2)
    begun = time.monotonic()
    body = get(venue, f"/api/v3/depth?symbol={BTC}")
    assert time.monotonic() - begun >= 0.2
    assert venue.truth.top_at(BTC, body["lastUpdateId"]) is not None


def test_gap_duplicate_and_swap_touch_exactly_the_messages_they_name(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@depth@100ms")
    venue.gap(BTC, count=1, after=2)
    venue.duplicate(BTC, count=1, after=1)
    venue.swap(BTC, after=1)
    ends = []
    for _ in range(10):
        venue.step(BTC)
        ends.append(venue.published[BTC])
    order = [0, 1, 3, 4, 4, 5, 7, 6, 8, 9]
    assert [receive(client)["data"]["u"] for _ in range(10)] == [ends[index] for index in order]
    assert not venue.script(BTC).pending
    client.close()


@pytest.mark.parametrize(("how", "opcode"), [(faults.fragmented, 1), (faults.binary, 2)])
def test_an_update_can_come_in_pieces_or_as_binary(venue: FakeBinance, how: faults.Rewrite, opcode: int) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@depth@100ms")
    venue.rewrite(BTC, how)
    venue.step(BTC)
    received, data = client.recv_data()
    assert received == opcode
    assert json.loads(data)["data"]["u"] == venue.published[BTC]
    client.close()


def test_faults_wait_for_someone_to_suffer_them(venue: FakeBinance) -> None:
    venue.gap(BTC)
    venue.step(BTC, 3)
    assert venue.script(BTC).pending
    client = connect(venue)
    subscribe(client, "btcusdt@depth@100ms")
    venue.step(BTC, 2)
    receive(client)
    assert venue.script(BTC).applied == 1
    client.close()


def test_a_mute_symbol_says_nothing_while_others_speak(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@depth@100ms", "ethusdt@depth@100ms")
    venue.mute(BTC)
    venue.step()
    assert receive(client)["data"]["s"] == "ETHUSDT"
    venue.unmute(BTC)
    venue.step(BTC)
    assert receive(client)["data"]["s"] == BTC
    client.close()


def test_acks_can_be_withheld_and_refused(venue: FakeBinance) -> None:
    client = connect(venue)
    venue.refuse_subscribe(code=2, message="Invalid request: no")
    assert subscribe(client, "btcusdt@depth@100ms") == {"code": 2, "msg": "Invalid request: no", "id": 1}
    venue.drop_acks()
    client.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 2}))
    assert subscribe(client, "btcusdt@depth@100ms") == {"result": None, "id": 1}
    assert venue.subscribers(BTC) == 1
    client.close()


def test_six_messages_in_a_second_end_the_connection_and_are_counted(venue: FakeBinance) -> None:
    client = connect(venue)
    for _ in range(3):
        client.ping()
        client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
    assert venue.wait_for(lambda: venue.connections == 0)
    assert venue.violations == ["6 messages in a second on connection 1"]
    assert venue.peak_messages_per_s == 6
    client.close()


def test_five_messages_in_a_second_are_allowed(venue: FakeBinance) -> None:
    client = connect(venue)
    for _ in range(5):
        subscribe(client, "btcusdt@trade")
    assert venue.connections == 1
    assert venue.violations == []
    client.close()


def test_more_than_1024_streams_end_the_connection(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, *[f"s{number}@trade" for number in range(1_025)])
    assert venue.wait_for(lambda: venue.connections == 0)
    assert venue.violations == ["1025 streams on one connection"]
    client.close()


def test_a_flood_arrives_complete(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@bookTicker", "btcusdt@depth@100ms")
    venue.flood(BTC, 10_000)
    last = 0
    for _ in range(venue.emitted):
        last = receive(client)["data"]["u"]
    assert venue.emitted >= 10_000
    assert last == venue.published[BTC]
    client.close()


def test_a_connection_ends_at_its_greatest_age() -> None:
    with FakeBinance(max_age_s=0.0) as venue:
        client = connect(venue)
        subscribe(client, "btcusdt@depth@100ms")
        venue.step(BTC)
        assert venue.wait_for(lambda: venue.connections == 0)
        client.close()


@pytest.mark.parametrize("name", sorted(faults.bad_frames(BTC)))
def test_bad_frames_reach_every_client_as_they_are(venue: FakeBinance, name: str) -> None:
    client = connect(venue)
    assert venue.wait_for(lambda: venue.connections)
    frame = faults.bad_frames(BTC)[name]
    venue.send_all(frame)
    assert client.recv_data()[1] == frame
    client.close()


def test_the_market_runs_by_itself_until_told_to_stop(venue: FakeBinance) -> None:
    client = connect(venue)
    subscribe(client, "btcusdt@depth@100ms")
    ended = venue.run(200.0)
    for _ in range(20):
        assert receive(client)["data"]["s"] == BTC
    ended.set()
    client.close()


def write_capture(path: Path) -> list[dict[str, Any]]:
    """A tiny recording: two updates, the snapshot inside the second, two more."""

    def depth(first: int, last: int, bids: list[list[str]]) -> dict[str, Any]:
        data = {"e": "depthUpdate", "E": last, "s": BTC, "U": first, "u": last, "b": bids, "a": []}
        return {"ch": "ws", "dir": "recv", "data": json.dumps({"stream": "btcusdt@depth@100ms", "data": data})}

    body = {"lastUpdateId": 13, "bids": [["100.0", "1"], ["99.0", "2"]], "asks": [["101.0", "5"]]}
    rows = [
        depth(10, 11, [["100.0", "3"]]),
        depth(12, 14, [["99.0", "7"]]),
        {"ch": "http", "dir": "resp", "data": json.dumps(body)},
        depth(15, 15, [["98.0", "1"]]),
        depth(16, 18, [["100.0", "0"]]),
    ]
    url = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
    with gzip.open(path, "wt") as file:
        for number, row in enumerate(rows):
            file.write(json.dumps({"t": 1.0 + number / 50, "url": url, **row}, separators=(",", ":")) + "\n")
    return rows


@pytest.mark.parametrize("speed", [1.0, 10.0, None])
def test_a_recording_can_be_joined_as_it_was_and_again_later(tmp_path: Path, speed: float | None) -> None:
    rows = write_capture(tmp_path / "tiny.jsonl.gz")
    with CaptureBinance(tmp_path / "tiny.jsonl.gz", track=True) as venue:
        assert venue.frames == 4
        client = connect(venue)
        venue.play(speed, symbols=[BTC])
        subscribe(client, "btcusdt@depth@100ms")
        follower = Follower()
        received = [receive(client) for _ in range(4)]
        assert received == [json.loads(row["data"]) for row in rows if row["ch"] == "ws"]
        assert venue.finished.wait(3)
        follower.load({"lastUpdateId": 13, "bids": [["100.0", "1"], ["99.0", "2"]], "asks": [["101.0", "5"]]})
        assert [follower.apply(message["data"]) for message in received] == ["old", "applied", "applied", "applied"]
        assert follower.top() == venue.truth.top_at(BTC, 18)
        later = get(venue, f"/api/v3/depth?symbol={BTC}")
        assert later == {"lastUpdateId": 18, "bids": [["99.0", "7"], ["98.0", "1"]], "asks": [["101.0", "5"]]}
        client.close()


def test_a_recordings_snapshot_waits_for_its_line(tmp_path: Path) -> None:
    write_capture(tmp_path / "tiny.jsonl.gz")
    with CaptureBinance(tmp_path / "tiny.jsonl.gz") as venue:
        assert get(venue, f"/api/v3/depth?symbol={BTC}&limit=1")["bids"] == [["100.0", "1"]]
        venue.play(0.1)
        assert venue.wait_for(lambda: venue.playing)
        assert get(venue, f"/api/v3/depth?symbol={BTC}")["lastUpdateId"] == 13
        assert venue.line >= 3
