"""Wins a book back by REST: fetches a snapshot until one joins the updates that are kept meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from connectors.base.backoff import Backoff
from connectors.base.books import Books, did_you_mean, take_turn, throttled_s
from connectors.base.transport.channel import Channel
from connectors.base.transport.worker import Worker
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited
from engine.market.events import FeedState

STALE_WAIT_S = (0.2, 0.5)
STALE_GROWTH, STALE_CAP_S = 1.5, 10.0
"""Each further wait is longer: a thousand levels are dear (50 of Binance's 6,000 request weight a minute)."""


class Repair:
    """One channel's search for a snapshot on one connection; every try is a job of the connection's worker."""

    def __init__(
        self, channel: Channel, books: Books, worker: Worker, depth: int, still_wanted: Callable[[], bool]
    ) -> None:
        self._channel = channel
        self._books = books
        self._worker = worker
        self._depth = depth
        self._still_wanted = still_wanted
        self._stale = 0
        self._number = channel.repairs
        limits = books.limits
        self._backoff = Backoff(limits.backoff_base_s, limits.backoff_cap_s, books.runtime.random)

    def begin(self, due_ns: int) -> None:
        if not self._worker.at(due_ns, self._try):
            self._channel.repairing = False

    def _try(self) -> None:
        channel = self._channel
        if not self._wanted():
            return
        try:
            take_turn(self._books, self._worker.stopping, self._books.book_cost(channel.symbol, self._depth))
            snapshot = self._books.book(channel.symbol, self._depth, "stream")
        except InvalidSymbol as error:
            self._refuse(FeedState.INVALID, error, did_you_mean(self._books.near(channel.symbol)))
            return
        except Blocked as error:
            self._refuse(FeedState.BLOCKED, error, error.hint)
            return
        except FeedError as error:
            self._again(error)
            return
        with channel.lock:
            if not self._wanted():
                return
            channel.push(snapshot)
            if not channel.feed.needs_snapshot:
                channel.repairing = False
                channel.synced = True
                return
        self._too_old()

    def _wanted(self) -> bool:
        channel = self._channel
        return not channel.closed and channel.repairing and channel.repairs == self._number and self._still_wanted()

    def _too_old(self) -> None:
        """The snapshot ends before the first kept update begins: the venue's REST side lags, ask again, ever slower."""
        self._stale += 1
        if self._stale % self._books.patience.stale_snapshots == 0:
            # Perhaps not the snapshots are wrong but a kept update's number: begin with new ones.
            with self._channel.lock:
                if self._wanted():
                    self._channel.feed.sync.lose()
            self._again(Disconnected(f"{self._stale} snapshots in a row were too old"))
            return
        low, high = STALE_WAIT_S
        growth = STALE_GROWTH ** min(self._stale - 1, 20)
        self._retry_in(min(STALE_CAP_S, (low + (high - low) * self._books.runtime.random()) * growth))

    def _again(self, error: FeedError) -> None:
        now_ns = self._books.runtime.clock.now_ns()
        delay_s = self._backoff.next_delay_s()
        if isinstance(error, RateLimited):
            delay_s += throttled_s(error, self._books.rest_budget, now_ns)
        if not self._wanted():
            return
        if not self._channel.polled:
            self._channel.tell(
                FeedState.SYNCING,
                f"no snapshot: {error}",
                hint=error.hint,
                attempt=self._backoff.attempts,
                next_try_ns=now_ns + round(delay_s * 1e9),
            )
        self._retry_in(delay_s)

    def _retry_in(self, delay_s: float) -> None:
        self.begin(self._books.runtime.clock.now_ns() + round(delay_s * 1e9))

    def _refuse(self, state: FeedState, error: FeedError, hint: str) -> None:
        """There is no book to be had: say so once and stop asking."""
        with self._channel.lock:
            if self._wanted():
                self._channel.dead = True
                self._channel.tell(state, str(error), hint=hint)
