#!/usr/bin/env bash
# Sets up what the checks need and runs every one; the first failure ends the run.
#   ./run_tests.sh        everything
#   ./run_tests.sh fast   without the browser and the slow tests
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/run_app.sh"
cd "$root"

scope="${1:-all}"
case "$scope" in
    fast) selection="not browser and not slow" ;;
    all) selection="not browser" ;;
    *) fail "Usage: ./run_tests.sh [fast|all]" ;;
esac

passed=()
setup_log="$venv/setup.log"

# check NAME COMMAND...: a heading, the command, and the summary if it fails.
check() {
    local name="$1" started=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if ! "$@" </dev/null; then
        printf '\nFailed: %s. Passed before it: %s.\n' "$name" "${passed[*]:-nothing}" >&2
        exit 1
    fi
    passed+=("$name ($((SECONDS - started)) s)")
}

# apt_install PACKAGE...: fails where there is no apt-get, or no right to use it without a password.
apt_install() {
    command -v apt-get >/dev/null && become_root || return 1
    say "Installing $* with apt-get ..."
    local options=(-q -y -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o DPkg::Lock::Timeout=60)
    "${as_root[@]}" timeout 300 apt-get "${options[@]}" update >>"$setup_log" 2>&1 </dev/null || true
    "${as_root[@]}" timeout 600 apt-get "${options[@]}" install --no-install-recommends "$@" >>"$setup_log" 2>&1 </dev/null
}

# Sets as_root, the words to put before a command that needs the rights of root.
become_root() {
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [[ "$(id -u)" == 0 ]] && return
    as_root=(sudo --non-interactive "${as_root[@]}")
    command -v sudo >/dev/null && sudo --non-interactive true 2>/dev/null
}

# The path of a Chromium that starts.
find_chromium() {
    local candidate
    for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable "$(playwright_chromium)"; do
        [[ -n "$candidate" ]] && command -v "$candidate" >/dev/null || continue
        # Ubuntu's chromium-browser can be a stub that only says "install the snap", so it must answer.
        if limited 30 "$candidate" --version >/dev/null 2>&1 </dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Where Playwright keeps its own Chromium, installed or not.
playwright_chromium() {
    "$python" -c 'from playwright.sync_api import sync_playwright as start
with start() as playwright: print(playwright.chromium.executable_path)' 2>/dev/null || true
}

# Ubuntu has no Chromium package, only a snap: there Playwright's own build is fetched.
playwright_install() {
    say "Installing Playwright's Chromium ..."
    local words=(install chromium)
    become_root && words=(install --with-deps chromium)
    limited 600 "$python" -m playwright "${words[@]}" >>"$setup_log" 2>&1 </dev/null
}

# Sets CHROMIUM for the browser tests, or says what is missing; without it they skip and say so too.
ensure_chromium() {
    local install_step
    for install_step in true "apt_install chromium" playwright_install; do
        $install_step || continue
        if CHROMIUM="$(find_chromium)"; then
            export CHROMIUM
            return
        fi
    done
    unset CHROMIUM
    say "No Chromium: install one (Debian: apt install chromium) or set CHROMIUM to its path; the browser tests will be skipped."
}

node_is_new_enough() {
    command -v node >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' 2>/dev/null
}

ensure_node() {
    node_is_new_enough || { apt_install nodejs && node_is_new_enough; } ||
        say "No node 18 or newer: install one (Debian, Ubuntu: apt install nodejs); the panels' own tests will be skipped."
}

postgres_is_there() {
    command -v initdb >/dev/null || compgen -G "${POSTGRES_PROGRAMS:-/usr/lib/postgresql}/*/bin/initdb" >/dev/null
}

# The tests start servers of their own; only the programs are wanted.
ensure_postgres() {
    postgres_is_there || { apt_install postgresql && postgres_is_there; } ||
        say "No PostgreSQL: install it (Debian, Ubuntu: apt install postgresql); the tests of recordings on a server will be skipped."
}

make_venv
install "$root/requirements.txt"
install "$root/requirements-dev.txt" "$root/requirements.txt" "$root/requirements-futu.txt" "$root/requirements-postgres.txt"
: >"$setup_log"
[[ "$scope" == fast ]] || ensure_chromium
ensure_node
[[ "$scope" == fast ]] || ensure_postgres

check "format" "$venv/bin/ruff" format --check .
check "lint" "$venv/bin/ruff" check .
check "types" "$python" -m mypy
check "layers" "$python" "$venv/bin/lint-imports" --no-cache
printf '\nPassed so far: %s\n' "${passed[*]}"
# What is judged by the clock has the machine to itself; the others share it, a file at a time.
if [[ "$scope" == all ]]; then
    check "browser tests" limited 900 "$python" -m pytest -m browser
    check "fault tests" limited 900 "$python" -m pytest tests/contract
fi
# Last, so that a good run ends with pytest's own closing line.
check "tests" limited 1500 "$python" -m pytest -m "$selection" --ignore tests/contract --numprocesses 2 --dist loadfile
