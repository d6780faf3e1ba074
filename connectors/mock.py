"""A simulated exchange in this process: invented data that looks alive, through the same transport as every real venue.

Its documentation is connectors/base/simulation/wire.py. Book rule, as at Binance:
1. Keep the updates of the stream; fetch the book by REST, which is as of update `u`.
2. Drop kept updates with an older or equal last number; the next must begin at `u + 1` or before.
3. From then on every update begins where the last one ended; if not, updates are missing: begin again.

Everything that a venue can do wrong can be switched on in `connector.faults`.

There are several such venues of one market: `mock`, and `mock:<name>` for each name in MOCK_VENUES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from threading import Event, get_ident
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from connectors.base import Control, Limits, Link, Request, StreamingConnector
from connectors.base.refusal import is_web_page, refusal
from connectors.base.simulation.exchange import SimulatedExchange
from connectors.base.simulation.faults import Fault, FaultBoard
from connectors.base.simulation.link import SimulatedLink
from connectors.base.simulation.market import INSTRUMENTS, Market, MarketStats
from connectors.base.simulation.rest import SimulatedRest
from connectors.base.simulation.symbols import SimulatedInstrument
from connectors.base.simulation.venues import CommonWorth, FollowedValue, VenueCharacter, character_of
from connectors.base.simulation.wire import (
    WireCommand,
    WireDelta,
    WireNotice,
    WireQuote,
    WireTrade,
    decode_book,
    decode_candles,
    decode_command,
    decode_frame,
    decode_instruments,
    decode_time,
    encode,
)
from engine.connector import Callback, Capabilities, Stream
from engine.errors import ConfigError, DecodeError, Disconnected, InvalidSymbol, StreamUnsupported
from engine.feed.sync import RangeContinuity
from engine.market.candle import SECONDS, Candle
from engine.market.events import BookDelta, BookSnapshot, MarketEvent, Quote, Source, Trade
from engine.market.instrument import Instrument, nearest_symbols

LOWEST_RATE, HIGHEST_RATE = 1.0, 5_000.0
MODES = ("stream", "rest")
HISTORY = 512
"""Updates of each symbol's truth that are remembered: enough for a stale snapshot, and to check a book that runs."""

VENUES = "alpha,beta,gamma"
VENUE_NAME = re.compile(r"[a-z0-9]{1,20}")
ORDINARY = VenueCharacter()

UNABLE = frozenset({Fault.BAD_CHECKSUM})
"""Faults that only other venues can have: this one sends no checksums."""


class MockConnector(StreamingConnector):
    """The simulated exchange as a venue. Settings: MOCK_SEED, MOCK_RATE, MOCK_SYMBOLS (comma between), MOCK_MODE.

    With a `worth` that it shares with others it is one of several venues of one market, with a `character` of its own.
    """

    name = "mock"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=180,
        trades=True,
        gap_detection="update numbers",
        source="mock",
        test_network="it is one",
        note="Invented data: a seeded simulation, for trying things out and for breaking them on purpose.",
        candles=tuple(SECONDS),
    )
    location_hint = "The simulated exchange only plays this: clear the fault."
    continuity = RangeContinuity()
    limits = Limits(
        silence_s=6.0,
        rotate_after_s=24 * 3600.0,
        connect_per_s=2.0,
        connect_burst=10,
        messages_per_s=20.0,
        symbols_per_connection=100,
        rest_per_s=20.0,
        rest_burst=40,
        backoff_cap_s=10.0,
    )

    @classmethod
    def variants(cls, settings: Mapping[str, str]) -> dict[str, Callable[[Mapping[str, str]], Any]]:
        """This venue, and those named in MOCK_VENUES (alpha,beta,gamma; `none` for none), all of one market.

        A wrong name raises ConfigError when it is made.
        """
        asked = [name.strip().lower() for name in (settings.get("MOCK_VENUES", "") or VENUES).split(",")]
        names = [name for name in dict.fromkeys(asked) if name and name != "none"]
        worth = _Worth()
        makers = {f"{cls.name}:{name}": partial(_venue, cls, name, worth) for name in names}
        return {cls.name: partial(_venue, cls, "", worth), **makers}

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        worth: CommonWorth | None = None,
        character: VenueCharacter = ORDINARY,
        **options: Any,
    ) -> None:
        super().__init__(settings, **options)
        clock = self.runtime.clock
        self.faults = FaultBoard(clock=clock, supported=[fault for fault in Fault if fault not in UNABLE])
        self._requests = count(1)
        self._waiting: dict[int, Event] = {}
        self._mode = _mode(self.setting("MODE", "stream"))
        market = Market(
            _seed(self._settings),
            instruments=[character.lists(one) for one in _listed(self.setting("SYMBOLS", ""))],
            start_ns=clock.now_ns(),
            venue=self.name,
            history=HISTORY,
            values=partial(FollowedValue, worth, character) if worth is not None else None,
        )
        rate = _rate(_number("MOCK_RATE", self.setting("RATE", "40")))
        self.exchange = SimulatedExchange(market, self.faults, clock, rate, latency_s=character.latency_s)
        self._answers = SimulatedRest(self.exchange)

    def setting(self, key: str, default: str) -> str:
        """The value of `MOCK_<KEY>`, else `default`: the same for all venues of this kind."""
        return self._settings.get(f"MOCK_{key}", "") or default

    @property
    def rate(self) -> float:
        """Messages (trades, book updates, quotes) per second and symbol, on average; may be set while running.

        Setting it raises ConfigError outside 1 … 5000.
        """
        return self.exchange.rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self.exchange.set_rate(_rate(rate))

    @property
    def mode(self) -> str:
        """`stream`, or `rest` for a venue without a stream; what runs already is not touched by a change."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = _mode(mode)

    def stats(self, symbol: str) -> MarketStats:
        """What the simulation did to a symbol so far, and its mood.

        Raises:
            InvalidSymbol: not listed.
        """
        return self.exchange.stats(symbol)

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        if self._mode == "rest":
            raise StreamUnsupported("the mock is set to REST only", hint="Set MOCK_MODE=stream to stream.")
        return super().start_stream(symbol, callback)

    def instruments(self) -> Sequence[Instrument]:
        return self.exchange.market.instruments()

    def make_link(self) -> Link:
        return SimulatedLink(self.exchange, self.runtime)

    def stream_url(self, symbols: Sequence[str]) -> str:
        return "mock://exchange/stream"

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return [encode(WireCommand("subscribe", list(symbols), next(self._requests))).decode()]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return [encode(WireCommand("unsubscribe", list(symbols), next(self._requests))).decode()]

    def awaits(self, frame: str) -> tuple[int, Sequence[str]] | None:
        command = decode_command(frame)
        return (command.id, command.symbols) if command.op == "subscribe" else None

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            wire = decode_frame(frame)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"mock frame: {error}") from error
        kind = type(wire)
        if kind is WireDelta:
            return (
                BookDelta(self.name, wire.s, wire.b, wire.a, wire.U, wire.u, wire.E, received_ns, "mock"),
            )  # fmt: skip
        if kind is WireQuote:
            return (
                Quote(self.name, wire.s, wire.b, wire.B, wire.a, wire.A, wire.u, wire.E, received_ns, "mock"),
            )  # fmt: skip
        if kind is WireTrade:
            return (Trade(self.name, wire.s, wire.p, wire.q, wire.m, wire.i, wire.E, received_ns, "mock"),)
        assert isinstance(wire, WireNotice)
        return (Control(wire.kind, wire.s, wire.reason, wire.id),)

    def fetch(self, request: Request, timeout_s: float) -> bytes:
        """The body of one answer of the exchange. Raises FeedError."""
        self._take_time(self._answers.delay_s(), timeout_s)
        response = self._answers.answer(request.url)
        self._take_time(self.exchange.latency_s, timeout_s)
        if self.tap is not None:
            self.record_answer(request, response)
        if response.status != 200:
            own = self.rest_error(response.status, response.body, response.headers)
            raise own or refusal(response.status, response.body, response.headers, "the simulated exchange")
        if is_web_page(response.body, response.headers):
            raise Disconnected("the simulated exchange answered with a web page instead of data")
        return response.body

    def abort_calls(self, thread: int) -> None:
        waiting = self._waiting.get(thread)
        if waiting is not None:
            waiting.set()

    def close(self) -> None:
        for waiting in list(self._waiting.values()):
            waiting.set()
        super().close()

    def _take_time(self, delay_s: float, timeout_s: float) -> None:
        """What a network and a busy server do; `abort_calls` ends it."""
        if delay_s <= 0.0:
            return
        aborted = self._waiting[get_ident()] = Event()
        try:
            if self.runtime.wait(aborted, min(delay_s, timeout_s)):
                raise Disconnected("the call was given up")
        finally:
            del self._waiting[get_ident()]
        if delay_s >= timeout_s:
            raise Disconnected("the simulated exchange did not answer: timed out")

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        return Request(f"mock://exchange/book?symbol={quote(symbol, safe='')}&depth={max(depth, 1)}")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        try:
            book = decode_book(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"mock book of {symbol}: {error}") from error
        source = "mock" if source == "stream" else source
        return BookSnapshot(self.name, symbol, book.bids, book.asks, book.u, book.E, received_ns, source)

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        address = urlsplit(url)
        symbol = parse_qs(address.query).get("symbol", [""])[0]
        return (self.decode_snapshot(symbol, body, received_ns, "stream"),) if address.path == "/book" else ()

    def instruments_request(self) -> Request:
        return Request("mock://exchange/instruments")

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        try:
            listed = decode_instruments(body).listed
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"mock instruments: {error}") from error
        return [Instrument(self.name, one.s, one.base, one.quote, one.tick, one.lot) for one in listed]

    def candles_request(self, symbol: str, timeframe: str, count: int) -> Request:
        query = f"symbol={quote(symbol, safe='')}&timeframe={timeframe}&count={count}"
        return Request(f"mock://exchange/candles?{query}")

    def decode_candles(self, symbol: str, timeframe: str, body: bytes, received_ns: int) -> list[Candle]:
        try:
            return decode_candles(body).candles
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"mock candles of {symbol}: {error}") from error

    def server_time_request(self) -> Request | None:
        return Request("mock://exchange/time")

    def decode_server_time(self, body: bytes) -> int:
        try:
            return decode_time(body).E
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"mock time: {error}") from error

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        if status == 404:
            return InvalidSymbol(body.decode("utf-8", "replace"), hint="Search the mock's list of instruments.")
        return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        return url.startswith("mock:")


class _Worth:
    """The worth that several venues share, made with the first of them."""

    def __init__(self) -> None:
        self._made: CommonWorth | None = None

    def get(self, settings: Mapping[str, str]) -> CommonWorth:
        if self._made is None:
            self._made = CommonWorth(_seed(settings), INSTRUMENTS)
        return self._made


def _venue(base: type[MockConnector], name: str, worth: _Worth, settings: Mapping[str, str]) -> MockConnector:
    """One of several simulated venues of one market; `name` is empty for the plain one.

    Raises:
        ConfigError: no name for a venue.
    """
    if not name:
        return base(settings, worth=worth.get(settings))
    if not VENUE_NAME.fullmatch(name):
        raise ConfigError(f"MOCK_VENUES: {name!r} is no name for a venue", hint="Use up to 20 letters and digits.")
    own: type[MockConnector] = type(f"Mock_{name}", (base,), {"name": f"{base.name}:{name}"})
    return own(settings, worth=worth.get(settings), character=character_of(name))


def _listed(text: str) -> Sequence[SimulatedInstrument]:
    """The instruments named in `text` (commas between), all for none."""
    known = {instrument.symbol: instrument for instrument in INSTRUMENTS}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            near = ", ".join(nearest_symbols(name, known)) or ", ".join(known)
            raise ConfigError(f"MOCK_SYMBOLS: the mock knows no {name!r}", hint=f"There are: {near}.")
    return [known[name] for name in names] or INSTRUMENTS


def _seed(settings: Mapping[str, str]) -> int:
    return int(_number("MOCK_SEED", settings.get("MOCK_SEED", "") or "1"))


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise ConfigError(f"MOCK_MODE is {mode!r}: it must be stream or rest")
    return mode


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}: it must be a number") from None


def _rate(rate: float) -> float:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ConfigError(f"MOCK_RATE is {rate:g} messages/s: it must lie in {LOWEST_RATE:g} … {HIGHEST_RATE:g}")
    return rate
