"""A venue in a process of its own that sends captured Binance frames at a steady rate over a real WebSocket.

`python -m benchmarks.venue CAPTURE RATE` prints its two addresses, begins when both symbols are subscribed, and stays
until its input ends; then it prints how many frames it sent and how late the latest one was. Each frame carries the
moment at which it was handed to the kernel, as a last member that no decoder looks at: `,"sent":"NS"}`, nanoseconds of
the system's monotonic clock, which all processes share. After the last frame the capture begins again with all its
numbers moved up: the client sees a gap and fetches the book anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from benchmarks.tape import PASS_OFFSET, load, moved
from tests.fakes import binance_rest as rest
from tests.fakes import frames
from tests.fakes.capture_player import CaptureBinance
from tests.fakes.http_server import HttpRequest, HttpResponse

SENT_DIGITS = 19
MARK = b',"sent":"'
END = b'"}'


def marked(frame: bytes, sent_ns: int) -> bytes:
    """A JSON object with the moment of sending as its last member."""
    return b"%b%b%0*d%b" % (frame[:-1], MARK, SENT_DIGITS, sent_ns, END)


def sent_of(frame: bytes) -> int | None:
    """When a marked frame was sent; None for any other frame."""
    digits = len(frame) - len(END) - SENT_DIGITS
    return int(frame[digits : -len(END)]) if frame.startswith(MARK, digits - len(MARK)) else None


class PacedBinance(CaptureBinance):
    """Plays the frames of a capture at `rate` per second, again and again."""

    def __init__(self, path: Path, rate: float) -> None:
        super().__init__(path, enforce=False)
        self.rate = rate
        self.offset = 0
        self.sent = 0
        self.latest_ns = 0
        self.arrivals = [step.data for step in load(path) if not step.symbol]

    def begin(self) -> None:
        """Send as soon as every symbol is subscribed."""
        self._spawn(self._pace, "venue-pace")

    def _pace(self) -> None:
        self.wait_for(lambda: self.stopping.is_set() or all(map(self.subscribers, self.recording.symbols)), 600.0)
        begun_ns, interval_ns = time.monotonic_ns(), 1e9 / self.rate
        for frame in self._endless():
            due_ns = begun_ns + int(self.sent * interval_ns)
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > 0:
                time.sleep(wait_ns / 1e9)
            if self.stopping.is_set():
                return
            sent_ns = time.monotonic_ns()
            self.latest_ns = max(self.latest_ns, sent_ns - due_ns)
            for session in self.sessions:
                session.send_raw(frames.encode(frames.TEXT, marked(frame, sent_ns)))
            self.sent += 1

    def _endless(self) -> Iterator[bytes]:
        for number in count():
            self.offset = number * PASS_OFFSET
            for frame in self.arrivals:
                yield moved(frame, self.offset)

    def _depth(self, request: HttpRequest) -> HttpResponse:
        book = self.recording.recorded(request.query.get("symbol", ""), int(request.query.get("limit", "100")))
        return HttpResponse(body=rest.depth_body(replace(book, last=book.last + self.offset)))


def main() -> int:
    with PacedBinance(Path(sys.argv[1]), float(sys.argv[2])) as venue:
        venue.begin()
        print(json.dumps({"ws": venue.ws_url, "rest": venue.http_url}), flush=True)
        sys.stdin.read()
        print(json.dumps({"sent": venue.sent, "latest_ms": venue.latest_ns / 1e6}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
