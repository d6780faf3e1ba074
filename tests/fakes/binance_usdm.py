"""A Binance USD-M venue: the fake spot venue with futures frames, numbers that jump, `pu`, paths and book sizes."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

from connectors.binance_usdm import BinanceUsdmConnector
from tests.fakes import binance_rest as rest
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_rig import BinanceRig
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import SimulatorTruth, Snapshot, Top, Update
from tests.fakes.websocket_server import Entry

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


class UsdmRig(BinanceRig):
    """Everything of one test on the fake futures venue."""

    connector_class = BinanceUsdmConnector
    prefix = "BINANCE_USDM"

    def book_requests(self) -> list[Entry]:
        return [entry for entry in self.venue.entries("http") if entry.text.startswith("/fapi/v1/depth")]

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        return StridingTruth(self.symbols, seed=seed, history=history)

    def make_venue(self, pace: float, **options: Any) -> FakeBinance:
        return FakeBinanceUsdm(self.truth, pace=pace, **options)
