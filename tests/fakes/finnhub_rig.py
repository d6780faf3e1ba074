"""The Finnhub connector on its fake. There are no books: every print is held against what the venue sent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, Self

from connectors.base import Patience
from connectors.base.stamps import unix_ns
from connectors.finnhub import FinnhubConnector
from engine.market.events import Trade
from tests.fakes.finnhub import FakeFinnhub
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.witness import Seen, Witness

QUICK = {"connect_per_s": 5.0, "stale_after_s": 8.0}
"""A connection every ten seconds and a minute without a print would make every case last."""


_numbers = count(1)


class PrintWitness(Witness):
    """Hears prints: each must be the next one that the venue sent (some may be lost while the stream is away)."""

    def __init__(self, symbol: str, venue: FakeFinnhub) -> None:
        super().__init__(symbol, lambda symbol, seen: None)
        self.place = -1
        """The place of the newest print among those that were sent; -1 before the first."""
        self._venue = venue
        self._stamps: dict[int, int] = {}
        """The places by the nanoseconds of their stamps."""
        self._looked = 0
        self._spoilt_before = 0

    def _follow_trade(self, trade: Trade) -> None:
        if trade.source == "poll":
            self.polls += 1
            return
        place = self._place_of(trade)
        if place is None:
            self.problems.append(f"a print that the venue never sent: {trade}")
            return
        sent = self._venue.sent[self.symbol][place]
        if (trade.price, trade.size) != (float(sent.price), float(sent.size)):
            self.problems.append(f"print {place} is {trade.price} × {trade.size} instead of {sent}")
        if place <= self.place:
            self.problems.append(f"print {place} was published after {self.place}")
        elif self._unbroken and self._spoilt() == self._spoilt_before:
            self.lost_trades += place - self.place - 1
        self.place, self._spoilt_before = place, self._spoilt()
        self._unbroken = self.state.has_data

    def _spoilt(self) -> int:
        """How much was heard that could not be read: prints that are missing then are missed with a word."""
        return self.stream.feed.quality.decode_errors if self.stream is not None else 0

    def _place_of(self, trade: Trade) -> int | None:
        stamps = self._venue.stamps
        for stamp, symbol, place in [stamps[index] for index in range(self._looked, len(stamps))]:
            if symbol == self.symbol:
                self._stamps[unix_ns(stamp) or 0] = place
            self._looked += 1
        return self._stamps.get(trade.exchange_ns or 0)


class FinnhubRig(Rig):
    """Everything of one test on the fake Finnhub."""

    default_symbols = ("BTCUSDT",)
    truth: SimulatorTruth
    venue: FakeFinnhub

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        return SimulatorTruth([one for one in self.symbols if one != "BTCUSTD"], seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeFinnhub:
        # A key of its own: this process allows each only one connector.
        return FakeFinnhub(self.truth, key=f"key-{next(_numbers)}", pace=pace, **options)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        settings = {
            "FINNHUB_WS_URL": ws_url,
            "FINNHUB_REST_URL": self.venue.http_url,
            "FINNHUB_API_KEY": self.venue.key,
        }
        kind = hasty(FinnhubConnector, QUICK | limits, rests=lambda self, symbol, now_ns: "")
        return kind(settings, runtime=self.runtime, patience=patience)

    def start(self, *symbols: str) -> Self:
        for symbol in symbols or self.symbols:
            witness = self.witnesses[symbol] = PrintWitness(symbol, self.venue)
            witness.stream = self.connector.start_stream(symbol, witness)
        return self

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        return None

    def is_current(self, symbol: str, goal: int) -> bool:
        witness = self.witnesses[symbol]
        assert isinstance(witness, PrintWitness)
        return witness.place + 1 >= max(goal, 1)
