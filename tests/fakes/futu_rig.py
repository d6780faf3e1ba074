"""The Futu connector on a fake OpenD. Books have no numbers: their times tell the update, for each has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Patience
from connectors.base.futu_gateway import Address
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

    def make_connector(self, limits: dict[str, Any], patience: Patience) -> Any:
        kind = hasty(FutuConnector, limits)
        return kind({"FUTU_PORT": str(self.venue.port)}, runtime=self.runtime, patience=patience)

    def aim(self, url: str) -> None:
        """Have OpenD be somewhere else."""
        address = urlsplit(url)
        self.connector._address = Address(address.hostname or "", address.port or 11_111)

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        number = self.number_at(symbol, seen.exchange_ns)
        return (self.venue.book_at(symbol, number),) if number else ()

    def number_at(self, symbol: str, exchange_ns: int | None) -> int:
        """The update that a book with this time stands for; 0 when there is none."""
        return self.venue.number_at.get((symbol, exchange_ns or 0), 0)

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        return view is not None and self.number_at(symbol, view.exchange_ns) >= goal
