"""How fast is a recording lived again? The demo capture, and the tape made of it, at max.

Through the whole line (frame, event, book, quality, hub) into one mailbox that is emptied 20 times a second, as a page
does it; into the queue and thread of a strategy; and to the strategy alone, without threads. Each way runs in fresh
processes, one after another. The exit status is 1 when the whole line into a mailbox is slower than 300 times real
time, or the digests of the signals differ.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Semaphore
from time import monotonic, process_time, sleep
from typing import ClassVar

from benchmarks.machine import Machine, circumstances, write_between
from benchmarks.tape import DEMO, ROOT
from connectors.replay import replay_connectors
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox
from engine.hub import Hub
from engine.market.events import FeedState, FeedStatus, MarketEvent
from engine.plugins import frame_readers
from engine.store.base import Entry
from engine.store.captures.play import PlayableCapture
from engine.store.captures.verify import recognise
from engine.store.opening import open_store
from engine.store.play_tape import PlayableTape
from engine.store.playable import Playable
from engine.strategy.evaluate import evaluate
from engine.strategy.host import StrategyHost
from engine.strategy.signal_stream import digest_of_runs
from strategies.book_pressure import BookPressure

GOAL = 300.0
ROUNDS = 3
BATCH = 20_000
LONGEST_S = 120.0
STRATEGY = "book_pressure"
DRAIN_EVERY_S = 0.05
WAYS = {
    "capture-mailbox": "capture, whole line into a mailbox",
    "capture-line": "capture, whole line into a strategy's thread",
    "capture": "capture, a strategy alone",
    "tape-mailbox": "tape, whole line into a mailbox",
    "tape-line": "tape, whole line into a strategy's thread",
    "tape": "tape, a strategy alone",
}


class UntilTheEnd(BookPressure):
    """The strategy, and a word from each of its runs when the recording is over."""

    ended: ClassVar[Semaphore] = Semaphore(0)

    def on_status(self, status: FeedStatus) -> None:
        super().on_status(status)
        if status.state is FeedState.STOPPED:
            self.ended.release()


def main() -> int:
    options = _options()
    if options.measure is not None:
        print(json.dumps(_measured(options.measure, options.capture, options.tape)))
        return 0
    machine = Machine()
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "tape.duckdb"
        _record(options.capture, tape)
        found = {way: [_in_a_process(way, options.capture, tape) for _ in range(ROUNDS)] for way in WAYS}
    report, missed = _report(found)
    report += f"\n\n{circumstances()}, {machine.others()}."
    print(report)
    if options.write is not None:
        write_between(options.write, "replay", report)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--capture", type=Path, default=DEMO, help="the capture to play")
    parser.add_argument("--write", type=Path, help="put the table between its markers in this file")
    parser.add_argument("--measure", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--tape", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _record(capture: Path, tape: Path) -> None:
    """Make the tape of a capture: what its feeds publish."""
    playable = _capture(capture)
    store = open_store(f"duckdb:///{tape}")
    recording = store.begin(playable.feeds, at_ns=playable.start_ns, note=capture.name)
    entries = [Entry(index, key, event) for index, (key, event) in enumerate(_line(playable))]
    for first in range(0, len(entries), BATCH):
        store.append(recording.id, entries[first : first + BATCH])
    store.end(recording.id, at_ns=playable.end_ns)
    store.close()


def _in_a_process(way: str, capture: Path, tape: Path) -> dict[str, object]:
    print(f"{WAYS[way]} …    ", end="\r", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        "-m",
        "benchmarks.replay",
        "--measure",
        way,
        "--capture",
        str(capture),
        "--tape",
        str(tape),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S * 2, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _measured(way: str, capture: Path, tape: Path) -> dict[str, object]:
    """One way, once: recorded and real seconds, CPU seconds, events, and the digest of the signals."""
    playable: Playable
    if way.startswith("tape"):
        store = open_store(f"duckdb:///{tape}", read_only=True)
        playable = PlayableTape(store, store.recordings()[-1], owned=True)
    else:
        playable = _capture(capture)
    ending = way.partition("-")[2]
    runs: dict[str, Callable[[Playable], tuple[int, str]]] = {"mailbox": _into_a_mailbox, "line": _through_the_line}
    run = runs.get(ending, _without_threads)
    gc.collect()
    gc.freeze()
    begun_s, cpu_s = monotonic(), process_time()
    events, digest = run(playable)
    took_s, cost_s = monotonic() - begun_s, process_time() - cpu_s
    playable.close()
    recorded_s = (playable.end_ns - playable.start_ns) / 1e9
    return {"recorded_s": recorded_s, "took_s": took_s, "cpu_s": cost_s, "events": events, "digest": digest}


def _without_threads(playable: Playable) -> tuple[int, str]:
    found = evaluate(STRATEGY, BookPressure, _line(playable))
    return found.events, found.digest


def _into_a_mailbox(playable: Playable) -> tuple[int, str]:
    connectors = replay_connectors(playable, "demo", None, paused=True)
    hub = Hub({connector.name: connector for connector in connectors})
    names = {connector.venue: connector.name for connector in connectors}
    keys = [(names[key[0]], key[1], "stream") for key in playable.feeds]
    mailbox, playing = Mailbox(), set(keys)
    subscription = hub.subscribe(keys, mailbox)
    connectors[0].controls.resume()
    begun_s, events = monotonic(), 0
    try:
        while playing:
            sleep(DRAIN_EVERY_S)
            if monotonic() - begun_s > LONGEST_S:
                raise RuntimeError("the replay did not end")
            for mail in mailbox.drain():
                events += mail.events
                if any(status.state is FeedState.STOPPED for status in mail.statuses):
                    playing.discard(mail.key)
        return events, ""
    finally:
        subscription.close()
        hub.close()


def _through_the_line(playable: Playable) -> tuple[int, str]:
    connectors = replay_connectors(playable, "demo", None, paused=True)
    hub = Hub({connector.name: connector for connector in connectors})
    host = StrategyHost(hub, {STRATEGY: UntilTheEnd})
    names = {connector.venue: connector.name for connector in connectors}
    runs = {key: host.acquire(STRATEGY, (names[key[0]], key[1], "stream")) for key in playable.feeds}
    connectors[0].controls.resume()
    try:
        for _ in runs:
            if not UntilTheEnd.ended.acquire(timeout=LONGEST_S):
                raise RuntimeError("the replay did not end")
        reports = {key: run.report() for key, run in runs.items()}
        dropped = sum(report.dropped for report in reports.values())
        if dropped:
            raise RuntimeError(f"{dropped} events were dropped")
        events = sum(feed.quality.updates for key in runs if (feed := hub.feed((names[key[0]], *key[1:]))) is not None)
        return events, digest_of_runs({key: report.digest for key, report in reports.items()})
    finally:
        host.close()
        hub.close()


def _capture(path: Path) -> PlayableCapture:
    return PlayableCapture(path, recognise(path, frame_readers()))


def _line(playable: Playable) -> Iterator[tuple[FeedKey, MarketEvent]]:
    clock = ManualClock(playable.start_ns)
    feeds: dict[FeedKey, Feed] = {key: playable.make_feed(key, clock) for key in playable.feeds}
    way = playable.begin(feeds.__getitem__)
    for at_ns, moment in way.moments():
        clock.set(at_ns)
        yield from way.take(moment)


def _report(found: dict[str, list[dict[str, object]]]) -> tuple[str, list[str]]:
    lines = [
        "| way | events | took, s | times real time | CPU, s | µs of CPU per event |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    missed = []
    for way, rounds in found.items():
        best = min(rounds, key=lambda one: float(str(one["took_s"])))
        recorded_s, took_s, cpu_s = [float(str(best[name])) for name in ("recorded_s", "took_s", "cpu_s")]
        events, times = int(str(best["events"])), recorded_s / took_s
        lines.append(
            f"| {WAYS[way]} | {events:,} | {took_s:.2f} | {times:,.0f} × | {cpu_s:.2f} | {cpu_s / events * 1e6:.1f} |"
        )
        if way == "capture-mailbox" and times < GOAL:
            missed.append(f"{WAYS[way]}: {times:.0f} times real time, not {GOAL:g}")
    digests = {str(one["digest"]) for rounds in found.values() for one in rounds if one["digest"]}
    if len(digests) > 1:
        missed.append(f"the signals differ: {len(digests)} digests")
    lines += ["", f"* the digest of the signals is the same in every run with a strategy: {min(digests)}"] * (
        len(digests) == 1
    )
    lines += [f"* MISSED: {what}" for what in missed] or ["* all bars reached"]
    return "\n".join(lines), missed


if __name__ == "__main__":
    raise SystemExit(main())
