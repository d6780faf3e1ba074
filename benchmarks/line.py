"""How fast is the line? Tapedeck, its floor and its peers on the same captured frames, side by side.

Every contestant runs in a fresh process, in turns (A B C … A B C …); the frames are in memory before the clock starts.
All of them are single-threaded, so the table counts CPU time, which other work on the machine disturbs least; wall
time stands beside it. Ratios are taken within a round, then their median. A contestant whose books or trades do not
equal the truth of the capture is shown as wrong and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestant import CONTESTANTS
from benchmarks.machine import Machine, circumstances, write_between
from benchmarks.tape import DEMO, ROOT

TARGETS = (("book", "ccxt", 10.0), ("book", "cryptofeed", 3.5), ("line", "ccxt", 5.0), ("flow", "cryptofeed", 1.0))
TIMEOUT_S = 300

Rounds = dict[str, list[dict[str, Any]]]


def main() -> int:
    options = _options()
    if not options.capture.exists():
        print(f"skipped: there is no capture at {options.capture}; give its path as the argument")
        return 0
    if not (options.capture.parent / "truths.json").exists():
        print(f"skipped: no truths.json beside {options.capture}, so nothing could be checked")
        return 0
    machine = Machine()
    rounds, missing = play(options)
    wrong = wrong_of(rounds)
    text = f"{report(rounds, missing, options)}\n\n{circumstances()}, {machine.others()}."
    print(text)
    for name, reasons in wrong.items():
        print(f"\nWRONG: {CONTESTANTS[name].label}: {'; '.join(reasons)}", file=sys.stderr)
    if options.write is not None and not wrong:
        write_between(options.write, "line", text)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.line", description=__doc__)
    parser.add_argument("capture", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--write", type=Path, help="put the table between its markers in this file")
    options = parser.parse_args()
    options.capture = options.capture.resolve()
    return options


def wrong_of(rounds: Rounds) -> dict[str, list[str]]:
    """Why a contestant's result is not the truth, by its name; those that are right are left out."""
    return {name: results[0]["wrong"] for name, results in rounds.items() if results[0]["wrong"]}


def play(options: argparse.Namespace) -> tuple[Rounds, dict[str, str]]:
    """All rounds, and why a contestant is missing; of the options `rounds`, `only` and `capture` count."""
    rounds: Rounds = {}
    missing: dict[str, str] = {}
    for number in range(1, options.rounds + 1):
        for name in options.only:
            if name in missing:
                continue
            print(f"round {number}/{options.rounds}: {name} …    ", end="\r", file=sys.stderr, flush=True)
            result = _run(name, options.capture)
            if "missing" in result:
                missing[name] = result["missing"]
            else:
                rounds.setdefault(name, []).append(result)
    return rounds, missing


def _run(name: str, capture: Path) -> dict[str, Any]:
    """One contestant in a process of its own.

    Raises:
        RuntimeError: it failed; its last words are in the message.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contestant", name, str(capture)],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(rounds: Rounds, missing: dict[str, str], options: argparse.Namespace) -> str:
    """The table, its circumstances, and which bars were reached."""
    lines = [
        "| | frames/s of CPU, median (min – max) | frames/s of wall | µs per frame | × ccxt.pro | × cryptofeed |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, results in rounds.items():
        cpu = sorted(result["frames"] / result["cpu_s"] for result in results)
        wall = median(result["frames"] / result["wall_s"] for result in results)
        versions = " ".join(results[0]["versions"].values())
        label = f"{CONTESTANTS[name].label} {versions}".strip() + (" **WRONG**" if results[0]["wrong"] else "")
        ratios = [_ratio(rounds, name, peer) for peer in ("ccxt", "cryptofeed")]
        shown = [f"{ratio:.2f}" if ratio is not None else "–" for ratio in ratios]
        lines.append(
            f"| {label} | {median(cpu):,.0f} ({cpu[0]:,.0f} – {cpu[-1]:,.0f}) | {wall:,.0f} "
            f"| {1e6 / median(cpu):.2f} | {shown[0]} | {shown[1]} |"
        )
    lines += ["", _circumstances(rounds, options), ""]
    lines += [f"* {CONTESTANTS[name].label}: not measured, {reason}" for name, reason in missing.items()]
    for ours, peer, target in TARGETS:
        ratio = _ratio(rounds, ours, peer)
        if ratio is not None:
            verdict = "reached" if ratio >= target else "MISSED"
            label = f"{CONTESTANTS[ours].label} ≥ {target} × {CONTESTANTS[peer].label}"
            lines.append(f"* {label}: {verdict}, {ratio:.2f}")
    return "\n".join(lines)


def _ratio(rounds: Rounds, name: str, peer: str) -> float | None:
    """How many times as fast as `peer`: the median of the rounds' own ratios."""
    pairs = list(zip(rounds.get(name, ()), rounds.get(peer, ()), strict=False))
    return median(theirs["cpu_s"] / ours["cpu_s"] for ours, theirs in pairs) if pairs else None


def _circumstances(rounds: Rounds, options: argparse.Namespace) -> str:
    frames = next(iter(rounds.values()))[0]["frames"] if rounds else 0
    return f"{frames:,} frames of `{options.capture.name}`, {options.rounds} interleaved rounds, a fresh process each."


if __name__ == "__main__":
    raise SystemExit(main())
