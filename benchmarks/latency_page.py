"""`benchmarks/latency.py --page`: the line at a steady rate inside the dashboard's process while a browser shows it.

Four processes: the venue (benchmarks/venue.py), the dashboard (benchmarks/served.py), Chromium, and this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

from benchmarks.machine import slope
from benchmarks.page import Samples, launch_page
from benchmarks.peers.tapedeck import SYMBOLS
from benchmarks.served import MEMORY_EVERY_S
from benchmarks.tape import ROOT
from tests.app.pages.dashboard import free_port, process_wait

WARM_UP_S = 8.0
START_S = 60.0
BAR_MS = 1.0
FLAT_MB_PER_MIN = 1.0
JUDGED_S = 300.0
"""Memory of shorter runs is shown but not judged."""
ROWS = (
    ("frame received → in the mailbox (the bar)", "from_stamp"),
    ("frame handed to the kernel → received", "to_stamp"),
    ("frame handed to the kernel → in the mailbox", "from_sending"),
)

Process = subprocess.Popen[str]


def measure(capture: Path, rate: float, seconds: float, switch_ms: float | None) -> dict[str, Any]:
    """One run; what benchmarks/served.py reports, with the page's own samples and the venue's last words."""
    with _started("venue", str(capture), f"{rate:g}") as venue, sync_playwright() as playwright:
        addresses = json.loads(_line(venue))
        port = free_port()
        environment = {"BINANCE_WS_URL": addresses["ws"], "BINANCE_REST_URL": addresses["rest"], "LOG_LEVEL": "WARNING"}
        switch = [] if switch_ms is None else [f"{switch_ms:g}"]
        with _started("served", str(port), *switch, environment=environment) as server:
            address = f"http://127.0.0.1:{port}"
            _wait_for(server, address)
            with launch_page(playwright, address, SYMBOLS, connector="binance") as page:
                page.wait_for_timeout(WARM_UP_S * 1000)
                samples = Samples()
                painted = page.evaluate("window.__bench.painted()")
                page.evaluate("window.__bench.reset()")
                _say(server, "go")
                begun = monotonic()
                while (left := seconds - (monotonic() - begun)) > 0:
                    page.wait_for_timeout(min(5.0, left) * 1000)
                    taken = page.evaluate("window.__bench.samples()")
                    samples.add(taken["rows"], taken["lost"])
                _say(server, "stop")
                result: dict[str, Any] = json.loads(_line(server))
                after = page.evaluate("window.__bench.painted()")
                result["painted_hz"] = {name: (after[name] - painted[name]) / result["seconds"] for name in painted}
                result["remounts"] = page.evaluate("window.__bench.remounts")
                result["every_ms"] = samples.every
        assert venue.stdin is not None
        venue.stdin.close()
        result["venue"] = json.loads(_line(venue))
    return result


def table(results: Sequence[dict[str, Any]], rate: float) -> tuple[str, list[str]]:
    """The markdown of all runs, and the bars that were missed by the first one."""
    lines, failures = [], list[str]()
    for result in results:
        frames = f"{result['frames']:,} frames, {result['frames'] / result['seconds']:,.0f}/s (wanted {rate:,.0f})"
        lines += [f"**Switch interval {result['switch_ms']:g} ms, {result['seconds']:.0f} s: {frames}**", ""]
        lines += ["| | p50 ms | p99 ms | p99.9 ms | worst ms |", "|---|---:|---:|---:|---:|"]
        for label, name in ROWS:
            lines.append(f"| {label} | " + " | ".join(f"{value:.3f}" for value in result[name]) + " |")
        cpu = ", ".join(f"{name} {value:.1f}" for name, value in _most(result["cpu_percent"]))
        rise = memory_slope(result["memory_mb"])
        memory = result["memory_mb"]
        lines += [
            "",
            f"CPU of the server in % of a core: {cpu}. Resident memory {memory[0]:.1f} MB at first, {memory[-1]:.1f} "
            f"MB at the end, {max(memory):.1f} MB at most, slope {rise:+.2f} MB per minute. The ladder was painted "
            f"{result['painted_hz']['ladder']:.1f} times a second; remounts: {result['remounts']}. "
            f"The reading thread was ready but without a free core {result['delay_percent']:.1f} % of the time. "
            f"The venue sent each frame at most {result['venue']['latest_ms']:.1f} ms late.",
            "",
            f"Memory in MB, every {MEMORY_EVERY_S:.0f} s: {' '.join(f'{value:.0f}' for value in memory)}.",
            "",
        ]
    first = results[0]
    if first["from_stamp"][1] >= BAR_MS:
        failures.append(f"frame to mailbox p99 {first['from_stamp'][1]:.3f} ms")
    rise = memory_slope(first["memory_mb"])
    if first["seconds"] >= JUDGED_S and rise > FLAT_MB_PER_MIN:
        failures.append(f"memory {rise:+.2f} MB per minute")
    return "\n".join(lines), failures


def memory_slope(memory: Sequence[float]) -> float:
    """MB per minute by least squares, the first fifth left out; samples are ten seconds apart."""
    points = [(place * MEMORY_EVERY_S / 60, value) for place, value in enumerate(memory[:-1])]
    return slope(points[len(points) // 5 :])


def _most(cpu: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(cpu.items(), key=lambda item: -item[1])[:6]


@contextmanager
def _started(module: str, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Process]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        cwd=ROOT, env={**os.environ, **(environment or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=5)


def _say(process: Process, command: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{command}\n")
    process.stdin.flush()


def _line(process: Process) -> str:
    """The next line of JSON that the process prints."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return line
    raise RuntimeError(f"{process.args!r} ended without a word")


def _wait_for(process: Process, address: str) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        try:
            with urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            process_wait(process, 0.2)  # type: ignore[arg-type]
    raise RuntimeError("the dashboard was not served in time")
