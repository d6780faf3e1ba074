"""A PostgreSQL server of the tests' own: on a free port, in a folder of its own, run by an ordinary user."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

START_S = 30
USER = "tapedeck"
PASSWORD = "pl4inp4ssw0rd"
_names = count(1)


def find_programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where PostgreSQL is not installed."""
    named = shutil.which("initdb")
    folder = os.environ.get("POSTGRES_PROGRAMS", "/usr/lib/postgresql")
    installed = sorted(Path(folder).glob("*/bin/initdb"), key=_version, reverse=True)
    found = [path for path in installed if path.is_file()]
    return found[0].parent if found else Path(named).resolve().parent if named else None


def _version(path: Path) -> float:
    try:
        return float(path.parts[-3])
    except ValueError:
        return 0.0


class Server:
    """A running server; `stop` it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="tapedeck-postgres-"))
        self.port = _free_port()
        self._user = _ordinary_user()
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        password = self.folder / "password"
        self._run("bash", "-c", f"printf %s {PASSWORD} > {password}")
        self._run(
            str(programs / "initdb"), "-D", str(self.data), "-U", USER, "-A", "scram-sha-256", "--no-sync",
            "--pwfile", str(password), "-E", "UTF8", "--locale", "C",
        )  # fmt: skip
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -F"
        log = str(self.folder / "log")
        self._control("start", "-w", "-t", str(START_S), "-l", log, "-o", options)

    def stop(self) -> None:
        """End the server; what it held stays."""
        self._control("stop", "-m", "fast", "-w", "-t", str(START_S))

    def remove(self) -> None:
        """End the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, schema: str = "", *, password: str = PASSWORD, database: str = "postgres") -> str:
        """The address; `schema` is where tables are made and looked for."""
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}{options}"

    def new_schema(self) -> str:
        """The name of an empty schema that was just made."""
        import psycopg

        name = f"tape_{next(_names)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return name

    def _control(self, *words: str) -> None:
        self._run(str(self._programs / "pg_ctl"), "-D", str(self.data), *words)

    def _run(self, *words: str) -> None:
        command: Sequence[str] = words
        if self._user is not None:
            command = ["setpriv", f"--reuid={self._user}", "--regid=nogroup", "--clear-groups", *words]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=START_S + 10, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(words[:2])}: {done.stderr[-600:]}")


def _ordinary_user() -> str | None:
    """Whom to run the server as where we are root, which it refuses."""
    if getpass.getuser() != "root" and os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
