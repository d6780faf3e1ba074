"""What a strategy says of a line of events, without a thread or a clock, and whether it came true."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from engine.feed.mailbox import FeedKey
from engine.flow.signals.outcomes import OutcomeLedger
from engine.flow.signals.scoreboard import Score, judge
from engine.market.book import BookView
from engine.market.events import FeedState, FeedStatus, MarketEvent
from engine.market.signal import Signal
from engine.strategy.runner import Runner, StrategyLike
from engine.strategy.signal_stream import SignalDigest, digest_of_runs

SIGNALS_KEPT = 100_000
_SIDES = {"buy": 1, "sell": -1}


class Trial(Struct, frozen=True):
    """One feed's part of an evaluation. `digest` is over all signals, also those beyond the 100,000 that are kept.

    `outcomes` has the record of each horizon, with that of a placebo at random times and sides.
    """

    venue: str
    symbol: str
    updates: int
    signals: list[Signal]
    signal_count: int
    digest: str
    outcomes: list[Score]


class Evaluation(Struct, frozen=True):
    """What came of it: `digest` is one number for all signals (see `engine/strategy/signal_stream.py`)."""

    strategy: str
    events: int
    digest: str
    trials: list[Trial]


class _Trial:
    """One strategy on one feed, and its outcomes."""

    def __init__(self, name: str, make: Callable[[], StrategyLike], fee_bps: float | None) -> None:
        self.digest = SignalDigest()
        self.signals: list[Signal] = []
        self.runner = Runner(make(), make)
        self.ledger: OutcomeLedger | None = None
        self._name = name
        self._fee_bps = fee_bps
        self._now_ns = 0
        self._lost_ns: int | None = None

    def take(self, event: MarketEvent) -> None:
        ledger = self.ledger
        if ledger is None:
            ledger = self.ledger = OutcomeLedger(event.venue, event.symbol, fee_bps=self._fee_bps)
        self._now_ns = max(self._now_ns, event.received_ns)
        if self._now_ns > ledger.due_ns:
            self._settle(ledger)
        for signal in self.runner.take(event):
            self.digest.add(signal)
            if len(self.signals) < SIGNALS_KEPT:
                self.signals.append(signal)
            side = _SIDES.get(signal.direction)
            if side is not None:
                ledger.follow(self._name, side, signal.strength, signal.at_ns)
        if type(event) is FeedStatus:
            self._note_gap(ledger, event)

    def finish(self) -> Trial:
        ledger, feed = self.ledger, self.runner.feed
        assert ledger is not None
        assert feed is not None
        self._settle(ledger)
        return Trial(
            feed.venue, feed.symbol, self.runner.updates, self.signals, self.digest.signals, self.digest.hexdigest(),
            judge(ledger.scores()),
        )  # fmt: skip

    def _settle(self, ledger: OutcomeLedger) -> None:
        """The book has not changed since the last event: it tells what was due in between."""
        view = self._believed()
        mid = view.mid if view is not None else None
        spread_bps = view.spread_bps if view is not None else None
        ledger.settle(self._now_ns, mid, (spread_bps or 0.0) / 2)

    def _believed(self) -> BookView | None:
        view = self.runner.feed.view if self.runner.feed is not None else None
        return view if view is not None and view.state.has_data else None

    def _note_gap(self, ledger: OutcomeLedger, status: FeedStatus) -> None:
        if status.state.has_data:
            if self._lost_ns is not None:
                ledger.gap(self._lost_ns, status.received_ns)
                self._lost_ns = None
        elif self._lost_ns is None and status.state is not FeedState.STALE:
            self._lost_ns = status.received_ns


def evaluate(
    name: str,
    make: Callable[[], StrategyLike],
    line: Iterable[tuple[FeedKey, MarketEvent]],
    *,
    fee_bps: float | None = None,
    reached: Callable[[int], None] = lambda at_ns: None,
) -> Evaluation:
    """Run a strategy, one instance for each feed, over a line of events; `reached` is told the time now and then.

    A markout's latency, horizons and placebo are those of `engine/flow/signals/outcomes.py`; `fee_bps` is what a taker pays.
    """
    trials: dict[FeedKey, _Trial] = {}
    events = 0
    for key, event in line:
        events += 1
        trial = trials.get(key)
        if trial is None:
            trial = trials[key] = _Trial(name, make, fee_bps)
        trial.take(event)
        if events % 5_000 == 0:
            reached(event.received_ns)
    found = {key: trial.finish() for key, trial in trials.items()}
    digests = {(trial.venue, trial.symbol, key[2]): trial.digest for key, trial in found.items()}
    return Evaluation(name, events, digest_of_runs(digests) if digests else "", list(found.values()))
