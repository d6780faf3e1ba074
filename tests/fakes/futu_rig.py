"""The Futu connector on a fake OpenD. Books have no numbers: their times tell the update, for each has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Patience
from connectors.futu import FutuConnector
from tests.fakes.futu import LEVELS, FakeOpenD, truth_of
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.witness import Seen


class FutuRig(Rig):
    """Everything of one test on the fake OpenD."""

    default_symbols = ("HK.00700",)
    levels = LEVELS
    truth: SimulatorTruth
    venue: FakeOpenD

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        return truth_of(self.symbols, seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeOpenD:
        return FakeOpenD(self.truth, pace=pace, **options)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        address = urlsplit(ws_url)
        settings = {"FUTU_HOST": address.hostname or "", "FUTU_PORT": str(address.port or 11_111)}
        return hasty(FutuConnector, limits)(settings, runtime=self.runtime, patience=patience)

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        if seen.exchange_ns is None:  # a fault: then any book that ever was may be meant
            return (seen.top,) if seen.top in self.venue.ever[symbol] else ()
        number = self.number_at(symbol, seen.exchange_ns)
        return (self.venue.book_at(symbol, number),) if number else ()

    def number_at(self, symbol: str, exchange_ns: int | None) -> int:
        """The update that a book with this time stands for; 0 when there is none."""
        return self.venue.number_at.get((symbol, exchange_ns or 0), 0)

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        if view is None:
            return False
        if self.number_at(symbol, view.exchange_ns) >= goal:
            return True
        # A book that looks like the one before brings no new picture.
        return (view.bids[: self.levels], view.asks[: self.levels]) == self.venue.book(symbol)
