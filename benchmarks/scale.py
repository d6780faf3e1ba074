"""Does the cost grow with the symbols and with nothing else? 200 symbols of five venues through one engine.

Five fake venues (Binance, Binance USD-M, Kraken, Coinbase, and the mock's exchange behind a socket) run in one process,
the engine in another: hub, connectors with their real transport, one reader. The symbols grow 25, 50, 100, 200; after
each step CPU time and memory of the engine's process are measured, and a straight line is fitted to both. Then a fresh
process starts all symbols at once. The exit status is 1 when a symbol is not LIVE, a book was wrong, or a bar missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine, circumstances, slope, write_between
from benchmarks.tape import ROOT

SIZES = (25, 50, 100, 200)
VENUES = 5
THREADS_PER_CONNECTION = 3.0
FIT = 0.95
STEEPER = 1.25
"""How much more a further symbol may cost at the end than at the beginning: wake-ups are shared, so it costs less."""
STOP_S = 2.0
WAIT_S = 20.0


def main() -> int:
    options = _options()
    machine = Machine()
    with venues(max(options.sizes) // VENUES, options.rate) as (said, violations):
        grown = measure(said, options.sizes, options.seconds)
        _progress("all at once")
        cold = measure(said, options.sizes[-1:], 2.0)
    report, missed = _report(grown, cold, violations, options)
    report += f"\n\n{circumstances()}, {machine.others()}."
    print(report)
    if options.write is not None:
        write_between(options.write, "scale", report)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="symbols, multiples of five, rising")
    parser.add_argument("--rate", type=float, default=5.0, help="batches a second and symbol (about 4 messages each)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each size is measured")
    parser.add_argument("--write", type=Path, help="put the table between its markers in this file")
    options = parser.parse_args()
    if any(size % VENUES or size <= 0 for size in options.sizes) or sorted(set(options.sizes)) != options.sizes:
        parser.error("the sizes must be rising multiples of five")
    return options


@contextmanager
def venues(symbols: int, rate: float) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """The fake venues' addresses; the list holds the limits that were broken once this is left."""
    _progress("the venues begin")
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale_venues", str(symbols), str(rate)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        violations: list[str] = []
        try:
            yield json.loads(process.stdout.readline()), violations
        finally:
            try:
                said, _ = process.communicate("", timeout=WAIT_S)
                violations += json.loads(said)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(said: dict[str, Any], sizes: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """What a fresh process found at each size; the last entry says how long its end took."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale_line"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"venues": said, "sizes": list(sizes), "seconds": seconds}) + "\n")
        process.stdin.flush()
        found = []
        for line in process.stdout:
            found.append(json.loads(line))
            if len(found) <= len(sizes):
                _progress(f"{len(found)} of {len(sizes)} sizes")
    if process.returncode or len(found) != len(sizes) + 1:
        raise RuntimeError(f"the measured process ended with {process.returncode} after {len(found)} results")
    return found


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope, intercept and R² of the straight line through some points; R² is 1 where nothing varies."""
    rise = slope(points)
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    base = mean_y - rise * mean_x
    spread = sum((y - mean_y) ** 2 for _, y in points)
    missed = sum((y - base - rise * x) ** 2 for x, y in points)
    return rise, base, 1.0 - missed / spread if spread else 1.0


def _report(
    grown: list[dict[str, Any]], cold: list[dict[str, Any]], violations: list[str], options: argparse.Namespace
) -> tuple[str, list[str]]:
    *steps, end = grown
    lines = [
        "| symbols | live | updates/s | CPU, % of a core | µs of CPU per update | CPU per symbol, % | memory, MB "
        "| connections | threads | all LIVE after, s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *[_row(step) for step in steps],
    ]
    cpu = fit([(step["symbols"], step["cpu_percent"]) for step in steps])
    memory = fit([(step["symbols"], step["rss_mb"]) for step in steps])
    at_once = cold[0]
    slowest = ", ".join(f"{venue} {seconds:.1f} s" for venue, seconds in at_once["live_s"].items())
    lines += [
        "",
        f"* CPU: {cpu[1]:.2f} % + {cpu[0]:.4f} % of a core per symbol, R² {cpu[2]:.4f}",
        f"* memory: {memory[1]:.0f} MB + {memory[0]:.3f} MB per symbol, R² {memory[2]:.4f}",
        f"* {at_once['symbols']} symbols at once, from nothing: all LIVE after {at_once['all_live_s']:.1f} s "
        f"({slowest})",
        f"* everything stopped within {max(end['closed_in_s'], cold[-1]['closed_in_s']):.2f} s",
    ]
    missed = _missed([*steps, at_once], cpu, max(end["closed_in_s"], cold[-1]["closed_in_s"]), violations)
    lines += [f"* MISSED: {what}" for what in missed] or ["* all bars reached"]
    rate = f"{options.rate:g} batches a second and symbol, {options.seconds:g} s measured per size."
    return "\n".join([*lines, "", rate]), missed


def _row(step: dict[str, Any]) -> str:
    return (
        f"| {step['symbols']} | {step['live']} | {step['updates_per_s']:,.0f} | {step['cpu_percent']:.1f} "
        f"| {step['cpu_percent'] * 1e4 / max(step['updates_per_s'], 1e-9):.1f} "
        f"| {step['cpu_percent'] / step['symbols']:.3f} | {step['rss_mb']:.0f} "
        f"| {step['connections']} | {step['threads']} | {step['all_live_s']:.1f} |"
    )


def _missed(
    steps: Sequence[dict[str, Any]], cpu: tuple[float, float, float], closed_in_s: float, violations: Sequence[str]
) -> list[str]:
    missed = [f"{step['live']} of {step['symbols']} LIVE: {step['not_live']}" for step in steps if step["not_live"]]
    missed += [f"wrong at {step['symbols']} symbols: {step['wrong']}" for step in steps if step["wrong"]]
    missed += [
        f"{step['threads']} threads for {step['connections']} connections"
        for step in steps
        if step["threads"] > THREADS_PER_CONNECTION * step["connections"] + 3
    ]
    missed += _bent([(step["symbols"], step["cpu_percent"]) for step in steps[:-1]], cpu[2])
    if closed_in_s > STOP_S:
        missed.append(f"the end took {closed_in_s:.1f} s")
    return missed + [f"a venue's limit was broken: {found}" for found in violations[:3]]


def _bent(points: Sequence[tuple[float, float]], r2: float) -> list[str]:
    """Why the cost does not grow on a straight line; nothing when it does."""
    if len(points) < 3:
        return []
    first, last = fit(points[:2])[0], fit(points[-2:])[0]
    bent = [f"a further symbol costs {last:.4f} % at the end, {first:.4f} % at first"] if last > STEEPER * first else []
    return bent + ([f"the CPU is no straight line: R² {r2:.4f} < {FIT}"] if r2 < FIT else [])


def _progress(what: str) -> None:
    print(f"{what} …    ", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
