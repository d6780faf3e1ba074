"""A fake cTrader host: the Open API's JSON over a raw WebSocket, its order of log-in enforced, its faults on demand.

The market is the simulator's; every level is shown as one or two quotes (of two liquidity providers) with own ids.
Source: cTrader Open API messages of 2025-07-16.
"""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import SimulatorTruth
from tests.fakes.venue import FakeVenue, encoded
from tests.fakes.websocket_server import Session
from tests.shared import capture

QUOTES = "fx_usdjpy_truefx_first_half.csv.gz"
LISTED = ("EUR/USD", "USD/JPY", "GBP/USD")
REQUESTS_PER_S, HISTORY_PER_S = 50, 5
ANSWERS = {2135: 2165, 2136: 2166}
"""What requests are answered with where it is not the next number."""
PERIOD_MINUTES = {1: 1, 3: 3, 5: 5, 7: 15, 8: 30, 9: 60, 10: 240, 11: 720, 12: 1_440, 13: 10_080}
Bar = tuple[int, int, int, int, int, int]
"""Minute of its beginning, open, high, low, close in 1/100000, price changes."""
ACCOUNT = 4_007
TOP = 10
Levels = list[tuple[int, int]]


@dataclass
class Market:
    """One symbol: its levels in the venue's units, and the ids of what stands at each."""

    identifier: int
    name: str
    digits: int
    levels: dict[tuple[str, int], int] = field(default_factory=dict)
    ids: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    spot: dict[str, int] = field(default_factory=dict)

    def best(self, side: str) -> int | None:
        prices = [price for where, price in self.levels if where == side]
        return (max(prices) if side == "bid" else min(prices)) if prices else None


@dataclass
class Client:
    """What the venue knows of one connection."""

    session: Session
    application: bool = False
    account: bool = False
    spots: set[int] = field(default_factory=set)
    depth: set[int] = field(default_factory=set)
    bars: set[tuple[int, int]] = field(default_factory=set)
    arrivals: deque[float] = field(default_factory=deque)
    histories: list[float] = field(default_factory=list)


class FakeCtrader(FakeVenue):
    """The host. `as_text` writes whole numbers as text; `tokens` are the access tokens that are good, `renewals` what a
    refresh token is exchanged for, once. `violations` lists what a real host would not have forgiven.
    """

    truth: SimulatorTruth

    def __init__(self, *, seed: int = 1, pace: float = 1.0, live: bool = False, history: int = 20_000) -> None:
        names = [name.replace("/", "") for name in LISTED]
        super().__init__(SimulatorTruth(names, seed=seed, history=history), pace=pace)
        self.live = live
        self.as_text = False
        self.client = ("client-id", "client-secret-1234")
        self.tokens = {"access-token-1"}
        self.renewals = {"refresh-token-1": ("access-token-2", "refresh-token-2")}
        self.on_refresh: Callable[[], None] = lambda: None
        self.accounts: list[dict[str, Any]] = [self.account(ACCOUNT, 5_001)]
        self.errors: dict[int, list[dict[str, Any]]] = {}
        """Errors to answer the next requests of a type with."""
        self.lost_spots = 0
        """How many subscriptions to best prices to leave undone without a word."""
        self.deaf: set[int] = set()
        """Types of requests that are not answered."""
        self.heartbeats = 0
        self.logins = 0
        self.most = 0
        """The most connections that logged in at a time."""
        self.skewed: Callable[[int], int] = lambda stamp: stamp
        """What the venue's clock makes of a stamp in milliseconds."""
        self.stood: dict[str, dict[Any, int]] = {}
        """The best levels at which each market ever stood, and the newest update after which it did."""
        self.markets = {
            number: Market(number, name.replace("/", ""), 3 if "JPY" in name else 5)
            for number, name in enumerate(LISTED, 1)
        }
        self.bars: dict[tuple[str, int], list[Bar]] = {}
        """Trendbars by symbol and period, oldest first."""
        self.asked_for_bars = 0
        self._clients: dict[int, Client] = {}
        self._withheld: list[tuple[int, int, Client, Callable[[], object]]] = []
        """What muted markets would have said: symbol, type, to whom, and how it is sent."""
        self._next_id = 1_000
        for market in self.markets.values():
            book = self.truth.snapshot(market.name, 1_000)
            self._change(market, [*_units("bid", book.bids), *_units("ask", book.asks)])
            self._remember(market)

    # ---- the market

    def account(self, number: int, login: int, *, live: bool | None = None) -> dict[str, Any]:
        is_live = self.live if live is None else live
        return {"ctidTraderAccountId": number, "isLive": is_live, "traderLogin": login, "brokerTitleShort": "Broker"}

    @property
    def names(self) -> Sequence[str]:
        return tuple(market.name for market in self.markets.values())

    def move_one(self, symbol: str) -> None:
        market = self.listed(symbol)
        update = self.truth.step(symbol)
        self._publish(market, *self._change(market, [*_units("bid", update.bids), *_units("ask", update.asks)]))

    def depth(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(404, b"there is no REST here")

    def flood(self, symbol: str, messages: int) -> None:
        """So many changes of the best bid's size."""
        with self.lock:
            market = self.listed(symbol)
            best = market.best("bid") or 0
            for number in range(messages):
                self._publish(market, *self._change(market, [("bid", best, 100_000 + 100 * (number % 7 + 1))]))

    def replace(self, name: str, bids: Levels, asks: Levels) -> None:
        """Put a whole book in a market's place (also a crossed one)."""
        with self.lock:
            market = self.listed(name)
            gone = [(side, price, 0) for side, price in market.levels]
            new = [*[("bid", price, size) for price, size in bids], *[("ask", price, size) for price, size in asks]]
            merged = {(side, price): size for side, price, size in [*gone, *new]}
            self._publish(
                market, *self._change(market, [(side, price, size) for (side, price), size in merged.items()])
            )

    def spot_only(self, name: str, **sides: int) -> None:
        """Best prices of which the depth knows nothing."""
        with self.lock:
            market = self.listed(name)
            market.spot |= sides
            self._tell_spot(market, sides)

    def tell_bar(self, name: str, period: int, bar: Bar, *, named: bool = False) -> None:
        """The newest bar grows, or a new one begins; `named` writes the period as a name."""
        with self.lock:
            bars = self.bars.setdefault((name, period), [])
            if bars and bars[-1][0] == bar[0]:
                bars.pop()
            bars.append(bar)
            market = self.listed(name)
            told = _trendbar(bar, f"M{period}" if named else period)
            for client in self._clients.values():
                if (market.identifier, period) in client.bars:
                    self._tell(
                        client, 2131, {"symbolId": market.identifier, "trendbar": [told], "timestamp": self._now()}
                    )

    def play_quotes(self, quotes: Sequence[tuple[str, str]]) -> None:
        """Real USD/JPY quotes: best prices, and a depth of one level of a million."""
        for bid, ask in quotes:
            prices = [round(float(price) * 100_000) for price in (bid, ask)]
            self.replace("USDJPY", [(prices[0], 100_000_000)], [(prices[1], 100_000_000)])

    def listed(self, name: str) -> Market:
        return next(one for one in self.markets.values() if one.name == name)

    def book(self, name: str, depth: int = 20) -> tuple[Any, Any]:
        """The true best levels as doubles, best first."""
        with self.lock:
            levels = self.listed(name).levels
            bids = sorted([(price, size) for (side, price), size in levels.items() if side == "bid"], reverse=True)
            asks = sorted([(price, size) for (side, price), size in levels.items() if side == "ask"])
        return tuple([_doubles(one) for one in bids[:depth]]), tuple([_doubles(one) for one in asks[:depth]])

    def top(self, name: str) -> Any:
        """What is remembered of a book: its best levels."""
        return self.book(name, TOP)

    def _remember(self, market: Market) -> None:
        number = self.published[market.name] = self.published.get(market.name, 0) + 1
        self.stood.setdefault(market.name, {})[self.top(market.name)] = number

    # ---- faults

    def unmute(self, symbol: str) -> None:
        super().unmute(symbol)
        self._deliver()

    def heal(self) -> None:
        super().heal()
        self._deliver()
        self.deaf, self.errors, self.lost_spots = set(), {}, 0

    def _deliver(self) -> None:
        """Say what was withheld. Depth carries no numbers, so a change that never came could not be noticed."""
        with self.market:
            withheld, self._withheld = self._withheld, []
            for entry in withheld:
                if self.markets[entry[0]].name in self._muted:
                    self._withheld.append(entry)
                else:
                    entry[3]()

    def _say(self, market: Market, kind: int, client: Client, send: Callable[[], object]) -> None:
        if market.name in self._muted:
            self._withheld.append((market.identifier, kind, client, send))
        else:
            send()

    def _forget_all(self, client: Client, kind: int, identifiers: Sequence[int]) -> None:
        """A subscription has ended: what was withheld of it is never said."""
        self._withheld = [
            one for one in self._withheld if one[0] not in identifiers or one[1] != kind or one[2] is not client
        ]

    def fail(self, kind: int, code: str, **content: Any) -> None:
        """Answer the next request of this type with an error."""
        self.errors.setdefault(kind, []).append({"errorCode": code, **content})

    def tell_all(self, kind: int, **content: Any) -> None:
        with self.lock:
            for client in self._clients.values():
                self._tell(client, kind, content)

    def invalidate(self) -> None:
        """The access tokens expire: everyone is told, and they are good no more."""
        self.tokens.clear()
        self.tell_all(2147, ctidTraderAccountIds=[ACCOUNT], reason="Access token is expired")

    def drop_all(self) -> None:
        for client in list(self._clients.values()):
            client.session.rst()

    def wait_for_more(self, accepted: int) -> None:
        """Wait for one more connection than so many ever accepted."""
        assert self.wait_for(lambda: self.accepted > accepted)

    def subscribers(self, symbol: str) -> int:
        """How many connections have the depth of a symbol."""
        with self.lock:
            identifier = self.listed(symbol).identifier
            return sum([identifier in client.depth for client in self._clients.values()])

    # ---- the dialect

    def on_open(self, session: Session) -> None:
        with self.lock:
            self._clients[session.number] = Client(session)

    def on_gone(self, session: Session) -> None:
        with self.lock:
            self._clients.pop(session.number, None)

    def on_text(self, session: Session, text: str) -> None:
        with self.lock:
            client = self._clients[session.number]
            message = json.loads(text)
            kind, content = message["payloadType"], message["payload"]
            if self.count_message(client.arrivals) > REQUESTS_PER_S:
                self.violations.append(f"more than {REQUESTS_PER_S} messages in a second")
            if kind == 51:
                self.heartbeats += 1
                self._tell(client, 51, {})
            elif kind == 2127 and self.lost_spots:
                self.lost_spots -= 1
            elif kind not in self.deaf:
                self._answer_to(client, kind, content, message.get("clientMsgId"))

    def _answer_to(self, client: Client, kind: int, content: dict[str, Any], request: str | None) -> None:
        error = self._error(client, kind, content)
        if error is not None:
            self._tell(client, 2142, error, request)
            return
        if kind in (2135, 2136):
            series = (content["symbolId"], content["period"])
            client.bars = client.bars | {series} if kind == 2135 else client.bars - {series}
        elif kind == 2127:
            client.spots |= set(content["symbolId"])
        elif kind == 2129:
            client.spots -= set(content["symbolId"])
            self._forget_all(client, 2131, content["symbolId"])
        elif kind == 2156:
            client.depth |= set(content["symbolId"])
        elif kind == 2158:
            client.depth -= set(content["symbolId"])
            self._forget_all(client, 2155, content["symbolId"])
        self._tell(client, ANSWERS.get(kind, kind + 1), self._result(client, kind, content), request)
        for identifier in content.get("symbolId", []) if kind in (2127, 2156) else []:
            self._open_market(client, self.markets[identifier], kind)

    def _error(self, client: Client, kind: int, content: dict[str, Any]) -> dict[str, Any] | None:
        """Why a request is refused, if it is."""
        if self.errors.get(kind):
            return self.errors[kind].pop(0)
        code = ""
        if kind == 2100:
            code = "" if (content["clientId"], content["clientSecret"]) == self.client else "CH_CLIENT_AUTH_FAILURE"
        elif not client.application:
            code = "CH_CLIENT_NOT_AUTHENTICATED"
        elif kind in (2149, 2102) and content["accessToken"] not in self.tokens:
            code = "CH_ACCESS_TOKEN_INVALID"
        elif kind == 2173:
            code = "" if content["refreshToken"] in self.renewals else "ACCESS_DENIED"
        elif kind == 2102:
            known = [one["ctidTraderAccountId"] for one in self.accounts]
            code = "" if content["ctidTraderAccountId"] in known else "CH_CTID_TRADER_ACCOUNT_NOT_FOUND"
            code = "ALREADY_LOGGED_IN" if client.account else code
        elif kind not in (2149,) and not client.account:
            code = "ACCOUNT_NOT_AUTHORIZED"
        elif kind in (2135, 2136, 2137):
            code = self._bars_error(client, kind, content)
        else:
            code = self._subscription_error(client, kind, set(content.get("symbolId", [])))
        if code in ("CH_CLIENT_NOT_AUTHENTICATED", "ACCOUNT_NOT_AUTHORIZED", "NOT_SUBSCRIBED_TO_SPOTS"):
            self.violations.append(f"{kind}: {code}")
        return {"errorCode": code, "description": f"refused {kind}"} if code else None

    def _bars_error(self, client: Client, kind: int, content: dict[str, Any]) -> str:
        identifier, period = content["symbolId"], content["period"]
        if identifier not in self.markets:
            return "SYMBOL_NOT_FOUND"
        if kind == 2135:
            return "" if identifier in client.spots else "NOT_SUBSCRIBED_TO_SPOTS"
        if kind == 2136:
            return ""
        now = time.monotonic()
        client.histories = [*[at for at in client.histories if at > now - 1.0 / self.pace], now]
        if len(client.histories) > HISTORY_PER_S:
            self.violations.append(f"{len(client.histories)} requests for the past in a second")
        minutes = PERIOD_MINUTES[period]
        longest = next(weeks for most, weeks in ((5, 5), (60, 35), (1_440, 53), (10_080, 261)) if minutes <= most)
        span_ms = content["toTimestamp"] - content["fromTimestamp"]
        return "" if 0 < span_ms <= longest * 604_800_000 else "INCORRECT_BOUNDARIES"

    def _subscription_error(self, client: Client, kind: int, symbols: set[int]) -> str:
        if symbols - set(self.markets):
            return "SYMBOL_NOT_FOUND"
        if kind == 2156 and not symbols <= client.spots:
            return "NOT_SUBSCRIBED_TO_SPOTS"
        if (kind == 2127 and symbols & client.spots) or (kind == 2156 and symbols & client.depth):
            return "ALREADY_SUBSCRIBED"
        return ""

    def _result(self, client: Client, kind: int, content: dict[str, Any]) -> dict[str, Any]:
        if kind == 2100:
            client.application = True
        elif kind == 2149:
            return {"permissionScope": 0, "ctidTraderAccount": self.accounts}
        elif kind == 2102:
            client.account = True
            self.logins += 1
            self.most = max(self.most, sum([one.account for one in self._clients.values()]))
        elif kind == 2173:
            access, refresh = self.renewals.pop(content["refreshToken"])
            self.on_refresh()
            self.tokens.add(access)
            return {"accessToken": access, "refreshToken": refresh, "tokenType": "bearer", "expiresIn": 2_628_000}
        elif kind == 2137:
            return self._past(content)
        elif kind == 2112:
            names = sorted({part for name in LISTED for part in name.split("/")})
            return {"asset": [{"assetId": _asset(name), "name": name} for name in names]}
        elif kind == 2114:
            return {"symbol": [self._light(market) for market in self.markets.values()]}
        elif kind == 2116:
            return {"symbol": [self._detail(self.markets[number]) for number in content["symbolId"]]}
        return {"ctidTraderAccountId": ACCOUNT}

    def _past(self, content: dict[str, Any]) -> dict[str, Any]:
        self.asked_for_bars += 1
        period = content["period"]
        found = [
            bar
            for bar in self.bars.get((self.markets[content["symbolId"]].name, period), [])
            if content["fromTimestamp"] <= bar[0] * 60_000 <= content["toTimestamp"]
        ]
        shown = [_trendbar(bar, period) for bar in found[-content["count"] :]]
        return {"period": period, "symbolId": content["symbolId"], "trendbar": shown, "hasMore": False}

    def _light(self, market: Market) -> dict[str, Any]:
        base, quote = market.name[:3], market.name[3:]
        return {
            "symbolId": market.identifier, "symbolName": market.name, "enabled": True, "baseAssetId": _asset(base),
            "quoteAssetId": _asset(quote),
        }  # fmt: skip

    def _detail(self, market: Market) -> dict[str, Any]:
        return {
            "symbolId": market.identifier, "digits": market.digits, "pipPosition": market.digits - 1,
            "minVolume": 100_000, "stepVolume": 100_000, "lotSize": 10_000_000,
        }  # fmt: skip

    def _open_market(self, client: Client, market: Market, kind: int) -> None:
        if kind == 2127:
            content: dict[str, Any] = {"symbolId": market.identifier, **market.spot, "timestamp": self._now()}
            kind = 2131
        else:
            quotes = [one for key in market.levels for one in self._quotes(market, key)]
            content = {"symbolId": market.identifier, "newQuotes": quotes}
            kind = 2155
        self._say(market, kind, client, partial(self._tell, client, kind, content))

    def _change(
        self, market: Market, changes: Sequence[tuple[str, int, int]]
    ) -> tuple[list[dict[str, Any]], list[int], dict[str, int]]:
        """Apply new absolute sizes: new quotes, deleted ids, and the best prices that moved."""
        new: list[dict[str, Any]] = []
        deleted: list[int] = []
        for side, price, size in changes:
            key = (side, price)
            if market.levels.get(key, 0) == size:
                continue
            old = market.ids.pop(key, [])
            if not size:
                deleted += old
                del market.levels[key]
                continue
            market.levels[key] = size
            # Sometimes the old quotes are overwritten, sometimes they make room for new ones; sometimes there are two.
            many = 2 if size > 100 and size // 100 % 2 else 1
            kept = old[:many] if price % 2 else []
            deleted += [one for one in old if one not in kept]
            self._next_id += many
            market.ids[key] = [*kept, *range(self._next_id, self._next_id + many - len(kept))]
            self._next_id += many
            new += self._quotes(market, key)
        best = {side: market.best(side) for side in ("bid", "ask")}
        moved = {side: told for side, told in best.items() if told is not None and market.spot.get(side) != told}
        market.spot |= moved
        return new, deleted, moved

    def _quotes(self, market: Market, key: tuple[str, int]) -> list[dict[str, Any]]:
        side, price = key
        ids, size = market.ids[key], market.levels[key]
        shares = [size // 3, size - size // 3] if len(ids) == 2 else [size]
        return [{"id": identifier, "size": share, side: price} for identifier, share in zip(ids, shares, strict=True)]

    def _publish(self, market: Market, new: list[dict[str, Any]], deleted: list[int], moved: dict[str, int]) -> None:
        self._remember(market)
        if moved:
            self._tell_spot(market, moved)
        if not new and not deleted:
            return
        content = {"symbolId": market.identifier, "newQuotes": new, "deletedQuotes": deleted}
        message = json.dumps({"payloadType": 2155, "payload": _as_text(content) if self.as_text else content})
        receivers = [client for client in self._clients.values() if market.identifier in client.depth]
        for piece in self.spoilt(market.name, message) if receivers else ():
            for client in receivers:
                self._say(market, 2155, client, partial(client.session.post_raw, encoded(piece)))

    def _tell_spot(self, market: Market, sides: dict[str, int]) -> None:
        for client in self._clients.values():
            if market.identifier in client.spots:
                content = {"symbolId": market.identifier, **sides, "timestamp": self._now()}
                self._say(market, 2131, client, partial(self._tell, client, 2131, content))

    def _now(self) -> int:
        return self.skewed(time.time_ns() // 1_000_000)

    def _tell(self, client: Client, kind: int, content: dict[str, Any], request: str | None = None) -> None:
        message: dict[str, Any] = {"payloadType": kind, "payload": content}
        if request:
            message["clientMsgId"] = request
        if self.as_text:
            message["payload"] = _as_text(content)
        client.session.post(json.dumps(message))


def recorded_quotes() -> list[tuple[str, str]]:
    """500 real USD/JPY quotes: bid and ask as text."""
    with gzip.open(capture(QUOTES), "rt", encoding="utf-8", newline="") as file:
        return [(row["bid"], row["ask"]) for row in csv.DictReader(file)]


def _trendbar(bar: Bar, period: int | str) -> dict[str, Any]:
    minute, open_, high, low, close, changes = bar
    return {
        "volume": changes, "period": period, "low": low, "deltaOpen": open_ - low, "deltaHigh": high - low,
        "deltaClose": close - low, "utcTimestampInMinutes": minute,
    }  # fmt: skip


def _units(side: str, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, int, int]]:
    for price, size in pairs:
        yield side, round(float(price) * 100_000), round(float(size) * 100)


def _doubles(level: tuple[int, int]) -> tuple[float, float]:
    return level[0] / 100_000, level[1] / 100


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_text(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    return str(value) if type(value) is int else value


def _asset(name: str) -> int:
    return sum([ord(letter) * 31**place for place, letter in enumerate(name)])
