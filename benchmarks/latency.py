"""From a frame to the mailbox: how long at a steady rate, and does memory stay flat?

The captured frames come at `--rate` per second from a link that waits for each one's moment; the real Session, Feeds,
Hub and Mailbox carry them on one thread while another drains the mailbox at 20 Hz as a tab does. Two latencies are
kept: from the stamp that the frame got when it left the link, and from the moment it was due (which also counts every
delay before the stamp: waking up, a busy interpreter). The capture begins again as often as needed, with its numbers
moved up.

`--busy N` adds N threads that compute without pause: the worst that a page's Python can do to the line.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import msgspec

from benchmarks.peers.tapedeck import Line, MemoryLink
from benchmarks.tape import DEMO, Step, load
from engine.clock import Clock
from engine.errors import Disconnected
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox
from engine.market.events import FeedStatus, MarketEvent

DRAIN_EVERY_S = 0.05
MEMORY_EVERY_S = 10.0
PASS_OFFSET = 10**11
SLOTS = 50_000
"""One per microsecond; later ones are counted together."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Histogram:
    """Latencies by the microsecond, in memory that does not grow."""

    def __init__(self) -> None:
        self.slots = array("q", bytes(8 * (SLOTS + 1)))
        self.count = 0
        self.worst_ns = 0

    def add(self, latency_ns: int) -> None:
        self.slots[min(max(latency_ns, 0) // 1000, SLOTS)] += 1
        self.count += 1
        if latency_ns > self.worst_ns:
            self.worst_ns = latency_ns

    def ms(self, share: float) -> float:
        """The latency in ms that `share` (0 … 1) of all stay below or reach."""
        left = share * self.count
        for slot, count in enumerate(self.slots):
            left -= count
            if left <= 0:
                return slot / 1000
        return self.worst_ns / 1e6


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
            yield step if not offset else Step(_moved(step.data, offset), step.received_ns, step.symbol)
        offset += PASS_OFFSET
        for channel in line.shelf.channels.values():
            channel.begin()
            channel.feed.connection_lost()


def _moved(frame: bytes, offset: int) -> bytes:
    message = _decode(frame)
    data = message.get("data", message)
    for key in ("u", "U", "t", "lastUpdateId"):
        if key in data:
            data[key] += offset
    return _encode(message)


def memory_mb() -> float:
    """Resident memory of this process in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmRSS in /proc/self/status")


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
    memory, next_sample = [memory_mb()], time.monotonic() + MEMORY_EVERY_S
    while not ended.wait(DRAIN_EVERY_S) and threads[0].is_alive():
        mailbox.drain()
        if time.monotonic() >= next_sample:
            next_sample += MEMORY_EVERY_S
            memory.append(memory_mb())
    ended.set()
    for thread in threads:
        thread.join(timeout=2.0)
    memory.append(memory_mb())
    line.close()
    return mailbox, memory, link.given


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("capture", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--rate", type=float, default=5000.0, help="frames per second")
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--busy", type=int, default=0, help="threads that compute without pause")
    parser.add_argument("--switch-ms", type=float, help="the interpreter's switch interval")
    options = parser.parse_args()
    if not options.capture.exists():
        print(f"skipped: there is no capture at {options.capture}; give its path as the argument")
        return 0
    if options.switch_ms is not None:
        sys.setswitchinterval(options.switch_ms / 1000)
    seconds = options.minutes * 60
    mailbox, memory, given = measure(load(options.capture), options.rate, seconds, options.busy)
    print(f"{given:,} frames at {options.rate:,.0f}/s, {mailbox.from_stamp.count:,} events in the mailbox\n")
    print("| frame to mailbox | p50 ms | p99 ms | p99.9 ms | worst ms |\n|---|---:|---:|---:|---:|")
    for label, histogram in (("since its stamp", mailbox.from_stamp), ("since it was due", mailbox.from_due)):
        values = " | ".join(f"{histogram.ms(share):.3f}" for share in (0.50, 0.99, 0.999))
        print(f"| {label} | {values} | {histogram.worst_ns / 1e6:.3f} |")
    print(f"\nmemory: {' '.join(f'{value:.1f}' for value in memory)} MB (every {MEMORY_EVERY_S:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
