"""The stores that the shared tests of recordings run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.store.base import Store
from engine.store.opening import open_store
from tests.engine.store.postgres.server import Server, find_programs

Opener = Callable[[], Store]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for all tests that want one."""
    programs = find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: install it (Debian, Ubuntu: apt install postgresql util-linux)")
    server = Server(programs)
    yield server
    server.remove()


def _url(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    if kind == "duckdb":
        return f"duckdb:///{folder}/tape.duckdb"
    server: Server = request.getfixturevalue("postgres")
    return server.url(server.new_schema())


@pytest.fixture(params=["duckdb", "postgres"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same empty place, as often as wanted (close one before the next); all are closed in the end."""
    url = _url(request.param, request, tmp_path)
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
