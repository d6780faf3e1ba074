"""The capture in memory: what every contestant is given, and the truth that it must reach."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT.parent / "shared" / "captures" / "demo_binance_spot_btc_eth_20240808_650s.jsonl.gz"
TOP = 10
PASS_OFFSET = 10**11
"""By how much numbers grow each time a capture begins again."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

Top = dict[str, list[tuple[float, float]]]
"""`bids` and `asks`, best first: at most ten (price, size) each."""


class Step(Struct, frozen=True, gc=False):
    """One arrival: a frame of the stream, or (with a symbol) the body of that symbol's REST snapshot."""

    data: bytes
    received_ns: int
    symbol: str = ""


class Outcome(Struct):
    """What a contestant says it has done."""

    trades: int
    quotes: int
    tops: dict[str, Top]


class Truth(Struct, frozen=True):
    """What is known of the capture from an independent reading."""

    frames: int
    trades: int
    tops: dict[str, Top]


def load(path: Path) -> list[Step]:
    """Frames and snapshots in file order."""
    steps = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            symbol = ""
            if record["dir"] == "resp":
                symbol = parse_qs(urlsplit(record["url"]).query)["symbol"][0]
            elif record["dir"] != "recv":
                continue
            received_ns = record.get("t_ns") or round(record["t"] * 1e9)
            steps.append(Step(record["data"].encode(), received_ns, symbol))
    return steps


def moved(frame: bytes, offset: int) -> bytes:
    """A captured frame or snapshot with its numbers moved up."""
    if not offset:
        return frame
    message = _decode(frame)
    data = message.get("data", message)
    for key in ("u", "U", "t", "lastUpdateId"):
        if key in data:
            data[key] += offset
    return _encode(message)


def truth_of(path: Path) -> Truth:
    """The entry for a capture in the `truths.json` beside it.

    Raises:
        OSError: there is no such file; KeyError: it does not know the capture.
    """
    entry = json.loads((path.parent / "truths.json").read_text(encoding="utf-8"))[path.name]
    symbols = entry["symbols"]
    return Truth(
        entry["ws_frames"],
        sum(symbol["trades"]["trades"] for symbol in symbols.values()),
        {name: {side: pairs(levels) for side, levels in s["final_top10"].items()} for name, s in symbols.items()},
    )


def pairs(levels: object) -> list[tuple[float, float]]:
    """The best ten of any sequence of (price, size, …), as floats."""
    return [(float(level[0]), float(level[1])) for level in list(levels)[:TOP]]  # type: ignore[call-overload]


def differences(outcome: Outcome, truth: Truth, frames: int) -> list[str]:
    """Why an outcome is not the truth; empty when it is."""
    wrong = [] if frames == truth.frames else [f"{frames} frames instead of {truth.frames}"]
    if outcome.trades != truth.trades:
        wrong.append(f"{outcome.trades} trades instead of {truth.trades}")
    for symbol, expected in truth.tops.items():
        got = outcome.tops.get(symbol, {})
        for side, levels in expected.items():
            for place, (want, have) in enumerate(zip(levels, got.get(side, []), strict=False), start=1):
                if want != have:
                    wrong.append(f"{symbol} {side} level {place}: {have} instead of {want}")
                    break
            else:
                if len(got.get(side, [])) != len(levels):
                    wrong.append(f"{symbol} {side}: {len(got.get(side, []))} levels instead of {len(levels)}")
    return wrong
