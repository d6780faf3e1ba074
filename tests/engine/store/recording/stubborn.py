"""A store that refuses to be written when it is told to."""

from __future__ import annotations

from pathlib import Path
from threading import Condition
from typing import Any

from engine.errors import StoreError
from engine.store.duckdb_file.store import DuckdbStore
from tests.engine.support import DEADLINE_S


class StubbornStore(DuckdbStore):
    """A DuckDB store; while `refusal` is set, nothing can be appended. `tries` and `writes` count."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.refusal: StoreError | None = None
        self.tries = self.writes = 0
        self._changed = Condition()

    def append(self, *given: Any, **named: Any) -> None:
        try:
            if self.refusal is not None:
                raise self.refusal
            super().append(*given, **named)
            self.writes += 1
        finally:
            with self._changed:
                self.tries += 1
                self._changed.notify_all()

    def wait_for_tries(self, more: int = 2) -> None:
        """Until it has been asked `more` times again."""
        with self._changed:
            wanted = self.tries + more
            assert self._changed.wait_for(lambda: self.tries >= wanted, DEADLINE_S)
