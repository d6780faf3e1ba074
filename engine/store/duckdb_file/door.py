"""A DuckDB file: the only door to the library. One connection, opened anew when a failure has spoiled it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb

from engine.errors import StoreError
from engine.store.duckdb_file.errors import explain

Connection = duckdb.DuckDBPyConnection
LIBRARY_VERSION = duckdb.__version__
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "1GB",
    # What is committed stays in memory, and in the log beside the file, until so much has come together.
    "checkpoint_threshold": "16MB",
}
_KEPT = "16MB"
"""What the library may keep of the file in memory between two visits; else a long recording fills it to its limit."""
log = logging.getLogger(__name__)


class Door:
    """The connection to a file."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the file; made with its folder if there is none (unless `read_only`).

        Raises:
            StoreError: it cannot be opened.
        """
        self.lock = RLock()
        self.closed = False
        self._path = path
        self._read_only = read_only
        self._spoiled = False
        self._connection = self._open()

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    @contextmanager
    def guard(self) -> Iterator[Connection]:
        """One user of the connection at a time; what the library raises becomes an error of ours. Raises StoreError."""
        with self.lock:
            if self.closed:
                raise StoreError(f"{self.place} has been closed")
            if self._spoiled:
                self._open_anew()
            try:
                yield self._connection
            except (duckdb.Error, OSError) as error:
                # After a failure that touches the file, the library refuses all work on this connection.
                self._spoiled |= isinstance(error, duckdb.FatalException) or "invalidated" in str(error)
                raise explain(error, self._path) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing. Raises StoreError."""
        with self.guard() as connection:
            connection.begin()
            try:
                yield connection
                connection.commit()
            except BaseException:
                self._undo(connection)
                raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query brings. Raises StoreError."""
        with self.guard() as connection:
            return connection.execute(query, list(values)).fetchall()

    def cursor(self) -> Connection:
        """A reader of its own, for `reading`. Raises StoreError."""
        with self.guard() as connection:
            return connection.cursor()

    @contextmanager
    def reading(self, cursor: Connection) -> Iterator[None]:
        """Use a cursor beside all others and close it. Raises StoreError."""
        try:
            yield
        except duckdb.Error as error:
            raise explain(error, self._path) from error
        finally:
            cursor.close()

    def forget_blocks(self) -> None:
        """Let go of what was read and written; only room that somebody needs now is kept."""
        with self.guard() as connection:
            try:
                connection.execute(f"SET memory_limit = '{_KEPT}'")
            except duckdb.OutOfMemoryException:
                log.debug("%s: more than %s is in use", self.place, _KEPT)
            finally:
                connection.execute(f"SET memory_limit = '{_CONFIG['memory_limit']}'")

    def size(self) -> int:
        """Bytes in use of the file and of the log beside it. Raises StoreError."""
        ((used,),) = self.rows("SELECT sum(used_blocks * block_size) FROM pragma_database_size()")
        try:
            waiting = self._path.with_name(self._path.name + ".wal").stat().st_size
        except OSError:
            waiting = 0
        return int(used or 0) + waiting

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self.closed = True
            try:
                self._connection.close()
            except duckdb.Error:
                log.warning("%s could not be closed in good order", self.place, exc_info=True)

    def _open(self) -> Connection:
        try:
            if not self._read_only:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(self._path), read_only=self._read_only, config=_CONFIG)
        except (duckdb.Error, OSError) as error:
            raise explain(error, self._path) from error

    def _open_anew(self) -> None:
        log.warning("%s is opened anew after a failure", self.place)
        self._connection.close()
        self._connection = self._open()
        self._spoiled = False

    def _undo(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except duckdb.Error:
            log.debug("%s: nothing to roll back", self.place, exc_info=True)
