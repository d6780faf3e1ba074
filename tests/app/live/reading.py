"""Reads frames back, so that tests see what a browser would."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import Any

from app.live import frames

Key = tuple[str, str, str]
KEY: Key = ("mock", "BTCUSDT", "stream")


@dataclass
class Read:
    """One frame."""

    kind: int
    feed: int
    seq: int
    state: str
    source: str
    price_decimals: int
    size_decimals: int
    numbers: list[float]
    sections: dict[int, Any] = field(default_factory=dict)

    @property
    def bid(self) -> float:
        return self.numbers[5]

    @property
    def ask(self) -> float:
        return self.numbers[7]


def read(message: bytes) -> list[Read]:
    """All frames of a message."""
    found, at = [], 0
    while at < len(message):
        version, kind, feed, seq, length, state, source, price, size, *numbers = struct.unpack_from(
            "<BBHIIBBBB9d", message, at
        )
        assert version == frames.VERSION
        frame = Read(kind, feed, seq, frames.STATES[state], frames.SOURCES[source], price, size, numbers)
        end = at + length
        at += frames.HEADER_BYTES
        while at < end:
            tag, count, size_ = struct.unpack_from("<BxHI", message, at)
            frame.sections[tag] = _section(tag, count, message[at + 8 : at + 8 + size_])
            at += 8 + size_
        assert at == end
        found.append(frame)
    return found


def _section(tag: int, count: int, payload: bytes) -> Any:
    if tag in (frames.META, frames.SIGNALS):
        return json.loads(payload)
    if tag == frames.TRADES:
        first = int(struct.unpack_from("<d", payload)[0])
        times, prices, sizes = [struct.unpack_from(f"<{count}d", payload, 8 + 8 * count * i) for i in range(3)]
        sides = struct.unpack_from(f"<{count}b", payload, 8 + 24 * count)
        flags = struct.unpack_from(f"<{count}B", payload, 8 + 25 * count)
        return [(first + i, *row) for i, row in enumerate(zip(times, prices, sizes, sides, flags, strict=True))]
    values = struct.unpack(f"<{len(payload) // 8}d", payload)
    if tag == frames.QUALITY:
        return dict(zip(frames.QUALITY_FIELDS, values, strict=True))
    width = 3 if tag == frames.POINTS else 2
    rows = [values[i : i + width] for i in range(0, len(values), width)]
    return (rows[:count], rows[count:]) if tag == frames.DEPTH else rows


class Screen:
    """Keeps a book as a browser does: snapshots replace, deltas change, a hole in `seq` is an error."""

    def __init__(self) -> None:
        self.seq: int | None = None
        self.sides: dict[int, dict[float, float]] = {frames.BIDS: {}, frames.ASKS: {}}
        self.trades: list[int] = []
        self.points: list[float] = []

    def take(self, frame: Read) -> None:
        if frame.kind == frames.SNAPSHOT:
            self.sides = {frames.BIDS: {}, frames.ASKS: {}}
            self.trades, self.points = [], []
        elif frame.kind == frames.DELTA:
            assert self.seq is not None
            if frame.seq <= self.seq:
                return
            assert frame.seq == self.seq + 1, f"frame {frame.seq} after {self.seq}"
        self.seq = frame.seq
        for tag, side in self.sides.items():
            for price, size in frame.sections.get(tag, ()):
                if size > 0:
                    side[price] = size
                else:
                    del side[price]
        self.trades += [row[0] for row in frame.sections.get(frames.TRADES, ())]
        self.points += [row[0] for row in frame.sections.get(frames.POINTS, ())]

    @property
    def bids(self) -> list[tuple[float, float]]:
        return sorted(self.sides[frames.BIDS].items(), reverse=True)

    @property
    def asks(self) -> list[tuple[float, float]]:
        return sorted(self.sides[frames.ASKS].items())


def unknown(value: float) -> bool:
    """Whether a number says that it is not known."""
    return math.isnan(value)
