"""The engine's commands, without a page.

`python -m engine verify CAPTURE` plays a capture through the line and says what it found.
`python -m engine smoke VENUE SYMBOL` watches a venue for a minute and says whether what came was sound.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from threading import Event

import msgspec

from engine.errors import EngineError, StoreError
from engine.feed.hub import Hub
from engine.plugins import frame_readers, make_connector
from engine.settings import load_settings
from engine.smoke import Outcome, Second, Smoke, spelled
from engine.store.verify import Report, recognise, verify

INTERRUPTED = 130
NOTABLE_SKEW_MS = 50.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when nothing is wrong, 1 when something is, 2 when the call itself is, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "verify":
            return _verify(options.capture, options.connector, options.json)
        return _smoke(options)
    except EngineError as error:
        said = str(error).rstrip(".")
        print(f"error: {said}." + (f" {error.hint}" if error.hint else ""), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description="What runs with the lights off.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="play a capture through the line and report what it holds")
    command.add_argument("capture", type=Path, help="a capture file (.jsonl or .jsonl.gz)")
    command.add_argument("--connector", help="read it as this venue's; recognised from the file otherwise")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command = commands.add_parser("smoke", help="watch a venue live for a while and judge what came")
    command.add_argument("venue", help="a connector: mock, binance, kraken, ccxt:bybit, …")
    command.add_argument("symbol", help="as the venue spells it, or unified: BTC/USD")
    command.add_argument("--seconds", type=_seconds, default=60.0, help="how long to watch (60)")
    command.add_argument("--json", action="store_true", help="print one JSON object at the end")
    command.add_argument("--log", action="store_true", help="show the connector's log lines, too")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 < seconds <= 86_400.0:
        raise argparse.ArgumentTypeError("must be above 0 and at most 86400")
    return seconds


def _smoke(options: argparse.Namespace) -> int:
    logging.basicConfig(level="INFO" if options.log else "CRITICAL", format="%(asctime)s %(levelname)s %(message)s")
    connector = make_connector(options.venue, load_settings().venue_settings)
    hub = Hub({connector.name: connector})
    try:
        symbol = spelled(connector, options.symbol)
        run = Smoke(hub, connector, symbol, Event().wait)
        interrupted = False
        try:
            run.run(options.seconds, _silent if options.json else _say)
        except KeyboardInterrupt:
            interrupted = True
        outcome = run.outcome()
    finally:
        hub.close()
    print(msgspec.json.format(msgspec.json.encode(outcome)).decode() if options.json else _judgement(outcome))
    return INTERRUPTED if interrupted else int(outcome.verdict != "sound")


def _silent(second: Second) -> None:
    """Say nothing: the JSON object at the end holds every second."""


def _say(second: Second) -> None:
    shown = [
        f"{second.at_s:4.0f} s",
        f"{second.state.value:12}",
        f"{second.updates:>9,} updates",
        f"{_number(second.rate_per_s, '.1f'):>7}/s",
        f"age {_number(second.age_s, '.1f')} s",
        f"{second.gaps} gaps",
        f"latency p50 {_number(second.p50_ms, '.0f')} p99 {_number(second.p99_ms, '.0f')} ms",
        second.source or "–",
        f"{_number(second.bid)} / {_number(second.ask)}",
    ]
    print("  ".join(shown) + (f"  ({second.reason})" if second.reason else ""), flush=True)


def _judgement(outcome: Outcome) -> str:
    took = f" after {outcome.live_after_s:.1f} s" if outcome.live_after_s is not None else ""
    quality = outcome.quality
    lines = [f"{outcome.connector} {outcome.symbol}: {outcome.verdict.upper()}{took}: {outcome.says}"]
    if quality is not None and quality.clock_skew_ms is not None and abs(quality.clock_skew_ms) >= NOTABLE_SKEW_MS:
        how = "measured" if quality.clock_skew_measured else "at least"
        skew = f"{quality.clock_skew_ms:+,.0f} ms ({how})"
        lines.append(
            f"  this machine's clock minus the venue's: {skew}; the latencies contain it: set the clock by NTP"
        )
    return "\n".join([*lines, *([f"  → {outcome.remedy}"] if outcome.remedy else [])])


def _number(value: float | None, form: str = "g") -> str:
    return "–" if value is None else f"{value:{form}}" if form != "g" else f"{value:,.10g}"


def _verify(path: Path, connector: str | None, as_json: bool) -> int:
    readers = frame_readers()
    if connector is None:
        reader = recognise(path, readers)
    elif connector in readers:
        reader = readers[connector]
    else:
        raise StoreError(f"no connector named {connector!r} reads captures", hint=f"There are: {', '.join(readers)}.")
    report = verify(path, reader)
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
