"""A Coinbase Advanced Trade venue on one local port: streams and REST, its numbering and limits, its faults on demand.

The market is a `Truth` whose symbols in USDT are sold here in dollars (`BTCUSDT` is `BTC-USD`); `-USDC` is another
name of each. Frames carry no update ids, but each has a time stamp of its own: `number_at` says which update it is.

Source: Advanced Trade WebSocket documents (AsyncAPI, 2026) and frames recorded on 2026-08-09.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import Pair, SimulatorTruth, Update
from tests.fakes.venue import FakeVenue, encoded
from tests.fakes.websocket_server import Session

MESSAGES_PER_S = 8
FIRST_MESSAGE_S = 5.0
HEARTBEAT_S = 1.0
SIDES = ("bid", "offer")
MARKET = "/api/v3/brokerage/market"


@dataclass
class Client:
    """What the venue knows of one session."""

    session: Session
    number: int = 0
    """The next frame's."""
    channels: dict[str, dict[str, None]] = field(default_factory=dict)
    arrivals: deque[float] = field(default_factory=deque)


class FakeCoinbase(FakeVenue):
    """The venue. `violations` lists every rule that a client broke; it is cut off for it.

    `pace` makes the venue's seconds shorter. `padding` adds so many levels a side, far from the touch, to every
    snapshot (20,000 make 5 MB).
    """

    def __init__(self, truth: SimulatorTruth, *, pace: float = 1.0, padding: int = 0) -> None:
        super().__init__(truth, pace=pace)
        self.padding = padding
        self.number_at: dict[tuple[str, int], int] = {}
        """The update that a product's book stands at in the frame (or body) with this time stamp."""
        self.skew_ns = 0
        self.heartbeats = True
        self._stamp_ns = 0
        self._clients: dict[int, Client] = {}
        self._owed: list[tuple[Client, str, str]] = []
        self._subscribes_to_drop = 0
        self._subscribes_to_refuse = 0

    @property
    def names(self) -> list[str]:
        return [product_of(symbol) for symbol in self.truth.symbols]

    def start(self) -> FakeCoinbase:
        super().start()
        self._spawn(self._beat, "fake-heartbeats")
        return self

    # ---- the market

    def move_one(self, symbol: str) -> None:
        self._publish(symbol, self.truth.step(symbol_of(symbol)))

    def subscribers(self, product: str, channel: str = "level2") -> int:
        with self.market:
            return sum([product in client.channels.get(channel, ()) for client in self._clients.values()])

    def flood(self, product: str, messages: int) -> None:
        """So many frames at once: updates, each with a good deal of heartbeats."""
        with self.market:
            for _ in range(messages // 50):
                self.step(product)
                for client in self._clients.values():
                    for _ in range(48):
                        self._send(client, "heartbeats", [{"current_time": "", "heartbeat_counter": 0}])

    # ---- faults

    def mute(self, product: str) -> None:
        """Nothing is said of this product until `unmute`; then who asked for it meanwhile gets what is owed.

        Updates that are lost so use no numbers: nobody can miss them who does not ask again.
        """
        super().mute(product)

    def unmute(self, product: str) -> None:
        with self.market:
            super().unmute(product)
            owed, self._owed = self._owed, []
            for client, channel, name in owed:
                self._open_channel(client, channel, name)

    @property
    def owed(self) -> set[str]:
        """The muted products whose books were asked for meanwhile."""
        with self.market:
            return {name for _, channel, name in self._owed if channel == "level2"}

    def lose_a_number(self) -> None:
        """A frame of some channel that nobody looks at is lost."""
        with self.market:
            for client in self._clients.values():
                client.number += 1

    def drop_subscribes(self, count: int = 1) -> None:
        """The next subscriptions to a book are neither done nor answered."""
        self._subscribes_to_drop = count

    def refuse_subscribes(self, count: int = 1) -> None:
        """The next subscriptions to a book are answered with an error."""
        self._subscribes_to_refuse = count

    def heal(self) -> None:
        for product in list(self._muted):
            self.unmute(product)
        super().heal()
        self._subscribes_to_drop = self._subscribes_to_refuse = 0

    book_path = MARKET + "/product_book"

    # ---- the dialect: streams

    def on_open(self, session: Session) -> None:
        with self.market:
            self._clients[session.number] = Client(session)

    def on_gone(self, session: Session) -> None:
        with self.market:
            self._clients.pop(session.number, None)
            for script in self._scripts.values():
                script.forget()

    def on_text(self, session: Session, text: str) -> None:
        with self.market:
            client = self._clients[session.number]
            self._count(client)
            try:
                message = json.loads(text)
            except ValueError:
                message = {}
            channel, kind = message.get("channel"), message.get("type")
            if kind not in ("subscribe", "unsubscribe") or channel not in ("level2", "market_trades", "heartbeats"):
                session.post('{"type":"error","message":"authentication failure"}')
                return
            if kind == "subscribe" and channel == "level2" and self._subscribes_to_drop > 0:
                self._subscribes_to_drop -= 1
                return
            if kind == "subscribe" and channel == "level2" and self._subscribes_to_refuse > 0:
                self._subscribes_to_refuse -= 1
                session.post('{"type":"error","message":"Failed to subscribe"}')
                return
            asked = ["heartbeats"] if channel == "heartbeats" else list(message.get("product_ids", []))
            carried = client.channels.setdefault(channel, {})
            names = [label_of(name) for name in asked]
            if kind == "unsubscribe":
                for name in names or list(carried):
                    carried.pop(name, None)
            else:
                known = [name for name in names if name in self.names or channel == "heartbeats"]
                carried.update(dict.fromkeys(known))
                for name in known:
                    self._open_channel(client, channel, name)
            listed = {name: list(products) for name, products in client.channels.items() if products}
            self._send(client, "subscriptions", [{"subscriptions": listed}])
            self.changed.notify_all()

    def _count(self, client: Client) -> None:
        count = self.count_message(client.arrivals)
        if count > MESSAGES_PER_S:
            self.violations.append(f"{count} messages in a second")
            client.session.close(1008, "rate limit exceeded")

    def _open_channel(self, client: Client, channel: str, name: str) -> None:
        """What a subscription begins with: the whole book, or past trades."""
        if name in self._muted:
            self._owed.append((client, channel, name))
            return
        if channel == "market_trades":
            past = [print_of(name, one, _stamp(0)) for one in self.truth.trades(symbol_of(name))][-100:]
            self._send(client, "market_trades", [{"type": "snapshot", "trades": past[::-1]}])
        elif channel == "level2":
            book = self.truth.snapshot(symbol_of(name), 10_000)
            low = [(f"0.{number:06d}", "0.50000000") for number in range(1, self.padding + 1)]
            high = [(f"9999999{price[1:]}", size) for price, size in low]
            bids, asks = [*book.bids, *low], [*book.asks, *high]
            event = {"type": "snapshot", "product_id": name, "updates": changes(bids, asks, "1970-01-01T00:00:00Z")}
            self.number_at[name, self._next_stamp()] = book.last
            self._send(client, "l2_data", [event], self._stamp_ns)

    def _publish(self, name: str, update: Update) -> None:
        stamp_ns = self._next_stamp()
        self.number_at[name, stamp_ns] = update.last
        prints = [print_of(name, one, _stamp(stamp_ns)) for one in update.trades][::-1]
        event = {
            "type": "update", "product_id": name, "updates": changes(update.bids, update.asks, _stamp(stamp_ns))
        }  # fmt: skip
        for client in list(self._clients.values()):
            if name in self._muted:
                continue
            if prints and name in client.channels.get("market_trades", ()):
                self._send(client, "market_trades", [{"type": "update", "trades": prints}])
            if name in client.channels.get("level2", ()):
                self._send(client, "l2_data", [event], stamp_ns, name)
        self.published[name] = update.last

    def _send(self, client: Client, channel: str, events: Sequence[Any], stamp_ns: int = 0, spoilt: str = "") -> None:
        number, client.number = client.number, client.number + 1
        text = json.dumps(
            {
                "channel": channel, "timestamp": _stamp(stamp_ns or self._next_stamp()), "sequence_num": number,
                "events": events,
            },
            separators=(",", ":"),
        )  # fmt: skip
        for piece in self.spoilt(spoilt, text):
            client.session.post_raw(encoded(piece))

    def _next_stamp(self) -> int:
        self._stamp_ns = max(self._stamp_ns + 1, time.time_ns() + self.skew_ns)
        return self._stamp_ns

    def _beat(self) -> None:
        count = 0
        while not self.stopping.wait(HEARTBEAT_S / self.pace):
            count += 1
            with self.market:
                for client in list(self._clients.values()):
                    if self.heartbeats and client.channels.get("heartbeats"):
                        self._send(client, "heartbeats", [{"current_time": "", "heartbeat_counter": count}])
                    elif not client.arrivals and self._age_s(client) > FIRST_MESSAGE_S:
                        self.violations.append("nothing was subscribed to within 5 s")
                        client.session.close(1000)

    def _age_s(self, client: Client) -> float:
        return (time.monotonic() - client.session.opened_at) * self.pace

    # ---- the dialect: REST

    def on_http(self, request: HttpRequest) -> HttpResponse:
        with self.market:
            fault = self._rest.take(request)
            if fault is not None:
                return fault.respond(request)
            if request.path == MARKET + "/products":
                return HttpResponse(body=json.dumps({"products": self._listed()}).encode())
            return self.depth(request) if request.path == self.book_path else HttpResponse(404, b"{}")

    def depth(self, request: HttpRequest) -> HttpResponse:
        """The book as REST gives it, or the venue's error."""
        with self.market:
            name = label_of(request.query.get("product_id", ""))
            if name not in self.names:
                return HttpResponse(404, b'{"error":"NOT_FOUND","message":"product not found"}')
            book = self.truth.snapshot(symbol_of(name), int(request.query.get("limit", "50")))
            stamp_ns = self._next_stamp()
            self.number_at[name, stamp_ns] = book.last
            sides = [[{"price": price, "size": size} for price, size in side] for side in (book.bids, book.asks)]
            body = {"product_id": name, "bids": sides[0], "asks": sides[1], "time": _stamp(stamp_ns)}
            return HttpResponse(body=json.dumps({"pricebook": body}).encode())

    def _listed(self) -> list[dict[str, object]]:
        found = []
        for name in self.names:
            listing = self.truth.listing(symbol_of(name))
            for quote, alias in (("USD", ""), ("USDC", name)):
                found.append(
                    {
                        "product_id": f"{listing.base}-{quote}", "base_currency_id": listing.base,
                        "quote_currency_id": quote, "price_increment": listing.tick, "base_increment": listing.lot,
                        "trading_disabled": False, "is_disabled": False, "status": "online", "alias": alias,
                    }
                )  # fmt: skip
        return found


def product_of(symbol: str) -> str:
    return f"{symbol.removesuffix('USDT')}-USD"


def symbol_of(product: str) -> str:
    return product.replace("-USD", "USDT")


def label_of(product: str) -> str:
    return product.removesuffix("C") if product.endswith("-USDC") else product


def changes(bids: Sequence[Pair], asks: Sequence[Pair], stamp: str) -> list[dict[str, str]]:
    return [
        {"side": side, "event_time": stamp, "price_level": price, "new_quantity": size}
        for side, levels in zip(SIDES, (bids, asks), strict=True)
        for price, size in levels
    ]


def print_of(product: str, one: Any, stamp: str) -> dict[str, str]:
    maker = "BUY" if one.buyer_is_maker else "SELL"
    return {
        "product_id": product, "trade_id": str(one.trade_id), "price": one.price, "size": one.size, "time": stamp,
        "side": maker,
    }  # fmt: skip


def crossing(fields: dict[str, Any]) -> None:
    """Add a bid far above every ask."""
    updates = fields["events"][0]["updates"]
    best = max([float(one["price_level"]) for one in updates])
    updates.append({"side": "bid", "event_time": "", "price_level": f"{best * 3:.8f}", "new_quantity": "1"})


def bad_price(value: object) -> Callable[[dict[str, Any]], None]:
    """Put `value` where the first price should be."""

    def edit(fields: dict[str, Any]) -> None:
        fields["events"][0]["updates"][0]["price_level"] = value

    return edit


def _stamp(stamp_ns: int) -> str:
    seconds, rest = divmod(stamp_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
