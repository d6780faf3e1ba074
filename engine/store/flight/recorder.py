"""The flight recorder: what was on the wire, both ways, into capture files that `engine verify` reads.

Whoever brings frames only lays them into a bounded queue; a thread of the recorder's own hides secrets, packs and
writes, twice a second. A process that is killed loses what came after the last of these, and nothing before.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from engine.connector import RawSource
from engine.store.captures.notes import encode_note
from engine.store.flight.files import FlightFiles, FlightLimits
from engine.store.flight.masking import Mask

FLUSH_S = 0.5
SETTLE_NS = 50_000_000
"""Threads stamp first and queue later: the newest records wait for one more flush, so that lines stand in order."""
MEMBER_BYTES = 4 << 20
RECORD_BYTES = 200
"""What a record weighs in the queue besides its data."""
STOP_S = 1.5

log = logging.getLogger(__name__)


class _Raw(NamedTuple):
    at_ns: int
    channel: Literal["ws", "http"]
    direction: Literal["open", "send", "recv", "resp", "note"]
    url: str
    connection: str
    data: bytes
    lost: int = 0
    """Of a note that records are missing: how many."""


class _Line(Struct, omit_defaults=True):
    t: float
    t_ns: int
    ch: str
    dir: str
    url: str
    conn: str = ""
    data: str = ""
    enc: str = ""


class FlightState(Struct, frozen=True):
    """How a recording of raw frames stands. `lost` records never reached the disk; `trouble` says in words why.

    `frames`: empty when they are the wire's own. `size_bytes` is what is on disk, in `segments` files; `removed` older
    ones had to make room for them.
    """

    venue: str
    place: str
    running: bool
    started_ns: int
    ended_ns: int | None
    records: int
    lost: int
    size_bytes: int
    segments: int
    removed: int
    frames: str
    trouble: str


class FlightRecorder:
    """A `FrameTap` that writes. `place` is a folder for segments, or one file `….jsonl.gz`.

    Raises:
        StoreError: the place cannot be written to.
    """

    def __init__(self, source: RawSource, place: Path, *, private: bool, at_ns: int, limits: FlightLimits) -> None:
        self.source = source
        self._limits = limits
        self._mask = Mask(source.redact, private=private)
        self._files = FlightFiles(place, source.name, source.frames, at_ns, limits)
        self._started_ns = at_ns
        self._ended_ns: int | None = None
        self._lock = Lock()
        self._queue: list[_Raw] = []
        self._queued_bytes = 0
        self._missing: dict[tuple[str, str], tuple[int, int]] = {}
        """Records that were lost since the last flush, by address and connection: how many, and when the last."""
        self._settling: list[_Raw] = []
        self._lost = self._written = 0
        self._trouble = ""
        self._closing = False
        self._wake = Event()
        self._thread = Thread(target=self._run, name=f"flight-{source.name}", daemon=True)
        self._thread.start()

    # The FrameTap

    def frame(
        self, channel: Literal["ws", "http"], direction: Literal["open", "send", "recv", "resp"], url: str,
        connection: str, data: bytes, at_ns: int,
    ) -> None:  # fmt: skip
        self._put(_Raw(at_ns, channel, direction, url, connection, data))

    def note(self, url: str, connection: str, words: Mapping[str, object], at_ns: int) -> None:
        self._put(_Raw(at_ns, "ws" if connection else "http", "note", url, connection, encode_note(words)))

    def _put(self, raw: _Raw) -> None:
        weight = len(raw.data) + RECORD_BYTES
        with self._lock:
            if self._closing:
                return
            if self._queued_bytes + weight > self._limits.queue_bytes:
                self._lose(raw)
                return
            self._queue.append(raw)
            self._queued_bytes += weight

    def _lose(self, raw: _Raw) -> None:
        way = raw.url, raw.connection
        self._missing[way] = self._missing.get(way, (0, 0))[0] + (raw.lost or 1), raw.at_ns
        self._lost += not raw.lost

    # Whoever owns it

    @property
    def state(self) -> FlightState:
        files = self._files
        return FlightState(
            self.source.name, str(files.place), self._thread.is_alive(), self._started_ns, self._ended_ns,
            self._written, self._lost, files.size_bytes, files.count, files.removed, self.source.frames, self._trouble,
        )  # fmt: skip

    def close(self, at_ns: int) -> FlightState:
        """Write what has come so far and complete the files; waits 1.5 s for that at most."""
        with self._lock:
            self._closing = True
            self._ended_ns = self._ended_ns or at_ns
        self._wake.set()
        self._thread.join(STOP_S)
        return self.state

    # The recorder's thread

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(FLUSH_S)
            self._flush(last=False)
        self._flush(last=True)
        try:
            self._files.finish(self._ended_ns or self._started_ns, self._lost)
        except OSError as error:
            self._complain(error)

    def _flush(self, *, last: bool) -> None:
        with self._lock:
            batch, self._queue, self._queued_bytes = self._queue, [], 0
            missing, self._missing = self._missing, {}
        for (url, connection), (count, at_ns) in missing.items():
            batch.append(_Raw(at_ns, "ws", "note", url, connection, encode_note({"lost": count}), count))
        newest_ns = max([raw.at_ns for raw in batch], default=0)
        ready = self._settling + [raw for raw in batch if last or raw.at_ns <= newest_ns - SETTLE_NS]
        self._settling = [] if last else [raw for raw in batch if raw.at_ns > newest_ns - SETTLE_NS]
        ready.sort(key=_at_ns)
        lines: list[bytes] = []
        size, begun = 0, 0
        for number, raw in enumerate(ready, 1):
            lines.append(self._line(raw))
            size += len(lines[-1])
            if size >= MEMBER_BYTES or number == len(ready):
                self._write(b"".join(lines), ready[begun:number])
                lines, size, begun = [], 0, number

    def _line(self, raw: _Raw) -> bytes:
        url = self._mask.url(raw.url)
        line = _Line(raw.at_ns / 1e9, raw.at_ns, raw.channel, raw.direction, url, raw.connection)
        try:
            line.data = self._mask.data(raw.data.decode(), ours=raw.direction in ("send", "note"))
        except UnicodeDecodeError:
            # Where a secret might stand in bytes that are no text nobody can look for it: it is looked for as text.
            masked = self._mask.data(raw.data.decode("latin-1"), ours=raw.direction == "send")
            line.data, line.enc = b64encode(masked.encode("latin-1")).decode(), "b64"
        return _encode(line) + b"\n"

    def _write(self, lines: bytes, records: list[_Raw]) -> None:
        try:
            self._files.append(lines, len(records), records[0].at_ns, records[-1].at_ns)
        except OSError as error:
            with self._lock:
                for raw in records:
                    self._lose(raw)
            self._complain(error)
            return
        self._written += len(records)
        if self._trouble:
            log.info("%s: frames are recorded again", self.source.name)
            self._trouble = ""

    def _complain(self, error: OSError) -> None:
        trouble = f"{self._files.place}: {error.strerror or error}"
        if trouble != self._trouble:
            log.warning("%s: frames cannot be recorded: %s", self.source.name, trouble)
            self._trouble = trouble


def _at_ns(raw: _Raw) -> int:
    return raw.at_ns


_encode = msgspec.json.Encoder().encode
