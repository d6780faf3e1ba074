"""A fake Binance whose market is a recording: real frames, real snapshots, at any pace.

How a client can join: frames go out from the first line on, and a depth request is answered with the recorded body as
soon as the player has passed the body's line in the file (or after `hold_s`, whichever is first). As in the recording,
updates then reach the client before the snapshot that joins them. Every later request (a second client, a resync) gets
the book as it is now, put together from the recorded snapshot and all updates since, so that joining works at any time.
Before the player starts, the recorded body is given at once.

The file's format is that of the shared captures: one JSON object per line with `t`, `ch`, `dir`, `url`, `data`.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes import binance_rest as rest
from tests.fakes.binance import FakeBinance
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import TOP_DEPTH, Listing, Pair, Print, Snapshot, Top, Update

QUOTES = ("USDT", "BUSD", "USDC", "BTC", "ETH", "BNB", "EUR")
TOPS_KEPT = 5_000
AHEAD_BYTES = 1_000_000
"""How far the player may run ahead of a client that reads slowly, when it plays as fast as the client reads."""


@dataclass
class _Market:
    """One recorded symbol as the player has come to know it."""

    body: dict[str, Any]
    body_line: int
    bids: dict[float, Pair] = field(default_factory=dict)
    asks: dict[float, Pair] = field(default_factory=dict)
    last: int = 0
    tops: dict[int, Top] = field(default_factory=dict)
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=1_000))


class CaptureTruth:
    """The recorded market. It moves only when the player applies a frame."""

    def __init__(self, bodies: dict[str, tuple[int, str]], *, track: bool) -> None:
        self._markets = {symbol: _Market(json.loads(body), line) for symbol, (line, body) in bodies.items()}
        self._track = track
        for market in self._markets.values():
            self._load(market)

    @property
    def symbols(self) -> Sequence[str]:
        return tuple(self._markets)

    def listing(self, symbol: str) -> Listing:
        quote = next((quote for quote in QUOTES if symbol.endswith(quote)), symbol[-3:])
        return Listing(symbol, symbol.removesuffix(quote), quote, "0.01000000", "0.00001000")

    def step(self, symbol: str) -> Update:
        raise NotImplementedError("a recording moves by playing it")

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        market = self._markets[symbol]
        bids = [market.bids[price] for price in sorted(market.bids, reverse=True)[:limit]]
        return Snapshot(market.last, bids, [market.asks[price] for price in sorted(market.asks)[:limit]])

    def trades(self, symbol: str) -> Sequence[Print]:
        return list(self._markets[symbol].prints)

    def top_at(self, symbol: str, sequence: int) -> Top | None:
        return self._markets[symbol].tops.get(sequence)

    def body_line(self, symbol: str) -> int:
        """The line of the symbol's recorded snapshot."""
        return self._markets[symbol].body_line

    def recorded(self, symbol: str, limit: int) -> Snapshot:
        """The symbol's recorded snapshot."""
        body = self._markets[symbol].body
        return Snapshot(body["lastUpdateId"], body["bids"][:limit], body["asks"][:limit])

    def apply(self, data: dict[str, Any]) -> None:
        """Take in one frame's data."""
        market = self._markets.get(data.get("s", ""))
        if market is None:
            return
        if data.get("e") == "depthUpdate":
            self._applydepth(market, data)
        elif data.get("e") == "trade":
            market.prints.append(Print(data["t"], data["p"], data["q"], data["m"]))

    def _load(self, market: _Market) -> None:
        market.bids = {float(price): (price, size) for price, size in market.body["bids"]}
        market.asks = {float(price): (price, size) for price, size in market.body["asks"]}
        market.last = market.body["lastUpdateId"]
        self._remember(market)

    def _applydepth(self, market: _Market, data: dict[str, Any]) -> None:
        if data["u"] <= market.last:
            return
        for side, levels in ((market.bids, data["b"]), (market.asks, data["a"])):
            for price, size in levels:
                if float(size):
                    side[float(price)] = (price, size)
                else:
                    side.pop(float(price), None)
        market.last = data["u"]
        if self._track:
            self._remember(market)

    def _remember(self, market: _Market) -> None:
        bids = [market.bids[price] for price in sorted(market.bids, reverse=True)[:TOP_DEPTH]]
        asks = [market.asks[price] for price in sorted(market.asks)[:TOP_DEPTH]]
        market.tops[market.last] = (_floats(bids), _floats(asks))
        if len(market.tops) > TOPS_KEPT:
            del market.tops[next(iter(market.tops))]


class CaptureBinance(FakeBinance):
    """Plays a capture to whoever subscribed. `track` keeps the true top levels per update (`truth.top_at`)."""

    def __init__(self, path: Path, *, hold_s: float = 2.0, track: bool = False, enforce: bool = True) -> None:
        self.path = path
        bodies, self.frames, self.exchange_info = _scan(path)
        self.recording = CaptureTruth(bodies, track=track)
        super().__init__(self.recording, enforce=enforce)
        self.hold_s = hold_s
        self.line = 0
        """The last line that was played."""
        self.played = 0
        """Frames played so far."""
        self.playing = False
        self.finished = threading.Event()

    def step(self, symbol: str | None = None, times: int = 1) -> None:
        raise NotImplementedError("a recording moves by playing it")

    def play(
        self, speed: float | None = 1.0, *, symbols: Sequence[str] = (), wait_s: float = 60.0, until: int | None = None
    ) -> None:
        """Start playing in the background: `speed` times real time, or None for as fast as the clients read.

        Begins when the depth of all `symbols` is subscribed to, or after `wait_s`. `until` ends it after that line.
        `finished` is set at the end.
        """
        self._spawn(self._play, "fake-player", speed, tuple(symbols), wait_s, until)

    def _play(self, speed: float | None, symbols: Sequence[str], wait_s: float, until: int | None) -> None:
        self.wait_for(lambda: self.stopping.is_set() or all(map(self.subscribers, symbols)), wait_s)
        self.playing = True
        begun, first = time.monotonic(), None
        try:
            for line, record in _records(self.path):
                if self.stopping.is_set() or (until is not None and line > until):
                    return
                first = record["t"] if first is None else first
                if speed is not None and self._late(begun + (record["t"] - first) / speed):
                    return
                self._play_line(line, record)
                if speed is None and not self.played % 64:
                    self._let_clients_read()
        finally:
            self.playing = False
            self.finished.set()
            with self.changed:
                self.changed.notify_all()

    def _late(self, due: float) -> bool:
        """Wait for a moment; whether the server was stopped meanwhile."""
        left = due - time.monotonic()
        return left > 0 and self.stopping.wait(left)

    def _play_line(self, line: int, record: dict[str, Any]) -> None:
        with self.market:
            if record["ch"] == "ws" and record["dir"] == "recv":
                text = record["data"]
                message = json.loads(text)
                data = message.get("data")
                if isinstance(data, dict) and isinstance(message.get("stream"), str):
                    self.recording.apply(data)
                    start = text.index('"data":') + len('"data":')
                    self.emit(message["stream"], text[start : text.rindex("}")])
                self.played += 1
            self.line = line
            self.changed.notify_all()

    def _let_clients_read(self) -> None:
        with self.changed:
            sessions = list(self.sessions)
        for session in sessions:
            session.drain(AHEAD_BYTES)

    def depth(self, request: HttpRequest) -> HttpResponse:
        symbol = request.query.get("symbol", "")
        if symbol not in self.recording.symbols:
            return super().depth(request)
        line = self.recording.body_line(symbol)
        if self.line >= line:
            return super().depth(request)
        if self.playing:
            self.wait_for(lambda: self.line >= line or not self.playing or self.stopping.is_set(), self.hold_s)
        limit = int(request.query.get("limit", "100"))
        return HttpResponse(body=rest.depth_body(self.recording.recorded(symbol, limit)))

    def _honest(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/api/v3/exchangeInfo" and self.exchange_info and not request.query:
            return HttpResponse(body=self.exchange_info)
        return super()._honest(request)


def _scan(path: Path) -> tuple[dict[str, tuple[int, str]], int, bytes]:
    """First depth body by symbol with its line, number of frames, and the recorded exchangeInfo (or nothing)."""
    bodies: dict[str, tuple[int, str]] = {}
    frames, info = 0, b""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line, text in enumerate(file, 1):
            if '"ch":"ws"' in text[:120].replace(" ", ""):
                frames += '"recv"' in text
                continue
            record = json.loads(text)
            if record.get("ch") != "http":
                continue
            address = urlsplit(record["url"])
            if address.path.endswith("/depth"):
                bodies.setdefault(parse_qs(address.query)["symbol"][0], (line, record["data"]))
            elif address.path.endswith("/exchangeInfo"):
                info = record["data"].encode()
    return bodies, frames, info


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line, text in enumerate(file, 1):
            yield line, json.loads(text)


def _floats(levels: Sequence[Pair]) -> tuple[tuple[float, float], ...]:
    return tuple([(float(price), float(size)) for price, size in levels])
