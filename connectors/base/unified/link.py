"""The unified library as a `Link`: its coroutines run in a loop of their own, on the connection's thread.

One task per symbol and kind waits for the library's next word, each wait bounded by our own patience: a stream that
falls silent raises nothing there for minutes. What ends the link ends the exchange object with it; the transport makes
a new one. Books are copied before they leave the coroutine.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from connectors.base.unified.coroutines import OwnLoop
from connectors.base.unified.errors import is_lost_book, kinds, translate
from connectors.base.unified.listing import Listing
from connectors.base.unified.wire import Told, WireNotice, encode, is_spoilt, picture, prints
from engine.clock import Clock
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited, StreamUnsupported

log = logging.getLogger(__name__)

WAITING_LIMIT = 20_000
LEAVE_S = 5.0
CLOSE_S = 1.0
MISSES = 2
"""Waits in vain after which a silent exchange is given up, or a symbol that never spoke asked for anew."""
TRADES_KEPT = 20_000
"""Trades of a symbol that the library keeps for us between two looks (its own 1,000 overflow in a burst)."""
LOST_PER_LINK = 20
"""Gaps that are mended one by one; a link with more is made anew."""
SIGN_MS = 1_000
"""How often, at most, frames that say nothing of the market are told as a sign of life."""
BOOKS_EVERY_S = 1.0
"""How often it is looked whether the library still has the books that it gave."""

Open = Callable[[], Awaitable[tuple[Any, Listing]]]


class Command(msgspec.Struct, frozen=True):
    """What the session sends through the link."""

    do: str
    symbols: list[str]


_command = msgspec.json.Decoder(Command).decode


class UnifiedLink:
    """One exchange object and what is watched on it. One thread opens, receives, sends and closes; any may abort.

    `open_exchange` runs inside the loop and gives the exchange, its markets loaded; it leaves nothing open when it
    fails. `told` lives longer than a link. `wait_s` bounds every wait for the library. `maker`: what it gives as a
    trade's side is the maker's.
    """

    def __init__(
        self, venue: str, open_exchange: Open, clock: Clock, told: Told, *, wait_s: float, open_s: float, maker: bool
    ) -> None:  # fmt: skip
        self.dropped = 0
        self._venue = venue
        self._open_exchange = open_exchange
        self._clock = clock
        self._told = told
        self._wait_s = wait_s
        self._open_s = open_s
        self._maker = maker
        self._loop = OwnLoop(partial(translate, venue=venue), self._note_fault)
        self._exchange: Any = None
        self._listing: Listing | None = None
        self._news: asyncio.Event | None = None
        self._waiting: deque[bytes] = deque()
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._failure: FeedError | None = None
        self._heard_ms = 0.0
        self._lost = 0
        self._given: dict[str, str] = {}
        """The unified names of the symbols whose book the library gave and keeps."""
        self._missed: set[str] = set()
        self._looked_ns = 0

    # What the session calls, on the link's thread

    def open(self, url: str, timeout_s: float) -> None:
        self._exchange, self._listing = self._loop.run(self._begin(), max(timeout_s, self._open_s))

    def receive(self, timeout_s: float) -> bytes | None:
        if not self._waiting and self._failure is None:
            self._loop.run(self._wait(timeout_s), timeout_s + LEAVE_S)
        if self._waiting:
            return self._waiting.popleft()
        if self._failure is not None:
            raise self._failure
        heard_ms = self._last_heard_ms()
        if heard_ms - self._heard_ms >= SIGN_MS:
            self._heard_ms = heard_ms
            return b""
        return None

    def send(self, text: str) -> None:
        command = _command(text)
        self._loop.run(self._obey(command), LEAVE_S)

    def ping(self) -> None:
        """The library pings by itself."""

    def close(self) -> None:
        self._loop.close(self._leave_exchange if self._exchange is not None else None, CLOSE_S)

    def abort(self) -> None:
        self._loop.abort()

    # Inside the loop

    async def _begin(self) -> tuple[Any, Listing]:
        self._news = asyncio.Event()
        exchange, listing = await self._open_exchange()
        self._hear_ends(exchange)
        return exchange, listing

    def _hear_ends(self, exchange: Any) -> None:
        """Be told when a socket ends.

        The library tells those who wait at that very moment. Between two waits it says nothing, and opens another one
        at the next: what came meanwhile would be missing, and nobody would know.
        """
        on_close, on_error = exchange.on_close, exchange.on_error

        def closed(client: Any, code: Any) -> None:
            watched = bool(client.subscriptions)  # an idle socket may go
            on_close(client, code)
            if watched:
                self._fail(Disconnected(f"{self._venue}: the venue closed the connection, closing code {code}"))

        def failed(client: Any, error: BaseException) -> None:
            on_error(client, error)
            self._fail(translate(error, self._venue))

        exchange.on_close, exchange.on_error = closed, failed

    async def _wait(self, timeout_s: float) -> None:
        """Let the tasks work until one has something to say."""
        news = self._news
        assert news is not None
        self._judge_books()
        try:
            async with asyncio.timeout(timeout_s):
                await news.wait()
        except TimeoutError:
            return
        news.clear()

    async def _obey(self, command: Command) -> None:
        for symbol in command.symbols:
            if command.do == "watch":
                self._watch(symbol)
            else:
                self._leave(symbol)

    def _watch(self, symbol: str) -> None:
        assert self._listing is not None
        unified = self._listing.unified(symbol)
        if unified is None:
            self._put(WireNotice("invalid_symbol", symbol, f"{self._venue} does not list {symbol}"))
        elif symbol not in self._tasks:
            self._tasks[symbol] = []
            self._begin_task(symbol, "book", partial(self._watch_book, symbol, unified))
            if self._exchange.has.get("watchTrades"):
                self._begin_task(symbol, "trades", partial(self._watch_trades, symbol, unified))

    def _begin_task(self, symbol: str, kind: str, watch: Callable[[], Any]) -> None:
        tasks = self._tasks.get(symbol)
        if tasks is None:
            return
        task = asyncio.get_running_loop().create_task(watch())
        tasks[:] = [*[one for one in tasks if not one.done()], task]
        task.add_done_callback(partial(self._ended, symbol, kind, watch))

    def _leave(self, symbol: str) -> None:
        assert self._listing is not None
        tasks, unified = self._tasks.pop(symbol, []), self._listing.unified(symbol)
        self._given.pop(symbol, None)
        for task in tasks:
            task.cancel()
        if tasks and unified is not None:
            self._leaving[symbol] = asyncio.get_running_loop().create_task(self._unwatch(symbol, unified))

    async def _unwatch(self, symbol: str, unified: str) -> None:
        """Undo the subscriptions where the library can; else they go on unheard until the link ends."""
        has = self._exchange.has
        calls = []
        if has.get("unWatchOrderBook"):
            calls.append(self._exchange.un_watch_order_book(unified))
        if has.get("unWatchTrades"):
            calls.append(self._exchange.un_watch_trades(unified))
        if calls:
            undone = [asyncio.ensure_future(call) for call in calls]
            await asyncio.wait(undone, timeout=LEAVE_S)
            for one in undone:
                if not one.done():
                    one.cancel()
                elif not one.cancelled() and one.exception() is not None:
                    log.info("%s %s: leaving: %s", self._venue, symbol, one.exception())
        self._leaving.pop(symbol, None)

    async def _watch_book(self, symbol: str, unified: str) -> None:
        await self._left(symbol)
        misses, spoke = 0, False
        while True:
            try:
                book = await asyncio.wait_for(self._exchange.watch_order_book(unified), self._wait_s)
            except TimeoutError:
                misses += 1
                self._judge_silence()
                if misses >= MISSES and not spoke and self._exchange.has.get("unWatchOrderBook"):
                    misses = 0
                    await self._unwatch(symbol, unified)
                continue
            misses, spoke = 0, True
            if unified in self._exchange.orderbooks:
                self._given[symbol] = unified
            elif symbol in self._given:
                continue  # dropped since it was given: half of an update that it could not read may be in it
            if is_spoilt(book):
                self._fail(Disconnected(f"{self._venue}: the book of {symbol} holds an impossible price"))
                return
            self._put(picture(symbol, book))

    async def _watch_trades(self, symbol: str, unified: str) -> None:
        await self._left(symbol)
        subscribed_ns: int | None = self._clock.now_ns()
        while True:
            try:
                trades = await asyncio.wait_for(self._exchange.watch_trades(unified), self._wait_s)
            except TimeoutError:
                continue  # many a symbol trades seldom; the book's task judges the silence
            if len(trades) >= TRADES_KEPT:
                self._fail(Disconnected("trades came faster than they could be taken, some are missing"))
                return
            wire = prints(symbol, trades, maker=self._maker, subscribed_ns=subscribed_ns)
            wire = self._told.news(wire, opening=subscribed_ns is not None)
            subscribed_ns = None
            if wire.t:
                self._put(wire)

    async def _left(self, symbol: str) -> None:
        leaving = self._leaving.get(symbol)
        if leaving is not None:
            await asyncio.wait({leaving})

    def _ended(self, symbol: str, kind: str, watch: Callable[[], Any], task: asyncio.Task[None]) -> None:
        """A watching task raised: its symbol begins anew, is refused, or the whole link ends."""
        error = None if task.cancelled() else task.exception()
        if kind == "book":
            self._given.pop(symbol, None)
        if error is None or "UnsubscribeError" in kinds(error):
            return
        if self._failure is not None or symbol not in self._tasks:
            return
        if is_lost_book(error):
            self._lost += 1
            if self._lost <= LOST_PER_LINK:
                self._put(WireNotice("lost", symbol, f"gap: {error}"))
                self._begin_task(symbol, kind, watch)
                return
        meaning = translate(error, self._venue)
        if isinstance(meaning, InvalidSymbol):
            self._put(WireNotice("invalid_symbol", symbol, str(meaning)))
        elif isinstance(meaning, StreamUnsupported) and kind == "trades":
            log.info("%s %s: no trades: %s", self._venue, symbol, meaning)
        elif isinstance(meaning, Blocked | RateLimited | StreamUnsupported) or not self._is_refusal(error):
            self._fail(meaning)
        else:
            self._put(WireNotice("refused", symbol, str(meaning)))

    @staticmethod
    def _is_refusal(error: BaseException) -> bool:
        """Whether the venue answered that it will not (instead of not answering)."""
        return "ExchangeError" in kinds(error)

    def _judge_books(self) -> None:
        """Has the library dropped a book without a word? An update that it meets on another socket can make it do so.

        It may just be telling the book's task: only what is missing twice in a row is dropped.
        """
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns < BOOKS_EVERY_S * 1e9:
            return
        self._looked_ns = now_ns
        missing = {symbol for symbol, unified in self._given.items() if unified not in self._exchange.orderbooks}
        for symbol in sorted(missing & self._missed):
            self._fail(Disconnected(f"{self._venue}: the library dropped the book of {symbol}"))
        self._missed = missing

    def _judge_silence(self) -> None:
        """A wait was in vain: does anything at all still come in, if only a pong?"""
        heard_ms = self._last_heard_ms()
        silent_s = (self._exchange.milliseconds() - heard_ms) / 1e3 if heard_ms else None
        if silent_s is not None and silent_s >= MISSES * self._wait_s * 0.95:
            self._fail(Disconnected(f"nothing received for {silent_s:.0f} s", hint="The connection is made anew."))

    def _last_heard_ms(self) -> float:
        """When a frame of any kind came in last, in UTC ms; 0 before the first."""
        clients = (self._exchange.clients or {}).values()
        return max([one.last_message_at or one.connectionEstablished or 0 for one in clients], default=0)

    def _put(self, wire: Any) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            self.dropped += 1
            self._fail(Disconnected("more comes in than can be taken"))
            return
        self._waiting.append(encode(wire))
        self._wake()

    def _fail(self, failure: FeedError) -> None:
        self._failure = self._failure or failure
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()

    def _note_fault(self, error: BaseException | None, message: str) -> None:
        """An error in a callback: the library could not read a message, and reads no further ones on that socket."""
        if error is not None and "handle" in message:
            self._fail(Disconnected(f"{self._venue}: a message could not be read: {type(error).__name__}: {error}"))
        else:
            log.debug("%s: %s: %s", self._venue, message, error)

    async def _leave_exchange(self) -> None:
        session = self._exchange.session
        try:
            await self._exchange.close()
        finally:
            # A dead connection never answers the farewell, and the library would wait for it with all else open.
            connector = session.connector if session is not None else None
            if connector is not None and not connector.closed:
                await connector.close()
