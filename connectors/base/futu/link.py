"""OpenD as a `Link`: what it pushes waits here until the session reads it, what the session sends becomes its calls.

Calls wait for their answers on a thread of their own, so that reading goes on meanwhile. Rules of OpenD that are kept:
1. At most a hundred codes per call. One wrong code spoils the whole call: then they are asked for one by one.
2. A subscription cannot be undone within its first minute. Who leaves earlier is unsubscribed later, unless he returns.
3. Subscribing again costs nothing: OpenD pushes what it has.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from functools import partial
from threading import Event, Lock
from typing import Any

import msgspec

from connectors.base.futu.errors import QuotaUsedUp
from connectors.base.futu.gateway import CLOSINGS, Address, Gateway
from connectors.base.futu.wire import BY_PREFIX, NoticeFrame, book_frame, encode, ticks_frame
from connectors.base.runtime import Runtime
from connectors.base.transport.worker import Worker
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited

log = logging.getLogger(__name__)

BOOK, PRINTS, NOTICE, OWN = 3013, 3011, 1003, 0
GATEWAY_EVENT, CONNECTION_STATE = 1, 3
SUBSCRIBED = ("ORDER_BOOK", "TICKER")
CODES_PER_CALL = 100
HELD_S = 61.0
"""A subscription lasts a minute at least."""
CROWDED = 1_000
"""Messages that wait; with more of them a book takes the place of the one before it."""
WAITING_LIMIT = 20_000

LOGGED_OUT = {
    4: "OpenD could not log in",
    5: "OpenD waits for its disclaimer to be agreed to",
    3: "OpenD must be updated",
    7: "another terminal has logged in with this account",
    8: "the account's password was changed",
    9: "the account may not log in",
    10: "OpenD waits for a code from a picture",
    11: "OpenD waits for a code from a telephone",
}
"""What the notices that end all quotes mean, by the protocol's number."""
LOG_IN = "See OpenD's window: log in there again; the quotes return by themselves."


class Command(msgspec.Struct, frozen=True):
    """What the session sends through the link."""

    do: str
    symbols: list[str]


_command = msgspec.json.Decoder(Command).decode


class OpenDLink:
    """One connection to OpenD and what is subscribed to on it. The session's thread opens, receives, sends and closes;
    any may abort. `worker` waits for the answers, `answer_s` at most. Nothing from OpenD for `silence_s`: it is dead.
    """

    def __init__(
        self, address: Address, runtime: Runtime, worker: Worker, *, answer_s: float, silence_s: float
    ) -> None:
        self.conflated = 0
        """Books that made room for a newer one before anyone had read them."""
        self._gateway = Gateway(address, self, answer_s)
        self._clock = runtime.clock
        self._worker = worker
        self._ended = Event()
        self._news = Event()
        self._waiting: deque[list[Any]] = deque()
        self._books: dict[bytes, list[Any]] = {}
        """Of each code the book that waits, while many messages wait."""
        self._room = Lock()
        self._heard = False
        self._heard_ns = self._clock.now_ns()
        self._silence_ns = round(silence_s * 1e9)
        self._failure: FeedError | None = None
        self._wanted: set[str] = set()
        self._held: dict[str, int] = {}
        """When each subscription began."""

    # What the session calls

    def open(self, url: str, timeout_s: float) -> None:
        self._gateway.open(timeout_s)
        self.heard()

    def receive(self, timeout_s: float) -> bytes | None:
        item = self._take()
        if item is None:
            self._news.wait(timeout_s)
            self._news.clear()
            item = self._take()
        if self._ended.is_set():
            raise Disconnected("the link was ended")
        # Notices of our own are no sign that OpenD lives, so its silence is measured here.
        silent_ns = self._clock.now_ns() - self._heard_ns
        if silent_ns >= self._silence_ns:
            raise Disconnected(f"nothing received from OpenD for {silent_ns / 1e9:.0f} s", hint="It is called anew.")
        if item is not None:
            return _frame(*item)
        if self._failure is not None:
            raise self._failure
        if self._heard:
            self._heard = False
            return b""
        return None

    def send(self, text: str) -> None:
        command = _command(text)
        if command.do == "leave":
            self._leave(command.symbols)
            return
        self._wanted.update(command.symbols)
        for start in range(0, len(command.symbols), CODES_PER_CALL):
            self._errand(partial(self._watch, command.symbols[start : start + CODES_PER_CALL]))

    def ping(self) -> None:
        """The library keeps the connection alive by itself."""

    def close(self) -> None:
        self.abort()
        self._gateway.close()

    def abort(self) -> None:
        self._ended.set()
        self._gateway.abort()
        self._worker.stop()
        self._news.set()

    # What the library's network thread calls

    def heard(self) -> None:
        self._heard, self._heard_ns = True, self._clock.now_ns()

    def pushed(self, kind: int, message: Any) -> None:
        if kind == NOTICE:
            self._note(message)
        if kind not in (BOOK, PRINTS):
            return
        with self._room:
            waiting = self._waiting
            if len(waiting) >= WAITING_LIMIT:
                self._fail(Disconnected("more comes in than can be taken"))
                return
            if kind == BOOK and len(waiting) >= CROWDED:
                self._replace(message)
            else:
                waiting.append([kind, message])
        self._news.set()

    def unreadable(self, reason: str) -> None:
        self._tell(NoticeFrame("unreadable", "", reason))

    def lost(self, reason: str) -> None:
        self._fail(Disconnected(CLOSINGS.get(reason, f"the connection to OpenD ended ({reason})")))

    # Inside

    def _take(self) -> tuple[int, Any] | None:
        with self._room:
            if not self._waiting:
                self._books.clear()
                return None
            item = self._waiting.popleft()
            kind, message = item
            item[1] = None  # from now on nothing takes its place
            return kind, message

    def _replace(self, message: Any) -> None:
        """Let a book take the place of one of the same code that nobody has read; else queue it."""
        key: bytes = message.s2c.security.SerializePartialToString()
        item = self._books.get(key)
        if item is not None and item[1] is not None:
            item[1] = message
            self.conflated += 1
        else:
            self._books[key] = [BOOK, message]
            self._waiting.append(self._books[key])

    def _note(self, message: Any) -> None:
        """A notice about OpenD itself: some of them mean that there will be no quotes."""
        said = message.s2c
        if said.type == GATEWAY_EVENT and said.event.eventType in LOGGED_OUT:
            self._fail(Disconnected(LOGGED_OUT[said.event.eventType], hint=LOG_IN))
        elif said.type == CONNECTION_STATE and said.HasField("connectStatus") and not said.connectStatus.qotLogined:
            self._fail(Disconnected("OpenD has lost the servers that give quotes", hint=LOG_IN))

    def _tell(self, notice: NoticeFrame) -> None:
        with self._room:
            if len(self._waiting) < WAITING_LIMIT:
                self._waiting.append([OWN, notice])
        self._news.set()

    def _fail(self, failure: FeedError) -> None:
        self._failure = self._failure or failure
        self._news.set()

    def _errand(self, job: Any, due_ns: int = 0) -> None:
        if not self._worker.at(due_ns, job) and not self._ended.is_set():
            self._fail(Disconnected("too many calls wait for OpenD"))

    # On the worker's thread

    def _watch(self, symbols: Sequence[str]) -> None:
        """Subscribe to those of these symbols that are still wanted."""
        codes = [symbol for symbol in symbols if symbol in self._wanted]
        for symbol in [symbol for symbol in codes if symbol.partition(".")[0] not in BY_PREFIX]:
            codes.remove(symbol)
            self._tell(NoticeFrame("invalid_symbol", symbol, f"codes begin with a market: {', '.join(BY_PREFIX)}"))
        if not codes:
            return
        try:
            self._gateway.ask(lambda context: context.subscribe(codes, list(SUBSCRIBED), is_first_push=True))
        except FeedError as error:
            self._note_refusal(codes, error)
            return
        self.heard()
        now_ns = self._clock.now_ns()
        self._held.update([(code, self._held.get(code, now_ns)) for code in codes])
        for code in codes:
            self._tell(NoticeFrame("ack", code))

    def _note_refusal(self, codes: Sequence[str], error: FeedError) -> None:
        if not self._gateway.ready:
            self._fail(error if isinstance(error, Disconnected) else Disconnected(str(error)))
        elif len(codes) > 1 and not isinstance(error, Disconnected):
            for code in codes:
                self._watch([code])
        elif isinstance(error, InvalidSymbol):
            self._wanted.discard(codes[0])
            self._tell(NoticeFrame("invalid_symbol", codes[0], str(error)))
        else:
            if isinstance(error, RateLimited) and not isinstance(error, QuotaUsedUp):
                self._tell(NoticeFrame("throttled", "", str(error)))
            hint = error.hint if isinstance(error, RateLimited | Blocked) else ""
            for code in codes:
                self._tell(NoticeFrame("refused", code, f"{error}. {hint}".rstrip(" .")))

    def _leave(self, symbols: Sequence[str]) -> None:
        now_ns = self._clock.now_ns()
        self._wanted.difference_update(symbols)
        for symbol in symbols:
            begun_ns = self._held.get(symbol)
            if begun_ns is not None:
                self._errand(partial(self._unsubscribe, symbol), max(now_ns, begun_ns + round(HELD_S * 1e9)))

    def _unsubscribe(self, symbol: str) -> None:
        if symbol in self._wanted or self._held.pop(symbol, None) is None:
            return
        try:
            self._gateway.ask(lambda context: context.unsubscribe([symbol], list(SUBSCRIBED)))
        except FeedError as error:
            log.info("futu %s: leaving: %s", symbol, error)


def _frame(kind: int, message: Any) -> bytes:
    """What a waiting message says."""
    if kind == BOOK:
        return encode(book_frame(message))
    if kind == PRINTS:
        return encode(ticks_frame(message))
    return encode(message)
