"""The two commands, run in a copy with an interpreter that never reaches the network."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BASH = shutil.which("bash") or "/bin/bash"

# Stands for the Python of .venv: pip and streamlit only note that they were called, Playwright has nothing to give,
# the rest is the real interpreter.
FAKE_PYTHON = """#!/bin/sh
here="$(dirname "$0")/../.."
case "$*" in
    *"-m pip "*) echo "$*" >>"$here/pip.calls"; cat "$here/pip.output" 2>/dev/null; exit "$(cat "$here/pip.status")" ;;
    *playwright*) exit 1 ;;
    *"bin/streamlit run"*) echo "$*" >"$here/streamlit.call"; pwd >>"$here/streamlit.call"; exit 0 ;;
esac
exec "{python}" "$@"
"""

# Stands for the machine's Python: `-m venv` copies the one above.
FAKE_BASE = """#!/bin/sh
case "$*" in
    *"-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "{fake}" "$last/bin/python"; exit 0 ;;
    *"import ensurepip"*) exit {venv_status} ;;
esac
exec "{python}" "$@"
"""


class House:
    """A copy of the scripts with a fake Python, and the marks that their runs leave."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a house"
        self.path = folder / "bin"
        self.root.mkdir()
        self.path.mkdir()
        needs = ("requirements.txt", "requirements-dev.txt", "requirements-futu.txt", "requirements-postgres.txt")
        for name in ("run_app.sh", "run_tests.sh", *needs):
            shutil.copy(ROOT / name, self.root / name)
        for tool in (
            "dirname",
            "basename",
            "cat",
            "rm",
            "cp",
            "mkdir",
            "grep",
            "head",
            "tail",
            "pwd",
            "timeout",
            "env",
        ):
            if found := shutil.which(tool):
                (self.path / tool).symlink_to(found)
        (self.path / "bash").symlink_to(BASH)
        self.write("pip.status", "0")
        self.executable(folder / "fake_python", FAKE_PYTHON.format(python=sys.executable))
        self.fake = folder / "fake_python"

    def break_lint(self) -> None:
        """A ruff that formats but finds fault, so that a run of the checks ends early."""
        self.give_python()
        assert self.run("run_app.sh", "--port", free_port()).returncode == 0
        self.executable(self.root / ".venv/bin/ruff", '#!/bin/sh\n[ "$1" = format ]\n')

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @staticmethod
    def executable(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def give_python(self, name: str = "python3.12", venv_status: int = 0) -> None:
        text = FAKE_BASE.format(fake=self.fake, python=sys.executable, venv_status=venv_status)
        self.executable(self.path / name, text)

    def run(self, script: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / script), *arguments],
            cwd=cwd or self.root,
            env={"PATH": str(self.path), "HOME": str(self.root), "POSTGRES_PROGRAMS": str(self.root / "none")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def installs(self) -> int:
        return len(self.read("pip.calls").splitlines())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """The complaint of a run that failed: the last line on stderr."""
    assert result.returncode != 0
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize("script", ["run_app.sh", "run_tests.sh", ".ci/run"])
def test_a_script_is_executable_and_parses(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run([BASH, "-n", str(ROOT / script)], check=False).returncode == 0


def test_help_says_how_and_installs_nothing(house: House) -> None:
    result = house.run("run_app.sh", "--help")
    assert result.returncode == 0
    assert "--port N" in result.stdout
    assert not (house.root / ".venv").exists()


def test_the_first_start_installs_and_the_second_does_not(house: House, tmp_path: Path) -> None:
    house.give_python()
    port = free_port()
    for _ in range(2):
        result = house.run("run_app.sh", "--port", port, "--server.maxUploadSize", "5", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert house.installs == 1
    call, folder = house.read("streamlit.call").splitlines()
    assert call.endswith(
        f"streamlit run app/asgi.py --server.address 127.0.0.1 --server.port {port} --server.maxUploadSize 5"
    )
    assert Path(folder) == house.root


def test_changed_requirements_are_installed(house: House) -> None:
    house.give_python()
    for more in ("", "# a new line\n"):
        house.write("requirements.txt", house.read("requirements.txt") + more)
        assert house.run("run_app.sh", "--port", free_port()).returncode == 0
    assert house.installs == 2


def test_an_install_that_failed_is_repeated(house: House) -> None:
    house.give_python()
    house.write("pip.status", "1")
    house.write("pip.output", "ERROR: No matching distribution found for streamlit==1.67.0\n")
    sentence = one_sentence(house.run("run_app.sh"))
    assert "pip failed while installing requirements.txt" in sentence
    assert "No matching distribution" in sentence
    assert "install.log" in sentence
    assert "No matching distribution" in house.read(".venv/install.log")
    house.write("pip.status", "0")
    assert house.run("run_app.sh", "--port", free_port()).returncode == 0
    assert house.installs == 2


def test_no_network_is_one_sentence(house: House) -> None:
    house.give_python()
    house.write("pip.status", "1")
    house.write("pip.output", "WARNING: NewConnectionError: Temporary failure in name resolution\n")
    assert one_sentence(house.run("run_app.sh")).startswith("No network: pip could not reach the package index")


def test_a_missing_python_is_one_sentence(house: House) -> None:
    assert one_sentence(house.run("run_app.sh")).startswith("Python 3.11 or newer is missing")


def test_a_python_that_is_too_old_does_not_count(house: House) -> None:
    house.executable(house.path / "python3", "#!/bin/sh\nexit 1\n")
    assert one_sentence(house.run("run_app.sh")).startswith("Python 3.11 or newer is missing")


def test_a_missing_venv_module_is_one_sentence(house: House) -> None:
    house.give_python(venv_status=1)
    sentence = one_sentence(house.run("run_app.sh"))
    assert sentence.startswith("Python's venv module is missing")
    assert "apt install python3-venv" in sentence


def test_a_port_in_use_is_one_sentence_that_names_it(house: House) -> None:
    house.give_python()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        sentence = one_sentence(house.run("run_app.sh", f"--port={port}"))
    assert f"Port {port} is in use" in sentence
    assert "--port" in sentence
    assert house.read("streamlit.call") == ""


@pytest.mark.parametrize("port", ["0", "65536", "many", ""])
def test_a_port_that_is_none_is_refused_before_anything_is_made(house: House, port: str) -> None:
    assert "--port must be a number" in one_sentence(house.run("run_app.sh", "--port", port))
    assert not (house.root / ".venv").exists()


def test_an_address_of_another_machine_is_one_sentence(house: House) -> None:
    house.give_python()
    sentence = one_sentence(house.run("run_app.sh", "--host", "192.0.2.1", "--port", free_port()))
    assert "192.0.2.1" in sentence
    assert "--host" in sentence


def test_a_half_made_environment_is_made_again(house: House) -> None:
    house.give_python()
    (house.root / ".venv/bin").mkdir(parents=True)
    house.executable(house.root / ".venv/bin/python", "#!/bin/sh\nexit 1\n")
    assert house.run("run_app.sh", "--port", free_port()).returncode == 0
    assert house.installs == 1


def test_an_unknown_scope_of_checks_is_refused(house: House) -> None:
    assert "fast|all" in one_sentence(house.run("run_tests.sh", "some"))


def test_the_first_failing_check_ends_the_run_with_a_summary(house: House) -> None:
    house.break_lint()
    result = house.run("run_tests.sh", "fast")
    assert result.returncode == 1
    assert "== lint" in result.stdout
    assert "== types" not in result.stdout
    assert "Failed: lint. Passed before it: format" in result.stderr


def test_a_missing_chromium_is_installed_where_that_is_allowed(house: House) -> None:
    house.break_lint()
    house.executable(house.path / "id", "#!/bin/sh\necho 0\n")
    for name in ("node", "initdb"):
        house.executable(house.path / name, "#!/bin/sh\nexit 0\n")
    chromium = house.path / "chromium"
    lines = (
        "#!/bin/sh",
        f'echo "$DEBIAN_FRONTEND $*" >>"{house.root}/apt.calls"',
        f'cp "{house.path}/id" "{chromium}"',
    )
    house.executable(house.path / "apt-get", "\n".join(lines) + "\n")
    result = house.run("run_tests.sh")
    assert "Installing chromium with apt-get" in result.stderr
    assert "No Chromium" not in result.stderr
    update, install = house.read("apt.calls").splitlines()
    assert update.endswith(" update")
    assert install.startswith("noninteractive")
    assert install.endswith("install --no-install-recommends chromium")


def test_a_chromium_that_cannot_be_had_is_one_sentence_and_the_checks_go_on(house: House) -> None:
    house.break_lint()
    house.executable(house.path / "id", "#!/bin/sh\necho 1000\n")
    result = house.run("run_tests.sh")
    assert "No Chromium: install one" in result.stderr
    assert "== lint" in result.stdout


def test_a_missing_postgresql_is_installed_for_the_whole_run_where_that_is_allowed(house: House) -> None:
    house.break_lint()
    house.executable(house.path / "id", "#!/bin/sh\necho 0\n")
    for name in ("node", "chromium"):
        house.executable(house.path / name, "#!/bin/sh\nexit 0\n")
    asked = f'#!/bin/sh\necho "$*" >>"{house.root}/apt.calls"\ncp "{house.path}/id" "{house.path}/initdb"\n'
    house.executable(house.path / "apt-get", asked)
    assert "PostgreSQL" not in house.run("run_tests.sh", "fast").stderr
    result = house.run("run_tests.sh")
    assert "Installing postgresql with apt-get" in result.stderr
    assert "No PostgreSQL" not in result.stderr
    assert house.read("apt.calls").splitlines()[-1].endswith("install --no-install-recommends postgresql")
    (house.path / "initdb").unlink()
    house.executable(house.path / "apt-get", "#!/bin/sh\nexit 1\n")
    assert "No PostgreSQL: install it" in house.run("run_tests.sh").stderr


@pytest.mark.parametrize(
    "name",
    ["requirements.txt", "requirements-dev.txt", "requirements-scale.txt", "requirements-futu.txt",
     "requirements-postgres.txt"],
)  # fmt: skip
def test_every_requirement_has_one_exact_version_and_a_reason(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert wanted
    assert [line for line in wanted if not re.fullmatch(r"[a-z0-9-]+(\[[a-z]+\])?==[0-9.]+ +# .+", line)] == []


def test_streamlit_is_set_up_for_live_pages_and_outside_hosts_are_not_asked() -> None:
    text = (ROOT / ".streamlit/config.toml").read_text(encoding="utf-8")
    config = tomllib.loads(text)
    assert config["runner"] == {"postScriptGC": False}
    assert config["server"] == {"fileWatcherType": "none", "headless": True, "address": "127.0.0.1"}
    assert config["browser"] == {"gatherUsageStats": False}
    assert "://" not in text
