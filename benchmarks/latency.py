"""From a frame to the mailbox: how long at a steady rate, and does memory stay flat?

The captured frames come at `--rate` per second from a link that waits for each one's moment; the real Session, Feeds,
Hub and Mailbox carry them on one thread while another drains the mailbox at 20 Hz as a tab does. Two latencies are
kept: from the stamp that the frame got when it left the link, and from the moment it was due (which also counts every
delay before the stamp: waking up, a busy interpreter). The capture begins again as often as needed, with its numbers
moved up.

`--busy N` adds N threads that compute without pause: the worst that a page's Python can do to the line.

`--page` measures the same inside the dashboard while a browser shows it (benchmarks/latency_page.py); the frames then
come over a real WebSocket from another process.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

from benchmarks.histogram import Histogram
from benchmarks.machine import Machine, circumstances, rss_mb, write_between
from benchmarks.peers.tapedeck import Line, MemoryLink
from benchmarks.tape import DEMO, PASS_OFFSET, Step, load, moved
from engine.clock import Clock
from engine.errors import Disconnected
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox
from engine.market.events import FeedStatus, MarketEvent

DRAIN_EVERY_S = 0.05
MEMORY_EVERY_S = 10.0


class TimedMailbox(Mailbox):
    """Notes how old each event was once it lay in the mailbox."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.from_stamp = Histogram()
        self.from_due = Histogram()
        self.due_ns = 0
        self.clock = clock

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        super().put(key, event, feed)
        if type(event) is not FeedStatus:
            now_ns = self.clock.now_ns()
            self.from_stamp.add(now_ns - event.received_ns)
            self.from_due.add(now_ns - self.due_ns)


class PacedLink(MemoryLink):
    """Gives each frame at its moment; ends when the time is over."""

    def __init__(self, line: Line, mailbox: TimedMailbox, steps: list[Step], rate: float, seconds: float) -> None:
        super().__init__((), line.deliver)
        self.given = 0
        self._line = line
        self._mailbox = mailbox
        self._clock = mailbox.clock
        self._steps = _endless(steps, line)
        self._total = round(rate * seconds)
        self._interval_ns = 1e9 / rate
        self._start_ns = self._clock.now_ns()

    def receive(self, timeout_s: float) -> bytes | None:
        if self.given >= self._total:
            raise Disconnected("the time is over")
        step = next(self._steps)
        while step.symbol:
            self._mailbox.due_ns = self._clock.now_ns()
            self._deliver(step)
            step = next(self._steps)
        due_ns = self._start_ns + int(self.given * self._interval_ns)
        wait_ns = due_ns - self._clock.now_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        self.given += 1
        self._mailbox.due_ns = due_ns
        return step.data


def _endless(steps: list[Step], line: Line) -> Iterator[Step]:
    """The capture again and again; from the second time on, a new connection with higher numbers."""
    offset = 0
    while True:
        for step in steps:
            yield step if not offset else Step(moved(step.data, offset), step.received_ns, step.symbol)
        offset += PASS_OFFSET
        for channel in line.shelf.channels.values():
            channel.begin()
            channel.feed.connection_lost()


def measure(steps: list[Step], rate: float, seconds: float, busy: int) -> tuple[TimedMailbox, list[float], int]:
    """Run for `seconds`; the mailbox with its histograms, memory every 10 s in MB, and how many frames were given."""
    line = Line(TimedMailbox)
    mailbox = line.mailbox
    assert isinstance(mailbox, TimedMailbox)
    ended = Event()
    link = PacedLink(line, mailbox, steps, rate, seconds)
    session = line.session(link, lambda _session, _now_ns: None)

    def feed() -> None:
        try:
            session.run()
        except Disconnected:
            ended.set()

    def compute() -> None:
        while not ended.is_set():
            sum(range(1000))

    threads = [Thread(target=feed, name="line"), *(Thread(target=compute, name="busy") for _ in range(busy))]
    gc.collect()
    gc.freeze()
    for thread in threads:
        thread.start()
    memory, next_sample = [rss_mb(os.getpid())], time.monotonic() + MEMORY_EVERY_S
    while not ended.wait(DRAIN_EVERY_S) and threads[0].is_alive():
        mailbox.drain()
        if time.monotonic() >= next_sample:
            next_sample += MEMORY_EVERY_S
            memory.append(rss_mb(os.getpid()))
    ended.set()
    for thread in threads:
        thread.join(timeout=2.0)
    memory.append(rss_mb(os.getpid()))
    line.close()
    return mailbox, memory, link.given


def alone(options: argparse.Namespace) -> str:
    """The line in this process with nothing else in it; markdown."""
    if options.switch_ms:
        sys.setswitchinterval(options.switch_ms[0] / 1000)
    seconds = options.minutes * 60
    mailbox, memory, given = measure(load(options.capture), options.rate, seconds, options.busy)
    lines = [
        f"**{given:,} frames at {options.rate:,.0f}/s, {mailbox.from_stamp.count:,} events in the mailbox**", "",
        "| frame to mailbox | p50 ms | p99 ms | p99.9 ms | worst ms |", "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for label, histogram in (("since its stamp", mailbox.from_stamp), ("since it was due", mailbox.from_due)):
        lines.append(f"| {label} | " + " | ".join(f"{value:.3f}" for value in histogram.row()) + " |")
    lines += ["", f"Memory: {' '.join(f'{value:.1f}' for value in memory)} MB (every {MEMORY_EVERY_S:.0f} s)."]
    return "\n".join(lines)


def beside_a_page(options: argparse.Namespace) -> tuple[str, list[str]]:
    """The line inside the dashboard, once for each switch interval; markdown and the bars that were missed."""
    # Only this needs a browser and the dashboard's packages.
    from benchmarks import latency_page

    wanted = options.switch_ms or [None]
    seconds = options.minutes * 60
    results = [latency_page.measure(options.capture, options.rate, seconds, switch_ms) for switch_ms in wanted]
    return latency_page.table(results, options.rate)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("capture", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--rate", type=float, default=5000.0, help="frames per second")
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--busy", type=int, default=0, help="threads that compute without pause")
    parser.add_argument("--page", action="store_true", help="inside the dashboard, with a page open")
    parser.add_argument(
        "--switch-ms", type=float, nargs="+", help="the interpreter's switch interval; several: one run each"
    )
    parser.add_argument("--write", type=Path, help="put the table between its markers in this file")
    options = parser.parse_args()
    if not options.capture.exists():
        print(f"skipped: there is no capture at {options.capture}; give its path as the argument")
        return 0
    options.capture = options.capture.resolve()
    machine = Machine()
    text, failures = beside_a_page(options) if options.page else (alone(options), [])
    report = f"{text}\n\n{circumstances()}, {machine.others()}."
    print(report)
    for failure in failures:
        print(f"MISSED: {failure}", file=sys.stderr)
    if options.write is not None:
        write_between(options.write, "latency-page" if options.page else "latency", report)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
