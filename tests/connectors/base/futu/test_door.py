"""The library is kept quiet, leaves no files, and lets go when it is told to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base.futu import door as futu_door
from engine.errors import ConfigError
from tests.connectors.futu_rig import SYMBOL, Rig
from tests.fakes.futu import FakeOpenD

ROOT = Path(__file__).resolve().parents[4]
LOAD = """
import os
from connectors.base.futu import door as futu_door
before = dict(os.environ)
futu_door.load()
assert dict(os.environ) == before
import logging
from futu.common.ft_logger import logger
logger.error("quiet")
logger.error2(3, "quiet")
"""


class Deaf:
    """A listener to whom nothing is said."""

    def __init__(self) -> None:
        self.reason = ""

    def heard(self) -> None: ...

    def pushed(self, kind: int, message: object) -> None: ...

    def unreadable(self, reason: str) -> None: ...

    def lost(self, reason: str) -> None:
        self.reason = reason


@pytest.mark.parametrize("home", [True, False])
def test_importing_the_library_writes_nothing_anywhere(home: bool, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    if home:
        environ["HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_cannot_be_imported_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise SystemExit(1)  # what it does where a package that it needs is missing

    monkeypatch.setattr(futu_door, "_opener", None)
    monkeypatch.setattr(futu_door, "_define", broken)
    with pytest.raises(ConfigError, match="cannot be imported: SystemExit") as caught:
        futu_door.load()
    assert "requirements-futu.txt" in caught.value.hint


@pytest.fixture
def full() -> Iterator[int]:
    """A port at which callers wait for ever: nobody accepts, and there is no room to wait in."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


def test_a_connection_that_never_comes_about_can_be_closed(full: int) -> None:
    futu_door.load()
    before = set(threading.enumerate())
    context = futu_door.open_context(Deaf(), lambda reason: None, "127.0.0.1", full, 1.0, encrypted=False)
    started = set(threading.enumerate()) - before
    assert started
    turn = threading.Event()
    for _ in range(100):
        if context.status == "CONNECTING":
            break
        turn.wait(0.01)
    assert context.status == "CONNECTING"
    context.close()
    for thread in started:
        thread.join(2.0)
    assert not [thread.name for thread in started if thread.is_alive()]


def test_an_encrypting_opend_is_spoken_to_with_its_key(tmp_path: Path) -> None:
    from Crypto.PublicKey import RSA

    key = RSA.generate(1024)
    path = tmp_path / "key.pem"
    path.write_bytes(key.export_key())
    opend = FakeOpenD(key=key)
    with Rig(opend, FUTU_RSA_KEY_FILE=str(path)) as rig:
        ear = rig.live()
        opend.step(SYMBOL, 5)
        rig.until_shown(ear)
    with Rig() as rig:
        rig.live()  # and one that does not encrypt is understood again


@pytest.mark.parametrize("text", ["no key", "public", "long"])
def test_a_key_that_cannot_be_used_is_refused_and_the_setting_named(text: str, tmp_path: Path) -> None:
    from Crypto.PublicKey import RSA

    key = RSA.generate(2048 if text == "long" else 1024)
    content = {"no key": b"no key", "public": key.public_key().export_key(), "long": key.export_key()}[text]
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="FUTU_RSA_KEY_FILE"):
        futu_door.load(str(path))
    futu_door.load()
