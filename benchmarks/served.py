"""The dashboard as it always runs, with stamps taken inside: how long from a frame to the mailbox beside an open page?

`python -m benchmarks.served PORT [SWITCH_MS]` serves `app/asgi.py` in this process, changed in two places: the Binance
link notes when each frame was sent and when it was read, and the hub gets one reader more, which notes when each event
lies in its mailbox. Commands on the input: `go` begins a measurement, `stop` ends it and prints one line of JSON, the
end of the input ends the server.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

from click import Abort
from streamlit.web import cli

from app.wiring import engine
from benchmarks.histogram import Histogram
from benchmarks.machine import cpu_s, rss_mb
from benchmarks.peers.tapedeck import SYMBOLS
from benchmarks.venue import sent_of
from connectors.base.transport.link import WebSocketLink
from connectors.base.transport.streaming import StreamingConnector
from engine.clock import Clock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Mailbox
from engine.market.events import BookSnapshot, FeedStatus, MarketEvent

DRAIN_EVERY_S = 0.05
MEMORY_EVERY_S = 10.0


class Measured:
    """What one measurement counts."""

    def __init__(self) -> None:
        self.frames = 0
        self.from_stamp = Histogram()
        self.from_sending = Histogram()
        self.to_stamp = Histogram()
        self.begun_s = time.monotonic()
        self.memory = [rss_mb(os.getpid())]
        self.threads = thread_cpu_s()
        self.delay_s = reader_delay_s()


class Meter:
    """The frame that is being worked on, and what was measured so far. The stamps belong to the connection's thread."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.measured = Measured()
        self.sent_ns = 0
        self.read_ns = 0


class MeteredLink(WebSocketLink):
    """Notes when each marked frame was sent and read."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def receive(self, timeout_s: float) -> bytes | None:
        frame = super().receive(timeout_s)
        if frame:
            meter = self._meter
            meter.read_ns = meter.clock.now_ns()
            sent_ns = sent_of(frame)
            meter.sent_ns = sent_ns or 0
            if sent_ns:
                meter.measured.frames += 1
                meter.measured.to_stamp.add(time.monotonic_ns() - sent_ns)
        return frame


class MeteredMailbox(Mailbox):
    """Notes how old each event was once it lay in the mailbox."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        super().put(key, event, feed)
        meter = self._meter
        # Older ones were kept back until a snapshot joined them; that is another kind of wait.
        if type(event) is FeedStatus or type(event) is BookSnapshot or event.received_ns < meter.read_ns:
            return
        now_ns, monotonic_ns = meter.clock.now_ns(), time.monotonic_ns()
        meter.measured.from_stamp.add(now_ns - event.received_ns)
        if meter.sent_ns:
            meter.measured.from_sending.add(monotonic_ns - meter.sent_ns)


def thread_cpu_s() -> dict[str, float]:
    """CPU seconds per living thread of this process, by its name without numbers; `process` is the sum of all ever."""
    used = {"process": cpu_s(os.getpid())}
    for thread in threading.enumerate():
        name = thread.name.rstrip("0123456789-_ ")
        try:
            fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        except OSError:
            continue
        ticks = sum(map(int, fields.split()[11:13]))
        used[name] = used.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return used


def reader_delay_s() -> float:
    """Seconds for which the connection's thread could run but no core was free; 0 where the kernel does not say."""
    total = 0.0
    for thread in threading.enumerate():
        path = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        if thread.name.startswith("binance stream") and path.exists():
            total += int(path.read_text(encoding="utf-8").split()[1]) / 1e9
    return total


def report(measured: Measured, mailbox: Mailbox) -> dict[str, object]:
    """Everything that was measured, ready for JSON."""
    seconds = time.monotonic() - measured.begun_s
    after = thread_cpu_s()
    names = {name: (after[name] - measured.threads.get(name, 0.0)) / seconds * 100 for name in after}
    return {
        "seconds": seconds,
        "frames": measured.frames,
        "events": measured.from_stamp.count,
        "from_stamp": measured.from_stamp.row(),
        "from_sending": measured.from_sending.row(),
        "to_stamp": measured.to_stamp.row(),
        "memory_mb": [*measured.memory, rss_mb(os.getpid())],
        "cpu_percent": {name: round(value, 1) for name, value in names.items() if value >= 0.05},
        "dropped": mailbox.dropped,
        "delay_percent": (reader_delay_s() - measured.delay_s) / seconds * 100,
        "switch_ms": sys.getswitchinterval() * 1000,
    }


def obey(meter: Meter) -> None:
    """Watch the feeds, then do what the input says until it ends."""
    mailbox = MeteredMailbox(meter)
    subscription = engine().hub.subscribe([("binance", symbol, "stream") for symbol in SYMBOLS], mailbox)
    ended = threading.Event()

    def drain() -> None:
        due_s = time.monotonic() + MEMORY_EVERY_S
        while not ended.wait(DRAIN_EVERY_S):
            mailbox.drain()
            if time.monotonic() >= due_s:
                due_s += MEMORY_EVERY_S
                meter.measured.memory.append(rss_mb(os.getpid()))

    threading.Thread(target=drain, name="measuring-reader", daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "go":
            meter.measured = Measured()
        elif line.strip() == "stop":
            print(json.dumps(report(meter.measured, mailbox)), flush=True)
    ended.set()
    subscription.close()
    os.kill(os.getpid(), signal.SIGINT)


def main() -> int:
    running = engine()
    if len(sys.argv) > 2:
        sys.setswitchinterval(float(sys.argv[2]) / 1000)
    meter = Meter(running.clock)
    connector = cast(StreamingConnector, running.hub.connectors["binance"])
    setattr(connector, "make_link", lambda: MeteredLink(meter))  # noqa: B010  an instance is given another method
    threading.Thread(target=obey, args=(meter,), name="measuring-commands", daemon=True).start()
    arguments = ["run", "app/asgi.py", "--server.port", sys.argv[1], "--server.address", "127.0.0.1"]
    with suppress(Abort):
        cli.main(arguments, standalone_mode=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
