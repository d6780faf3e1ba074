"""The Coinbase connector on its fake. Coinbase numbers frames, not updates: here the frames' stamps tell the update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.base import Patience
from connectors.coinbase import CoinbaseConnector
from tests.fakes.coinbase import FakeCoinbase, label_of, symbol_of
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.witness import Seen


class CoinbaseRig(Rig):
    """Everything of one test on the fake Coinbase."""

    default_symbols = ("BTC-USD",)
    truth: SimulatorTruth
    venue: FakeCoinbase

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        listed = dict.fromkeys([symbol_of(label_of(symbol)) for symbol in self.symbols])
        return SimulatorTruth([symbol for symbol in listed if symbol.isalpha()], seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeCoinbase:
        return FakeCoinbase(self.truth, pace=pace, **options)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        addresses = {"COINBASE_WS_URL": ws_url, "COINBASE_REST_URL": self.venue.http_url}
        return hasty(CoinbaseConnector, limits)(addresses, runtime=self.runtime, patience=patience)

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        number = self.number_at(symbol, seen.exchange_ns)
        top = self.truth.top_at(symbol_of(label_of(symbol)), number) if number else None
        return () if top is None else (top,)

    def number_at(self, symbol: str, exchange_ns: int | None) -> int:
        """The update that a frame with this stamp stands for; 0 when there is none."""
        return self.venue.number_at.get((label_of(symbol), exchange_ns or 0), 0)

    def label(self, symbol: str) -> str:
        return label_of(symbol)

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        return view is not None and self.number_at(symbol, view.exchange_ns) >= goal
