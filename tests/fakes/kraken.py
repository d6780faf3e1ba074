"""A Kraken spot venue on one local port: WebSocket v2 and REST, its checksums true, its faults on demand.

`ws_url` and `http_url` go where KRAKEN_WS_URL and KRAKEN_REST_URL are asked for. The market is a `SimulatorTruth`. A
client is told of changes within its depth only: levels that fall out of it go without a word, as at the venue. What a
client may see after the update stamped `t` is `truth_at(symbol, t)`; the checksum is computed here on its own.

Source: docs.kraken.com, Spot WebSocket v2 and REST, text of 2026-06-22; frames recorded in July and August 2026.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.binance_faults import Piece, Raw
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import SimulatorTruth, Top, Update
from tests.fakes.venue import FakeVenue, encoded
from tests.fakes.websocket_server import Session

DEPTHS = (10, 25, 100, 500, 1000)
MESSAGES_PER_S = 20
CHECKED = 10
Side = dict[float, str]
"""Sizes as written, by price."""
Sides = tuple[Side, Side]


@dataclass
class Client:
    """What the venue knows of one session."""

    session: Session
    books: dict[str, int] = field(default_factory=dict)
    """Depth by symbol."""
    others: set[tuple[str, str]] = field(default_factory=set)
    """Channel and symbol."""
    arrivals: deque[float] = field(default_factory=deque)


class Listed:
    """One symbol: its whole book, and what was in scope at each depth after the last update."""

    def __init__(self, name: str, truth: SimulatorTruth) -> None:
        listing = truth.listing(name)
        self.name = name
        self.symbol = f"{listing.base}/{listing.quote}"
        self.base, self.quote = listing.base, listing.quote
        self.tick = f"{float(listing.tick):.10f}".rstrip("0")
        self.places = len(self.tick.partition(".")[2])
        start = truth.snapshot(name, 10_000)
        self.book: Sides = ({float(p): q for p, q in start.bids}, {float(p): q for p, q in start.asks})
        self.at: dict[int, int] = {}
        """Update ids by the nanoseconds of the stamp that went out with them."""
        self.sums: dict[int, set[int]] = {}
        """Update ids by checksum."""
        self.last = start.last
        self.sums.setdefault(self.checksum(), set()).add(start.last)

    def scope(self, depth: int) -> Sides:
        bids, asks = self.book
        best_bids, best_asks = sorted(bids, reverse=True)[:depth], sorted(asks)[:depth]
        return {price: bids[price] for price in best_bids}, {price: asks[price] for price in best_asks}

    def apply(self, update: Update) -> None:
        for side, changes in zip(self.book, (update.bids, update.asks), strict=True):
            for price, size in changes:
                if float(size):
                    side[float(price)] = size
                else:
                    side.pop(float(price), None)
        self.last = update.last
        self.sums.setdefault(self.checksum(), set()).add(update.last)

    def checksum(self) -> int:
        bids, asks = self.scope(CHECKED)
        said = ""
        for side in (asks, bids):
            for price, size in side.items():
                said += self._digits(self.price(price)) + self._digits(size)
        return zlib.crc32(said.encode())

    def price(self, price: float) -> str:
        return f"{price:.{self.places}f}"

    def levels(self, side: Side) -> str:
        return ",".join([f'{{"price":{self.price(price)},"qty":{size}}}' for price, size in side.items()])

    @staticmethod
    def _digits(text: str) -> str:
        return text.replace(".", "").lstrip("0")


class FakeKraken(FakeVenue):
    """The venue. A client that breaks a limit is told so and not obeyed."""

    truth: SimulatorTruth

    def __init__(self, truth: SimulatorTruth, *, pace: float = 1.0, receive_buffer: int | None = None) -> None:
        super().__init__(truth, pace=pace, receive_buffer=receive_buffer)
        self.listed: dict[str, Listed] = {}
        for name in truth.symbols:
            one = Listed(name, truth)
            self.listed[one.symbol] = one
        self.system = "online"
        self.sent: dict[str, int] = {}
        """The last update id of which some client was told, by symbol."""
        self.skew_us = 0
        """How far the venue's clock is off."""
        self._stamp_us = 0
        self._clients: dict[int, Client] = {}
        self._subscribes_to_drop = 0
        self._subscribes_to_refuse = 0
        self._spoiled_snapshots = 0

    def start(self) -> FakeKraken:
        super().start()
        self._spawn(self._beat, "fake-heartbeat")
        return self

    # ---- the market

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.listed)

    def move_one(self, symbol: str) -> None:
        self._publish(self.listed[symbol])

    def subscribers(self, symbol: str) -> int:
        """How many sessions have that book now."""
        with self.market:
            return sum([symbol in client.books for client in self._clients.values()])

    def truth_at(self, symbol: str, stamp_ns: int) -> Top | None:
        """The best 20 levels after the update with this stamp; None when there was none."""
        one = self.listed[symbol]
        last = one.at.get(stamp_ns)
        return self.truth.top_at(one.name, last) if last is not None else None

    def truths_of(self, symbol: str, checksum: int) -> list[Top]:
        """The books that have this checksum."""
        one = self.listed[symbol]
        tops = [self.truth.top_at(one.name, last) for last in one.sums.get(checksum, ())]
        return [top for top in tops if top is not None]

    def book(self, symbol: str, depth: int) -> Sides:
        """The book now, to that depth."""
        with self.market:
            return self.listed[symbol].scope(depth)

    # ---- faults

    def mute(self, symbol: str) -> None:
        """No channel of this symbol speaks until somebody subscribes to it again."""
        super().mute(symbol)

    def heal(self) -> None:
        super().heal()
        self._subscribes_to_drop = self._subscribes_to_refuse = self._spoiled_snapshots = 0

    def bad_checksum(self, symbol: str, count: int = 1, after: int = 0) -> None:
        """The next updates carry a wrong checksum."""
        self.rewrite(symbol, wrong_checksum, count, after)

    def spoil_snapshots(self, count: int) -> None:
        """The next snapshots carry a wrong checksum."""
        self._spoiled_snapshots = count

    def drop_subscribes(self, count: int = 1) -> None:
        """The next subscriptions to a book are neither done nor answered."""
        self._subscribes_to_drop = count

    def refuse_subscribes(self, count: int = 1) -> None:
        """The next subscriptions to a book are answered with an error that says nothing of the symbol."""
        self._subscribes_to_refuse = count

    book_path = "/0/public/Depth"

    # ---- the dialect: stream

    def on_handshake(self, request: HttpRequest) -> HttpResponse | None:
        return None if request.path == "/v2" else HttpResponse(404, b"")

    def on_open(self, session: Session) -> None:
        with self.market:
            self._clients[session.number] = Client(session)
            status = {"version": "2.0.10", "system": self.system, "api_version": "v2", "connection_id": session.number}
            session.post(_json({"channel": "status", "type": "update", "data": [status]}))

    def on_gone(self, session: Session) -> None:
        with self.market:
            self._clients.pop(session.number, None)

    def on_text(self, session: Session, text: str) -> None:
        with self.market:
            client = self._clients[session.number]
            if not self._paces(client):
                self.violations.append("too many messages in a second")
                session.post('{"Error":"Exceeded msg rate"}')
                return
            request = json.loads(text)
            method, parameters = request["method"], request.get("params", {})
            if method == "ping":
                session.post(_json({"method": "pong", "req_id": request.get("req_id"), **self._times()}))
            elif parameters.get("channel") == "instrument":
                self._instrument(session, request)
            else:
                for symbol in parameters["symbol"]:
                    self._subscribe(client, request, parameters, symbol)
        with self.changed:
            self.changed.notify_all()

    def _paces(self, client: Client) -> bool:
        return self.count_message(client.arrivals) <= MESSAGES_PER_S

    def _instrument(self, session: Session, request: dict[str, Any]) -> None:
        result = {"channel": "instrument", "snapshot": True, "warnings": ["tick_size is deprecated"]}
        session.post(_json({**self._reply(request), "result": result, "success": True}))
        pairs = ",".join(
            f'{{"symbol":"{one.symbol}","base":"{one.base}","quote":"{one.quote}","status":"online",'
            f'"qty_precision":8,"qty_increment":1e-08,"price_precision":{one.places},"price_increment":{one.tick}}}'
            for one in self.listed.values()
        )
        session.post(f'{{"channel":"instrument","type":"snapshot","data":{{"assets":[],"pairs":[{pairs}]}}}}')

    def _subscribe(self, client: Client, request: dict[str, Any], parameters: dict[str, Any], symbol: str) -> None:
        method, channel = request["method"], parameters["channel"]
        depth = parameters.get("depth", 10)
        post = client.session.post
        if method == "subscribe" and channel == "book" and self._subscribes_to_drop > 0:
            self._subscribes_to_drop -= 1
            return
        problem = ""
        if method == "subscribe" and channel == "book" and self._subscribes_to_refuse > 0:
            self._subscribes_to_refuse -= 1
            problem = "Service temporarily unavailable"
        elif symbol not in self.listed:
            problem = f"Currency pair not supported {symbol}"
        elif channel == "book" and depth not in DEPTHS:
            problem = "Subscription depth not supported"
        held = symbol in client.books if channel == "book" else (channel, symbol) in client.others
        if not problem and held is (method == "subscribe"):
            problem = "Already subscribed" if held else "Subscription Not Found"
        if problem:
            post(_json({"error": problem, **self._reply(request), "success": False, "symbol": symbol}))
            return
        result = {key: parameters[key] for key in ("channel", "depth", "snapshot") if key in parameters}
        post(_json({**self._reply(request), "result": {**result, "symbol": symbol}, "success": True}))
        if method == "unsubscribe":
            client.books.pop(symbol, None) if channel == "book" else client.others.discard((channel, symbol))
        elif channel == "book":
            self._muted.discard(symbol)
            client.books[symbol] = depth
            post(self._snapshot(symbol, depth))
        else:
            client.others.add((channel, symbol))

    def _snapshot(self, symbol: str, depth: int) -> str:
        one = self.listed[symbol]
        bids, asks = [one.levels(side) for side in one.scope(depth)]
        frame = (
            f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"{symbol}","bids":[{bids}],"asks":[{asks}],'
            f'"checksum":{one.checksum()}}}]}}'
        )
        if self._spoiled_snapshots > 0:
            self._spoiled_snapshots -= 1
            [frame] = wrong_checksum(frame)
        self.sent[symbol] = one.last
        return frame

    def _reply(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"method": request["method"], "req_id": request.get("req_id"), **self._times()}

    def _times(self) -> dict[str, str]:
        now = _written(time.time_ns() // 1_000)
        return {"time_in": now, "time_out": now}

    # ---- the dialect: REST

    def on_http(self, request: HttpRequest) -> HttpResponse:
        with self.market:
            fault = self._rest.take(request)
            if fault is not None:
                return fault.respond(request)
            if request.path == "/0/public/AssetPairs":
                return _result({_rest_name(one): self._asset_pair(one) for one in self.listed.values()})
            return self.depth(request) if request.path == self.book_path else HttpResponse(404, b"")

    def depth(self, request: HttpRequest) -> HttpResponse:
        """The book as REST gives it, or the venue's error."""
        with self.market:
            wanted = request.query.get("pair")
            one = next((one for one in self.listed.values() if _rest_name(one) == wanted), None)
            if one is None:
                return HttpResponse(body=_json({"error": ["EQuery:Unknown asset pair"]}).encode())
            sides = one.scope(min(int(request.query.get("count", "100")), 500))
            # REST gives three decimal places only, and no level that is smaller.
            book: list[list[Any]] = []
            for side in sides:
                rounded = [(price, f"{float(size):.3f}") for price, size in side.items()]
                book.append([[one.price(price), size, 1] for price, size in rounded if float(size) > 0])
            return _result({f"X{wanted}": {"bids": book[0], "asks": book[1]}})

    def _asset_pair(self, one: Listed) -> dict[str, Any]:
        old = "/".join([{"BTC": "XBT", "DOGE": "XDG"}.get(leg, leg) for leg in (one.base, one.quote)])
        return {
            "altname": _rest_name(one), "wsname": old, "base": f"X{one.base}", "quote": f"Z{one.quote}",
            "pair_decimals": one.places, "lot_decimals": 8, "tick_size": one.tick, "status": "online",
        }  # fmt: skip

    # ---- inside

    def _publish(self, one: Listed) -> None:
        depths = {client.books[one.symbol] for client in self._clients.values() if one.symbol in client.books}
        before = {depth: one.scope(depth) for depth in depths}
        update = self.truth.step(one.name)
        one.apply(update)
        self.published[one.symbol] = update.last
        self._stamp_us = max(self._stamp_us + 1, time.time_ns() // 1_000 + self.skew_us)
        stamp = _written(self._stamp_us)
        one.at[self._stamp_us * 1_000] = update.last
        if one.symbol in self._muted:
            return
        if update.trades:
            self._others("trade", one.symbol, _trades(one, update, stamp))
        for depth in depths:
            changes = _changes(before[depth], one.scope(depth), one.book)
            if any(changes):
                self._send_update(one, depth, changes, stamp)
        self._others("ticker", one.symbol, _ticker(one, stamp))

    def _send_update(self, one: Listed, depth: int, changes: Sequence[Side], stamp: str) -> None:
        bids, asks = [one.levels(side) for side in changes]
        data = (
            f'{{"channel":"book","type":"update","data":[{{"symbol":"{one.symbol}","bids":[{bids}],"asks":[{asks}],'
            f'"checksum":{one.checksum()},"timestamp":"{stamp}"}}]}}'
        )
        self.sent[one.symbol] = one.last
        for piece in self.spoilt(one.symbol, data):
            for client in self._clients.values():
                if client.books.get(one.symbol) == depth:
                    client.session.post_raw(encoded(piece))

    def _others(self, channel: str, symbol: str, data: str) -> None:
        for client in self._clients.values():
            if (channel, symbol) in client.others:
                client.session.post(data)

    def _beat(self) -> None:
        while not self.stopping.wait(0.5 / self.pace):
            with self.market:
                for client in self._clients.values():
                    if client.books or client.others:
                        client.session.post('{"channel":"heartbeat"}')


def wrong_checksum(data: str) -> Sequence[str]:
    """The message with another checksum."""
    return (re.sub(r'"checksum":(\d+)', lambda found: f'"checksum":{int(found[1]) ^ 1}', data),)


def unreadable(data: str) -> Sequence[Piece]:
    """The message cut in half, and after it the message."""
    return Raw(data[: len(data) // 2].encode()), data


def _changes(before: Sides, after: Sides, book: Sides) -> tuple[Side, Side]:
    """What a client with this scope is told."""
    changes: list[Side] = []
    for old, new, whole in zip(before, after, book, strict=True):
        gone = {price: "0.00000000" for price in old if price not in whole}
        changes.append({**gone, **{price: size for price, size in new.items() if old.get(price) != size}})
    return changes[0], changes[1]


def _trades(one: Listed, update: Update, stamp: str) -> str:
    prints = ",".join(
        f'{{"symbol":"{one.symbol}","side":"{"sell" if trade.buyer_is_maker else "buy"}",'
        f'"price":{one.price(float(trade.price))},"qty":{trade.size},"ord_type":"market","trade_id":{trade.trade_id},'
        f'"timestamp":"{stamp}"}}'
        for trade in update.trades
    )
    return f'{{"channel":"trade","type":"update","data":[{prints}]}}'


def _ticker(one: Listed, stamp: str) -> str:
    (bids, asks) = one.scope(1)
    [(bid, bid_size)], [(ask, ask_size)] = bids.items(), asks.items()
    return (
        f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{one.symbol}","bid":{one.price(bid)},'
        f'"bid_qty":{bid_size},"ask":{one.price(ask)},"ask_qty":{ask_size},"last":{one.price(ask)},"volume":1.0,'
        f'"timestamp":"{stamp}"}}]}}'
    )


def _rest_name(one: Listed) -> str:
    return "".join([{"BTC": "XBT", "DOGE": "XDG"}.get(leg, leg) for leg in (one.base, one.quote)])


def _result(content: object) -> HttpResponse:
    return HttpResponse(body=_json({"error": [], "result": content}).encode())


def _written(stamp_us: int) -> str:
    at = datetime.fromtimestamp(stamp_us // 1_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{stamp_us % 1_000_000:06d}Z"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
