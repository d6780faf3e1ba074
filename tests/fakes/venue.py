"""What every fake venue has: a market that moves, limits that it enforces, and faults on demand.

A dialect (binance.py, kraken.py, coinbase.py) adds how it writes things. Symbols are spelled as the venue spells them.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace as changed

from tests.fakes import binance_faults as faults
from tests.fakes import frames
from tests.fakes.binance_faults import Binary, DepthScript, Fragmented, Piece, Raw, RestFault, RestScript
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import Truth
from tests.fakes.websocket_server import FakeServer, Session

REGIONAL = (451,)


class FakeVenue(FakeServer):
    """A venue on one local port. `violations` lists every limit that a client broke.

    `pace` makes the venue's seconds shorter (10: its second lasts 100 ms), for clients whose clock runs faster.
    """

    def __init__(self, truth: Truth, *, pace: float = 1.0, receive_buffer: int | None = None) -> None:
        super().__init__(receive_buffer=receive_buffer)
        self.truth: Truth = truth
        self.pace = pace
        self.violations: list[str] = []
        self.peak_messages_per_s = 0
        """The most client messages that any connection sent within one second."""
        self.market = self.lock
        """Held while the market moves; hold it to compare things that must not move."""
        self.steps = 0
        """Batches published, of all symbols."""
        self.published: dict[str, int] = {}
        """The last update that was published, by symbol."""
        self._scripts: dict[str, DepthScript] = {}
        self._muted: set[str] = set()
        self._rest = RestScript()

    # ---- the market

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """What is listed, as the venue spells it."""

    @abstractmethod
    def move_one(self, symbol: str) -> None:
        """Move one market by a batch and publish it; the market is held."""

    @abstractmethod
    def subscribers(self, symbol: str) -> int:
        """How many sessions have that book now."""

    def step(self, symbol: str | None = None, times: int = 1) -> None:
        """Move one market (or all) by so many batches and publish them."""
        for _ in range(times):
            for name in [symbol] if symbol else self.names:
                with self.changed:
                    self.move_one(name)
                    self.steps += 1
                    self.changed.notify_all()

    def run(self, rate_per_s: float = 20.0) -> threading.Event:
        """Move all markets by themselves, so many batches a second each; set the returned event to stop."""
        ended = threading.Event()
        self._spawn(self._run, "fake-market", 1.0 / rate_per_s, ended)
        return ended

    # ---- faults: connections

    def each(self, act: Callable[[Session], object]) -> None:
        """Do something to every open session."""
        with self.changed:
            sessions = list(self.sessions)
        for session in sessions:
            act(session)

    def fin(self) -> None:
        """F1: end every connection in good order."""
        self.each(Session.fin)

    def rst(self) -> None:
        """F1: reset every connection."""
        self.each(Session.rst)

    def close_all(self, code: int | None, reason: str = "") -> None:
        """F2: close every connection with a code."""
        self.each(lambda session: session.close(code, reason))

    def stall(self) -> None:
        """F4: every present connection falls silent, pongs and heartbeats included."""
        self.each(Session.stall)

    def half_open(self) -> None:
        """F5: every present connection is neither read nor written."""
        self.each(Session.half_open)

    def ping_all(self) -> None:
        """The venue's ping, which wants a pong."""
        self.each(lambda session: session.post_raw(frames.encode(frames.PING, str(time.time_ns()))))

    def send_all(self, frame: bytes | str) -> None:
        """F14: a text frame as it is, to every connection."""
        self.send_all_raw(frames.encode(frames.TEXT, frame))

    def send_all_raw(self, data: bytes) -> None:
        """F15: wire bytes as they are, to every connection."""
        self.each(lambda session: session.post_raw(data))

    # ---- faults: one symbol's messages, counted; `after` so many good ones

    def mute(self, symbol: str) -> None:
        """F6: no stream of this symbol speaks until `unmute`."""
        with self.market:
            self._muted.add(symbol)

    def unmute(self, symbol: str) -> None:
        with self.market:
            self._muted.discard(symbol)

    @property
    def muted(self) -> set[str]:
        """The symbols that do not speak."""
        with self.market:
            return set(self._muted)

    def rewrite(self, symbol: str, how: faults.Rewrite, count: int = 1, after: int = 0) -> None:
        """Any change of the next `count` book messages (see `binance_faults`)."""
        with self.market:
            self.script(symbol).add(how, count=count, after=after)

    def gap(self, symbol: str, count: int = 1, after: int = 0) -> None:
        """F7: the next `count` book messages are lost."""
        self.rewrite(symbol, faults.drop, count, after)

    def duplicate(self, symbol: str, count: int = 1, after: int = 0) -> None:
        """F8: the next `count` book messages come twice."""
        self.rewrite(symbol, faults.double, count, after)

    def swap(self, symbol: str, count: int = 1, after: int = 0) -> None:
        """F9: the next two book messages change places, `count` times."""
        with self.market:
            self.script(symbol).swap(count=count, after=after)

    def desync_all(self) -> None:
        """F19: every symbol loses one message."""
        with self.market:
            for symbol in self.names:
                self.gap(symbol)

    def script(self, symbol: str) -> DepthScript:
        """The symbol's script of faults (`pending`, `applied`, `clear`)."""
        return self._scripts.setdefault(symbol, DepthScript())

    def heal(self) -> None:
        """Forget every fault that has not happened yet, mutes and refusals too."""
        with self.market:
            for script in self._scripts.values():
                script.clear()
            self._muted.clear()
            self._rest.faults.clear()
        self.accept_all()

    # ---- faults: REST

    def rest_fault(
        self,
        response: HttpResponse | Callable[[HttpRequest], HttpResponse],
        *,
        path: str = "",
        symbol: str | None = None,
        times: int | None = 1,
    ) -> None:
        """F12: answer the next `times` requests (None: all) of a path (else those for a book) with this."""
        respond = (lambda request: response) if isinstance(response, HttpResponse) else response
        with self.market:
            self._rest.faults.append(RestFault(respond, path or self.book_path, symbol, times))

    book_path = ""
    """The path of a request for a book."""

    @abstractmethod
    def depth(self, request: HttpRequest) -> HttpResponse:
        """The honest answer to a request for a book."""

    def failure(self, status: int, retry_after_s: int | None = None) -> HttpResponse:
        """How the venue fails with this status."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        if status in REGIONAL:
            return HttpResponse(status, b"Service unavailable from a restricted location", headers)
        return HttpResponse(status, b"<html><body>Error</body></html>", headers, content_type="text/html")

    def fail_rest(self, status: int, *, retry_after_s: int | None = None, times: int | None = 1, **where: str) -> None:
        """F12: 429, 418, 451, 403 or a 5xx with the venue's own body (403 and 5xx: HTML)."""
        self.rest_fault(self.failure(status, retry_after_s), times=times, **where)

    def slow_rest(self, delay_s: float, times: int | None = 1) -> None:
        """F12: honest books, late. The book is that of the moment of asking."""
        self.rest_fault(lambda request: changed(self.depth(request), delay_s=delay_s), times=times)

    # ---- inside

    def count_message(self, arrivals: deque[float]) -> int:
        """Note a client's message; how many it has sent within the last (venue's) second."""
        now = time.monotonic()
        arrivals.append(now)
        while arrivals[0] <= now - 1.0 / self.pace:
            arrivals.popleft()
        self.peak_messages_per_s = max(self.peak_messages_per_s, len(arrivals))
        return len(arrivals)

    def spoilt(self, symbol: str, data: str) -> Sequence[Piece]:
        """What goes out instead of a book message."""
        script = self._scripts.get(symbol)
        return script.pass_on(data) if script is not None else (data,)

    def _run(self, interval_s: float, ended: threading.Event) -> None:
        due = time.monotonic()
        while not self.stopping.is_set() and not ended.is_set():
            self.step()
            due = max(due + interval_s, time.monotonic() - 1.0)
            ended.wait(max(0.0, min(due - time.monotonic(), 0.2)))


def encoded(piece: Piece, wrapped: Callable[[str], str] = str) -> bytes:
    """The wire bytes of a piece; `wrapped` puts a venue's envelope around data."""
    if isinstance(piece, Raw):
        return frames.encode(frames.TEXT, piece.frame)
    if isinstance(piece, Fragmented):
        return frames.encode_fragments(frames.TEXT, wrapped(piece.data), piece.parts)
    if isinstance(piece, Binary):
        return frames.encode(frames.BINARY, wrapped(piece.data))
    return frames.encode(frames.TEXT, wrapped(piece))
