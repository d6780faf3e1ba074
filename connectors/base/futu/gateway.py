"""One connection to OpenD with an end: every phase of it can be given up, from any thread.

The library's own way to connect waits for ever and cannot be interrupted. So OpenD is called here first, by a socket of
our own; only where it answers does the library connect, in the background, while we look at its state.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from threading import Event
from typing import Any

from msgspec import Struct

from connectors.base.futu import door
from connectors.base.futu.errors import refused
from connectors.base.transport.dial import Dial, resolve
from engine.errors import Blocked, ConfigError, Disconnected

LOOK_S = 0.01
LEAVE_S = 0.5

Question = Callable[[Any], tuple[int, Any]]
"""One of the library's calls: its code (0 is well) and its answer or refusal."""

CLOSINGS = {
    "RemoteClose": "OpenD closed the connection",
    "KeepAliveFail": "OpenD has been silent for half a minute",
    "ReadFail": "the connection to OpenD broke",
    "SendFail": "the connection to OpenD broke",
}
"""What the library's names for an end mean."""


class Address(Struct, frozen=True):
    """Where OpenD listens. `key_file`: its RSA key where it encrypts, else empty."""

    host: str
    port: int
    key_file: str = ""

    @property
    def hint(self) -> str:
        return (
            f"Start OpenD, log in, and let it listen on {self.host}:{self.port}; FUTU_HOST and FUTU_PORT say where it "
            "is. For another machine its settings must allow remote connections."
        )


class Unheard:
    """A listener for connections on which only questions are asked."""

    def heard(self) -> None:
        """Only answers matter."""

    def pushed(self, kind: int, message: Any) -> None:
        """Nothing was subscribed to."""

    def unreadable(self, reason: str) -> None:
        """The call that waits for it fails by itself."""

    def lost(self, reason: str) -> None:
        """The next call finds out."""


class Gateway:
    """A connection, from calling OpenD to its end. `answer_s` is how long an answer may take."""

    def __init__(self, address: Address, listener: door.Listener, answer_s: float) -> None:
        self._refusal = ""
        self._address = address
        self._listener = listener
        self._answer_s = answer_s
        self._dial = Dial()
        self._given_up = Event()
        self._context: Any = None

    @property
    def ready(self) -> bool:
        """Whether questions can be asked now."""
        context = self._context
        return context is not None and not self._given_up.is_set() and context.status == door.READY

    def open(self, timeout_s: float) -> None:
        """Connect, and see whether OpenD has quotes to give.

        Raises:
            Blocked: the library cannot be imported, or the key not be used.
            Disconnected: OpenD does not answer, refuses, or is not logged in.
        """
        deadline = time.monotonic() + timeout_s
        where = self._address
        ip = self._call(deadline)
        try:
            door.load(where.key_file)
        except ConfigError as error:
            raise Blocked(str(error), hint=error.hint) from error
        self._context = door.open_context(
            self._listener, self._note_refusal, ip, where.port, self._answer_s, encrypted=bool(where.key_file)
        )
        while not self.ready:
            if self._given_up.wait(LOOK_S):
                raise Disconnected("connecting was given up")
            if self._refusal:
                raise Disconnected(f"OpenD refused the connection: {self._refusal}", hint=where.hint)
            if time.monotonic() >= deadline:
                said = (
                    f"OpenD at {where.host}:{where.port} accepts connections, but did not answer in {timeout_s:.0f} s"
                )
                raise Disconnected(
                    said, hint="Is it OpenD that listens there? A key (FUTU_RSA_KEY_FILE) must match its."
                )
        state = self.ask(lambda context: context.get_global_state())
        if not state["qot_logined"]:
            raise Disconnected(
                f"OpenD is running, but not logged in to quotes (its state: {state['program_status_type']})",
                hint="See OpenD's window: log in, or let it finish.",
            )

    def ask(self, question: Question) -> Any:
        """The answer to one call.

        Raises:
            FeedError: OpenD's refusal, of the kind that says what to do about it; Disconnected without an answer.
        """
        if not self.ready:
            raise Disconnected("the connection to OpenD ended", hint="It is made anew.")
        ret, answer = question(self._context)
        if ret != 0:
            raise refused(answer)
        return answer

    def abort(self) -> None:
        """End it now, from any thread; a call that waits for its answer fails at once."""
        self._given_up.set()
        self._dial.abort()
        context = self._context
        if context is not None:
            context.close()

    def close(self) -> None:
        """End it, and see the library let go. On the owner's thread."""
        self.abort()
        self._dial.close()
        context, deadline = self._context, time.monotonic() + LEAVE_S
        while context is not None and context.status != "CLOSED" and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def _note_refusal(self, reason: str) -> None:
        self._refusal = reason or "no reason given"

    def _call(self, deadline: float) -> str:
        """The address at which OpenD answers; the library knows only those of the fourth version."""
        where = self._address
        try:
            found = resolve(where.host, where.port, deadline, self._given_up)
            addresses = [address[0] for family, *_, address in found if family == socket.AF_INET]
            if not addresses:
                raise OSError("the name has no IPv4 address")
            self._dial.connect(
                addresses[0], where.port, max(LOOK_S, deadline - time.monotonic()), tls=False, proxied=False
            )
        except (OSError, Disconnected) as error:
            if self._given_up.is_set():
                raise Disconnected("connecting was given up") from error
            words = str(error).rpartition(": ")[2] or type(error).__name__
            raise Disconnected(f"no OpenD at {where.host}:{where.port}: {words}", hint=where.hint) from error
        self._dial.close()
        return str(addresses[0])
