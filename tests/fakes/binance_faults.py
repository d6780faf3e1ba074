"""What the fake Binance can do wrong: scripted by message counts, so that a test knows exactly what happened."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from tests.fakes.http_server import HttpRequest, HttpResponse

Piece = Union[str, "Raw", "Fragmented", "Binary"]
"""What can go out: a stream's data, or something stranger."""
Rewrite = Callable[[str], Sequence[Piece]]


@dataclass(frozen=True)
class Raw:
    """A whole text frame as it is, instead of a stream's data."""

    frame: bytes


@dataclass(frozen=True)
class Fragmented:
    """A stream's data in several frames."""

    data: str
    parts: int = 3


@dataclass(frozen=True)
class Binary:
    """A stream's data in a binary frame."""

    data: str


@dataclass
class _Step:
    rewrite: Rewrite
    after: int
    count: int


class DepthScript:
    """What happens to the next depth messages of one symbol; steps run one after the other."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque()
        self._held: list[str] = []
        self.applied = 0
        """Messages that a step has touched."""

    @property
    def pending(self) -> bool:
        """Whether some step is still to come."""
        return bool(self._steps or self._held)

    def add(self, rewrite: Rewrite, *, count: int, after: int) -> None:
        self._steps.append(_Step(rewrite, after, count))

    def swap(self, *, count: int, after: int) -> None:
        """Exchange the order of the next two messages, `count` times."""
        for number in range(count):
            self.add(self._hold, count=1, after=after if number == 0 else 0)
            self.add(self._release, count=1, after=0)

    def clear(self) -> None:
        self._steps.clear()
        self._held.clear()

    def forget(self) -> None:
        """The connection is gone: what was held back for it never comes."""
        self._held.clear()

    def pass_on(self, data: str) -> Sequence[Piece]:
        """What goes out instead of this message."""
        if not self._steps:
            return (data,)
        step = self._steps[0]
        if step.after > 0:
            step.after -= 1
            return (data,)
        step.count -= 1
        if step.count <= 0:
            self._steps.popleft()
        self.applied += 1
        return step.rewrite(data)

    def _hold(self, data: str) -> Sequence[Piece]:
        self._held.append(data)
        return ()

    def _release(self, data: str) -> Sequence[Piece]:
        held, self._held = self._held, []
        return (data, *held)


@dataclass
class RestFault:
    """The answer to the next `times` requests (None: all) of a path (and symbol)."""

    respond: Callable[[HttpRequest], HttpResponse]
    path: str
    symbol: str | None
    times: int | None


@dataclass
class RestScript:
    """Answers that replace the honest ones."""

    faults: list[RestFault] = field(default_factory=list)

    def take(self, request: HttpRequest) -> RestFault | None:
        """The fault that this request runs into, counted down."""
        symbol = request.query.get("symbol")
        for fault in self.faults:
            if fault.path == request.path and fault.symbol in (None, symbol):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                return fault
        return None


def drop(data: str) -> Sequence[Piece]:
    """Nothing goes out."""
    return ()


def double(data: str) -> Sequence[Piece]:
    """It goes out twice."""
    return data, data


def edited(edit: Callable[[dict[str, Any]], None]) -> Rewrite:
    """The message with some fields changed by `edit`."""

    def rewrite(data: str) -> Sequence[Piece]:
        fields = json.loads(data)
        edit(fields)
        return (json.dumps(fields, separators=(",", ":")),)

    return rewrite


def fragmented(data: str) -> Sequence[Piece]:
    """The message in three frames."""
    return (Fragmented(data),)


def binary(data: str) -> Sequence[Piece]:
    """The message in a binary frame."""
    return (Binary(data),)


def replaced(frame: bytes) -> Rewrite:
    """Another frame goes out instead."""
    return lambda data: (Raw(frame),)


def crossing(fields: dict[str, Any]) -> None:
    """Add a bid far above every ask."""
    best = max([float(price) for price, _ in [*fields["b"], *fields["a"]]], default=1.0)
    fields["b"] = [*fields["b"], [f"{best * 3:.8f}", "1.00000000"]]


def negative_size(fields: dict[str, Any]) -> None:
    """Turn the first level's size below zero."""
    side = fields["b"] or fields["a"]
    side[0] = [side[0][0], "-" + side[0][1].replace("0.00000000", "1.00000000")]


def absent_removal(fields: dict[str, Any]) -> None:
    """Remove a level that never was; harmless by the venue's rules."""
    fields["b"] = [*fields["b"], ["0.01000000", "0.00000000"]]


def exponent_prices(fields: dict[str, Any]) -> None:
    """Write every price with an exponent; the same numbers."""
    for side in ("b", "a"):
        fields[side] = [[f"{float(price):.12e}", size] for price, size in fields[side]]


def bad_value(value: object) -> Callable[[dict[str, Any]], None]:
    """Put `value` where the first price should be."""

    def edit(fields: dict[str, Any]) -> None:
        side = fields["b"] or fields["a"]
        side[0] = [value, side[0][1]]

    return edit


def bad_frames(symbol: str) -> Mapping[str, bytes]:
    """Frames that no client may believe or die of; none of them carries a true update."""
    stream = f"{symbol.lower()}@depth@100ms"

    def depth(inner: str) -> bytes:
        return f'{{"stream":"{stream}","data":{{"e":"depthUpdate","E":1,"s":"{symbol}",{inner}}}}}'.encode()

    return {
        "cut_json": f'{{"stream":"{stream}","data":{{"e":"depthUpd'.encode(),
        "empty": b"",
        "spaces": b"   ",
        "null": b"null",
        "number": b"42",
        "string": b'"depthUpdate"',
        "list": b"[]",
        "empty_object": b"{}",
        "empty_data": f'{{"stream":"{stream}","data":{{}}}}'.encode(),
        "null_data": f'{{"stream":"{stream}","data":null}}'.encode(),
        "list_data": f'{{"stream":"{stream}","data":[1,2]}}'.encode(),
        "unknown_stream": f'{{"stream":"{symbol.lower()}@surprise","data":{{"e":"surprise","s":"{symbol}"}}}}'.encode(),
        "unknown_symbol": b'{"stream":"zzzusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"ZZZUSDT",'
        b'"U":1,"u":2,"b":[["1","1"]],"a":[]}}',
        "text_ids": depth('"U":"one","u":"two","b":[],"a":[]'),
        "huge_ids": depth(f'"U":{"9" * 40},"u":{"9" * 40},"b":[["1.0","1.0"]],"a":[]'),
        "backward_ids": depth('"U":9,"u":3,"b":[["1.0","1.0"]],"a":[]'),
        "missing_ids": depth('"b":[["1.0","1.0"]],"a":[]'),
        "levels_object": depth('"U":1,"u":2,"b":{},"a":[]'),
        "levels_flat": depth('"U":1,"u":2,"b":["1.0","1.0"],"a":[]'),
        "nan_literal": depth('"U":1,"u":2,"b":[[NaN,"1.0"]],"a":[]'),
        "nan_text": depth('"U":1,"u":2,"b":[["NaN","1.0"]],"a":[]'),
        "deep": b"[" * 100_000,
        "deep_data": f'{{"stream":"{stream}","data":'.encode() + b'{"a":' * 50_000,
        "not_utf8": b'{"stream":"\xff\xfe\xc3","data":{"e":"\x80"}}',
        "nul_bytes": b"\x00\x00\x00",
        "html": b"<html><body>502 Bad Gateway</body></html>",
        "five_megabytes": b'{"stream":"' + b"x" * 5_000_000 + b'","data":{}}',
    }
