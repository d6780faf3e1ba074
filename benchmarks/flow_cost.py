"""What does the order flow cost? The line with all of it beside cryptofeed's bare books, and its price per event.

First the same contest as in benchmarks/line.py, of three. Then, in a fresh process, every event of the capture is
pushed into two feeds in turns, one bare and one with every figure, detector and signal: the difference is what the
order flow takes for it. Quotes and trades are L1, updates of the book L2. The first event of a second pays for all that
is done once a second: it counts in its kind's mean and has a row of its own; it hardly moves a median.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from time import perf_counter_ns
from typing import Any

from benchmarks.line import play, report, wrong_of
from benchmarks.machine import Machine, circumstances, percentile, write_between
from benchmarks.peers.tapedeck import SYMBOLS, TICK, failed
from benchmarks.tape import DEMO, ROOT, Step, load
from connectors.binance import BinanceConnector
from engine.analysis.flow_border import FlowBorder
from engine.feed.feed import Feed
from engine.flow.analyzer import FlowAnalyzer
from engine.market.events import BookDelta, MarketEvent, Quote, Trade

BARS = (("L1: quote or trade", 3.0), ("L2: book update", 25.0))
KINDS: dict[type, str] = {Quote: BARS[0][0], Trade: BARS[0][0], BookDelta: BARS[1][0]}
EDGE = "of these, the first of a second"
CONTEST = ("line", "flow", "cryptofeed")
SECOND_NS = 1_000_000_000
TIMEOUT_S = 600


def main() -> int:
    options = _options()
    if not options.capture.exists() or not (options.capture.parent / "truths.json").exists():
        print(f"skipped: no {options.capture} with a truths.json beside it; give a capture's path as the argument")
        return 0
    if options.measure:
        print(json.dumps(_measure(load(options.capture))))
        return 0
    machine = Machine()
    rounds, missing = play(options)
    wrong = wrong_of(rounds)
    parts = [
        report(rounds, missing, options),
        _table(_costs(options.capture)),
        f"{circumstances()}, {machine.others()}.",
    ]
    text = "\n\n".join(parts)
    print(text)
    for name, reasons in wrong.items():
        print(f"\nWRONG: {name}: {'; '.join(reasons)}", file=sys.stderr)
    if options.write is not None and not wrong:
        write_between(options.write, "flow-cost", text)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flow_cost", description=__doc__)
    parser.add_argument("capture", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", type=Path, help="put the tables between their markers in this file")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.capture, options.only = options.capture.resolve(), list(CONTEST)
    return options


def _costs(capture: Path) -> dict[str, dict[str, float]]:
    """The second part in a process of its own.

    Raises:
        RuntimeError: it failed; its last words are in the message.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.flow_cost", str(capture), "--measure"],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the costs could not be measured:\n{done.stderr[-3000:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


class Samples:
    """What the two feeds took for each event, by kind, in ns."""

    def __init__(self) -> None:
        self._line: dict[str, list[int]] = {}
        self._added: dict[str, list[int]] = {}
        self._second: dict[str, int] = {}

    def note(self, event: MarketEvent, line_ns: int, added_ns: int) -> None:
        kind = KINDS.get(type(event), "")
        second = (event.received_ns - 1) // SECOND_NS
        if second != self._second.get(event.symbol):
            self._second[event.symbol] = second
            self._add(EDGE, line_ns, added_ns)
        if kind:
            self._add(kind, line_ns, added_ns)

    def _add(self, kind: str, line_ns: int, added_ns: int) -> None:
        self._line.setdefault(kind, []).append(line_ns)
        self._added.setdefault(kind, []).append(added_ns)

    def summary(self) -> dict[str, dict[str, float]]:
        """By kind, in µs: how many, the line's median, and median, mean and 0.99 quantile of what came on top."""
        return {
            kind: {
                "n": len(added), "line": median(self._line[kind]) / 1e3, "median": median(added) / 1e3,
                "mean": fmean(added) / 1e3, "p99": percentile(added, 0.99) / 1e3,
            }
            for kind, added in self._added.items()
        }  # fmt: skip


def _measure(steps: Sequence[Step]) -> dict[str, dict[str, float]]:
    """Push all of the capture into two lines at once."""
    venue, samples = BinanceConnector({}), Samples()
    bare, told = ({symbol: Feed("binance", symbol, venue.continuity) for symbol in SYMBOLS} for _ in range(2))
    for symbol, feed in told.items():
        feed.observer = FlowBorder(
            ("binance", symbol, "stream"), FlowAnalyzer("binance", symbol, TICK).observer, failed
        )
    decode = venue.new_decoder()
    gc.collect()
    gc.freeze()
    for number, step in enumerate(steps):
        events: Sequence[Any] = (
            [venue.decode_snapshot(step.symbol, step.data, step.received_ns, "stream")]
            if step.symbol
            else decode(step.data, step.received_ns)
        )
        for event in events:
            one, other = bare[event.symbol].push, told[event.symbol].push
            # Whoever comes second finds the event warm: they take turns.
            if number % 2:
                line_ns, whole_ns = _timed(one, other, event)
            else:
                whole_ns, line_ns = _timed(other, one, event)
            samples.note(event, line_ns, whole_ns - line_ns)
    return samples.summary()


def _timed(
    first: Callable[[MarketEvent], object], second: Callable[[MarketEvent], object], event: MarketEvent
) -> tuple[int, int]:
    """How long each takes for the event, in ns."""
    begin = perf_counter_ns()
    first(event)
    middle = perf_counter_ns()
    second(event)
    return middle - begin, perf_counter_ns() - middle


def _table(costs: dict[str, dict[str, float]]) -> str:
    rows = [
        "| µs on top of the bare line | events | the line's median | median | mean | p99 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in (*[bar[0] for bar in BARS], EDGE):
        cost = costs[name]
        rows.append(
            f"| {name} | {cost['n']:,.0f} | {cost['line']:.2f} | {cost['median']:.2f} | {cost['mean']:.2f} "
            f"| {cost['p99']:.1f} |"
        )
    rows.append("")
    for name, bar in BARS:
        verdict = "reached" if costs[name]["median"] <= bar else "MISSED"
        rows.append(f"* {name} ≤ {bar:g} µs: {verdict}, {costs[name]['median']:.2f}")
    return "\n".join(rows)


if __name__ == "__main__":
    raise SystemExit(main())
