"""`python -m engine verify CAPTURE` plays a capture through the line and says what it found."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import StoreError
from engine.plugins import frame_readers
from engine.store.captures.verify import FrameReader, Report, recognise, verify


def add(commands: Any) -> None:
    """Describe the command and its options."""
    command = commands.add_parser("verify", help="play a capture through the line and report what it holds")
    command.add_argument("capture", type=Path, help="a capture file (.jsonl or .jsonl.gz), or a folder of segments")
    command.add_argument("--connector", help="read it as this venue's; recognised from the file otherwise")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_verify)


def reader_of(path: Path, connector: str | None) -> FrameReader:
    """Who reads this capture: the named connector, or the one that recognises it.

    Raises:
        StoreError: nobody reads it.
    """
    readers = frame_readers()
    if connector is None:
        return recognise(path, readers)
    if connector in readers:
        return readers[connector]
    raise StoreError(f"no connector named {connector!r} reads captures", hint=f"There are: {', '.join(readers)}.")


def _verify(options: argparse.Namespace) -> int:
    report = verify(options.capture, reader_of(options.capture, options.connector))
    print(_as_json(report) if options.json else _as_text(options.capture, report))
    for problem in _problems(report) if options.json else ():
        print(problem, file=sys.stderr)
    return 1 if report.problem_count else 0


def _problems(report: Report) -> list[str]:
    """What is wrong, and how much more there is than is kept in words."""
    more = report.problem_count - len(report.problems)
    return [*report.problems, *([f"… and {more} more"] if more else [])]


def _as_json(report: Report) -> str:
    """The report without its problems: those are words, and go to standard error."""
    content = msgspec.to_builtins(report)
    del content["problem_count"], content["problems"]
    return json.dumps(content, indent=1)


def _as_text(path: Path, report: Report) -> str:
    lines = [
        f"{path.name}: {report.connector}, {report.frames} frames in {report.seconds} s, "
        f"{report.dropped_frames} dropped"
    ]  # fmt: skip
    for symbol, found in report.symbols.items():
        bids, asks = found["levels"]
        lines.append(
            f"  {symbol}: {found['state']}, {found['applied']} updates applied, {found['ignored']} older ignored, "
            f"{found['duplicates']} duplicates, {found['gaps']} gaps, {found['crossed']} crossed, "
            f"checksums {found['checksums_ok']} ok {found['checksums_bad']} bad; {bids}+{asks} levels; "
            f"{found['trades']} trades, bought {found['buy_volume']}, sold {found['sell_volume']}"
        )
    lines += [f"  wrong: {problem}" for problem in _problems(report)]
    if not report.problem_count:
        lines.append("  nothing wrong")
    return "\n".join(lines)
