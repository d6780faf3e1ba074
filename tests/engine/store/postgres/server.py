"""A PostgreSQL server of the tests' own: on a free port, in a folder of its own, run by an ordinary user."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from signal import SIGINT
from threading import Event
from time import monotonic

START_S = 30
USER = "tapedeck"
PASSWORD = "pl4inp4ssw0rd"
_names = count(1)


def find_programs() -> Path | None:
    """The folder of initdb and its like; None where PostgreSQL (or setpriv, which ends it with us) is not installed."""
    if shutil.which("setpriv") is None:
        return None
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
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        self._pause = Event()
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
        """Begin to serve. The server ends with the thread that calls this, however that ends."""
        words = ("-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder), "-F")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user("--pdeathsig=SIGINT"), str(self._programs / "postgres"), *words], cwd=self.folder,
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        ends_s = monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or monotonic() >= ends_s:
                raise RuntimeError(f"PostgreSQL does not answer: {(self.folder / 'log').read_text()[-600:]}")
            self._pause.wait(0.02)

    def stop(self) -> None:
        """End the server; what it held stays."""
        self._process.send_signal(SIGINT)
        self._process.wait(START_S)

    def remove(self) -> None:
        """End the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        words = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-t", "5", "-q"]
        return subprocess.run(words, env=self._environment, timeout=10, check=False).returncode == 0

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

    def _as_user(self, *options: str) -> list[str]:
        who = [f"--reuid={self._user}", "--regid=nogroup", "--clear-groups"] if self._user is not None else []
        return ["setpriv", *who, *options] if who or options else []

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [*self._as_user(), *words], cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL,
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
