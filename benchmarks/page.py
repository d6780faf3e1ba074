"""The dashboard and one Chromium page on it, as a benchmark needs them: started, sampled, stopped."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct, field
from playwright.sync_api import CDPSession, Page, Playwright

from benchmarks.machine import Machine, below_me, cpu_s
from tests.app.pages.dashboard import dashboard, launch, settle

SCRIPT = Path(__file__).with_name("browser.js")
COLLECT_EVERY_S = 5.0
QUIET_PERCENT = 25.0
"""Of a core: what others may use in a window that is called quiet."""
PANELS = ("quotes", "price", "ladder", "depth", "tape")


class Samples(Struct):
    """Ages in ms: of the newest and the oldest update of each picture, and of every update."""

    newest: list[float] = field(default_factory=list)
    oldest: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    """Of every update in the windows in which the machine had little else to do."""
    windows: int = 0
    quiet_windows: int = 0
    lost: int = 0

    def add(self, rows: Sequence[Sequence[Any]], lost: int = 0, others_percent: float = 0.0) -> None:
        """One window of rows of (symbol, newest, oldest, how many updates)."""
        self.lost += lost
        before = len(self.every)
        for _, newest, oldest, events in rows:
            self.newest.append(newest)
            self.oldest.append(oldest)
            self.every += ages(newest, oldest, int(events))
        self.windows += 1
        if others_percent < QUIET_PERCENT:
            self.quiet_windows += 1
            self.quiet += self.every[before:]


def ages(newest: float, oldest: float, events: int) -> list[float]:
    """The ages of `events` updates of which the extremes are known; those between are taken as evenly spaced."""
    if events <= 1:
        return [newest]
    step = (oldest - newest) / (events - 1)
    return [newest + step * place for place in range(events)]


def chromium() -> str:
    """The path of the system's Chromium.

    Raises:
        SystemExit: there is none.
    """
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("no Chromium: install one or set CHROMIUM to its path")
    return found


@contextmanager
def serve(log: Path, rate: float, **further: str) -> Iterator[str]:
    """The dashboard with the mock at `rate` messages per second and symbol; its address."""
    environment = {"MOCK_RATE": f"{rate:g}", "MOCK_SEED": "7", "LOG_LEVEL": "WARNING", **further}
    with dashboard(log, environment) as address:
        yield address


@contextmanager
def launch_page(
    playwright: Playwright, address: str, symbols: Sequence[str], *, connector: str = "mock", **query: str
) -> Iterator[Page]:
    """A running page with its panels painting, watched by browser.js."""
    browser = launch(playwright, chromium())
    try:
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        chosen = [("connector", connector), ("run", "1"), *[("symbols", name) for name in symbols], *query.items()]
        page.goto(f"{address}/?{urlencode(chosen)}")
        settle(page)
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
        page.wait_for_function(
            "() => Object.values(window.__bench.painted()).every((count) => count >= 5)", timeout=60_000
        )
        page.evaluate("window.__bench.begin()")
        yield page
    finally:
        browser.close()


class Run:
    """One page under the clock."""

    def __init__(self, address: str, page: Page, symbols: Sequence[str], options: argparse.Namespace) -> None:
        self.address = address
        self.page = page
        self.symbols = symbols
        self.options = options
        self.server = below_me("streamlit run app/asgi.py")[-1]
        self.devtools: CDPSession = page.context.new_cdp_session(page)
        self.devtools.send("Performance.enable")

    def busy_s(self) -> float:
        """Seconds for which the page's main thread was busy so far."""
        metrics = self.devtools.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    def browser_cpu_s(self) -> float:
        return sum(_cpu_if_there(pid) for pid in below_me("chrom", "--"))

    def watch(self, seconds: float, samples: Samples, every_s: float = COLLECT_EVERY_S) -> Iterator[float]:
        """Collect samples for so long; yields the seconds passed, about every `every_s`."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            machine = Machine()
            # The browser's events are served while waiting.
            self.page.wait_for_timeout(min(every_s, seconds - passed) * 1000)
            taken = self.page.evaluate("window.__bench.samples()")
            samples.add(taken["rows"], taken["lost"], machine.others_percent())
            yield time.monotonic() - begun


def _cpu_if_there(pid: int) -> float:
    try:
        return cpu_s(pid)
    except OSError:
        return 0.0
