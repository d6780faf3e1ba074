"""Whole books by REST, for whoever needs one: the transport's view of a venue's REST half."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Protocol

from connectors.base.backoff import TokenBucket
from connectors.base.runtime import Patience, Runtime
from connectors.base.venue import Limits
from engine.errors import Disconnected, RateLimited
from engine.market.events import BookSnapshot, Quote, Source, Trade

RETRY_AFTER_S = 10.0
"""The wait after "slow down" from a venue that does not say how long."""


class Books(Protocol):
    """What the poller needs of a connector."""

    @property
    def name(self) -> str: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def runtime(self) -> Runtime: ...
    @property
    def patience(self) -> Patience: ...
    @property
    def rest_budget(self) -> TokenBucket: ...

    def book_cost(self, symbol: str, depth: int) -> float:
        """What `book` takes from the REST budget."""

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot | Quote | Trade:
        """One REST call for the book, without waiting for the budget.

        Where there are no books: bid and ask, or at least the last price (a trade without an amount).

        Raises FeedError.
        """

    def near(self, symbol: str) -> list[str]:
        """Listed symbols that are spelled much like this one; may ask the venue; empty when it cannot say."""

    def release_calls(self) -> None:
        """The calling thread makes no more REST calls."""

    def abort_calls(self, thread: int) -> None:
        """End a thread's running REST call."""


def take_turn(books: Books, stopping: Event, cost: float) -> None:
    """Wait until the venue's REST budget allows a call of this cost.

    Raises:
        Disconnected: told to stop meanwhile.
    """
    budget, runtime = books.rest_budget, books.runtime
    while not budget.try_take(runtime.clock.now_ns(), cost):
        if runtime.wait(stopping, budget.wait_s(runtime.clock.now_ns(), cost)):
            raise Disconnected("stopped")
    if stopping.is_set():
        raise Disconnected("stopped")


def throttled_s(error: RateLimited, budget: TokenBucket, now_ns: int) -> float:
    """Lower the pace after "slow down"; how long to wait in seconds."""
    wait_s = error.retry_after_s if error.retry_after_s is not None else RETRY_AFTER_S
    budget.throttle(now_ns, wait_s)
    return wait_s


def did_you_mean(near: Sequence[str]) -> str:
    """A hint that names near symbols."""
    if not near:
        return "Search the venue's own list of instruments."
    return f"Did you mean {' or '.join(near)}?"
