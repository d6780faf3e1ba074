"""`python -m engine smoke VENUE SYMBOL` watches a venue for a minute and says whether what came was sound."""

from __future__ import annotations

import argparse
import logging
from threading import Event
from typing import Any

import msgspec

from engine.hub import Hub
from engine.plugins import make_connector
from engine.settings import load_settings
from engine.smoke import Outcome, Second, Smoke, spelled

INTERRUPTED = 130
NOTABLE_SKEW_MS = 50.0


def add(commands: Any) -> None:
    """Describe the command and its options."""
    command = commands.add_parser("smoke", help="watch a venue live for a while and judge what came")
    command.add_argument("venue", help="a connector: mock, binance, kraken, ccxt:bybit, …")
    command.add_argument("symbol", help="as the venue spells it, or unified: BTC/USD")
    command.add_argument("--seconds", type=_seconds, default=60.0, help="how long to watch (60)")
    command.add_argument("--json", action="store_true", help="print one JSON object at the end")
    command.add_argument("--log", action="store_true", help="show the connector's log lines, too")
    command.set_defaults(run=_smoke)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= 86_400.0:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and at most 86400, not {text!r}")
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
