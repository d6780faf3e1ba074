"""Futu and moomoo through OpenD, their gateway on your own machine: Hong Kong, US and other stocks.

Documentation: Futu OpenAPI 10.11 (2026), messages 3001, 3011, 3013, 3202; the package futu-api is an optional extra.
OpenD must run and be logged in; what it gives depends on the account's quote rights. Book rule:
1. Each book (3013) is the whole visible book: it replaces the one before. There is no numbering and no gap to see.
2. One that is older than what the connection said before is left out (connectors/base/futu/decoder.py).
3. Prints (3011) carry a number per code: each is told once. What OpenD repeats on subscribing is marked as past.
4. In auctions the sides may cross: shown as it is.

Codes are kept as they are: `HK.00700`, `US.AAPL`. The aggressor is OpenD's direction; it may be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from threading import get_ident
from typing import Any

from connectors.base import Control, Limits, Link, StreamingConnector
from connectors.base.books import take_turn
from connectors.base.futu import door
from connectors.base.futu.decoder import Decoder, Told
from connectors.base.futu.desk import Desk
from connectors.base.futu.gateway import Address, Gateway, Unheard
from connectors.base.futu.link import OpenDLink
from connectors.base.futu.wire import BY_PREFIX, levels, local_ns
from connectors.base.transport.worker import Worker
from connectors.base.venue import Decode
from engine.connector import Callback, Capabilities, Stream
from engine.errors import ConfigError, Disconnected, InvalidSymbol
from engine.feed.sync import WholeBooks
from engine.market.events import BookSnapshot, MarketEvent, Source
from engine.market.instrument import Instrument

DEPTH = 60
LISTED_MARKETS = "HK,US"
PORT = "11111"


class FutuConnector(StreamingConnector):
    """One OpenD. Settings: FUTU_HOST, FUTU_PORT, FUTU_RSA_KEY_FILE, FUTU_MARKETS (what is listed: HK,US)."""

    name = "futu"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=10,
        trades=True,
        gap_detection="none (every message is a whole book); prints by number",
        key_needed=True,
        test_network="none for quotes; OpenD's simulated accounts trade on the real ones",
        regions_blocked="none known, but quote rights differ by region and must often be bought",
        note=(
            "Needs OpenD running and logged in. Depth depends on the quote right: 10 levels with LV2 in Hong Kong, up "
            "to 60 in the US, 1 with LV1, none with BMP. Each symbol takes 2 of 100 to 2000 subscriptions, for a "
            "minute at least."
        ),
    )
    location_hint = "OpenD's servers refuse this place: ask Futu or moomoo, or choose another venue."
    key_hint = "Log in to OpenD, and set FUTU_HOST and FUTU_PORT to where it runs."
    continuity = WholeBooks()
    crossed_allowed = True
    frames = "what OpenD pushed, rewritten as JSON; its own packets are not recorded"
    limits = Limits(
        silence_s=40.0,
        one_connection=True,
        connect_per_s=1 / 6,
        connect_burst=4,
        messages_per_s=10.0,
        symbols_per_connection=1_000,
        rest_per_s=10.0,
        rest_burst=20,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **options)
        self._address = Address(self.setting("HOST", "127.0.0.1"), self._port(), self._key_file())
        self._markets = [one for one in re.split(r"[,\s]+", self.setting("MARKETS", LISTED_MARKETS).upper()) if one]
        wrong = [one for one in self._markets if one not in BY_PREFIX]
        if wrong:
            raise ConfigError(f"FUTU_MARKETS: there is no market {wrong[0]}", hint=f"Use {', '.join(BY_PREFIX)}.")
        self._told = Told()
        self._questions = Desk(self._new_gateway, self._await_turn, self.patience.connect_s)

    # The Connector

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        door.need()
        return super().start_stream(symbol, callback)

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        door.need()
        return super().start_polling(symbol, callback, interval_s)

    def instruments(self) -> Sequence[Instrument]:
        listed = self._listed
        if listed is None:
            door.need()
            try:
                take_turn(self, self._closed, len(self._markets))
                listed = [one for market in self._markets for one in self._list(market)]
            finally:
                self.release_calls()
            self._listed = listed
        return listed

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot:
        door.need()
        market = BY_PREFIX.get(symbol.partition(".")[0])
        if market is None:
            raise InvalidSymbol(f"{symbol} names no market", hint="Codes are written as HK.00700 or US.AAPL.")
        found = self._questions.book(symbol, min(max(depth, 1), DEPTH))
        times = [local_ns(found[name], market) for name in ("svr_recv_time_bid", "svr_recv_time_ask")]
        stamp = max([at_ns for at_ns in times if at_ns is not None], default=None)
        bids, asks = levels(found["Bid"]), levels(found["Ask"])
        return BookSnapshot(self.name, symbol, bids, asks, None, stamp, self.runtime.clock.now_ns(), source)

    def book_cost(self, symbol: str, depth: int) -> float:
        return 1.0

    def make_link(self) -> Link:
        worker = Worker(f"{self.name} calls", self)
        return OpenDLink(
            self._address, self.runtime, worker, answer_s=self.patience.fetch_s, silence_s=self.limits.silence_s
        )

    def release_calls(self) -> None:
        self._questions.release(get_ident())

    def abort_calls(self, thread: int) -> None:
        self._questions.abort(thread)

    def close(self) -> None:
        self._closed.set()
        self._questions.close()
        super().close()

    # The Venue

    def stream_url(self, symbols: Sequence[str]) -> str:
        return f"opend://{self._address.host}:{self._address.port}"

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"do": "watch", "symbols": list(symbols)})]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"do": "leave", "symbols": list(symbols)})]

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        return Decoder(self.name, Told()).decode(frame, received_ns)

    def new_decoder(self) -> Decode:
        return Decoder(self.name, self._told).decode

    # Inside

    def _list(self, market: str) -> list[Instrument]:
        currency = BY_PREFIX[market].currency
        rows = self._questions.listing(market)
        # In Hong Kong the step depends on the price, so it is asked for; elsewhere OpenD's lists are too long for that.
        steps = self._questions.steps([code for code, _ in rows]) if market == "HK" else {}
        return [
            Instrument(self.name, code, code.partition(".")[2], currency, steps.get(code), float(lot))
            for code, lot in rows
        ]

    def _new_gateway(self) -> Gateway:
        return Gateway(self._address, Unheard(), self.patience.fetch_s)

    def _await_turn(self) -> None:
        """Questions are short and come and go, so they have a budget of their own beside the streams'."""
        host = f"{self._address.host}:{self._address.port} questions"
        budget = self.runtime.connect_budget(host, 1.0, 5)
        if self.runtime.wait(self._closed, budget.reserve(self.runtime.clock.now_ns())):
            raise Disconnected("stopped")

    def _port(self) -> int:
        port = self.setting("PORT", PORT)
        if not port.isdigit() or not 0 < int(port) < 65_536:
            raise ConfigError(f"FUTU_PORT is {port!r}: it must be a number from 1 to 65535")
        return int(port)

    def _key_file(self) -> str:
        path = self.setting("RSA_KEY_FILE", "")
        if path and not Path(path).is_file():
            raise ConfigError(f"FUTU_RSA_KEY_FILE: there is no file {path}")
        return path
