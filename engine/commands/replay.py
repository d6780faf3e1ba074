"""`python -m engine replay RECORDING --strategy NAME` runs a strategy over a recording, as fast as it can."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import ManualClock
from engine.errors import ConfigError
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import MarketEvent
from engine.plugins import frame_readers, make_strategies
from engine.settings import load_settings
from engine.store.finding import find_recording
from engine.store.play_tape import PlayableTape
from engine.store.playable import Playable
from engine.strategy.evaluate import Evaluation, Trial, evaluate
from engine.strategy.hooks import uses
from engine.strategy.params import build
from engine.strategy.runner import StrategyLike
from engine.strategy.signal_stream import digest

SIGNALS_PRINTED = 20
RARELY = 50_000
"""Objects between two visits of the garbage collector: events hold no cycles, and there are many."""
NAN = float("nan")


class Recorded(Struct, frozen=True):
    """What the same strategy said while it was recorded: `same` when these are the very signals of the replay."""

    signals: int
    digest: str
    same: bool


class Outcome(Struct, frozen=True):
    """What is printed with --json. `recorded` is None where the recording holds no signal of this strategy."""

    recording: str
    parameters: dict[str, float]
    evaluation: Evaluation
    losses: str
    recorded: Recorded | None


def add(commands: Any) -> None:
    """Describe the command and its options."""
    command = commands.add_parser("replay", help="run a strategy over a recording and print what it said")
    command.add_argument("recording", help="a capture, a recording's id, 'newest', a .duckdb file or a Parquet folder")
    command.add_argument("--strategy", required=True, help="as its file names it: book_pressure, …")
    command.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    command.add_argument("--symbol", action="append", help="only this one; may be repeated")
    command.add_argument("--connector", help="read a capture as this venue's; recognised otherwise")
    command.add_argument("--store", help="where recordings are kept (STORE_URL otherwise)")
    command.add_argument("--fee-bps", type=float, help="what a taker pays, for outcomes after costs")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> int:
    settings = load_settings()
    cls = _strategy(options.strategy)
    values = dict([_parameter(text) for text in options.param])
    make = partial(build, cls, values)
    strategy = make()  # what is wrong with a parameter is said before anything is played
    if uses(strategy, "on_flow"):
        print(
            f"{options.strategy} listens to order flow, which is not part of this: it hears books and trades",
            file=sys.stderr,
        )
    playable = find_recording(
        options.recording, Path(settings.captures_dir), options.store or settings.store_url, frame_readers(),
        reader=options.connector,
    )  # fmt: skip
    usual = gc.get_threshold()
    gc.set_threshold(RARELY)
    try:
        outcome = _played(playable, options, make, values)
    finally:
        gc.set_threshold(*usual)
        playable.close()
    print(msgspec.json.format(msgspec.json.encode(outcome)).decode() if options.json else _as_text(outcome))
    if outcome.losses and options.json:
        print(f"not everything could be played: {outcome.losses}", file=sys.stderr)
    return 0


def _played(
    playable: Playable, options: argparse.Namespace, make: Callable[[], StrategyLike], values: dict[str, float]
) -> Outcome:
    way = _Way(playable, _chosen(playable, options.symbol))
    evaluation = evaluate(options.strategy, make, way.line(), fee_bps=options.fee_bps)
    recorded = _recorded(playable, options.strategy, evaluation)
    return Outcome(playable.title, values, evaluation, way.losses, recorded)


class _Way:
    """One pass through a recording, as fast as it is read."""

    def __init__(self, playable: Playable, keys: frozenset[FeedKey]) -> None:
        self.losses = ""
        self._playable = playable
        self._keys = keys
        self._clock = ManualClock(playable.start_ns)
        self._feeds: dict[FeedKey, Feed] = {}

    def line(self) -> Iterator[tuple[FeedKey, MarketEvent]]:
        way = self._playable.begin(self._feed)
        keys, everything = self._keys, self._keys == frozenset(self._playable.feeds)
        for at_ns, moment in way.moments():
            self._clock.set(at_ns)
            for key, event in way.take(moment):
                if everything or key in keys:
                    yield key, event
        self.losses = way.losses()

    def _feed(self, key: FeedKey) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = self._playable.make_feed(key, self._clock)
        return feed


def _strategy(name: str) -> type:
    found, errors = make_strategies()
    cls = found.get(name)
    if cls is None:
        broken = [error for error in errors if f"/{name}." in str(error)]
        if broken:
            raise broken[0]
        near = get_close_matches(name, found, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no strategy named {name!r}", hint=f"{hint}There are: {', '.join(sorted(found))}.")
    return cls


def _parameter(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = NAN
    if not equals or not name or number != number:
        raise ConfigError(f"--param {text!r} is no parameter", hint="Write it like --param threshold=0.7.")
    return name, number


def _chosen(playable: Playable, symbols: list[str] | None) -> frozenset[FeedKey]:
    if not symbols:
        return frozenset(playable.feeds)
    known = {key[1] for key in playable.feeds}
    for symbol in symbols:
        if symbol not in known:
            near = get_close_matches(symbol, known, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise ConfigError(
                f"{playable.title} has no symbol {symbol!r}", hint=f"{hint}There are: {', '.join(sorted(known))}."
            )
    return frozenset([key for key in playable.feeds if key[1] in symbols])


def _recorded(playable: Playable, strategy: str, evaluation: Evaluation) -> Recorded | None:
    """The signals in the recording beside those of the replay; of one feed, or both sorted by feed."""
    if not isinstance(playable, PlayableTape):
        return None
    said = [signal for _, signal in playable.signals() if signal.strategy == strategy]
    if not said:
        return None
    feeds = [(trial.venue, trial.symbol) for trial in evaluation.trials]
    ours = [signal for trial in evaluation.trials for signal in trial.signals]
    theirs = [signal for feed in feeds for signal in said if (signal.venue, signal.symbol) == feed]
    return Recorded(len(said), digest(theirs), digest(theirs) == digest(ours))


def _as_text(outcome: Outcome) -> str:
    evaluation = outcome.evaluation
    lines = [
        f"{outcome.recording}: {evaluation.events:,} events, {evaluation.strategy} {outcome.parameters or ''}".rstrip()
    ]
    for trial in evaluation.trials:
        lines += _trial(trial)
    if outcome.losses:
        lines.append(f"not everything could be played: {outcome.losses}")
    if outcome.recorded is not None:
        same = "the same" if outcome.recorded.same else "NOT the same"
        lines.append(f"{outcome.recorded.signals} signals were recorded: {same}")
    return "\n".join([*lines, f"sha256 of the signals: {evaluation.digest}"])


def _trial(trial: Trial) -> list[str]:
    lines = [
        f"  {trial.venue} {trial.symbol}: {trial.updates:,} updates, {trial.signal_count:,} signals, {trial.digest}"
    ]
    for signal in trial.signals[:SIGNALS_PRINTED]:
        lines.append(
            f"    {signal.at_ns} {signal.direction:4} {signal.strength:.3f} at {signal.price:g}: {signal.reason}"
        )
    if trial.signal_count > SIGNALS_PRINTED:
        lines.append(f"    … and {trial.signal_count - SIGNALS_PRINTED:,} more")
    for score in trial.outcomes:
        rate = "–" if score.hit_rate is None else f"{score.hit_rate:.0%}"
        mean = "–" if score.mean_bps is None else f"{score.mean_bps:+.3f}"
        lines.append(
            f"    {score.type} after {score.horizon_s:g} s: {score.count} outcomes, {rate} came true, mean {mean} bps; "
            f"{score.verdict}"
        )
    return lines
