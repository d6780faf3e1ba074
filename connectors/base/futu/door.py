"""The only door to futu-api: imported when OpenD is first called, kept quiet, and told what it may not do by itself.

What the library (10.11) would do, and what is made of it here:
1. While it is imported it opens a log file in the home directory and writes to the console. Its log module is loaded
   first, alone, with a home that lasts as long; its warnings go to our log instead.
2. One thread of the whole process moves its bytes and never ends ("futu-api network"); nothing stops it, and it sleeps
   while no connection is open. Beside it each connection has one thread, which ends when the connection is closed.
3. A lost connection is not made anew by the library (every six seconds, for ever): our supervisor does that.
4. Messages are handed over on the network thread as they are. Whoever is told must only put them aside.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import ModuleType
from typing import Any, Protocol

from engine.errors import ConfigError

PACKAGE = "futu"
LOG_MODULE = "futu.common.ft_logger"
HOMES = ("HOME", "appdata")
INSTALL_HINT = "Install it into the same environment: .venv/bin/python -m pip install -r requirements-futu.txt"
READY = "READY"
KEY_BITS = 1024

log = logging.getLogger(__name__)
_lock = Lock()
_opener: Any = None


class Listener(Protocol):
    """Who is told what a connection brings; on the library's network thread, so nothing may block."""

    def heard(self) -> None:
        """A message of any kind came in."""

    def pushed(self, kind: int, message: Any) -> None:
        """A message that was not asked for: 3013 a book, 3011 prints, 1003 a notice."""

    def unreadable(self, reason: str) -> None:
        """A message was spoilt on its way."""

    def lost(self, reason: str) -> None:
        """The connection ended."""


def need() -> None:
    """Raise ConfigError where the library is not installed; imports nothing."""
    if PACKAGE not in sys.modules and find_spec(PACKAGE) is None:
        raise ConfigError("Futu needs the package futu-api, which is not installed", hint=INSTALL_HINT)


def load(key_file: str = "") -> None:
    """Import the library, the first time; it takes seconds. `key_file`: the RSA key of an OpenD that encrypts.

    Raises:
        ConfigError: it is not installed, cannot be imported, or the key cannot be used.
    """
    global _opener
    with _lock:
        if _opener is None:
            need()
            try:
                _opener = _define()
            except (Exception, SystemExit) as error:  # a foreign package is imported: whatever may happen
                said = f"futu-api is installed but cannot be imported: {type(error).__name__}: {error}"
                raise ConfigError(said, hint=INSTALL_HINT) from error
        _opener.use_key(key_file)  # for the whole process: one OpenD is spoken to


def open_context(
    listener: Listener, on_refused: Callable[[str], None], address: str, port: int, answer_s: float, *, encrypted: bool
) -> Any:
    """A connection of the library, on its way: its `status` becomes `READY`. `load` was called before.

    `on_refused` hears why OpenD does not want it. `answer_s` is the library's patience with each call, looked at once a
    second.
    """
    return _opener(listener, on_refused, address, port, answer_s, encrypted)


def _define() -> Any:
    """Import the library and make the class that tells a `Listener`."""
    _load_log()
    import futu
    from futu.common import utils
    from futu.common.network_manager import CloseReason, ConnectErr, NetManager, PacketErr

    spoilt: list[str] = []
    utils.print = lambda error: spoilt.append(str(error))  # what it can read in part it prints, and passes on
    futu.SysConfig.set_all_thread_daemon(True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its way to start its one thread
        NetManager.default()._thread.name = "futu-api network"

    class Opener(futu.OpenQuoteContext):  # type: ignore[misc]
        def __init__(
            self,
            listener: Listener,
            on_refused: Callable[[str], None],
            address: str,
            port: int,
            answer_s: float,
            encrypted: bool,
        ) -> None:
            self._listener = listener
            self._on_refused = on_refused
            super().__init__(address, port, is_encrypt=encrypted, is_async_connect=True)
            self._query_timeout = answer_s
            self.set_sync_query_connect_timeout(0.0)  # a call on a lost connection fails at once

        @staticmethod
        def use_key(path: str) -> None:
            futu.SysConfig.set_init_rsa_file(path)
            futu.SysConfig.RSA_OBJ = _read_key(path) if path else None  # it would leave the file open

        def close(self, reason: Any = CloseReason.Close) -> None:
            with self._lock:
                connection, before = self._net_mgr._get_conn(self._conn_id), self.status
                super().close(reason)
                if connection is None and self.status == "CLOSING":  # nobody is left to say that it is closed
                    self._status = "CLOSED"
                    self._close_callback_executor()
            if connection is not None and before == "CONNECTING":  # else its maker would wait for ever
                connection.connect_info.set_result(ConnectErr.CallClose, "closed")
                connection.connect_info.notify_finish()

        def _reconnect(self) -> None:
            if self._auto_reconnect:
                super()._reconnect()

        def handle_push(
            self, conn_id: int, proto_id: int, serial_no: int, rsp_pb: Any, err: Any, msg: str
        ) -> None:  # fmt: skip
            if self._is_whole(err, msg):
                self._listener.pushed(proto_id, rsp_pb)

        def handle_packet(
            self, conn_id: int, proto_id: int, serial_no: int, rsp_pb: Any, err: Any, msg: str
        ) -> None:  # fmt: skip
            self._is_whole(err, msg)

        def on_disconnect(self, conn_id: int, reason: Any, msg: str) -> None:
            self._auto_reconnect = False
            super().on_disconnect(conn_id, reason, msg)
            self._listener.lost(reason.name)

        def _send_init_connect_sync(self) -> tuple[int, str]:
            ret, msg = super()._send_init_connect_sync()
            if ret != 0:
                self._auto_reconnect = False
                self._on_refused(str(msg))
            return ret, msg

        def _is_whole(self, err: Any, msg: str) -> bool:
            whole = err is PacketErr.Ok and not spoilt
            if whole:
                self._listener.heard()
            else:
                self._listener.unreadable(msg or " ".join(spoilt) or "a message could not be read")
                spoilt.clear()
            return whole

    return Opener


def _read_key(path: str) -> Any:
    from Crypto.PublicKey import RSA

    try:
        key = RSA.import_key(Path(path).read_bytes())
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ConfigError(f"FUTU_RSA_KEY_FILE: {path} holds no RSA key that can be read: {error}") from error
    if not key.has_private() or key.size_in_bits() != KEY_BITS:
        raise ConfigError(f"FUTU_RSA_KEY_FILE: {path} must hold a private key of {KEY_BITS} bits, OpenD's own")
    return key


def _load_log() -> None:
    """Execute the library's log module before anything asks for it, and take its file and its console away."""
    folder = find_spec(PACKAGE)
    places = folder.submodule_search_locations if folder is not None else None
    if LOG_MODULE in sys.modules or not places:
        return
    with TemporaryDirectory() as home:
        kept = {name: os.environ.get(name) for name in HOMES}
        os.environ.update(dict.fromkeys(HOMES, home))
        try:
            module = _execute(LOG_MODULE, Path(places[0]) / "common" / "ft_logger.py")
        finally:
            for name, value in kept.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        _quieten(module.logger)
    sys.modules[LOG_MODULE] = module


def _execute(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not where it was")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _quieten(logger: Any) -> None:
    """Exchange file and console for our own log, and leave out what it says about every message."""
    logger.file_level = logging.WARNING
    logger.console_level = logging.CRITICAL
    for target, handler in ((logger.file_logger, logger.fileHandler), (logger.console_logger, logger.consoleHandler)):
        target.removeHandler(handler)
        handler.close()
        target.addHandler(_Forward())


class _Forward(logging.Handler):
    """What the library warns of is a detail of ours: the state of the feed says what matters."""

    def emit(self, record: logging.LogRecord) -> None:
        log.debug("futu-api: %s", record.getMessage())
