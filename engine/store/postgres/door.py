"""A PostgreSQL server: the only door to psycopg. One connection, made anew when it was lost; every call has an end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from engine.errors import StoreError

CONNECT_S = 5
STATEMENT_MS = 60_000
SILENCE_MS = 15_000
"""A server that does not acknowledge what was sent for so long is lost."""
_PATIENCE: dict[str, Any] = {
    "connect_timeout": CONNECT_S, "tcp_user_timeout": SILENCE_MS, "keepalives": 1, "keepalives_idle": 10,
    "keepalives_interval": 5, "keepalives_count": 2, "application_name": "tapedeck",
}  # fmt: skip
_MEANINGS = (
    (("53100", "53000"), "the server's disk is full", "Free some space there; recording goes on by itself then."),
    (("28P01", "28000"), "the server refuses this user or password", "Check both in STORE_URL."),
    (("3D000",), "there is no such database", "Make it with createdb, or name another one in STORE_URL."),
    (("42501",), "this user may not do that", "Give the user the right to create tables and to write them."),
    (("25006",), "the server only lets us read", "Name a server that can be written to in STORE_URL."),
    (("57014",), f"the server took longer than {STATEMENT_MS // 1000} s", "Look at its load."),
)
"""What the server's codes mean. Documentation: PostgreSQL 17, Appendix A."""
log = logging.getLogger(__name__)


class Door:
    """The connection to `url`. `on_open` runs on each new connection, before anything else does."""

    def __init__(self, url: str, on_open: Callable[[], None]) -> None:
        """Connect.

        Raises:
            StoreError: the server cannot be reached, refuses us, or the address is none.
        """
        self.lock = RLock()
        self._on_open = on_open
        self._closed = False
        self._password = ""
        try:
            self._address = conninfo_to_dict(url)
        except psycopg.Error as error:
            hint = "Write it as postgresql://user:password@host:5432/database."
            raise StoreError("the address in STORE_URL cannot be read", hint=hint) from error.with_traceback(None)
        self._password = str(self._address.get("password") or "")
        self.place = self._place()
        self._connection: psycopg.Connection[Any] | None = None

    def _place(self) -> str:
        at = self._address
        port = f":{at['port']}" if at.get("port") else ""
        return f"postgresql://{at.get('host') or 'localhost'}{port}/{at.get('dbname') or ''}"

    @contextmanager
    def guard(self) -> Iterator[psycopg.Connection[Any]]:
        """One user of the connection at a time; what the library raises becomes an error of ours. Raises StoreError."""
        with self.lock:
            if self._closed:
                raise StoreError(f"{self.place} has been closed")
            try:
                yield self._open()
            except psycopg.Error as error:
                # Its cause may quote the address.
                raise self._explain(error) from None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """All or nothing; on the server's disk when it is over. Raises StoreError."""
        with self.guard() as connection, connection.transaction():
            yield connection

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query brings. Raises StoreError."""
        with self.guard() as connection, connection.cursor(binary=True) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def copy(self, statement: str, content: bytes) -> None:
        """Send rows in the server's binary form; inside a transaction. Raises StoreError."""
        with self.guard() as connection, connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.write(content)

    def close(self) -> None:
        """Hang up."""
        with self.lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def _open(self) -> psycopg.Connection[Any]:
        connection = self._connection
        if connection is not None and not connection.closed:
            return connection
        if connection is not None:
            log.warning("%s: connecting anew", self.place)
        connection = psycopg.connect(**{**_PATIENCE, **self._address}, autocommit=True)
        self._connection = connection
        try:
            connection.execute(f"SET statement_timeout = {STATEMENT_MS}".encode())
            self._on_open()
        except BaseException:
            connection.close()
            raise
        return connection

    def _explain(self, error: psycopg.Error) -> StoreError:
        said = " ".join(str(error).split())
        if self._password:
            said = said.replace(self._password, "***")
        for codes, meaning, hint in _MEANINGS:
            if error.sqlstate in codes or (error.sqlstate is None and _told(meaning, said)):
                return StoreError(f"{self.place}: {meaning} ({said[:300]})", hint=hint)
        if isinstance(error, psycopg.OperationalError):
            hint = "Is the server running, and does STORE_URL name it? It is tried again by itself."
            return StoreError(f"{self.place}: the server cannot be reached ({said[:300]})", hint=hint)
        return StoreError(f"{self.place}: {said[:300]}", hint="The log has more.")


def _told(meaning: str, said: str) -> bool:
    """Refusals while connecting carry no code, only words."""
    words = {"refuses": "authentication failed", "no such": "does not exist"}
    return any(key in meaning and word in said for key, word in words.items())
