"""The memory of a browser that shows the page, and of the server: no developer tools but for a moment at each sample.

Developer tools keep what the network brought, so that a browser that is driven grows by itself. Here Chromium is
started as a person starts it; every half minute a client comes, collects the garbage, weighs the page's heap, and goes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from websockets.asyncio.client import connect

from benchmarks.machine import below_me, descendants, private_mb, rss_mb, slope
from tests.app.pages.dashboard import CHROMIUM_OPTIONS

FULL_AFTER_MIN = 5.0
"""Until then the page's runs of history (prices, trades, the browser's own caches) fill."""
EVERY_S = 30.0
ANSWER_S = 20.0
BARS_MB_PER_MIN = {"page's heap after collection": 0.2, "Chromium's processes": 2.0, "server": 1.0}


def memory(address: str, symbols: Sequence[str], chromium: str, minutes: float) -> tuple[str, list[str]]:
    """Markdown, and what was not flat over `minutes` (least squares), counted once the histories are full."""
    server = below_me("streamlit run app/asgi.py")[-1]
    chosen = urlencode([("connector", "mock"), ("run", "1"), *[("symbols", name) for name in symbols]])
    rows: list[tuple[float, float, float, float]] = []
    with _browser(chromium, f"{address}/?{chosen}") as (browser, profile):
        begun = time.monotonic()
        while (passed_min := (time.monotonic() - begun) / 60) < FULL_AFTER_MIN + minutes:
            time.sleep(EVERY_S)
            heap = asyncio.run(_heap_mb(_tools_of(profile)))
            whole = sum(map(private_mb, [browser, *descendants(browser)]))
            rows.append((passed_min, heap, whole, rss_mb(server)))
    return _table([row for row in rows if row[0] >= FULL_AFTER_MIN], minutes)


def _table(rows: Sequence[tuple[float, ...]], minutes: float) -> tuple[str, list[str]]:
    lines = [
        "| memory in MB | at first | at the end | least | most | slope per minute |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    failures = []
    for column, (name, bar) in enumerate(BARS_MB_PER_MIN.items(), start=1):
        values = [row[column] for row in rows]
        rise = slope([(row[0], row[column]) for row in rows])
        lines.append(
            f"| {name} | {values[0]:.1f} | {values[-1]:.1f} | {min(values):.1f} | {max(values):.1f} | {rise:+.2f} |"
        )
        if rise > bar:
            failures.append(f"{name}: {rise:+.2f} MB per minute")
    said = (
        f"A browser without developer tools, over {minutes:g} minutes after the first {FULL_AFTER_MIN:g}, in which the "
        "page's histories fill. Of Chromium's processes what is theirs alone: other programs' shares come and go."
    )
    return "\n".join([*lines, "", said]), failures


@contextmanager
def _browser(chromium: str, address: str) -> Iterator[tuple[int, Path]]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                chromium, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}",
                "--window-size=1280,1000", *CHROMIUM_OPTIONS, address,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process.pid, Path(profile)
        finally:
            process.terminate()
            process.wait(10)


def _tools_of(profile: Path) -> str:
    """Where the page's developer tools answer."""
    port = (profile / "DevToolsActivePort").read_text(encoding="utf-8").split("\n", 1)[0]
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=ANSWER_S) as answer:
        return str(next(target["webSocketDebuggerUrl"] for target in json.load(answer) if target["type"] == "page"))


async def _heap_mb(address: str) -> float:
    """The page's JavaScript heap after a forced collection."""
    async with connect(address, max_size=None, proxy=None) as tools:
        # The second collection frees what the first one's finalisers let go.
        for number, method in enumerate(("HeapProfiler.collectGarbage",) * 2 + ("Runtime.getHeapUsage",)):
            await tools.send(json.dumps({"id": number, "method": method}))
            async with asyncio.timeout(ANSWER_S):
                said = json.loads(await tools.recv())
                while said.get("id") != number:
                    said = json.loads(await tools.recv())
    return float(said["result"]["usedSize"]) / 2**20
