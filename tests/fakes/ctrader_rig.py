"""The cTrader connector on its fake. Depth carries no numbers and no times: a book is true if it ever stood there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from connectors.base import Patience
from connectors.ctrader import CtraderConnector
from tests.fakes.ctrader import TOP, FakeCtrader
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.witness import Seen


class CtraderRig(Rig):
    """Everything of one test on the fake host."""

    default_symbols = ("EURUSD",)
    levels = TOP
    venue: FakeCtrader

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        self._folder = TemporaryDirectory(prefix="tapedeck-tokens-")
        self._fake = FakeCtrader(seed=seed, history=history)
        return self._fake.truth

    def make_venue(self, pace: float, **options: Any) -> FakeCtrader:
        self._fake.pace = pace
        return self._fake

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        keys = {
            "CTRADER_WS_URL": ws_url, "CTRADER_CLIENT_ID": "client-id", "CTRADER_CLIENT_SECRET": "client-secret-1234",
            "CTRADER_ACCESS_TOKEN": "access-token-1", "CTRADER_REFRESH_TOKEN": "refresh-token-1",
            "CTRADER_TOKEN_FILE": str(Path(self._folder.name) / "tokens.json"),
        }  # fmt: skip
        return hasty(CtraderConnector, limits)(keys, runtime=self.runtime, patience=patience)

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        stood = self.venue.stood.get(symbol, {})
        return (seen.top,) if seen.top in stood else ()

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        if view is None:
            return False
        return self.venue.stood[symbol].get((view.bids[:TOP], view.asks[:TOP]), 0) >= goal

    def findings(self) -> list[str]:
        found = super().findings()
        self._folder.cleanup()
        if self.venue.most > 1:
            found.append(f"{self.venue.most} connections at a time: the venue allows an application one")
        return found
