"""Many cases at once: each mostly waits, so a few workers share the machine; heavy ones come last, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from tests.contract.adapter import Adapter
from tests.contract.case import Case, Outcome
from tests.contract.course import perform

WORKERS = 6
Pair = tuple[type[Adapter], Case]


class Campaign:
    """Performs the pairs that are asked for, in the background; `outcome` waits for one."""

    def __init__(self, pairs: Iterable[Pair], workers: int = WORKERS) -> None:
        pairs = list(pairs)
        self._futures: dict[tuple[str, str], Future[Outcome]] = {}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="contract")
        self._last = ThreadPoolExecutor(1, thread_name_prefix="contract-alone")
        light = [self._add(self._pool, pair) for pair in pairs if not pair[1].alone]
        heavy = [pair for pair in pairs if pair[1].alone]
        if heavy:
            self._last.submit(lambda: [future.exception() for future in light])
        for pair in heavy:
            self._add(self._last, pair)

    def outcome(self, connector: str, case: Case) -> Outcome:
        """What came of a case."""
        return self._futures[connector, case.id].result()

    def outcomes(self) -> list[Outcome]:
        """All, in the order in which they were asked for."""
        return [future.result() for future in self._futures.values()]

    def close(self) -> None:
        """Forget what has not begun and wait for the rest."""
        for pool in (self._pool, self._last):
            pool.shutdown(wait=True, cancel_futures=True)

    def _add(self, pool: ThreadPoolExecutor, pair: Pair) -> Future[Outcome]:
        kind, case = pair
        future = self._futures[kind.name, case.id] = pool.submit(perform, case, kind)
        return future
