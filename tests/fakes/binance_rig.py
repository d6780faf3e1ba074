"""The Binance connectors on their fakes. Books are numbered, so the number says what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from connectors.base import Patience, StreamingConnector
from connectors.binance import BinanceConnector
from tests.fakes.binance import FakeBinance
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.witness import Seen


class BinanceRig(Rig):
    """Everything of one test on the fake spot venue."""

    default_symbols = ("BTCUSDT",)
    connector_class: ClassVar[type[StreamingConnector]] = BinanceConnector
    prefix: ClassVar[str] = "BINANCE"
    truth: SimulatorTruth
    venue: FakeBinance

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        return SimulatorTruth(self.symbols, seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeBinance:
        return FakeBinance(self.truth, pace=pace, **options)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        addresses = {f"{self.prefix}_WS_URL": ws_url, f"{self.prefix}_REST_URL": self.venue.http_url}
        return hasty(self.connector_class, limits)(addresses, runtime=self.runtime, patience=patience)

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        if seen.sequence is None:
            return ()
        top = self.truth.top_at(symbol, seen.sequence)
        return () if top is None else (top,)

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        return view is not None and view.sequence is not None and view.sequence >= goal
