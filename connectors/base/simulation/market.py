"""A seeded market that looks alive, and the truth that every fake venue and the mock connector are measured against.

Pure: time is passed in, and the same seed and calls give the same events to the last bit. However the time is cut into
calls, the events are the same. Not thread-safe: one thread at a time.

Per event of order flow: the fair value moves; then an order arrives, is cancelled or takes. Prices move because levels
are eaten and replenished, more on the side that the fair value and the recent takers press against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Protocol

from msgspec import Struct

from connectors.base.simulation.book import History, Scale, Side, conflate
from connectors.base.simulation.candles import Minutes
from connectors.base.simulation.flow import SECOND_NS, Arrivals, FairValue, Phase
from connectors.base.simulation.orders import OrderFlow
from connectors.base.simulation.symbols import INSTRUMENTS, SimulatedInstrument
from engine.errors import ConfigError, InvalidSymbol
from engine.market.candle import Candle
from engine.market.events import BookDelta, BookSnapshot, Level, Levels, Quote, Source, Trade
from engine.market.instrument import Instrument, nearest_symbols

__all__ = ["INSTRUMENTS", "Fact", "Market", "MarketStats", "Phase", "SymbolMarket", "conflate"]

Fact = Trade | BookDelta | Quote
FIRST_VENUE = "mock"
START_NS = 1_700_000_000 * SECOND_NS
LOWEST_RATE, HIGHEST_RATE = 0.1, 1_000_000.0
MESSAGES_PER_EVENT = 1.6
"""The first guess; each symbol then learns its own."""


class Value(Protocol):
    """What a symbol is worth in ticks, by those who trade it."""

    ticks: float

    def move(self, now_ns: int, volatility: float) -> float:
        """Walk on to `now_ns` with the phase's factor on movement; the new value."""


ValueMaker = Callable[[SimulatedInstrument, Random, int], Value]
"""Makes the value of an instrument, given a source of chance and the time at which it starts."""


class MarketStats(Struct, frozen=True):
    """What happened to one symbol so far, as counts; `phase_s` is the time spent in each phase."""

    events: int
    messages: int
    trades: int
    sweeps: int
    walls_placed: int
    walls_eaten: int
    walls_pulled: int
    phase: Phase
    phase_s: dict[Phase, float]


class SymbolMarket:
    """One symbol's truth."""

    def __init__(
        self,
        seed: int,
        instrument: SimulatedInstrument,
        start_ns: int,
        rate: float,
        venue: str,
        source: Source,
        history: int,
        values: ValueMaker | None = None,
    ) -> None:
        # Several venues of one seed have crowds of their own.
        random = Random(
            f"{seed}:{instrument.symbol}" if venue == FIRST_VENUE else f"{seed}:{venue}:{instrument.symbol}"
        )
        self.instrument = instrument
        self.now_ns = start_ns
        self.sequence = 1_000_000 + random.randrange(1_000_000)
        self._venue, self._source = venue, source
        self._scale = Scale(instrument)
        self._fair: Value = (values or partial(FairValue, seed))(instrument, random, start_ns)
        self._arrivals = Arrivals(random, start_ns, rate / MESSAGES_PER_EVENT)
        self.flow = OrderFlow(random, instrument, self._scale)
        self.flow.plan(start_ns, rate / MESSAGES_PER_EVENT)
        self._history = History(history)
        self._minutes = Minutes()
        self._rate = rate
        self._trade_id = random.randrange(1_000_000)
        self._events = self._messages = 0
        self._quoted: tuple[Level, Level] | None = None
        self._phase_ns: Counter[Phase] = Counter()
        self._last_event_ns = start_ns

    @property
    def bids(self) -> Side:
        return self.flow.bids

    @property
    def asks(self) -> Side:
        return self.flow.asks

    def advance_to(self, end_ns: int) -> list[Fact]:
        facts: list[Fact] = []
        arrivals = self._arrivals
        while arrivals.next_ns <= end_ns:
            self._event(facts)
        self.now_ns = end_ns
        return facts

    def advance_events(self, count: int) -> list[Fact]:
        facts: list[Fact] = []
        for _ in range(count):
            self.now_ns = max(self.now_ns, self._event(facts))
        return facts

    @property
    def next_ns(self) -> int:
        return self._arrivals.next_ns

    def jump(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self._arrivals.plan(now_ns)

    def oldest(self) -> tuple[int, Levels, Levels]:
        return self._history.oldest() or (self.sequence, *self.levels(None))

    def set_rate(self, rate: float) -> None:
        self._rate = rate
        events_per_s = rate / self._per_event()
        self._arrivals.set_rate(events_per_s)
        self._arrivals.plan(self.now_ns)
        self.flow.plan(self.now_ns, events_per_s)

    def levels(self, depth: int | None) -> tuple[Levels, Levels]:
        return self._scale.levels(self.bids, depth), self._scale.levels(self.asks, depth)

    def at(self, sequence: int, depth: int | None) -> tuple[Levels, Levels] | None:
        if sequence == self.sequence:
            return self.levels(depth)
        return self._history.at(sequence, depth)

    def candles(self, timeframe: str, count: int) -> list[Candle]:
        return self._minutes.candles(self._venue, self.instrument.symbol, timeframe, count, self.now_ns)

    def stats(self) -> MarketStats:
        seen = self.flow.seen
        phases = {phase: self._phase_ns[phase] / 1e9 for phase in Phase}
        return MarketStats(
            self._events, self._messages, seen["trade"], seen["sweep"], seen["wall placed"], seen["wall eaten"],
            seen["wall pulled"], self._arrivals.phase, phases,
        )  # fmt: skip

    def _per_event(self) -> float:
        return (self._messages + 200 * MESSAGES_PER_EVENT) / (self._events + 200)

    def _event(self, facts: list[Fact]) -> int:
        """Let the next event happen and append what it says; its time."""
        arrivals, flow = self._arrivals, self.flow
        now_ns = arrivals.next_ns
        mood = arrivals.mood
        self._phase_ns[arrivals.phase] += now_ns - self._last_event_ns
        self._last_event_ns = now_ns
        if self._history.full:
            self._history.begin(self.sequence, *self.levels(None))
        fair = self._fair.move(now_ns, mood.volatility)
        before = len(facts)
        arrivals.excite(flow.step(now_ns, fair, mood))
        self._fair.ticks += flow.impact
        self._tell(facts, now_ns)
        self._events += 1
        self._messages += len(facts) - before
        if not self._events & 1023:
            arrivals.set_rate(self._rate / self._per_event())
        arrivals.plan(now_ns)
        return now_ns

    def _tell(self, facts: list[Fact], now_ns: int) -> None:
        """Turn what the flow did into trades, one delta and, if the touch changed, a quote."""
        flow, venue, source, symbol = self.flow, self._venue, self._source, self.instrument.symbol
        level = self._scale.level
        for key, lots in flow.fills:
            self._trade_id += 1
            price, size = level(key, lots)
            trade = Trade(venue, symbol, price, size, flow.aggressor, self._trade_id, now_ns, now_ns, source)
            self._minutes.add(trade)
            facts.append(trade)
        bids, asks = flow.bids, flow.asks
        changed_bids = tuple([level(key, lots) for key, lots in flow.changed_bids.items()])
        changed_asks = tuple([level(key, lots) for key, lots in flow.changed_asks.items()])
        first = self.sequence + 1
        last = self.sequence = self.sequence + len(changed_bids) + len(changed_asks)
        delta = BookDelta(venue, symbol, changed_bids, changed_asks, first, last, now_ns, now_ns, source)
        facts.append(delta)
        self._history.add(delta)
        bid, ask = bids.keys[0], asks.keys[0]
        touch = level(bid, bids.sizes[bid]), level(ask, asks.sizes[ask])
        if touch != self._quoted:
            self._quoted = touch
            facts.append(Quote(venue, symbol, *touch[0], *touch[1], last, now_ns, now_ns, source))


class Market:
    """Several symbols' truth. `rate` counts messages (trades, deltas, quotes) per second and symbol.

    `values` makes what each symbol is worth; by default a walk of this market's own.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        instruments: Sequence[SimulatedInstrument] = INSTRUMENTS,
        start_ns: int = START_NS,
        rate: float = 40.0,
        venue: str = FIRST_VENUE,
        source: Source = "mock",
        history: int = 4096,
        values: ValueMaker | None = None,
    ) -> None:
        self.seed = seed
        self.venue = venue
        self.source: Source = source
        rate = _checked(rate)
        self._symbols = {
            instrument.symbol: SymbolMarket(seed, instrument, start_ns, rate, venue, source, history, values)
            for instrument in instruments
        }

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._symbols)

    def instrument(self, symbol: str) -> SimulatedInstrument:
        return self._market(symbol).instrument

    def instruments(self) -> list[Instrument]:
        """As a venue lists them."""
        return [market.instrument.public(self.venue) for market in self._symbols.values()]

    def advance(self, symbol: str, dt_s: float) -> list[Fact]:
        """Let `dt_s` seconds pass for one symbol; what happened, in order.

        Each event says its trades, then one delta, then a quote of the same update if the touch changed. `exchange_ns`
        and `received_ns` are both the simulated time.
        """
        market = self._market(symbol)
        return market.advance_to(market.now_ns + round(dt_s * 1e9))

    def advance_to(self, symbol: str, now_ns: int) -> list[Fact]:
        """The same up to a moment, in UTC nanoseconds; nothing if that has passed."""
        market = self._market(symbol)
        return market.advance_to(max(now_ns, market.now_ns))

    def advance_events(self, symbol: str, count: int) -> list[Fact]:
        """Let the next `count` events of order flow happen, however long they take."""
        return self._market(symbol).advance_events(count)

    def set_rate(self, rate: float, symbol: str | None = None) -> None:
        """Messages per second of one symbol, or of each, from now on.

        Raises:
            ConfigError: outside 0.1 … 1,000,000.
        """
        for market in self._symbols.values() if symbol is None else [self._market(symbol)]:
            market.set_rate(_checked(rate))

    def now_ns(self, symbol: str) -> int:
        return self._market(symbol).now_ns

    def next_ns(self, symbol: str) -> int:
        """When the next event is due."""
        return self._market(symbol).next_ns

    def jump(self, symbol: str, now_ns: int) -> None:
        """Let time pass (only forwards) without anything happening: nobody was looking."""
        market = self._market(symbol)
        market.jump(max(now_ns, market.now_ns))

    def sequence(self, symbol: str) -> int:
        """The number of the last update."""
        return self._market(symbol).sequence

    def truth(self, symbol: str, depth: int | None = None) -> BookSnapshot:
        """The book as it is: best `depth` levels per side, all for None."""
        market = self._market(symbol)
        bids, asks = market.levels(depth)
        now_ns = market.now_ns
        return BookSnapshot(self.venue, symbol, bids, asks, market.sequence, now_ns, now_ns, self.source)

    def truth_at(self, symbol: str, sequence: int, depth: int | None = 20) -> tuple[Levels, Levels] | None:
        """Bids and asks as they were after update `sequence` (the last of a delta).

        None when it is older than the kept history, still to come, or inside a delta.
        """
        return self._market(symbol).at(sequence, depth)

    def oldest(self, symbol: str) -> BookSnapshot:
        """The oldest whole book that is remembered: what a venue with a lazy cache would send."""
        market = self._market(symbol)
        sequence, bids, asks = market.oldest()
        return BookSnapshot(self.venue, symbol, bids, asks, sequence, market.now_ns, market.now_ns, self.source)

    def candles(self, symbol: str, timeframe: str, count: int) -> list[Candle]:
        """The newest candles of what was traded since the market began, oldest first; the last one may still grow."""
        return self._market(symbol).candles(timeframe, count)

    def stats(self, symbol: str) -> MarketStats:
        return self._market(symbol).stats()

    def _market(self, symbol: str) -> SymbolMarket:
        try:
            return self._symbols[symbol]
        except KeyError:
            near = ", ".join(nearest_symbols(symbol, self._symbols)) or ", ".join(self._symbols)
            raise InvalidSymbol(f"no symbol {symbol!r} in this market", hint=f"There are: {near}.") from None


def _checked(rate: float) -> float:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ConfigError(f"a rate of {rate} messages/s: it must lie in {LOWEST_RATE:g} … {HIGHEST_RATE:g}")
    return rate
