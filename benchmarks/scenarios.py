"""What benchmarks/live_page.py does with the page; each part gives markdown and the bars that were missed."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Playwright

from benchmarks.machine import cpu_s, percentile, slope
from benchmarks.page import PANELS, Run, Samples, launch_page
from benchmarks.tape import ROOT
from tests.app.pages.dashboard import settle

Outcome = tuple[str, list[str]]

LATENCY_MS, PAINTED_HZ, TAB_PERCENT = 70.0, 19.0, 0.3
SETTLE_MS = 1000
CLICKS = 10


def painting(run: Run) -> Outcome:
    """Painted pictures, latency and cost over the whole time."""
    seconds = run.options.minutes * 60
    samples = Samples()
    before, begun = _counters(run), time.monotonic()
    for _ in run.watch(seconds, samples):
        pass
    took_s = time.monotonic() - begun
    after = _counters(run)
    rates = {name: (after["painted"][name] - before["painted"][name]) / took_s for name in PANELS}
    remounts = run.page.evaluate("window.__bench.remounts")
    same = run.page.evaluate("window.__bench.same()")
    text, failures = _latency_table(samples, f"{len(run.symbols)} symbols × {run.options.rate:g} messages/s")
    text = f"{_title(run, seconds)}\n\n{text}\n\n{_painted_table(rates)}\n\n{_cost(before, after, took_s)}\n\n"
    text += f"Remounts of any panel, canvas or chart: {remounts}{'' if same else ', and a panel is another one'}. "
    text += f"Frames lost: {after['counts']['resyncs'] - before['counts']['resyncs']}."
    # Every frame shows in the quotes; the ladder is painted when its book has changed.
    failures += [f"painted {rates['quotes']:.1f} Hz"] if rates["quotes"] < PAINTED_HZ else []
    failures += [f"{remounts} remounts"] if remounts or not same else []
    return text, failures


def views(run: Run) -> Outcome:
    """Zoom the chart, scroll ladder, tape and page, and look whether they stay for ten seconds of updates."""
    page = run.page
    for name, delta in (("ladder", -240), ("tape", 60)):
        page.locator(f'[data-panel="{name}"] canvas').hover()
        page.mouse.wheel(0, delta)
    box = page.locator('[data-panel="price"] .nsewdrag').first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop = 120")
    page.wait_for_timeout(2000)
    before, painted = page.evaluate("window.__bench.view()"), page.evaluate("window.__bench.painted()")
    page.wait_for_timeout(10_000)
    after, further = page.evaluate("window.__bench.view()"), page.evaluate("window.__bench.painted()")
    moved = [name for name in before if before[name] != after[name]]
    unmoved = [name for name in ("ladder", "tape", "page") if not float(before[name] or 0)]
    counts = ", ".join(f"{name} {further[name] - painted[name]}" for name in PANELS)
    kept = "kept" if not moved else f"NOT kept: {', '.join(moved)}"
    failures = [f"not kept: {moved}"] if moved else []
    failures += [f"could not be scrolled: {unmoved}"] if unmoved else []
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop = 0")
    text = f"Chart zoomed, ladder, tape and page scrolled; after ten seconds and further pictures ({counts}): {kept}."
    return text, failures


def extra_tabs(run: Run) -> Outcome:
    """The server's CPU with further tabs on the same symbols: their data sockets alone, and whole tabs."""
    seconds, failures = run.options.tab_seconds, list[str]()
    lines = [
        "| further tabs | server CPU, % of a core | per further tab | KB/s per tab |", "|---|---:|---:|---:|",
    ]  # fmt: skip
    for whole in (False, True):
        points = [(0.0, _server_percent(run, seconds))]
        what = "whole tabs" if whole else "data sockets"
        lines.append(f"| none | {points[0][1]:.1f} | | |")
        numbers = run.options.tabs if not whole else [number for number in run.options.tabs if number <= 5]
        for number in numbers:
            with _tabs(run, number, whole) as said:
                percent = _server_percent(run, seconds)
            points.append((float(number), percent))
            each = (percent - points[0][1]) / number
            rate = said["bytes"] / said["seconds"] / number / 1024
            lines.append(f"| {number} {what} | {percent:.1f} | {each:.2f} | {rate:.1f} |")
        rise = slope(points)
        lines.append(f"| **per {what[:-1]}, least squares** | | **{rise:.2f}** | |")
        if not whole and rise > TAB_PERCENT:
            failures.append(f"{rise:.2f} % of a core per further tab")
    return "\n".join(lines), failures


def busy(playwright: Playwright, address: str, options: argparse.Namespace) -> Outcome:
    """20 symbols, 100 messages a second each."""
    from connectors.base.simulation.market import INSTRUMENTS

    symbols = [instrument.symbol for instrument in INSTRUMENTS[:20]]
    with launch_page(playwright, address, symbols) as page:
        run, samples = Run(address, page, symbols, options), Samples()
        before, begun = _counters(run), time.monotonic()
        for _ in run.watch(options.busy_seconds, samples):
            pass
        took_s = time.monotonic() - begun
        after = _counters(run)
        rates = {name: (after["painted"][name] - before["painted"][name]) / took_s for name in PANELS}
        clicks = [_click(run, symbols[1 + number % 4]) for number in range(CLICKS)]
    table, _ = _latency_table(samples, "20 symbols × 100 messages/s")
    click = f"{percentile(clicks, 0.5):.0f} / {max(clicks):.0f}"
    return (
        f"**20 symbols × 100 messages/s, {took_s:.0f} s**\n\n{table}\n\n{_painted_table(rates)}\n\n"
        f"{_cost(before, after, took_s)}\n\nFrom a press on a symbol of the focus control until the ladder shows it: "
        f"{click} ms (median / worst of {CLICKS})."
    ), []


def _click(run: Run, symbol: str) -> float:
    page = run.page
    page.evaluate("(symbol) => { window.__focused = window.__bench.focused(symbol); }", symbol)
    page.locator(".st-key-focus").get_by_text(symbol, exact=True).click()
    took_ms = float(page.evaluate("window.__focused"))
    settle(page)
    return took_ms


def _counters(run: Run) -> dict[str, Any]:
    run.page.evaluate("window.__bench.reset()")
    return {
        "painted": run.page.evaluate("window.__bench.painted()"),
        "counts": run.page.evaluate("window.__bench.counts()"),
        "tasks": run.page.evaluate("[window.__bench.longTasks, window.__bench.longest]"),
        "busy_s": run.busy_s(),
        "server_s": cpu_s(run.server),
        "browser_s": run.browser_cpu_s(),
    }


def _title(run: Run, seconds: float) -> str:
    return f"**{len(run.symbols)} symbols × {run.options.rate:g} messages/s, one page, {seconds / 60:g} minutes**"


def _latency_table(samples: Samples, what: str) -> Outcome:
    lines = [f"| wire to pixel, {what} | p50 ms | p95 ms | p99 ms | count |", "|---|---:|---:|---:|---:|"]
    rows = (("newest update of a picture", samples.newest), ("every update", samples.every),
            ("oldest update of a picture", samples.oldest))  # fmt: skip
    for label, values in rows:
        figures = " | ".join(f"{percentile(values, share):.1f}" for share in (0.5, 0.95, 0.99))
        lines.append(f"| {label} | {figures} | {len(values):,} |")
    if samples.quiet_windows < samples.windows:
        figures = " | ".join(f"{percentile(samples.quiet, share):.1f}" for share in (0.5, 0.95, 0.99))
        label = f"every update, in the {samples.quiet_windows} of {samples.windows} windows when the machine was quiet"
        lines.append(f"| {label} | {figures} | {len(samples.quiet):,} |")
    worst = percentile(samples.every, 0.95)
    return "\n".join(lines), [f"wire to pixel p95 {worst:.1f} ms"] if not worst <= LATENCY_MS else []


def _painted_table(rates: dict[str, float]) -> str:
    head = "| panel | " + " | ".join(rates) + " |\n|---|" + "---:|" * len(rates)
    return head + "\n| pictures per second | " + " | ".join(f"{rate:.1f}" for rate in rates.values()) + " |"


def _cost(before: dict[str, Any], after: dict[str, Any], took_s: float) -> str:
    def per_s(name: str) -> float:
        return float(after[name] - before[name]) / took_s * 100

    counts = {name: (after["counts"][name] - before["counts"][name]) / took_s for name in ("messages", "bytes")}
    return (
        f"CPU in % of a core: server {per_s('server_s'):.1f} (the simulated market included), browser "
        f"{per_s('browser_s'):.1f} (no graphics card), of it the page's main thread {per_s('busy_s'):.1f}. "
        f"{counts['messages']:.1f} messages and {counts['bytes'] / 1024:.1f} KB per second. "
        f"Tasks over 50 ms on the main thread: {after['tasks'][0] - before['tasks'][0]}, the longest "
        f"{after['tasks'][1]:.0f} ms."
    )


def _server_percent(run: Run, seconds: float) -> float:
    run.page.wait_for_timeout(2000)
    before, begun = cpu_s(run.server), time.monotonic()
    run.page.wait_for_timeout(seconds * 1000)
    return (cpu_s(run.server) - before) / (time.monotonic() - begun) * 100


@contextmanager
def _tabs(run: Run, number: int, whole: bool) -> Iterator[dict[str, Any]]:
    """So many further tabs; what they counted is there once they have gone."""
    command = [sys.executable, "-m", "benchmarks.tabs", run.address, str(number), *run.symbols]
    said: dict[str, Any] = {}
    begun = time.monotonic()
    with subprocess.Popen(
        [*command, "--whole"] if whole else command,
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the further tabs got no data")
        yield said
        rest, _ = process.communicate(timeout=10)
        said.update(json.loads(rest.splitlines()[-1]), seconds=time.monotonic() - begun)
        if said["failures"]:
            raise RuntimeError(f"a further tab failed: {said['failures']}")
