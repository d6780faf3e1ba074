"""A Binance USD-M venue: the fake spot venue with futures frames, numbers that jump, `pu`, paths and book sizes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace as changed
from typing import Any

from msgspec.structs import replace

from connectors.binance_usdm import BinanceUsdmConnector
from engine.market.events import BookDelta
from tests.fakes import binance_rest as rest
from tests.fakes.binance import FakeBinance
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.rig import PACE, PATIENCE, HurriedRuntime, Rig, Witness, _Alarms
from tests.fakes.truth import SimulatorTruth, Snapshot, Top, Update

STRIDE = 7
"""The venue counts the updates of all symbols together, so one symbol's numbers are never consecutive."""
LIMITS = ("5", "10", "20", "50", "100", "500", "1000")


class StridingTruth(SimulatorTruth):
    """The simulator's market with update ids `STRIDE` apart."""

    def step(self, symbol: str) -> Update:
        update = super().step(symbol)
        return changed(update, first=update.first * STRIDE, last=update.last * STRIDE)

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        snapshot = super().snapshot(symbol, limit)
        return changed(snapshot, last=snapshot.last * STRIDE)

    def top_at(self, symbol: str, sequence: int) -> Top | None:
        return None if sequence % STRIDE else super().top_at(symbol, sequence // STRIDE)


class FakeBinanceUsdm(FakeBinance):
    """The venue."""

    def stream_data(self, update: Update, now: int) -> list[tuple[str, str]]:
        spot = dict(reversed(super().stream_data(update, now)))
        times = f'"E":{now},"T":{now}'
        previous = self.published.get(update.symbol, update.first - 1)
        trades = [
            ("trade", rest.trade_data(update.symbol, one, now).replace(',"M":true}', ',"X":"MARKET"}'))
            for one in update.trades
        ]
        ticker = spot["bookTicker"].replace("{", f'{{"e":"bookTicker",{times},', 1)
        depth = spot["depth@100ms"].replace(f'"u":{update.last},', f'"T":{now},"u":{update.last},"pu":{previous},', 1)
        return [*trades, ("bookTicker", ticker), ("depth@100ms", depth)]

    def on_http(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/fapi/v1/"):
            return HttpResponse(404, rest.HTML, content_type="text/html")
        if request.path.endswith("/depth") and request.query.get("limit", "500") not in LIMITS:
            return rest.error(400, -4021, "limit is not valid depth limit.")
        return super().on_http(changed(request, target=request.target.replace("/fapi/v1/", "/api/v3/", 1)))


class UsdmWitness(Witness):
    """Follows the published line, whose updates name their predecessors."""

    def _follow_delta(self, delta: BookDelta) -> None:
        if self._sequence is None:
            self.problems.append(f"update {delta.first_sequence} was published without a snapshot before it")
            return
        first, last, previous = delta.first_sequence, delta.last_sequence, delta.previous_sequence
        joined = previous == self._sequence or (first is not None and first <= self._sequence)
        if not joined or last is None or last < self._sequence:
            self.problems.append(f"update {first}–{last} after {previous} was published after {self._sequence}")
        self._book.apply(delta.bids, delta.asks)
        self._sequence = last
        self._note_line()


class UsdmRig(Rig):
    """Everything of one test on the fake futures venue."""

    def __init__(
        self,
        symbols: Sequence[str] = ("BTCUSDT",),
        *,
        seed: int = 1,
        limits: dict[str, Any] | None = None,
        **venue: Any,
    ) -> None:
        self.symbols = tuple(symbols)
        self.truth = StridingTruth(self.symbols, seed=seed)
        self.venue = FakeBinanceUsdm(self.truth, pace=PACE, **venue)
        self.witnesses = {}
        self._threads = set(threading.enumerate())
        hasty = type(
            "HastyUsdm", (BinanceUsdmConnector,), {"limits": replace(BinanceUsdmConnector.limits, **(limits or {}))}
        )
        self.connector = hasty(
            {"BINANCE_USDM_WS_URL": self.venue.ws_url, "BINANCE_USDM_REST_URL": self.venue.http_url},
            runtime=HurriedRuntime(seed),
            patience=PATIENCE,
        )
        self._market = None
        self.closed_in_s = 0.0
        self._alarms = _Alarms()

    def start(self, *symbols: str) -> UsdmRig:
        for symbol in symbols or self.symbols:
            witness = self.witnesses[symbol] = UsdmWitness(symbol)
            witness.stream = self.connector.start_stream(symbol, witness)
        return self
