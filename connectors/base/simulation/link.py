"""A link to the simulated exchange: what a WebSocket is to a real one."""

from __future__ import annotations

from threading import Event

from connectors.base.runtime import Runtime
from connectors.base.simulation.exchange import TICK_NS, Inbox, SimulatedExchange
from engine.errors import Disconnected


class SimulatedLink:
    """A `Link` in this process. One thread opens, receives and sends; any thread may abort."""

    def __init__(self, exchange: SimulatedExchange, runtime: Runtime) -> None:
        self._exchange = exchange
        self._runtime = runtime
        self._ended = Event()
        self._inbox: Inbox | None = None

    def open(self, url: str, timeout_s: float) -> None:
        self._check()
        self._inbox = self._exchange.join()

    def receive(self, timeout_s: float) -> bytes | None:
        exchange, runtime = self._exchange, self._runtime
        items = self._joined().items
        ends_ns = exchange.clock.now_ns() + round(timeout_s * 1e9)
        while True:
            self._check()
            now_ns = exchange.clock.now_ns()
            if not items or items[0][0] > now_ns:
                exchange.catch_up()
            if items and items[0][0] <= now_ns:
                frame = items.popleft()[1]
                if isinstance(frame, bytes):
                    return frame
                raise frame
            if now_ns >= ends_ns:
                return None
            due_ns = exchange.next_due_ns()
            if items:
                due_ns = min(due_ns, items[0][0])
            wait_ns = min(max(due_ns - now_ns, TICK_NS), ends_ns - now_ns)
            runtime.wait(self._ended, wait_ns / 1e9)

    def send(self, text: str) -> None:
        self._check()
        self._exchange.hear(self._joined(), text)

    def ping(self) -> None:
        self._check()
        self._exchange.pong(self._joined())

    def close(self) -> None:
        self._ended.set()
        if self._inbox is not None:
            self._exchange.leave(self._inbox)

    def abort(self) -> None:
        self._ended.set()

    def _joined(self) -> Inbox:
        if self._inbox is None:
            raise Disconnected("the link is not open")
        return self._inbox

    def _check(self) -> None:
        if self._ended.is_set():
            raise Disconnected("the link was ended")
