"""A WebSocket that a key opens, for venues that allow one connection per key and want the key in the address.

The key joins the address here and nowhere else, so no log, status or error carries it.
"""

from __future__ import annotations

import time
from threading import Condition, Event
from urllib.parse import quote

from connectors.base.transport.redaction import DiscreetLink, Redactor
from engine.errors import Blocked, Disconnected, FeedError

SLICE_S = 0.05

_open: set[str] = set()
"""The keys that have a connection now, in this process."""
_changed = Condition()


class KeyedLink(DiscreetLink):
    """A link to `URL?<parameter>=<key>`; waits while another connection of this process has the key."""

    def __init__(self, key: str, parameter: str = "token") -> None:
        super().__init__(Redactor([key]))
        self._key = key
        self._parameter = parameter
        self._holds = False
        self._given_up = Event()

    def open(self, url: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        self._take(deadline)
        joint = "&" if "?" in url else "?"
        try:
            super().open(f"{url}{joint}{self._parameter}={quote(self._key)}", max(SLICE_S, deadline - time.monotonic()))
        except FeedError:
            self._give_back()
            raise

    def close(self) -> None:
        super().close()
        self._give_back()

    def abort(self) -> None:
        self._given_up.set()
        super().abort()

    def _take(self, deadline: float) -> None:
        with _changed:
            while self._key in _open:
                if self._given_up.is_set():
                    raise Disconnected("connecting was given up")
                if time.monotonic() >= deadline:
                    raise Blocked(
                        "another connection of this process uses the same key",
                        hint="The venue ends both when a key is used twice: stop the other one first.",
                    )
                _changed.wait(SLICE_S)
            _open.add(self._key)
            self._holds = True

    def _give_back(self) -> None:
        with _changed:
            if self._holds:
                self._holds = False
                _open.discard(self._key)
                _changed.notify_all()
