"""The common course of a case: live and moving, the fault, the reaction that is owed, whole again, nothing left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.contract.case import Case, Expect, Outcome
from tests.fakes.rig import BOUND_S

NOTICED_S = 12.0
"""Real seconds within which a reaction must show; `Expect.within_s` bounds the recovery."""


HEARD_WITHIN_S = 0.05

CALM = (FeedState.LIVE, FeedState.STALE)
"""A busy machine makes hurried books stale for a moment; that is no unrest."""


class Mark:
    """How things stood when the fault was injected, to tell what came after it."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        rig = adapter.rig
        self.at = time.monotonic()
        self.statuses = {symbol: len(witness.statuses) for symbol, witness in rig.witnesses.items()}
        self.accepted = adapter.accepted
        self.attempts = len(adapter.attempts())
        self.asked = len(adapter.messages())
        self.requests = len(adapter.book_requests())
        self._counted = {name: self._count(name) for name in _counters(adapter)}

    def states(self, symbol: str) -> list[FeedState]:
        """What a symbol went through since."""
        witness = self._adapter.rig.witnesses.get(symbol)
        return list(witness.states[self.statuses.get(symbol, 0) :]) if witness is not None else []

    def said(self, words: str) -> bool:
        witness = self._adapter.rig.witnesses.get(self._adapter.symbol)
        return witness is not None and witness.said(words, self.statuses.get(self._adapter.symbol, 0))

    def grown(self, name: str) -> int:
        """By how much a counter of the suffering symbol has grown."""
        return self._count(name) - self._counted.get(name, 0)

    @property
    def connections(self) -> int:
        """New connections since."""
        return self._adapter.accepted - self.accepted

    @property
    def asks(self) -> int:
        """Messages sent since."""
        return len(self._adapter.messages()) - self.asked

    @property
    def book_requests(self) -> list[float]:
        """Books asked for by REST since."""
        return self._adapter.book_requests()[self.requests :]

    def missing(self, expect: Expect) -> list[str]:
        """What of the reaction has not been seen yet."""
        states = self.states(self._adapter.symbol)
        wants = [f"{state}" for state in expect.states if state not in states]
        wants += [f"{name} +{least}" for name, least in expect.counters.items() if self.grown(name) < least]
        if expect.says and not self.said(expect.says):
            wants.append(f"a reason with {expect.says!r}")
        for name, least, seen in (
            ("new connections", expect.connections, self.connections),
            ("messages", expect.asks, self.asks),
            ("requests for a book", expect.book_requests, len(self.book_requests)),
        ):
            if seen < least:
                wants.append(f"{least} {name}, not {seen}")
        return wants

    def _count(self, name: str) -> int:
        witness = self._adapter.rig.witnesses.get(self._adapter.symbol)
        return int(getattr(witness.stream.feed.quality, name)) if witness is not None else 0


def _counters(adapter: Adapter) -> list[str]:
    witnesses = adapter.rig.witnesses
    if adapter.symbol not in witnesses:
        return []
    quality = witnesses[adapter.symbol].stream.feed.quality
    return [name for name in dir(quality) if not name.startswith("_") and isinstance(getattr(quality, name), int)]


def perform(case: Case, kind: type[Adapter]) -> Outcome:
    """One case with one connector; whatever goes wrong is in the outcome."""
    outcome = Outcome(kind.name, case.fault, case.variant, reason=kind.reason_not(case))
    if outcome.reason:
        return outcome
    adapter = kind(case)
    adapter.rig.__enter__()
    try:
        (case.play or _common)(adapter, case, outcome)
    except (AssertionError, NotImplementedError) as failure:
        outcome.failure = str(failure) or type(failure).__name__
    finally:
        adapter.heal()
        _conclude(adapter, outcome)
    return outcome


def _common(adapter: Adapter, case: Case, outcome: Outcome) -> None:
    rig, expect = adapter.rig, adapter.expected(case)
    if not case.first:
        rig.live_and_moving()
    mark = Mark(adapter)
    case.inject(adapter)
    outcome.injected = True
    if case.first:
        rig.start()
        rig.move()
    notice(adapter, case, outcome, mark)
    ended = mark.at
    if case.stay:
        ended = time.monotonic()
        adapter.heal()
    if expect.recovers:
        recover(adapter, expect, ended)
        outcome.recovered, outcome.seconds = True, (time.monotonic() - ended) * adapter.rig.pace
    else:
        until(adapter, lambda: mark.states(adapter.symbol)[-1:] == [expect.ends[0]], str(expect.ends[0]))
        outcome.recovered = True
    forbid(adapter, expect, mark)


def notice(adapter: Adapter, case: Case, outcome: Outcome, mark: Mark) -> None:
    """Wait for the reaction."""
    expect = adapter.expected(case)
    signs = expect.states or expect.says or expect.counters
    if signs or expect.connections or expect.asks or expect.book_requests:
        outcome.detected = False
    until(adapter, lambda: not mark.missing(expect), lambda: ", ".join(mark.missing(expect)))
    if outcome.detected is False:
        outcome.detected = True
    if expect.asks_at_most is not None:
        demand(mark.asks <= expect.asks_at_most, f"{mark.asks} messages instead of {expect.asks_at_most}")
    if expect.rest_not_before_s:
        until(adapter, lambda: len(mark.book_requests) > 1, "another request for a book", expect.rest_not_before_s)
        first, second = mark.book_requests[:2]
        _demand_wait(adapter.rig, first, second, expect.rest_not_before_s)
    if expect.at_once_s is not None:
        took_s = (adapter.attempts()[mark.attempts] - mark.at) * adapter.rig.pace
        demand(took_s <= expect.at_once_s, f"the new connection came only after {took_s:.1f} s")
    if expect.not_before_s:
        first = adapter.attempts()[mark.attempts]
        until(adapter, lambda: len(adapter.attempts()) > mark.attempts + 1, "another attempt", expect.not_before_s)
        _demand_wait(adapter.rig, first, adapter.attempts()[mark.attempts + 1], expect.not_before_s)


def _demand_wait(rig: Any, first: float, second: float, least_s: float) -> None:
    # The fake notes when it heard of a request; on a busy machine that may be a moment after it came.
    waited_s = (second - first + HEARD_WITHIN_S) * rig.pace
    demand(waited_s >= least_s, f"asked again after {waited_s:.1f} s instead of {least_s:g}")


def recover(adapter: Adapter, expect: Expect, begun: float) -> None:
    """Wait until every book is LIVE again, within the bound."""
    rig = adapter.rig
    bound_s = max(BOUND_S, expect.within_s / rig.pace)
    rig.until_live(timeout=bound_s)
    rig.settle(bound_s)


def forbid(adapter: Adapter, expect: Expect, mark: Mark) -> None:
    """What must not have happened meanwhile."""
    states = mark.states(adapter.symbol)
    seen = [str(state) for state in expect.never if state in states]
    demand(not seen, f"{adapter.symbol} was {', '.join(seen)}")
    if expect.at_most is not None:
        made, most = mark.connections, expect.at_most
        demand(made <= most, lambda: f"{made} new connections instead of {most}:\n{adapter.rig.describe()}")
    if expect.book_requests_at_most is not None:
        made = len(mark.book_requests)
        demand(made <= expect.book_requests_at_most, f"{made} requests for a book")
    if expect.asks_per_minute is not None:
        times = adapter.messages()[mark.asked :]
        most = max([sum(1 for other in times if 0 <= other - at < 60.0 / adapter.rig.pace) for at in times], default=0)
        demand(most <= expect.asks_per_minute, f"{most} messages within a minute instead of {expect.asks_per_minute}")
    if expect.calm and adapter.other in mark.statuses:
        others = [str(state) for state in mark.states(adapter.other) if state not in CALM]
        demand(not others, f"the bystander {adapter.other} was {', '.join(others)}")


def until(
    adapter: Adapter, predicate: Callable[[], object], what: str | Callable[[], str], more_s: float = 0.0
) -> None:
    """Wait for something; `more_s` are seconds of the connector's clock on top of the usual bound."""
    if not adapter.rig.venue.wait_for(predicate, NOTICED_S + more_s / adapter.rig.pace):
        named = what if isinstance(what, str) else what()
        raise AssertionError(f"waited in vain for {named}:\n{adapter.rig.describe()}")


def demand(met: bool, what: str | Callable[[], str]) -> None:
    if not met:
        raise AssertionError(what if isinstance(what, str) else what())


def _conclude(adapter: Adapter, outcome: Outcome) -> None:
    """Stop all, and count what was wrong, lost or doubled."""
    rig: Any = adapter.rig
    findings = rig.findings()
    outcome.wrong = len(rig.problems())
    outcome.doubled = sum([witness.doubled for witness in rig.witnesses.values()])
    outcome.lost = sum([witness.lost_trades for witness in rig.witnesses.values()]) + rig.lost_polls()
    if outcome.lost:
        findings.append(f"{outcome.lost} points were lost without a word")
    if findings:
        outcome.failure = "\n".join([*([outcome.failure] if outcome.failure else []), *findings])
