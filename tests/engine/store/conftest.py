"""The stores that the shared tests of recordings run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.store.base import Store
from engine.store.opening import open_store

Opener = Callable[[], Store]


@pytest.fixture(params=["duckdb"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same empty place, as often as wanted (close one before the next); all are closed in the end."""
    url = {"duckdb": f"duckdb:///{tmp_path}/tape.duckdb"}[request.param]
    opened: list[Store] = []

    def again() -> Store:
        opened.append(open_store(url))
        return opened[-1]

    yield again
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Opener) -> Store:
    """An empty store."""
    return open_again()
