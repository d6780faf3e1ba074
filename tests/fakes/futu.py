"""A fake OpenD: the gateway's framing on a raw socket, its messages by the library's own classes, its faults on demand.

The market is the simulator's, dressed as stocks. Source: Futu OpenAPI protocol, as in futu-api 10.11.7108.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from Crypto.Cipher import AES, PKCS1_v1_5

from connectors.base.futu import door as futu_door
from engine.market.events import Levels
from tests.fakes.binance_faults import Fragmented, Piece, Rewrite
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import CRYPTO, Print, SimulatorTruth
from tests.fakes.venue import FakeVenue
from tests.fakes.websocket_server import Session
from tests.fakes.wire import Ended, Wire

HEAD = struct.Struct("<2sI2B2I20s8s")
INIT, STATE, NOTICE, ALIVE, SUBSCRIBE, PRINTS, GET_BOOK, BOOK, LIST, SNAPSHOT, REGISTER = (
    1001, 1002, 1003, 1004, 3001, 3011, 3012, 3013, 3202, 3203, 3002,
)  # fmt: skip
MESSAGES = {
    INIT: "InitConnect", STATE: "GetGlobalState", NOTICE: "Notify", ALIVE: "KeepAlive", SUBSCRIBE: "Qot_Sub",
    PRINTS: "Qot_UpdateTicker", GET_BOOK: "Qot_GetOrderBook", BOOK: "Qot_UpdateOrderBook", LIST: "Qot_GetStaticInfo",
    SNAPSHOT: "Qot_GetSecuritySnapshot", REGISTER: "Qot_RegQotPush",
}  # fmt: skip
MARKETS = {"HK": 1, "US": 11}
CODES = ("HK.00700", "HK.09988", "US.AAPL")
STOCKS = dict(zip((*CODES, *[f"HK.{number:05d}" for number in range(5, 100)]), CRYPTO, strict=False))
"""Stocks, and the simulated markets that they are."""
BOOK_TYPE, PRINT_TYPE = 2, 4
LEVELS = 10
LOT = 100
STEP = 0.2
MINUTE_S = 60.0
SECRET, VECTOR = "0123456789abcdef", "fedcba9876543210"
Times = tuple[float, float]


@dataclass
class Client:
    """What OpenD knows of one connection. `codes` says since when a code and type is subscribed to, and if pushed."""

    session: Session
    begun: bool = False
    streams: bool = False
    codes: dict[tuple[str, int], float] = field(default_factory=dict)
    pushed: set[tuple[str, int]] = field(default_factory=set)


class FakeOpenD(FakeVenue):
    """The gateway. `pace`: how much faster than ours its minute runs. `key`: the RSA key of one that encrypts.
    `violations` lists what a real one forbids.
    """

    def __init__(
        self, truth: SimulatorTruth | None = None, *, pace: float = 1.0, keep_alive_s: int = 1, key: Any = None
    ) -> None:
        super().__init__(truth or truth_of(CODES), pace=pace)
        futu_door.load()
        self.keep_alive_s = keep_alive_s
        self._key = key
        self.quota = 300
        self.logged_in = True
        self.known_times = True
        self.skew_s = 0.0
        """How wrong its clock is."""
        self.deaf: set[int] = set()
        """Kinds of requests that are not answered."""
        self.errors: dict[int, list[str]] = {}
        """What the next requests of a kind are refused with."""
        self.bad_digests = 0
        """How many of the next messages to send with a wrong checksum."""
        self.piecemeal = False
        """Whether messages go out in small pieces."""
        self.refusing = False
        """Whether callers are hung up on."""
        self.streams = 0
        """Connections that ever asked for pushes; others only ask questions."""
        self.asked: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()
        self.shown: dict[str, list[tuple[Levels, Levels]]] = {code: [] for code in self.names}
        """Every book that was true, in order."""
        self.ever: dict[str, set[tuple[Levels, Levels]]] = {code: set() for code in self.names}
        self.number_at: dict[tuple[str, int], int] = {}
        """The update after which a code's book had this time."""
        self.prints: dict[str, list[Print]] = {code: [] for code in self.names}
        self._times: dict[str, Times] = {}
        self._clients: dict[int, Client] = {}
        for code in self.names:
            self._move(code)

    # ---- the market

    @property
    def names(self) -> Sequence[str]:
        return [code for code, name in STOCKS.items() if name in self.truth.symbols]

    def move_one(self, symbol: str) -> None:
        prints = self._move(symbol)
        self.push_book(symbol)
        if prints:
            self.push_prints(symbol, prints)

    def subscribers(self, symbol: str) -> int:
        return self.watchers(symbol)

    def depth(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(404)  # nobody asks: there is no REST

    def book_at(self, code: str, number: int) -> tuple[Levels, Levels]:
        """The book as it was after an update."""
        top = self.truth.top_at(STOCKS[code], number)
        assert top is not None
        return top[0][:LEVELS], top[1][:LEVELS]

    def book(self, code: str) -> tuple[Levels, Levels]:
        """The true book."""
        with self.lock:
            return self.shown[code][-1]

    def push_book(
        self, code: str, book: tuple[Levels, Levels] | None = None, times: Times | None = None, **content: Any
    ) -> None:
        """Tell those who watch the book (or another one)."""
        with self.lock:
            message = self._book_message(BOOK, code, book or self.shown[code][-1], times or self._times[code])
            for name, value in content.items():
                setattr(message, name, value)
            data = self._wire(BOOK, 0, message)
            for piece in self.spoilt(code, data.decode("latin-1")):
                self._push(code, BOOK_TYPE, piece)

    def push_prints(self, code: str, prints: Sequence[Print], why: int = 1, **content: Any) -> None:
        with self.lock:
            message = self._prints_message(code, prints, why, **content)
            self._push(code, PRINT_TYPE, self._wire(PRINTS, 0, message).decode("latin-1"))

    # ---- faults

    def fail(self, kind: int, text: str, times: int = 1) -> None:
        """Refuse the next requests of this kind."""
        self.errors.setdefault(kind, []).extend([text] * times)

    def deaf_once(self, kind: int) -> None:
        """Answer the next request of this kind not at all."""
        self._lost[kind] += 1

    def notify(self, **content: Any) -> None:
        """A notice about OpenD itself: `event` by its number, or `quotes=False` for lost servers."""
        message = new(NOTICE)
        message.retType = 0
        if "event" in content:
            message.s2c.type = 1
            message.s2c.event.eventType, message.s2c.event.desc = content["event"], "said by the test"
        else:
            message.s2c.type = 3
            message.s2c.connectStatus.qotLogined, message.s2c.connectStatus.trdLogined = content["quotes"], True
        self.tell_all(NOTICE, message)

    def tell_all(self, kind: int, message: Any) -> None:
        with self.lock:
            for client in self._clients.values():
                self._send(client.session, kind, 0, message)

    def heal(self) -> None:
        super().heal()
        with self.market:
            self.deaf, self.errors, self.bad_digests, self.refusing = set(), {}, 0, False
            self._lost.clear()

    def watchers(self, code: str, kind: int = BOOK_TYPE) -> int:
        """How many connections have a code's book (or prints)."""
        with self.lock:
            return sum([(code, kind) in client.codes for client in self._clients.values()])

    # ---- the connection

    def _serve(self, wire: Wire) -> None:
        session = None
        try:
            while True:
                head = HEAD.unpack(wire.read_exactly(HEAD.size))
                body = wire.read_exactly(head[5])
                if session is None:
                    # Who only knocks, to see whether somebody is there, does not get as far as this.
                    self.record(0, "handshake")
                    if self.refusing:
                        return
                    session = self._welcome_client(wire)
                self._on_message(session, head[1], head[4], body)
        except Ended:
            return
        finally:
            wire.end(reset=self.refusing)
            wire.close()
            with self.changed:
                self._wires.discard(wire)
                if session is not None:
                    self._clients.pop(session.number, None)
                    self.sessions.remove(session)
                    self.record(session.number, "gone")
                self.changed.notify_all()

    def _welcome_client(self, wire: Wire) -> Session:
        with self.changed:
            self.accepted += 1
            session = Session(self, self.accepted, wire, HttpRequest("GET", "/", {}, b""))
            self.sessions.append(session)
            self._clients[session.number] = Client(session)
        return session

    def _on_message(self, session: Session, kind: int, serial: int, body: bytes) -> None:
        with self.changed:
            self.asked[kind] += 1
            client = self._clients[session.number]
            request = new(kind, "Request")
            request.ParseFromString(self._plain(kind, body))
            if kind == SUBSCRIBE:
                self.record(session.number, "text", " ".join(map(_code, request.c2s.securityList)).encode())
                if request.c2s.isRegOrUnRegPush and not client.streams:
                    client.streams, self.streams = True, self.streams + 1
            if kind in self.deaf or self._is_lost(kind):
                return
            if kind != INIT and not client.begun:
                self.violations.append(f"{kind} before the connection was begun")
            answer = new(kind)
            text = self.errors[kind].pop(0) if self.errors.get(kind) else self._reply(client, kind, request.c2s, answer)
            answer.retType, answer.retMsg = (-1, text) if text else (0, "")
            if text:
                answer.ClearField("s2c")
            self._send(session, kind, serial, answer)
            if kind == SUBSCRIBE and not text:
                self._push_first(client, request.c2s)

    def _is_lost(self, kind: int) -> bool:
        lost = self._lost[kind] > 0
        self._lost[kind] -= lost
        return lost

    def _reply(self, client: Client, kind: int, asked: Any, answer: Any) -> str:
        """Fill the answer in, or say why there is none."""
        said = answer.s2c
        said.SetInParent()
        if kind == INIT:
            client.begun = True
            said.serverVer, said.loginUserID, said.connID = 1011, 7, client.session.number
            said.connAESKey, said.keepAliveInterval = SECRET, self.keep_alive_s
            if self._key is not None:
                said.aesCBCiv = VECTOR
        elif kind == ALIVE:
            said.time = int(time.time())
        elif kind == STATE:
            self._fill_state(said)
        elif kind == SUBSCRIBE:
            return self._subscribe(client, asked)
        elif kind == REGISTER and not asked.isRegOrUnReg:
            client.pushed -= {(_code(one), kind) for one in asked.securityList for kind in asked.subTypeList}
        elif kind == GET_BOOK:
            return self._give_book(client, asked, said)
        elif kind == LIST:
            self._fill_list(asked, said)
        elif kind == SNAPSHOT:
            self._fill_snapshots(asked, said)
        return ""

    def _subscribe(self, client: Client, asked: Any) -> str:
        keys = [(_code(one), kind) for one in asked.securityList for kind in asked.subTypeList]
        now = time.monotonic()
        if len(asked.securityList) > 100:
            self.violations.append(f"{len(asked.securityList)} codes in a call")
        if not asked.isSubOrUnSub:
            young = [key for key in keys if now - client.codes.get(key, 0.0) < MINUTE_S / self.pace]
            if young:
                self.violations.append(f"unsubscribed from {young[0][0]} within a minute")
                return "Cannot unsubscribe within one minute"
            for key in keys:
                client.codes.pop(key, None)
                client.pushed.discard(key)
            return ""
        for code, _ in keys:
            if code not in self.shown:
                return f"Unknown stock {code.partition('.')[2]}"
        used = {key for one in self._clients.values() for key in one.codes}
        if len(used | set(keys)) > self.quota:
            return f"Subscription quota is insufficient, {len(used)} of {self.quota} are used"
        for key in keys:
            client.codes.setdefault(key, now)
            if asked.isRegOrUnRegPush:
                client.pushed.add(key)
        return ""

    def _push_first(self, client: Client, asked: Any) -> None:
        if not (asked.isSubOrUnSub and asked.isFirstPush and asked.isRegOrUnRegPush):
            return
        for code in [code for one in asked.securityList if (code := _code(one)) not in self._muted]:
            self._send(client.session, BOOK, 0, self._book_message(BOOK, code, self.shown[code][-1], self._times[code]))
            if self.prints[code]:
                self._send(client.session, PRINTS, 0, self._prints_message(code, self.prints[code][-500:], 3))

    def _give_book(self, client: Client, asked: Any, said: Any) -> str:
        code = _code(asked.security)
        if (code, BOOK_TYPE) not in client.codes:
            self.violations.append(f"asked for {code} without subscribing")
            return "Please subscribe to ORDER_BOOK first"
        bids, asks = self.shown[code][-1]
        filled = self._book_message(GET_BOOK, code, (bids[: asked.num], asks[: asked.num]), self._times[code])
        said.CopyFrom(filled.s2c)
        return ""

    # ---- messages

    def _move(self, code: str) -> Sequence[Print]:
        name = STOCKS[code]
        update = self.truth.step(name)
        top = self.truth.top_at(name, update.last)
        assert top is not None
        self.shown[code].append((top[0][:LEVELS], top[1][:LEVELS]))
        self.ever[code].add(self.shown[code][-1])
        # Whole milliseconds, as the exchange's times are.
        now_ms = round((time.time() + self.skew_s) * 1000)
        now_ms = max(now_ms, round(self._times.get(code, (0.0, 0.0))[0] * 1000) + 1)
        self._times[code] = (now_ms / 1000, now_ms / 1000)
        self.number_at[code, now_ms * 1_000_000] = update.last
        self.published[code] = update.last
        self.prints[code].extend(update.trades)
        return update.trades

    def _book_message(self, kind: int, code: str, book: tuple[Levels, Levels], times: Times) -> Any:
        message = new(kind)
        message.retType = 0
        said = message.s2c
        _name(said.security, code)
        for rows, levels in ((said.orderBookBidList, book[0]), (said.orderBookAskList, book[1])):
            for price, size in levels:
                rows.add(price=price, volume=int(size), orederCount=1, hpVolume=size)
        if self.known_times:
            said.svrRecvTimeBidTimestamp, said.svrRecvTimeAskTimestamp = times
            said.svrRecvTimeBid, said.svrRecvTimeAsk = [_text(code, at) for at in times]
        else:
            said.svrRecvTimeBid = said.svrRecvTimeAsk = "0000-00-00 00:00:00.000"
        return message

    def _prints_message(self, code: str, prints: Sequence[Print], why: int, **content: Any) -> Any:
        message = new(PRINTS)
        message.retType = 0
        _name(message.s2c.security, code)
        at = self._times[code][0]
        for one in prints:
            row = message.s2c.tickerList.add(
                time=_text(code, at), timestamp=at, sequence=one.trade_id, dir=2 if one.buyer_is_maker else 1,
                price=float(one.price), volume=int(float(one.size)), hpVolume=float(one.size),
                turnover=float(one.price) * float(one.size), pushDataType=why,
            )  # fmt: skip
            for name, value in content.items():
                setattr(row, name, value)
        return message

    def _fill_state(self, said: Any) -> None:
        for market in ("HK", "US", "SH", "SZ", "HKFuture"):
            setattr(said, f"market{market}", 3)
        said.qotLogined = said.trdLogined = self.logged_in
        said.serverVer, said.serverBuildNo, said.time = 1011, 7108, int(time.time())
        said.programStatus.type = 10 if self.logged_in else 2

    def _fill_list(self, asked: Any, said: Any) -> None:
        for number, code in enumerate(self.names):
            if asked.market == MARKETS[code.partition(".")[0]] and asked.secType == 3:
                basic = said.staticInfoList.add().basic
                _name(basic.security, code)
                basic.id, basic.lotSize, basic.secType = number, LOT, 3
                basic.name, basic.listTime, basic.delisting = f"stock {number}", "2004-06-16", False

    def _fill_snapshots(self, asked: Any, said: Any) -> None:
        for security in asked.securityList:
            basic = said.snapshotList.add().basic
            basic.security.CopyFrom(security)
            basic.type, basic.isSuspend, basic.listTime, basic.lotSize, basic.priceSpread = 3, False, "", LOT, STEP
            basic.updateTime, basic.volume = "", 0
            for name in ("high", "open", "low", "lastClose", "cur"):
                setattr(basic, f"{name}Price", 1.0)
            basic.turnover = basic.turnoverRate = 0.0

    # ---- sending

    def _push(self, code: str, type_: int, piece: Piece) -> None:
        assert isinstance(piece, str | Fragmented)
        for client in self._clients.values():
            if (code, type_) not in client.pushed or code in self._muted:
                continue
            data = (piece if isinstance(piece, str) else piece.data).encode("latin-1")
            self._post(client.session, data, in_pieces=isinstance(piece, Fragmented))

    def _plain(self, kind: int, body: bytes) -> bytes:
        """A request before it was encrypted: the first one with the key, all others with what that agreed on."""
        if self._key is None:
            return body
        if kind == INIT:
            cipher = PKCS1_v1_5.new(self._key)
            return b"".join([cipher.decrypt(body[start : start + 128], b"") for start in range(0, len(body), 128)])
        padded = AES.new(SECRET.encode(), AES.MODE_CBC, iv=VECTOR.encode()).decrypt(body)
        return padded[: -padded[-1]]

    def _sealed(self, kind: int, body: bytes) -> bytes:
        if self._key is None:
            return body
        if kind == INIT:
            cipher = PKCS1_v1_5.new(self._key)
            return b"".join([cipher.encrypt(body[start : start + 100]) for start in range(0, len(body), 100)])
        padding = 16 - len(body) % 16
        return AES.new(SECRET.encode(), AES.MODE_CBC, iv=VECTOR.encode()).encrypt(body + bytes([padding]) * padding)

    def _send(self, session: Session, kind: int, serial: int, message: Any) -> None:
        self._post(session, self._wire(kind, serial, message), in_pieces=self.piecemeal)

    def _post(self, session: Session, data: bytes, *, in_pieces: bool) -> None:
        if not in_pieces and not self.piecemeal:
            session.post_raw(data)
            return
        for start in range(0, len(data), 40):
            session.send_raw(data[start : start + 40])

    def _wire(self, kind: int, serial: int, message: Any) -> bytes:
        data = framed(kind, message.SerializePartialToString(), serial, self._sealed)
        if self.bad_digests:
            self.bad_digests -= 1
            data = without_digest(data)
        return data


def truth_of(codes: Sequence[str], *, seed: int = 1, history: int = 20_000) -> SimulatorTruth:
    """The simulated markets behind these stocks (those of codes that there are not are left out)."""
    return SimulatorTruth([STOCKS[code] for code in codes if code in STOCKS], seed=seed, history=history)


def framed(
    kind: int, body: bytes, serial: int = 0, sealed: Callable[[int, bytes], bytes] = lambda kind, body: body
) -> bytes:
    """A body on the wire, with its checksum."""
    digest, body = hashlib.sha1(body).digest(), sealed(kind, body)
    return HEAD.pack(b"FT", kind, 0, 0, serial, len(body), digest, bytes(8)) + body


def without_digest(data: bytes) -> bytes:
    """The same message with a wrong checksum."""
    return data[:16] + bytes(20) + data[36:]


def edited(change: Callable[[Any], object]) -> Rewrite:
    """A changed book message instead of the right one."""

    def rewrite(data: str) -> Sequence[Piece]:
        message = new(BOOK)
        message.ParseFromString(data.encode("latin-1")[HEAD.size :])
        change(message)
        return (framed(BOOK, message.SerializePartialToString()).decode("latin-1"),)

    return rewrite


def new(kind: int, half: str = "Response") -> Any:
    """An empty message of the library's own classes."""
    return _class(MESSAGES[kind], half)()


@cache
def _class(name: str, half: str) -> Any:
    return getattr(import_module(f"futu.common.pb.{name}_pb2"), half)


def _name(security: Any, code: str) -> None:
    market, _, rest = code.partition(".")
    security.market, security.code = MARKETS[market], rest


def _code(security: Any) -> str:
    prefix = next((name for name, number in MARKETS.items() if number == security.market), str(security.market))
    return f"{prefix}.{security.code}"


def _text(code: str, at: float) -> str:
    """The market's own time; its winter time in New York is near enough, for the stamps beside it count."""
    hours = 8 if code.startswith("HK") else -5
    whole, milliseconds = divmod(round(at * 1000), 1000)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(whole + hours * 3600)) + f".{milliseconds:03d}"
