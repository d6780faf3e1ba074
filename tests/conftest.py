"""What every test may count on: no traffic leaves this machine, and browser tests say why they skip."""

from __future__ import annotations

import os
import shutil
import sys
from ipaddress import ip_address

import pytest

_LOCAL_NAMES = {"", "localhost", "0.0.0.0", "::", "::1"}


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    try:
        return name in _LOCAL_NAMES or ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _stay_home(event: str, arguments: tuple[object, ...]) -> None:
    """Refuses connections and name look-ups beyond this machine (an audit hook: it sees every library)."""
    if event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        raise PermissionError(f"tests stay on this machine, but {arguments[0]!r} was looked up")
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_local(arguments[1][0]):
        raise PermissionError(f"tests stay on this machine, but {arguments[1]!r} was called")


def find_chromium() -> str | None:
    """The Chromium that browser tests drive: CHROMIUM, else one on the path."""
    named = os.environ.get("CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if (path := shutil.which(name))), None)


def pytest_configure() -> None:
    sys.addaudithook(_stay_home)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_chromium() is None:
        skip = pytest.mark.skip(reason="no Chromium: install one or set CHROMIUM to its path")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of the Chromium to launch."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium: install one or set CHROMIUM to its path")
    return found
