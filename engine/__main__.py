"""`python -m engine verify CAPTURE` says what a capture holds; `python -m engine flow CAPTURE …` analyses it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import EngineError, StoreError
from engine.plugins import frame_readers
from engine.store.flow_export import export
from engine.store.verify import FrameReader, Report, recognise, verify


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when nothing is wrong, 1 when something is, 2 when the call itself is."""
    parser = argparse.ArgumentParser(prog="python -m engine", description="What runs with the lights off.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="play a capture through the line and report what it holds")
    command.add_argument("capture", type=Path, help="a capture file (.jsonl or .jsonl.gz)")
    command.add_argument("--connector", help="read it as this venue's; recognised from the file otherwise")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    _add_flow(commands)
    options = parser.parse_args(arguments)
    try:
        return (
            _flow(options) if options.command == "flow" else _verify(options.capture, options.connector, options.json)
        )
    except EngineError as error:
        print(f"error: {error}" + (f" {error.hint}" if error.hint else ""), file=sys.stderr)
        return 2


def _add_flow(commands: Any) -> None:
    command = commands.add_parser("flow", help="analyse the order flow of a capture and write it to files")
    command.add_argument("capture", type=Path, help="a capture file (.jsonl or .jsonl.gz)")
    command.add_argument("--connector", help="read it as this venue's; recognised from the file otherwise")
    command.add_argument("--symbol", required=True, action="append", help="as the venue spells it; may be repeated")
    command.add_argument("--prefix", required=True, action="append", help="how the symbol's files begin; one for each")
    command.add_argument("--out", required=True, type=Path, help="the folder to write to")
    command.add_argument("--tick", type=float, help="the price step in quote units; found from the prices otherwise")


def _flow(options: argparse.Namespace) -> int:
    if len(options.symbol) != len(options.prefix):
        raise StoreError("as many --prefix as --symbol are needed", hint="Give each symbol a prefix of its own.")
    prefixes = dict(zip(options.symbol, options.prefix, strict=True))
    reader = _reader(options.capture, options.connector)
    for path in export(options.capture, reader, prefixes, options.out, options.tick):
        print(path)
    return 0


def _reader(path: Path, connector: str | None) -> FrameReader:
    readers = frame_readers()
    if connector is None:
        return recognise(path, readers)
    if connector in readers:
        return readers[connector]
    raise StoreError(f"no connector named {connector!r} reads captures", hint=f"There are: {', '.join(readers)}.")


def _verify(path: Path, connector: str | None, as_json: bool) -> int:
    report = verify(path, _reader(path, connector))
    print(_as_json(report) if as_json else _as_text(path, report))
    for problem in report.problems if as_json else ():
        print(problem, file=sys.stderr)
    return 1 if report.problem_count else 0


def _as_json(report: Report) -> str:
    content = msgspec.to_builtins(report)
    del content["problem_count"]
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
            f"{found['gaps']} gaps, {found['crossed']} crossed, checksums {found['checksums_ok']} ok "
            f"{found['checksums_bad']} bad; {bids}+{asks} levels; "
            f"{found['trades']} trades, bought {found['buy_volume']}, sold {found['sell_volume']}"
        )
    lines += [f"  wrong: {problem}" for problem in report.problems]
    if report.problem_count > len(report.problems):
        lines.append(f"  … and {report.problem_count - len(report.problems)} more")
    if not report.problem_count:
        lines.append("  nothing wrong")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
