"""The REST side of the simulated exchange: /book?symbol=…&depth=…, /candles?symbol=…&timeframe=…&count=…,
/instruments, /time.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.base.simulation.exchange import SimulatedExchange
from connectors.base.simulation.faults import Fault
from connectors.base.simulation.wire import (
    WireBook,
    WireCandles,
    WireInstrument,
    WireInstruments,
    WireTime,
    encode,
)
from connectors.base.transport.rest import Response
from engine.errors import Disconnected, InvalidSymbol
from engine.market.candle import SECONDS

PAGE = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body>The exchange is being maintained.</body></html>"
"""What proxies in front of exchanges send."""


class SimulatedRest:
    """Answers GETs from any thread, as the exchange's faults allow."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self._faults = exchange.faults

    def answer(self, url: str) -> Response:
        """The response, whatever its status.

        Raises:
            Disconnected: REST cannot be reached, as a fault wants it.
        """
        if self._faults.take(Fault.REFUSE_REST):
            raise Disconnected("the simulated exchange did not answer (a fault is on)", hint="Clear the fault.")
        address = urlsplit(url)
        query = parse_qs(address.query)
        if address.path == "/candles":
            return self._candles(*[query.get(name, [""])[0] for name in ("symbol", "timeframe", "count")])
        if address.path == "/book":
            return self._book(query.get("symbol", [""])[0], query.get("depth", ["100"])[0])
        if address.path == "/time":
            return _good(WireTime(self._exchange.time_ns()))
        if address.path == "/instruments":
            return _good(WireInstruments(self._listed()))
        return Response(404, {}, b"no such page")

    def delay_s(self) -> float:
        """How long the next call takes to be answered; the answer then needs the exchange's latency to arrive."""
        slow = self._faults.take(Fault.SNAPSHOT_SLOW)
        late = self._faults.peek(Fault.LATENCY)
        return self._exchange.latency_s + (slow.value if slow else 0.0) + (late.value / 1e3 if late else 0.0)

    def _book(self, symbol: str, depth: str) -> Response:
        if self._faults.take(Fault.SNAPSHOT_HTML, symbol):
            return Response(200, {"content-type": "text/html"}, PAGE)
        error = self._faults.take(Fault.SNAPSHOT_ERROR, symbol)
        if error:
            status = int(error.value)
            headers = {"retry-after": "2"} if status in (418, 429) else {}
            return Response(status, headers, b"unavailable in your region" if status in (403, 451) else b"")
        if not depth.isdecimal():
            return Response(400, {}, b"depth must be a number")
        try:
            book = self._exchange.book(symbol, int(depth))
        except InvalidSymbol as unknown:
            return Response(404, {}, f"{unknown}. {unknown.hint}".encode())
        return _good(WireBook(symbol, book.sequence or 0, book.exchange_ns or 0, book.bids, book.asks))

    def _candles(self, symbol: str, timeframe: str, count: str) -> Response:
        if timeframe not in SECONDS or not count.isdecimal():
            return Response(400, {}, b"no such timeframe, or count is no number")
        try:
            return _good(WireCandles(self._exchange.candles(symbol, timeframe, int(count))))
        except InvalidSymbol as unknown:
            return Response(404, {}, f"{unknown}. {unknown.hint}".encode())

    def _listed(self) -> list[WireInstrument]:
        return [
            WireInstrument(one.symbol, one.base, one.quote, one.tick or 0.0, one.lot or 0.0)
            for one in self._exchange.market.instruments()
        ]


def _good(body: msgspec.Struct) -> Response:
    return Response(200, {"content-type": "application/json"}, encode(body))
