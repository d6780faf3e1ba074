"""Many cases at once: each mostly waits, so a few workers share the machine; heavy ones come last, one by one.

The connectors' clocks are hurried ten times, so a moment in which the machine does something else is ten times as long
for them. What failed by the clock alone is played once more at the end, with the machine to itself, and said to be so;
what was wrong, lost or doubled counts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from tests.contract.adapter import Adapter
from tests.contract.case import Case, Outcome
from tests.contract.catalogue import CASES
from tests.contract.course import perform

WORKERS = 6
Pair = tuple[type[Adapter], Case]


class Campaign:
    """Performs the pairs that are asked for, in the background; `outcome` waits for one."""

    def __init__(
        self, pairs: Iterable[Pair], workers: int = WORKERS, perform: Callable[[Case, type[Adapter]], Outcome] = perform
    ) -> None:
        pairs = list(pairs)
        self._perform = perform
        self._futures: dict[tuple[str, str], Future[Outcome]] = {}
        self._kinds = {kind.name: kind for kind, _ in pairs}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="contract")
        self._last = ThreadPoolExecutor(1, thread_name_prefix="contract-alone")
        light = [self._add(self._pool, pair) for pair in pairs if not pair[1].alone]
        heavy = [pair for pair in pairs if pair[1].alone]
        self._last.submit(lambda: [future.exception() for future in light])
        for pair in heavy:
            self._add(self._last, pair)

    def outcome(self, connector: str, case: Case) -> Outcome:
        """What came of a case."""
        outcome = self._futures[connector, case.id].result()
        if outcome.failed_by_the_clock and not (case.alone or outcome.again):
            future = self._futures[connector, case.id] = self._last.submit(self._again, case, self._kinds[connector])
            outcome = future.result()
        return outcome

    def outcomes(self) -> list[Outcome]:
        """All, in the order in which they were asked for."""
        cases = {case.id: case for case in CASES}
        return [self.outcome(connector, cases[case_id]) for connector, case_id in list(self._futures)]

    def close(self) -> None:
        """Forget what has not begun and wait for the rest."""
        for pool in (self._pool, self._last):
            pool.shutdown(wait=True, cancel_futures=True)

    def _add(self, pool: ThreadPoolExecutor, pair: Pair) -> Future[Outcome]:
        kind, case = pair
        future = self._futures[kind.name, case.id] = pool.submit(self._perform, case, kind)
        return future

    def _again(self, case: Case, kind: type[Adapter]) -> Outcome:
        outcome = self._perform(case, kind)
        outcome.again = True
        return outcome
