"""A mail server that takes every mail, or refuses to; enough of SMTP for one client at a time."""

from __future__ import annotations

import socket
from collections.abc import Callable
from threading import Condition, Thread

BOUND_S = 10.0


class FakeSmtp:
    """`with FakeSmtp() as server:`; `mails` are what was delivered, headers and all."""

    def __init__(self, *, refuse: str = "") -> None:
        """`refuse`: what to answer to the login instead of letting in."""
        self.mails: list[str] = []
        self.logins = 0
        self._refuse = refuse
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(BOUND_S)
        self._news = Condition()
        self._thread = Thread(target=self._serve, name="fake-smtp", daemon=True)
        self._stopping = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> FakeSmtp:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stopping = True
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._thread.join(BOUND_S)
        self._listener.close()

    def wait_for(self, count: int) -> list[str]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.mails) >= count, BOUND_S)
            return list(self.mails)

    def _serve(self) -> None:
        while not self._stopping:
            try:
                caller, _ = self._listener.accept()
            except TimeoutError:
                return
            with caller:
                caller.settimeout(BOUND_S)
                if not self._stopping:
                    self._talk(caller)

    def _talk(self, caller: socket.socket) -> None:
        lines = caller.makefile("rb")

        def say(text: str) -> None:
            caller.sendall(text.encode() + b"\r\n")

        say("220 fake ready")
        while line := lines.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"EHLO":
                say("250-fake")
                say("250 AUTH PLAIN LOGIN")
            elif word == b"AUTH":
                self.logins += 1
                say(self._refuse or "235 welcome")
            elif word == b"DATA":
                say("354 go on")
                self._take(lines.readline)
                say("250 taken")
            elif word == b"QUIT":
                say("221 bye")
                return
            else:
                say("250 yes")

    def _take(self, read: Callable[[], bytes]) -> None:
        text = []
        while (line := read()).rstrip(b"\r\n") != b".":
            text.append(line.decode())
        with self._news:
            self.mails.append("".join(text))
            self._news.notify_all()
