#!/usr/bin/env bash
# Sets up what is missing and starts the dashboard. `./run_app.sh --help` says more.
# run_tests.sh sources this file for the functions that make the virtual environment.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="$root/.venv"
python="$venv/bin/python"
install_log="$venv/install.log"

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

say() { printf '%s\n' "$*" >&2; }

# Runs a command with a time limit in seconds, where the machine has `timeout`.
limited() {
    local seconds="$1"
    shift
    if command -v timeout >/dev/null; then timeout --foreground --kill-after=10 "$seconds" "$@"; else "$@"; fi
}

# The first Python of at least 3.11. A name can exist and still not run (a version manager's stub), so each is tried.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3; do
        [[ -n "$candidate" ]] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# What an installed environment must match: the interpreter and the text of the requirement files.
# Fails where the environment is unusable (missing, half made, moved to an older Python).
fingerprint() {
    "$python" -I - "$@" 2>/dev/null <<'PYTHON'
import hashlib, importlib.util, pathlib, sys

if sys.version_info < (3, 11) or importlib.util.find_spec("pip") is None:
    sys.exit(1)
digest = hashlib.sha256(sys.version.encode())
for name in sys.argv[1:]:
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PYTHON
}

make_venv() {
    fingerprint "$root/requirements.txt" >/dev/null && return
    local base
    base="$(find_python)" || fail "Python 3.11 or newer is missing: install it (Debian, Ubuntu: apt install python3 python3-venv) and start again."
    "$base" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv) and start again."
    say "Making .venv with $("$base" --version 2>&1) ..."
    local output
    output="$("$base" -m venv --clear "$venv" 2>&1)" || fail "Making the virtual environment $venv failed: $(tail -n 1 <<<"$output")"
}

# install FILE [INCLUDED FILE ...]: pip-installs FILE unless its stamp says that this was done.
# The stamp is written last: an interrupted install is repeated.
install() {
    local name stamp wanted
    name="$(basename "$1")"
    stamp="$venv/.installed-$name"
    wanted="$(fingerprint "$@")" || fail "The virtual environment $venv is broken: delete it and start again."
    [[ -f "$stamp" && "$(<"$stamp")" == "$wanted" ]] && return
    rm -f "$stamp"
    say "Installing $name into .venv (only the first time; this can take a few minutes) ..."
    if ! limited 1500 "$python" -m pip install --no-input --disable-pip-version-check --progress-bar off \
        --timeout "${PIP_DEFAULT_TIMEOUT:-30}" --retries 3 -r "$1" >"$install_log" 2>&1 </dev/null; then
        if grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable|Connection (refused|timed out)|Temporary failure in name resolution' "$install_log"; then
            fail "No network: pip could not reach the package index while installing $name; connect and start again (details: $install_log)."
        fi
        fail "pip failed while installing $name: $(grep -E '^ERROR' "$install_log" | head -n 1 || true) (details: $install_log)"
    fi
    printf '%s\n' "$wanted" >"$stamp"
}

usage() {
    cat <<'TEXT'
Usage: ./run_app.sh [--port N] [--host H] [further streamlit options]

Sets up what is missing (a Python environment in .venv) and starts the dashboard.

  --port N   listen on port N (default 8501)
  --host H   listen on address H (default 127.0.0.1: this machine only)
  --help     show this text

Settings come from the environment and from .env (see .env.example). For any address but this machine's own, set
ALLOWED_HOSTS to the names by which browsers will call it. PYTHON=/path/to/python chooses the interpreter for .venv.

Where own routes are not possible (managed hosting), start the same dashboard without its data socket:
  .venv/bin/streamlit run app/main.py
TEXT
}

# Says in one sentence why HOST:PORT cannot be listened on.
check_address() {
    "$python" -I - "$1" "$2" <<'PYTHON' || exit 1
import errno, socket, sys

host, port = sys.argv[1], int(sys.argv[2])
try:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
except socket.gaierror:
    sys.exit(f"The host {host} is unknown: give --host an address of this machine, such as 127.0.0.1 or 0.0.0.0.")
except OSError as error:
    if error.errno == errno.EADDRINUSE:
        sys.exit(f"Port {port} is in use on {host}: stop what listens there, or choose another port with --port.")
    if error.errno == errno.EACCES:
        sys.exit(f"Port {port} needs more rights than you have: choose a port above 1023 with --port.")
    sys.exit(f"Cannot listen on {host} port {port}: {error.strerror}; choose others with --host and --port.")
PYTHON
}

main() {
    local host=127.0.0.1 port=8501 further=()
    while (($#)); do
        case "$1" in
            -h | --help) usage && exit 0 ;;
            --port | --host | --server.port | --server.address)
                (($# > 1)) || fail "$1 needs a value (see ./run_app.sh --help)."
                case "$1" in *port) port="$2" ;; *) host="$2" ;; esac
                shift 2
                ;;
            --port=* | --server.port=*) port="${1#*=}" && shift ;;
            --host=* | --server.address=*) host="${1#*=}" && shift ;;
            *) further+=("$1") && shift ;;
        esac
    done
    [[ "$port" =~ ^[1-9][0-9]{0,4}$ ]] && ((port <= 65535)) || fail "--port must be a number from 1 to 65535, not '$port'."
    cd "$root"
    make_venv
    install "$root/requirements.txt"
    check_address "$host" "$port"
    # Naming the interpreter keeps this working after the folder was moved: the script's first line holds the old path.
    exec "$python" "$venv/bin/streamlit" run app/asgi.py \
        --server.address "$host" --server.port "$port" ${further[@]+"${further[@]}"}
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then main "$@"; fi
