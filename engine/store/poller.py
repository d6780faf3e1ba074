"""Polls the order books of a provider and keeps them in `market_depth`, as the source documents describe it.

Interchangeable with a stream: whoever reads the table sees the same rows from a recording (engine/store/recording/collector.py).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Event, Thread
from time import monotonic
from typing import Any

from engine.clock import SYSTEM_CLOCK, Clock
from engine.errors import ConfigError, StoreError
from engine.market.events import Levels
from engine.settings import load_settings
from engine.store.base import Store
from engine.store.opening import open_store
from engine.store.recording.bars import DEPTH_LEVELS, depth_row

STOP_S = 5.0
ANSWER_S = 10.0
ERRORS_KEPT = 100

log = logging.getLogger(__name__)


class OrderBookPoller:
    """Asks `provider` for the book of each symbol every `interval` seconds and adds a row to `market_depth`.

    A provider has a `name`, and either `get_market_depth(symbol, levels)`, which answers `{"bids": [[price, volume],
    …], "asks": …}` or None (it may be a coroutine), or a connector's `fetch_snapshot(symbol, depth)`. Without a `store`
    the one of the settings (`STORE_URL`) is opened for as long as it runs.
    """

    def __init__(
        self,
        provider: Any,
        symbols: Sequence[str],
        interval: float = 5.0,
        *,
        store: Store | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Raises ConfigError if the provider has no depth to give, or the interval is not above zero."""
        if not (hasattr(provider, "get_market_depth") or hasattr(provider, "fetch_snapshot")):
            raise ConfigError(f"{getattr(provider, 'name', provider)!r} has no get_market_depth: it cannot be polled")
        if not 0.0 < interval < float("inf"):
            raise ConfigError(f"an interval of {interval} seconds: it must be above zero")
        self.provider, self.symbols, self.interval = provider, list(symbols), interval
        self.stored = 0
        self.errors: deque[str] = deque(maxlen=ERRORS_KEPT)
        """What went wrong, the newest last."""
        self._given = store
        self._store: Store | None = None
        self._clock = clock
        self._thread: Thread | None = None
        self._stop_event = Event()

    def start(self) -> None:
        """Begin to poll; does nothing while it runs already.

        Raises:
            StoreError: the store of the settings cannot be opened.
        """
        if self._thread is not None and self._thread.is_alive():
            log.warning("OrderBookPoller already running")
            return
        self._store = self._given or open_store(load_settings().store_url)
        # An event of its own: a run that is slow to end does not see it cleared.
        self._stop_event = Event()
        self._thread = Thread(
            target=self._run_loop, args=(self._store, self._stop_event), name="orderbook-poller", daemon=True
        )
        self._thread.start()
        log.info("OrderBookPoller started: symbols=%s, interval=%ss", self.symbols, self.interval)

    def stop(self) -> None:
        """End at once, or after the call that is under way (at most 5 s)."""
        self._stop_event.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=STOP_S)
        if self._store is not None and self._given is None:
            self._store.close()
        self._store = None
        log.info("OrderBookPoller stopped")

    def _run_loop(self, store: Store, stop: Event) -> None:
        due = monotonic()
        while not stop.is_set():
            for symbol in self.symbols:
                if stop.is_set():
                    return
                try:
                    self._poll_and_store(store, symbol)
                except Exception as error:  # the border: whatever a provider raises costs this symbol's turn only
                    self.errors.append(f"{symbol}: {error}")
                    log.exception("Failed to poll order book for %s", symbol)
            # By the plan, not from now on, so that the time of polling does not add up; what was missed is missed.
            due = max(due + self.interval, monotonic())
            stop.wait(due - monotonic())

    def _poll_and_store(self, store: Store, symbol: str) -> None:
        found = self._ask(symbol)
        if found is None:
            log.debug("No depth data for %s", symbol)
            return
        bids, asks = found
        row = depth_row(symbol, self.provider.name, bids, asks, self._clock.now_ns())
        store.add_market_depth([row])
        self.stored += 1
        log.debug("Stored order book for %s: %d bids, %d asks", symbol, len(bids), len(asks))

    def _ask(self, symbol: str) -> tuple[Levels, Levels] | None:
        """Bids and asks, best first; None where the provider has nothing to say."""
        if not hasattr(self.provider, "get_market_depth"):
            snapshot = self.provider.fetch_snapshot(symbol, DEPTH_LEVELS)
            return snapshot.bids[:DEPTH_LEVELS], snapshot.asks[:DEPTH_LEVELS]
        said = self.provider.get_market_depth(symbol, levels=DEPTH_LEVELS)
        if inspect.isawaitable(said):
            said = asyncio.run(_within(said))
        if not isinstance(said, Mapping) or "bids" not in said or "asks" not in said:
            return None
        bids, asks = [
            tuple([(float(price), float(size)) for price, size in said[side][:DEPTH_LEVELS]])
            for side in ("bids", "asks")
        ]
        return bids, asks


async def _within(answer: Any) -> Any:
    try:
        return await asyncio.wait_for(answer, ANSWER_S)
    except TimeoutError as error:
        raise StoreError(f"no answer within {ANSWER_S:g} s") from error
