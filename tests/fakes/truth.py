"""What is true: the market behind the fake venue, with a memory of every book that a client may have seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from connectors.base.simulation.market import Fact, Market, conflate
from connectors.base.simulation.symbols import INSTRUMENTS, SimulatedInstrument
from engine.market.events import SELL, BookDelta, Levels, Trade

Pair = tuple[str, str]
"""Price and size as the venue writes them: decimals with eight places."""
Top = tuple[Levels, Levels]
"""The best bids and asks as doubles, best first."""

TOP_DEPTH = 20
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CRYPTO = tuple([one.symbol.replace("/", "") for one in INSTRUMENTS if one.group == "crypto"])
"""All symbols that the simulator can play here."""
HISTORY = 20_000
RECENT_TRADES = 1_000


@dataclass(frozen=True)
class Listing:
    """One symbol of the fake venue."""

    symbol: str
    base: str
    quote: str
    tick: str
    lot: str


@dataclass(frozen=True)
class Print:
    """One trade; `buyer_is_maker` True means that the taker sold."""

    trade_id: int
    price: str
    size: str
    buyer_is_maker: bool


@dataclass(frozen=True)
class Update:
    """One batch of changes: update ids `first` … `last`, absolute sizes, and the trades that happened in it."""

    symbol: str
    first: int
    last: int
    bids: Sequence[Pair]
    asks: Sequence[Pair]
    trades: Sequence[Print]
    best_bid: Pair
    best_ask: Pair


@dataclass(frozen=True)
class Snapshot:
    """A book as REST gives it."""

    last: int
    bids: Sequence[Pair]
    asks: Sequence[Pair]


class Truth(Protocol):
    """A source of true books for the fake venue, which calls it under its own lock."""

    @property
    def symbols(self) -> Sequence[str]:
        """What is listed, upper case."""

    def listing(self, symbol: str) -> Listing:
        """The listed symbol's details."""

    def step(self, symbol: str) -> Update:
        """Let the market move by one batch."""

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        """The book now; it may stand inside a batch that is not published yet."""

    def trades(self, symbol: str) -> Sequence[Print]:
        """The last trades, oldest first."""

    def top_at(self, symbol: str, sequence: int) -> Top | None:
        """The best 20 levels as they were after update `sequence`; None when no client can have stood there."""


class SimulatorTruth:
    """The mock's simulator, moved by hand: each step is one to six events, bundled as the venue does every 100 ms.

    A snapshot is taken after up to three further events, which the next step publishes: so it stands inside a batch, as
    the venue's snapshots do.
    """

    def __init__(
        self,
        symbols: Sequence[str] = DEFAULT_SYMBOLS,
        *,
        seed: int = 1,
        history: int = HISTORY,
        instruments: Sequence[SimulatedInstrument] = INSTRUMENTS,
    ) -> None:
        known = {instrument.symbol.replace("/", ""): instrument for instrument in instruments}
        self._instruments: dict[str, SimulatedInstrument] = {symbol: known[symbol] for symbol in symbols}
        self._market = Market(seed, instruments=list(self._instruments.values()), history=history)
        self._random = Random(seed)
        self._pending: dict[str, list[Fact]] = {symbol: [] for symbol in symbols}
        self._prints: dict[str, deque[Print]] = {symbol: deque(maxlen=RECENT_TRADES) for symbol in symbols}

    @property
    def symbols(self) -> Sequence[str]:
        return tuple(self._instruments)

    def listing(self, symbol: str) -> Listing:
        instrument = self._instruments[symbol]
        base, quote = instrument.symbol.split("/")
        return Listing(symbol, base, quote, decimal(float(instrument.tick)), decimal(float(instrument.lot)))

    def step(self, symbol: str) -> Update:
        self._advance(symbol, self._random.randrange(1, 7))
        facts, self._pending[symbol] = self._pending[symbol], []
        delta = conflate([fact for fact in facts if isinstance(fact, BookDelta)])
        assert delta is not None
        assert delta.first_sequence is not None
        assert delta.last_sequence is not None
        prints = [_print(fact) for fact in facts if isinstance(fact, Trade)]
        self._prints[symbol].extend(prints)
        best = self._market.truth(self._name(symbol), 1)
        return Update(
            symbol,
            delta.first_sequence,
            delta.last_sequence,
            pairs(delta.bids),
            pairs(delta.asks),
            prints,
            *pairs((best.bids[0], best.asks[0])),
        )

    def snapshot(self, symbol: str, limit: int) -> Snapshot:
        self._advance(symbol, self._random.randrange(4))
        book = self._market.truth(self._name(symbol), limit)
        assert book.sequence is not None
        return Snapshot(book.sequence, pairs(book.bids), pairs(book.asks))

    def trades(self, symbol: str) -> Sequence[Print]:
        return list(self._prints[symbol])

    def top_at(self, symbol: str, sequence: int) -> Top | None:
        return self._market.truth_at(self._name(symbol), sequence, TOP_DEPTH)

    def last(self, symbol: str) -> int:
        """The number of the market's last update, published or not."""
        return self._market.sequence(self._name(symbol))

    def _name(self, symbol: str) -> str:
        return self._instruments[symbol].symbol

    def _advance(self, symbol: str, events: int) -> None:
        self._pending[symbol].extend(self._market.advance_events(self._name(symbol), events))


def decimal(value: float) -> str:
    """A price or size as the venue writes it."""
    return f"{value:.8f}"


def pairs(levels: Levels) -> list[Pair]:
    return [(f"{price:.8f}", f"{size:.8f}") for price, size in levels]


def _print(trade: Trade) -> Print:
    assert isinstance(trade.trade_id, int)
    return Print(trade.trade_id, decimal(trade.price), decimal(trade.size), trade.aggressor == SELL)
