"""Coroutines for a thread that has no loop of its own to run for ever: a loop that runs only while its owner waits.

A library that speaks asyncio fits behind the transport's blocking calls this way: one thread, no second one beside it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from threading import Lock, Thread
from typing import Any, TypeVar

from engine.errors import Disconnected, FeedError

Result = TypeVar("Result")
Translate = Callable[[BaseException], FeedError]
CLOSE_S = 0.5


class OwnLoop:
    """An asyncio loop of one thread. That thread runs and closes it; any thread may abort.

    `translate` says what a coroutine's error means to us; `on_fault` hears of errors in callbacks, which nobody awaits.
    """

    def __init__(self, translate: Translate, on_fault: Callable[[BaseException | None, str], None]) -> None:
        self._translate = translate
        self._on_fault = on_fault
        self._lock = Lock()
        self._loop: _Loop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._aborted = False
        self._closed = False

    def run(self, coroutine: Coroutine[Any, Any, Result], timeout_s: float) -> Result:
        """The coroutine's result; the loop's other tasks go on meanwhile.

        Raises:
            FeedError: what it raised, translated; Disconnected: aborted, or not done in time.
        """
        loop = self._started()
        if loop is None:
            coroutine.close()
            raise Disconnected("the call was given up")
        task: asyncio.Task[Result] = loop.create_task(coroutine)
        self._task = task
        if self._aborted:  # it came between
            task.cancel()
        done, _ = loop.run_until_complete(asyncio.wait({task}, timeout=timeout_s))
        if not done:
            task.cancel()
            loop.run_until_complete(asyncio.wait({task}, timeout=CLOSE_S))
            raise Disconnected(f"no answer within {timeout_s:.0f} s")
        if task.cancelled():
            raise Disconnected("the call was given up")
        error = task.exception()
        if error is not None:
            raise self._translate(error) from error
        return task.result()

    def abort(self) -> None:
        """End what runs now and refuse what would follow; from any thread, any number of times."""
        with self._lock:
            self._aborted = True
            loop = self._loop
            if loop is not None and not self._closed:
                loop.call_soon_threadsafe(self._cancel)

    def close(self, farewell: Callable[[], Coroutine[Any, Any, None]] | None, within_s: float) -> None:
        """Cancel every task, let `farewell` free what it holds, end the loop. On the owner's thread."""
        with self._lock:
            loop, closed = self._loop, self._closed
            self._closed = True
        if loop is None or closed:
            return
        self._cancel_all(loop)
        if farewell is not None:
            ending = loop.create_task(farewell())
            loop.run_until_complete(asyncio.wait({ending}, timeout=within_s))
            if ending.done() and not ending.cancelled():
                ending.exception()  # told to nobody: it ends anyway
        self._cancel_all(loop)
        loop.abort_transports()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _started(self) -> _Loop | None:
        with self._lock:
            if self._aborted or self._closed:
                return None
            if self._loop is None:
                self._loop = _Loop()
                self._loop.set_exception_handler(self._note_fault)
            return self._loop

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _cancel_all(self, loop: _Loop) -> None:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=CLOSE_S))

    def _note_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._on_fault(context.get("exception"), str(context.get("message", "")))


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up on a daemon thread: the default pool's threads would be waited for, however long they take."""

    def abort_transports(self) -> None:
        """Close every socket that is still open, whatever waits to be sent; the loop must run once more after this."""
        # Only a loop knows of all of them, those of connections that were never finished among them.
        for transport in list(getattr(self, "_transports", {}).values()):
            transport.abort()

    async def getaddrinfo(self, host: Any, port: Any, **kind: Any) -> Any:
        found: asyncio.Future[Any] = self.create_future()

        def answer(result: Any, error: OSError | None) -> None:
            if found.done():
                return
            if error is not None:
                found.set_exception(error)
            else:
                found.set_result(result)

        def look_up() -> None:
            result, error = None, None
            try:
                result = socket.getaddrinfo(host, port, **kind)
            except OSError as failure:
                error = failure
            except UnicodeError as failure:
                error = OSError(f"not a host name: {failure}")
            try:
                self.call_soon_threadsafe(answer, result, error)
            except RuntimeError:
                return  # the loop has ended: nobody wants to know any more

        Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
        return await found
