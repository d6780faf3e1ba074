"""Drives the dashboard as a person would: started by its own script, seen through a real Chromium."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Locator, Page, Playwright, TimeoutError, expect

ROOT = Path(__file__).resolve().parents[3]
START_S = 90.0
OPENINGS = 5
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dashboard(log: Path, environment: Mapping[str, str], *arguments: str) -> Iterator[str]:
    """The dashboard as `./run_app.sh` starts it; its address. Stopped at the end, and its log kept in `log`."""
    port = free_port()
    command = [str(ROOT / "run_app.sh"), "--port", str(port), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_until_served(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=5)
                raise


def _wait_until_served(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the dashboard ended at once:\n{log.read_text()}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            # Nothing to wait on but the port itself.
            process_wait(process, 0.2)
    raise AssertionError(f"the dashboard was not served within {START_S} s:\n{log.read_text()}")


def process_wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait a moment, or less if the process ends."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def launch(playwright: Playwright, chromium: str) -> Browser:
    """The system's Chromium, headless."""
    return playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_OPTIONS))


def open_page(browser: Browser, address: str, *, width: int = 1280, height: int = 1000) -> Page:
    """A new tab with the page loaded and its script at rest."""
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.goto(address)
    settle(page)
    return page


def settle(page: Page) -> None:
    """Wait until the page's script is not running and its connection stands."""
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for(timeout=30_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=30_000)


def choose(page: Page, key: str, option: str) -> None:
    """Pick an option of a select box by its key."""
    box = page.locator(f".st-key-{key} [data-baseweb=select], .st-key-{key} [role=combobox]").first
    found = page.get_by_role("option", name=option, exact=True)
    for _ in range(OPENINGS):
        box.click()
        try:
            found.click(timeout=2_000)
        except TimeoutError:
            continue  # a list closes when what is around it still unfolds
        settle(page)
        return
    raise AssertionError(f"{option} could not be chosen")


def press(page: Page, key: str) -> None:
    """Press a button by its key, once the page is drawn: meanwhile old and new buttons can stand side by side."""
    settle(page)
    page.locator(f".st-key-{key} button").click()


def card(page: Page, symbol: str) -> Locator:
    """The status card of a symbol."""
    return page.locator(f'.td-card[data-symbol="{symbol}"]')


def expect_state(page: Page, symbol: str, state: str, within_s: float) -> None:
    """The symbol's card shows this state within so many seconds."""
    expect(card(page, symbol)).to_have_attribute("data-state", re.compile(state), timeout=within_s * 1000)


def updates(page: Page, symbol: str) -> int:
    """How many updates the card counts."""
    return int(card(page, symbol).get_attribute("data-updates") or 0)


def panel(page: Page, name: str) -> Locator:
    """The root of a canvas panel."""
    return page.locator(f'.st-key-{name} [data-panel="{name}"]')


def tracebacks(log: str) -> list[str]:
    """What failed, by the server's log.

    One fault is Streamlit's own and left out: where a tab's script begins anew while the one before is on its way out,
    both may touch the tab's state, and listing its keys fails; the newer script draws the page again.
    """
    found = log.split("Traceback ")[1:]
    return [one for one in found if not ("filtered_state" in one and "changed size during iteration" in one)]
