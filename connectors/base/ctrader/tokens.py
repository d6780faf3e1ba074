"""An OAuth pair that outlives the process: a renewed pair is on disk before anybody uses it.

A refresh token can be used once. Whoever loses the answer has lost the access, so the file is written, and known to be
writable, before the venue is asked.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from engine.errors import Blocked


class TokenPair(Struct, frozen=True):
    """What opens the door, and what renews it (empty where there is none)."""

    access: str
    refresh: str = ""

    def __repr__(self) -> str:
        return "TokenPair(***)"


class _Kept(Struct):
    origin: str
    access: str
    refresh: str


class TokenStore:
    """The current pair: the one in the file if it descends from the configured one, else the configured one."""

    def __init__(self, path: Path, configured: TokenPair) -> None:
        self._path = path
        self._configured = configured
        self._origin = sha256(f"{configured.access}\n{configured.refresh}".encode()).hexdigest()
        self._current: TokenPair | None = None
        self._lock = Lock()

    @property
    def current(self) -> TokenPair:
        with self._lock:
            if self._current is None:
                self._current = self._read() or self._configured
            return self._current

    def prepare(self) -> None:
        """Make sure that a renewed pair can be kept.

        Raises:
            Blocked: the file cannot be written.
        """
        self._write(self.current)

    def renew(self, pair: TokenPair) -> None:
        """Keep a new pair, and from then on use it.

        Raises:
            Blocked: the file cannot be written; the pair is used all the same, until the process ends.
        """
        try:
            self._write(pair)
        finally:
            with self._lock:
                self._current = pair

    def _read(self) -> TokenPair | None:
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return TokenPair(kept.access, kept.refresh) if kept.origin == self._origin else None

    def _write(self, pair: TokenPair) -> None:
        kept = msgspec.json.encode(_Kept(self._origin, pair.access, pair.refresh))
        draft = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(kept)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._path)
        except OSError as error:
            raise Blocked(
                f"a renewed token cannot be kept in {self._path.name}: {error.strerror}",
                hint="Make its folder writable, or name another file (CTRADER_TOKEN_FILE).",
            ) from error
