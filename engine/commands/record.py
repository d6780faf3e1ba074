"""`python -m engine record FEEDS …` writes what some feeds publish into the store, until the time is over or Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType
from typing import Any

from msgspec.structs import replace

from engine.connector import Connector
from engine.errors import ConfigError
from engine.feed.mailbox import FeedKey
from engine.hub import STREAM, Hub, poll_interval_s
from engine.plugins import make_connector
from engine.settings import Settings, load_settings
from engine.smoke import spelled
from engine.store.base import Recording
from engine.store.desk import RecordingDesk, RecordingState
from engine.store.flight.desk import FlightDesk
from engine.store.flight.recorder import FlightState
from engine.store.recording.options import options_from
from engine.store.report import gap_words, size_words

LINE_EVERY_S = 10.0
"""How often a line is printed where there is no terminal that could overwrite it."""

OF_THE_SETTINGS = ""
"""`--raw` without a place."""

IMPATIENT_S = 2.0
"""How long after an interruption further ones are taken for the same."""

END_WITHIN_S = 60.0
"""How long a slow disk may take to write the rest."""


def add(commands: Any) -> None:
    """Describe the command and its options."""
    command = commands.add_parser("record", help="record feeds into the store (STORE_URL)")
    command.add_argument(
        "feeds", nargs="+", metavar="VENUE:SYMBOL,…", help="binance:BTCUSDT,ETHUSDT mock:BTCUSDT ccxt:bybit:BTC/USDT …"
    )
    command.add_argument("--minutes", type=_minutes, help="how long (until Ctrl-C)")
    command.add_argument("--mode", default=STREAM, help="stream, or poll: and seconds, such as poll:5")
    command.add_argument("--note", default="", help="a remark that is kept with the recording")
    command.add_argument("--store", metavar="URL", help="another place than STORE_URL")
    command.add_argument(
        "--raw", nargs="?", const=OF_THE_SETTINGS, metavar="PLACE",
        help="raw frames too: into a new file ….jsonl.gz for one venue, or a folder (CAPTURES_DIR)",
    )  # fmt: skip
    command.set_defaults(run=_record)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.0 < minutes <= 525_600.0:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and at most 525600, not {text!r}")
    return minutes


def find_feeds(wanted: Sequence[str], settings: Settings, mode: str) -> tuple[dict[str, Connector], list[FeedKey]]:
    """The connectors and feeds of `VENUE:SYMBOL,SYMBOL …`; names and symbols may have colons of their own.

    Raises:
        EngineError: no such venue, symbol or mode; the hint names near ones.
    """
    if mode != STREAM:
        poll_interval_s(mode)
    connectors: dict[str, Connector] = {}
    keys: list[FeedKey] = []
    try:
        for one in wanted:
            name, symbols = _split(one, connectors, settings)
            keys += [(name, spelled(connectors[name], symbol), mode) for symbol in symbols]
    except BaseException:
        for connector in connectors.values():
            connector.close()
        raise
    return connectors, list(dict.fromkeys(keys))


def _split(wanted: str, connectors: dict[str, Connector], settings: Settings) -> tuple[str, list[str]]:
    """Name and symbols; the longest beginning that is a venue's name is taken."""
    parts = wanted.split(":")
    failure = ConfigError(f"{wanted!r} names no symbol", hint="Write VENUE:SYMBOL, such as binance:BTCUSDT.")
    for count in range(len(parts) - 1, 0, -1):
        name, symbols = ":".join(parts[:count]), [text.strip() for text in ":".join(parts[count:]).split(",")]
        try:
            if name not in connectors:
                connectors[name] = make_connector(name, settings.venue_settings)
        except ConfigError as error:
            failure = error
            continue
        if not all(symbols):
            raise ConfigError(f"{wanted!r} names no symbol", hint="Write VENUE:SYMBOL, such as binance:BTCUSDT.")
        return name, symbols
    raise failure


def _record(options: argparse.Namespace) -> int:
    with _interruptible():
        return _record_feeds(options)


def _record_feeds(options: argparse.Namespace) -> int:
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(message)s")
    settings = load_settings()
    chosen = options_from(settings)
    if options.store is not None:
        chosen = replace(chosen, store_url=options.store)
    connectors, keys = find_feeds(options.feeds, settings, options.mode)
    hub = Hub(connectors)
    desk = RecordingDesk(hub, chosen)
    flight = FlightDesk(connectors)
    try:
        if options.raw is not None:
            for begun in flight.start_many(list(connectors), Path(options.raw or settings.captures_dir)):
                print(f"raw frames of {begun.venue} into {begun.place}", flush=True)
        recording = desk.start(keys, options.note)
        print(f"recording {recording.id} into {desk.store().place}", flush=True)
        _watch(hub, desk, keys, options.minutes)
        state = desk.state()
        desk.stop()
        ended = desk.finished(END_WITHIN_S) or recording
        print(_summary(desk, ended, state))
        return int(bool(desk.state().error) or ended.gaps > 0 or ended.ending != "stopped")
    finally:
        desk.close()
        hub.close()
        for ended_raw in flight.close():
            print(_raw_summary(ended_raw))


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM end the recording: the first raises KeyboardInterrupt.

    What follows within two seconds is taken for the same word, and does not disturb the end while it is written:
    `timeout` says it twice, and so does an impatient hand.
    """
    heard_s = float("-inf")

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard_s
        if monotonic() - heard_s > IMPATIENT_S:
            heard_s = monotonic()
            raise KeyboardInterrupt

    before = [(number, signal.signal(number, hear)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _raw_summary(state: FlightState) -> str:
    troubles = f", {state.lost:,} lost {state.trouble}".rstrip() if state.lost or state.trouble else ""
    what = f" ({state.frames})" if state.frames else ""
    return (
        f"{state.records:,} raw records of {state.venue}, {size_words(state.size_bytes)}{troubles}; "
        f"in {state.place}{what}"
    )


def _watch(hub: Hub, desk: RecordingDesk, keys: Sequence[FeedKey], minutes: float | None) -> None:
    """Show how it goes until the time is over, the recording ends by itself, or somebody wants it to end."""
    begun, shown = monotonic(), float("-inf")
    terminal = sys.stdout.isatty()
    pause = Event()
    try:
        while (state := desk.state()).recording is not None:
            passed = monotonic() - begun
            if minutes is not None and passed >= minutes * 60:
                break
            if terminal or passed - shown >= LINE_EVERY_S or shown < 0:
                print(_line(hub, state, keys, minutes), end="\x1b[K\r" if terminal else "\n", flush=True)
                shown = passed
            pause.wait(min(1.0, minutes * 60 - passed) if minutes is not None else 1.0)
    except KeyboardInterrupt:
        pass
    finally:
        if terminal:
            print()


def _line(hub: Hub, state: RecordingState, keys: Sequence[FeedKey], minutes: float | None) -> str:
    feeds = [hub.feed(key) for key in keys]
    live = sum([feed is not None and feed.state.has_data for feed in feeds])
    until = f" of {minutes * 60:g}" if minutes is not None else ""
    said = [
        f"{state.seconds:.0f}{until} s", f"{live}/{len(keys)} feeds with data", f"{state.events:,} events",
        f"{state.rate:,.0f}/s", f"{state.waiting:,} waiting", size_words(state.bytes),
    ]  # fmt: skip
    troubles = [f"{state.dropped:,} lost"] if state.dropped else []
    if state.error:
        troubles.append(f"NOT WRITING: {state.error} {state.hint}".strip())
    return "  ".join(said + troubles)


def _summary(desk: RecordingDesk, ended: Recording, state: RecordingState) -> str:
    seconds = ((ended.ended_ns or ended.started_ns) - ended.started_ns) / 1e9
    lines = [
        f"recording {ended.id} {ended.ending}: {ended.events:,} events of {len(ended.feeds)} feeds with "
        f"{ended.level_rows:,} price levels in {seconds:.0f} s, {ended.gaps} gaps, {state.dropped:,} lost; "
        f"in {desk.store().place}"
    ]
    lines += [f"  gap: {gap_words(gap)}" for gap in desk.store().gaps(ended.id)]
    if error := desk.state().error:
        lines.append(f"  wrong: {error} {desk.state().hint}".rstrip())
    return "\n".join(lines)
