"""The Kraken connector on its fake. Updates carry no numbers: a time stamp tells the update.

Levels beyond the checked ten may be wrong after a lost update until they come among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connectors.base import Patience
from connectors.base.simulation.symbols import INSTRUMENTS
from connectors.kraken import KrakenConnector
from tests.fakes.kraken import CHECKED, FakeKraken
from tests.fakes.rig import BOUND_S, Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.witness import Seen

NAMES = {one.symbol: one.symbol.replace("/", "") for one in INSTRUMENTS if one.group == "crypto"}


class KrakenRig(Rig):
    """Everything of one test on the fake Kraken. Only the ten checked levels a side are held against the truth."""

    default_symbols = ("BTC/USDT",)
    levels = CHECKED
    truth: SimulatorTruth
    venue: FakeKraken

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        return SimulatorTruth([NAMES[symbol] for symbol in self.symbols], seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeKraken:
        return FakeKraken(self.truth, pace=pace, **options)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        addresses = {"KRAKEN_WS_URL": ws_url, "KRAKEN_REST_URL": self.venue.http_url}
        return hasty(KrakenConnector, limits)(addresses, runtime=self.runtime, patience=patience)

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        if seen.polled:
            return None  # rounded by the venue
        if seen.exchange_ns is None:
            return self.venue.truths_of(symbol, seen.checksum or 0)
        top = self.venue.truth_at(symbol, seen.exchange_ns)
        return () if top is None else (top,)

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        number = self.venue.listed[symbol].at.get(view.exchange_ns or 0, 0) if view is not None else 0
        # What changed beyond the client's depth is not told, so the last stamp may be an older one.
        return number >= goal or self.is_true(symbol)

    def expect_connection(self, act: Callable[[], object]) -> None:
        """Do something after which the connector must connect anew."""
        accepted = self.venue.accepted
        act()
        self.until(lambda: self.venue.accepted > accepted, what="a new connection")

    def spoil(self, failures: int) -> None:
        """Send a wrong checksum; the first symbol's book must be LIVE again after so many failures in all."""
        self.venue.bad_checksum(self.symbols[0])
        self.until(lambda: self.feed().quality.checksums_bad == failures, what="the failure")
        self.until_live()

    def until_healed(self, timeout: float = BOUND_S) -> None:
        """Wait until every scripted fault has happened and all books are LIVE again; then compare them whole."""
        scripts = [self.venue.script(symbol) for symbol in self.symbols]
        self.until(lambda: not any(script.pending for script in scripts), timeout, "all faults to happen")
        if self._market is not None:
            self.pause(4 * len(self.symbols))
        self.until_live(timeout=timeout)
        self.rest()
        self.until(lambda: all(self.is_true(symbol) for symbol in self.witnesses), timeout, "the truth")

    def settle(self, timeout: float = BOUND_S) -> None:
        self.until_healed(timeout)

    def is_true(self, symbol: str, depth: int = CHECKED) -> bool:
        """Whether the feed's book is the venue's now."""
        snapshot = self.feed(symbol).snapshot(depth)
        if snapshot is None:
            return False
        bids, asks = self.venue.book(symbol, depth)
        true = (
            tuple((price, float(size)) for price, size in bids.items()),
            tuple((price, float(size)) for price, size in asks.items()),
        )
        return (snapshot.bids, snapshot.asks) == true
