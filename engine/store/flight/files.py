"""Where a flight recording lies: one capture file, or a folder of segments with a manifest that says what they are."""

from __future__ import annotations

import errno
import logging
import os
import platform
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.errors import StoreError
from engine.store.captures.notes import encode_note
from engine.store.flight.segments import ENDING, PART, Segment, SegmentFile
from engine.store.report import size_words

MANIFEST = "manifest.json"

log = logging.getLogger(__name__)


class FlightLimits(Struct, frozen=True):
    """How much is kept: a file is closed at `segment_bytes` or after `segment_s`; of all of them `total_bytes`.

    A recording in one file ends at `total_bytes`; in a folder the oldest segments make room. `queue_bytes` bounds what
    waits to be written.
    """

    segment_bytes: int = 64 << 20
    segment_s: float = 3600.0
    total_bytes: int = 2 << 30
    queue_bytes: int = 64 << 20


class Manifest(Struct):
    """What a recording of raw frames is. Times in UTC ns; `ended_ns` None while it runs or when it was cut off.

    `frames`: empty when they are the wire's own, else in words what they are instead.
    """

    connector: str
    frames: str
    started_ns: int
    ended_ns: int | None = None
    lost: int = 0
    removed: int = 0
    segments: list[Segment] = []
    versions: dict[str, str] = {}


class FlightFiles:
    """The files of one recording; used by the recorder's thread.

    Raises:
        StoreError: the place cannot be written to, or is taken.
    """

    def __init__(self, place: Path, connector: str, frames: str, at_ns: int, limits: FlightLimits) -> None:
        self.place = place
        self.removed = 0
        self._single = place.name.endswith(ENDING)
        self._limits = limits
        self._manifest = Manifest(connector, frames, at_ns, versions={"python": platform.python_version()})
        self._done: list[Segment] = []
        self._number = 0
        try:
            (place.parent if self._single else place).mkdir(parents=True, exist_ok=True)
            if self._single and place.exists():
                raise FileExistsError(errno.EEXIST, "there is a file already")
            self._file: SegmentFile | None = self._open(at_ns)
            self._save()
        except OSError as error:
            what = f"{place} cannot be written: {error.strerror or error}"
            raise StoreError(what, hint="Choose another place, or make it writable.") from error

    @property
    def count(self) -> int:
        return len(self._done) + (self._file is not None)

    @property
    def size_bytes(self) -> int:
        return sum([one.size_bytes for one in self._segments()])

    def append(self, lines: bytes, records: int, from_ns: int, to_ns: int) -> None:
        """Write whole lines.

        Raises:
            OSError: they cannot be written; then nothing of them is.
        """
        if self._single and self.size_bytes >= self._limits.total_bytes:
            raise OSError(errno.EFBIG, f"the recording has reached its {self._limits.total_bytes} bytes")
        if self._file is not None and not self._single and self._is_full(self._file.segment, from_ns):
            self._complete()
        if self._file is None:
            self._file = self._open(from_ns)
        self._file.append(lines, records, from_ns, to_ns)

    def finish(self, at_ns: int, lost: int) -> None:
        """Complete the last file and the manifest. Raises OSError."""
        self._manifest.ended_ns, self._manifest.lost = at_ns, lost
        self._complete()

    def _open(self, at_ns: int) -> SegmentFile:
        number = self._number + 1
        path = self.place if self._single else self.place / f"{number:06d}{ENDING}"
        file = SegmentFile(path)
        manifest = self._manifest
        words = {"connector": manifest.connector, "frames": manifest.frames, "segment": number}
        line = {"t": at_ns / 1e9, "t_ns": at_ns, "ch": "ws", "dir": "note", "data": encode_note(words).decode()}
        try:
            file.append(msgspec.json.encode(line) + b"\n", 1, at_ns, at_ns)
        except OSError:
            file.discard()
            raise
        self._number = number
        return file

    def _is_full(self, segment: Segment, now_ns: int) -> bool:
        limits = self._limits
        return segment.size_bytes >= limits.segment_bytes or now_ns - segment.from_ns >= limits.segment_s * 1e9

    def _complete(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.finish()
            self._done.append(file.segment)
        while not self._single and len(self._done) > 1 and self.size_bytes > self._limits.total_bytes:
            oldest = self.place / self._done.pop(0).name
            oldest.unlink(missing_ok=True)
            self.removed += 1
            log.warning("%s deleted: the recording exceeds %s", oldest, size_words(self._limits.total_bytes))
        self._save()

    def _segments(self) -> list[Segment]:
        file = self._file
        return [*self._done, file.segment] if file is not None else self._done

    def _save(self) -> None:
        self._manifest.segments, self._manifest.removed = self._segments(), self.removed
        text = msgspec.json.format(msgspec.json.encode(self._manifest)) + b"\n"
        path = self.place / MANIFEST
        if self._single:
            path = self.place.with_name(f"{self.place.name.removesuffix(ENDING)}.{MANIFEST}")
        draft = path.with_name(path.name + PART)
        draft.write_bytes(text)
        os.replace(draft, path)
