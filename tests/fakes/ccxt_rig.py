"""The real ccxt.pro on the fake Binance. Its books carry no numbers: each is looked up among all that ever stood.

ccxt has a clock of its own, so time runs as it does, and patience is short instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from connectors.base import Patience
from connectors.ccxt_any import CcxtConnector
from engine.market.events import FeedState
from tests.fakes.binance import FakeBinance
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import HISTORY, SimulatorTruth, Snapshot, Top, Update
from tests.fakes.witness import Seen

WAIT_S = 2.5
"""The library's silence that is borne here; two of them end a connection."""
QUICK: Mapping[str, Any] = {"connect_per_s": 20.0, "connect_burst": 10, "backoff_cap_s": 1.0, "rest_per_s": 50.0}
SHORT: Mapping[str, Any] = {"fallback_s": 3.0, "hold_s": 1.0, "resubscribe_s": 2.0}


class RememberingTruth(SimulatorTruth):
    """Every book that a client may have stood at, and when."""

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, history: int = HISTORY) -> None:
        super().__init__(symbols, seed=seed, history=history)
        self.stood: dict[str, dict[Top, int]] = {symbol: {} for symbol in symbols}

    def step(self, symbol: str) -> Update:
        update = super().step(symbol)
        self._remember(symbol, update.last)
        return update

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        snapshot = super().snapshot(symbol, limit)
        self._remember(symbol, snapshot.last)
        return snapshot

    def _remember(self, symbol: str, sequence: int) -> None:
        top = self.top_at(symbol, sequence)
        assert top is not None
        self.stood[symbol][top] = sequence


class CcxtRig(Rig):
    """Everything of one test with ccxt's binance."""

    default_symbols = ("BTCUSDT",)
    truth: RememberingTruth
    venue: FakeBinance

    def __init__(self, symbols: Sequence[str] = (), *, pace: float = 1.0, **options: Any) -> None:
        super().__init__(symbols, pace=1.0, **options)

    def make_truth(self, seed: int, history: int) -> RememberingTruth:
        return RememberingTruth(self.symbols, seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeBinance:
        return FakeBinance(self.truth, **options)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        runtime = self.runtime
        patience = replace(patience, **SHORT)

        class Tagged(CcxtConnector):
            wait_s = WAIT_S

            def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
                super().__init__(settings, runtime=runtime, patience=patience)

        kind = hasty(Tagged, {**limits, **QUICK})
        (maker,) = kind.variants({"CCXT_VENUES": "binance"}).values()
        return maker({"CCXT_BINANCE_WS_URL": ws_url, "CCXT_BINANCE_REST_URL": self.venue.http_url})

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        return (seen.top,) if seen.top in self.truth.stood[symbol] else ()

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        if view is None or self.feed(symbol).state is not FeedState.LIVE:
            return False
        return self.truth.stood[symbol].get((view.bids[:20], view.asks[:20]), 0) >= goal
