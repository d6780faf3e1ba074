"""The one engine of the process, and what else there is only one of.

Lives outside `app/`, so that no edit of a page gives it a second identity.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from engine.engine import Engine

_engine: Engine | None = None
_lock = Lock()

services: dict[str, object] = {}
"""Other single things of the process by name, such as the data plane that the ASGI application runs."""


def get_engine(build: Callable[[], Engine]) -> Engine:
    """The engine of this process; `build` makes it on the first call."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = build()
        return _engine


def close_engine() -> None:
    """Stop the engine if there is one; the next `get_engine` makes a new one."""
    global _engine
    with _lock:
        engine, _engine = _engine, None
    if engine is not None:
        engine.close()
