"""What does recording cost? CPU beside the line, price levels a second into DuckDB, bytes on disk, memory over time.

Five fake venues in one process and the line in another, as in the scale benchmark: 20 symbols with about 100 updates a
second each, measured without and with a recording in turns. Then made-up updates as fast as the store takes them, and
the demo capture through the line into a file, beside the size of its compressed frames. The exit status is 1 when a
bar is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import monotonic, process_time
from typing import Any

from benchmarks.machine import Machine, circumstances, write_between
from benchmarks.peers.tapedeck import Line, MemoryLink, _drain
from benchmarks.scale import VENUES, venues
from benchmarks.tape import DEMO, ROOT, load
from engine.errors import Disconnected
from engine.market.events import BookDelta
from engine.store.base import Entry
from engine.store.duckdb_file.store import DuckdbStore
from engine.store.recording.recording_queue import RecordingQueue

SYMBOLS = 20
UPDATES_PER_S = 100.0
MESSAGES_PER_BATCH = 4.0
CPU_SHARE = 10.0
LEVELS_PER_S = 300_000
LEVELS = 10
BATCH = 2_000
MB_PER_MIN = 1.0
KEY = ("mock", "BTCUSDT", "stream")


def main() -> int:
    options = _options()
    machine = Machine()
    missed: list[str] = []
    sections = [_beside_the_line(options, missed), _into_the_store(options, missed)]
    if options.capture.exists():
        sections.append(_on_disk(options.capture))
    report = "\n\n".join(sections)
    report += "\n\n" + "\n".join([f"* MISSED: {what}" for what in missed] or ["* all bars reached"])
    report += f"\n\n{circumstances()}, {machine.others()}."
    print(report)
    if options.write is not None:
        write_between(options.write, "recording", report)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each stretch is measured")
    parser.add_argument("--rounds", type=int, default=12, help="how often without and with")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="then record so long: memory")
    parser.add_argument("--into-store", type=float, default=20.0, metavar="SECONDS", help="updates as fast as possible")
    parser.add_argument("--capture", type=Path, default=DEMO)
    parser.add_argument("--write", type=Path, help="put the tables between their markers in this file")
    return parser.parse_args()


def _beside_the_line(options: argparse.Namespace, missed: list[str]) -> str:
    with (
        venues(SYMBOLS // VENUES, UPDATES_PER_S / MESSAGES_PER_BATCH) as (said, violations),
        tempfile.TemporaryDirectory() as folder,
    ):
        asked = {"seconds": options.seconds, "rounds": options.rounds, "soak_min": options.soak, "folder": folder}
        *stretches, last = _measured({**asked, "venues": said})
    soak = last if options.soak else None
    without, recorded = stretches[0::2], ([*stretches, last] if soak is None else stretches)[1::2]
    missed += [f"a venue's limit was broken: {found}" for found in violations[:3]]
    lines = [
        "| | CPU, % of a core | updates/s | µs of CPU per update |", "|---|---:|---:|---:|",
        _row("the line", without), _row("the line, recorded", recorded),
    ]  # fmt: skip
    added = [b["cpu_percent"] / b["updates_per_s"] / (a["cpu_percent"] / a["updates_per_s"]) - 1
             for a, b in zip(without, recorded, strict=True)]  # fmt: skip
    share = median(added) * 100
    thread = median([one["recorder_percent"] / one["cpu_percent"] * 100 for one in recorded])
    lines += [
        "",
        f"* recording adds {share:.1f} % to the CPU of the line "
        f"(rounds: {', '.join(f'{x * 100:.1f}' for x in added)}); the bar is {CPU_SHARE:g} %. "
        f"The recorder's own thread has {thread:.1f} % of the whole",
        f"* {median([one['events_per_s'] for one in recorded]):,.0f} events and "
        f"{median([one['levels_per_s'] for one in recorded]):,.0f} price levels a second recorded; "
        f"{sum([one['dropped'] for one in recorded])} dropped, {sum([one['gaps'] for one in recorded])} gaps",
    ]
    if share >= CPU_SHARE:
        missed.append(f"recording adds {share:.1f} % to the line's CPU")
    if soak is not None:
        lines.append(_soaked(soak, missed))
    head = (
        f"**{SYMBOLS} symbols of {VENUES} venues × {UPDATES_PER_S:g} updates/s, "
        f"{options.rounds} × {options.seconds:g} s each**"
    )
    return "\n".join([head, "", *lines])


def _soaked(soak: dict[str, Any], missed: list[str]) -> str:
    if soak["slope"] > MB_PER_MIN or soak["dropped"]:
        missed.append(f"memory grew by {soak['slope']:.2f} MB a minute, {soak['dropped']} dropped")
    return (
        f"* {soak['minutes']:g} minutes on end after the first one: {soak['events']:,} events, "
        f"{soak['dropped']} dropped; memory "
        f"{soak['first']:.0f} MB at first, {soak['last']:.0f} at the end, {soak['most']:.0f} at most, "
        f"slope {soak['slope']:+.2f} MB a minute; {soak['bytes'] / 1e6:,.0f} MB on disk"
    )


def _row(name: str, stretches: Sequence[dict[str, Any]]) -> str:
    cpu = median([one["cpu_percent"] for one in stretches])
    rate = median([one["updates_per_s"] for one in stretches])
    each = median([one["cpu_percent"] * 1e4 / one["updates_per_s"] for one in stretches])
    return f"| {name} | {cpu:.1f} | {rate:,.0f} | {each:.1f} |"


def _measured(asked: dict[str, Any]) -> list[dict[str, Any]]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.recording_line"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        found = []
        for line in process.stdout:
            found.append(json.loads(line))
            print(f"stretch {len(found)} …    ", end="\r", file=sys.stderr, flush=True)
    if process.returncode or len(found) != 2 * asked["rounds"] + bool(asked["soak_min"]):
        raise RuntimeError(f"the measured process ended with {process.returncode} after {len(found)} results")
    return found


def _into_the_store(options: argparse.Namespace, missed: list[str]) -> str:
    """Batches of a second's size, one transaction each, as fast as they go: entries in, on the disk when it returns."""
    chance = random.Random(1)
    kinds = [
        tuple([(60_000 + chance.randrange(4000) / 100, round(chance.expovariate(1), 5)) for _ in range(LEVELS // 2)])
        for _ in range(4000)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        store = DuckdbStore(Path(folder) / "tape.duckdb")
        recording = store.begin([KEY], at_ns=0)
        begun, cpu, number, slowest = monotonic(), process_time(), 0, 0.0
        while (passed := monotonic() - begun) < options.into_store:
            batch = [_update(one, kinds) for one in range(number, number + BATCH)]
            at = monotonic()
            store.append(recording.id, batch)
            slowest = max(slowest, monotonic() - at)
            number += BATCH
        store.close()
        cpu = process_time() - cpu
        size = (Path(folder) / "tape.duckdb").stat().st_size
    rate = number * LEVELS / passed
    if rate < LEVELS_PER_S:
        missed.append(f"{rate:,.0f} price levels a second into DuckDB")
    return (
        f"**Into DuckDB as fast as it goes**: {rate:,.0f} price levels a second over {passed:.0f} s "
        f"({number:,} updates of {LEVELS} levels in flushes of {BATCH:,}, the time to make them up included; "
        f"the bar is {LEVELS_PER_S:,}). "
        f"CPU {cpu / number * 1e6:.1f} µs per update; the slowest flush took {slowest * 1e3:.0f} ms; "
        f"{size / number:.1f} bytes per update on disk."
    )


def _update(number: int, kinds: Sequence[tuple[tuple[float, float], ...]]) -> Entry:
    at_ns = 1_700_000_000_000_000_000 + number * 500_000
    bids, asks = kinds[number * 7 % len(kinds)], kinds[number * 11 % len(kinds)]
    return Entry(
        number, KEY, BookDelta("mock", "BTCUSDT", bids, asks, number, number, at_ns - 5_000_000, at_ns, "stream")
    )


def _on_disk(capture: Path) -> str:
    """The demo capture through the line into a file."""
    steps = load(capture)
    line = Line()
    queue = RecordingQueue(1 << 40)
    subscription = line.hub.subscribe(line.subscription.keys, queue)
    session = line.session(MemoryLink(steps, line.deliver), lambda _session, _now_ns: _drain(line))
    try:
        session.run()
    except Disconnected:
        subscription.close()
    taken, _ = queue.drain()
    line.close()
    entries = iter([Entry(number, key, event) for number, (key, event) in enumerate(taken)])
    with tempfile.TemporaryDirectory() as folder:
        store = DuckdbStore(Path(folder) / "tape.duckdb")
        recording = store.begin(line.subscription.keys, at_ns=0)
        while batch := [*islice(entries, BATCH)]:
            store.append(recording.id, batch)
        levels = store.end(recording.id, at_ns=1).level_rows
        store.close()
        size = (Path(folder) / "tape.duckdb").stat().st_size
    frames = sum(not step.symbol for step in steps)
    raw = capture.stat().st_size
    return (
        f"**On disk**: `{capture.name}` has {frames:,} frames in {raw / 1e6:.1f} MB, {raw / frames:.1f} bytes each "
        f"(gzip). The same market as {len(taken):,} events with {levels:,} price levels in DuckDB: "
        f"{size / 1e6:.1f} MB, {size / len(taken):.1f} bytes per event, {size / raw:.2f} of the compressed frames."
    )


if __name__ == "__main__":
    raise SystemExit(main())
