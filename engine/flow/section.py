"""What a part of the order-flow line is: it takes events in the order of arrival and never looks at a clock.

`Observer` is the door: a feed tells it everything, it tells its sections, and it calls the edges of whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.market.book import Book
from engine.market.events import Levels, Quote, Trade

SECOND_NS = 1_000_000_000
UNSET = 1 << 62
SILENCE_NS = 5 * SECOND_NS
"""After so long without any event, differences are not taken across it."""
LONGEST_SILENCE_NS = 600 * SECOND_NS
"""After so long the grid of seconds begins anew; nothing that is measured here looks back so far."""

Json = dict[str, Any]
Row = Sequence[object]


class Changes(Struct, frozen=True, gc=False):
    """What an update did: the levels that it set (size 0 removes), and the sizes that stood there before (0: none)."""

    bids: Levels
    asks: Levels
    bids_before: Sequence[float]
    asks_before: Sequence[float]


class Table(Struct, frozen=True):
    """Rows for a file; `columns` names the values of each."""

    columns: Sequence[str]
    rows: Sequence[Row]


class Section:
    """One part of the analysis of one symbol. Every method may be left out; times are receive times in UTC ns.

    Events come in order of arrival. `on_timer` comes for each whole second that has passed, before the event that
    passes it: what it sees is the state as of that edge. After `on_reset` nothing is known of quote and book until the
    next of each, and no difference may be taken across it.
    """

    __slots__ = ()

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """A best quote, whether or not it changes anything."""

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        """The book after an update, or after a snapshot (`changes` None). It is the feed's own: read, don't keep."""

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        """A print; `side` is the taker's (+1, -1, 0 unknown)."""

    def on_reset(self, t_ns: int, reason: str) -> None:
        """What was known no longer continues (a gap, a lost connection, a crossed book, a long silence)."""

    def on_lost_trades(self, count: int) -> None:
        """So many trades never came; below zero: so many of them came after all."""

    def on_interruption(self, t_ns: int) -> None:
        """The stream was lost for a while: nobody knows which trades there were."""

    def on_timer(self, t_ns: int) -> None:
        """A whole second has passed."""

    def finish(self, t_ns: int) -> Json:
        """What this part found in all, by the keys of the exported file; `t_ns` is the last event's time."""
        return {}

    def tables(self) -> Mapping[str, Table]:
        """Tables for files of their own, by the name that follows the prefix (`bars_1s`)."""
        return {}


def _takers(sections: Sequence[Section], method: str) -> list[Callable[..., None]]:
    """The bound methods of those sections that have one of their own."""
    inherited = getattr(Section, method)
    return [getattr(section, method) for section in sections if getattr(type(section), method) is not inherited]


class Observer:
    """Tells the sections of one symbol what its feed sees. One thread calls it."""

    __slots__ = (
        "_bbo", "_book", "_derive", "_edge_ns", "_reset", "_silent_ns", "_timer", "_trade", "last_ns", "sections",
    )  # fmt: skip

    def __init__(self, sections: Sequence[Section], *, derive_quotes: bool = False) -> None:
        """`derive_quotes`: the venue sends no best quotes, so the top of each book stands for one."""
        self.last_ns = 0
        self._derive = derive_quotes
        self._edge_ns = UNSET
        """The next edge of the grid, which begins with the first whole second after the first quote."""
        self._silent_ns = 0
        """After which event a silence was last told of."""
        self.sections: tuple[Section, ...] = ()
        self.set_sections(sections)

    def set_sections(self, sections: Sequence[Section]) -> None:
        """From the next event on it is these that are told, in this order."""
        self.sections = tuple(sections)
        self._bbo = _takers(sections, "on_bbo")
        self._book = _takers(sections, "on_book")
        self._trade = _takers(sections, "on_trade")
        self._reset = _takers(sections, "on_reset")
        self._timer = _takers(sections, "on_timer")

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        if t_ns > self._edge_ns or self._edge_ns == UNSET:
            self._advance(t_ns)
        self.last_ns = t_ns
        for take in self._bbo:
            take(t_ns, bid, bid_size, ask, ask_size)

    def hear(self, event: Quote | Trade) -> None:
        """A quote or a trade, as the line tells it."""
        if type(event) is Quote:
            self.on_bbo(event.received_ns, event.bid, event.bid_size, event.ask, event.ask_size)
        elif type(event) is Trade:
            self.on_trade(
                event.received_ns, event.price, event.size, event.aggressor, event.exchange_ns, event.trade_id
            )  # fmt: skip

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        if t_ns > self._edge_ns:
            self._advance(t_ns)
        self.last_ns = t_ns
        for take in self._book:
            take(t_ns, book, changes)
        if self._derive:
            bids, bid_sizes, asks, ask_sizes = book.best_columns(1)
            if bids and asks:
                self.on_bbo(t_ns, bids[0], bid_sizes[0], asks[0], ask_sizes[0])

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        if t_ns > self._edge_ns:
            self._advance(t_ns)
        self.last_ns = t_ns
        for take in self._trade:
            take(t_ns, price, size, side, venue_ns, trade_id)

    def on_reset(self, t_ns: int, reason: str) -> None:
        for take in self._reset:
            take(t_ns, reason)

    def on_lost_trades(self, count: int) -> None:
        for section in self.sections:
            section.on_lost_trades(count)

    def on_interruption(self, t_ns: int) -> None:
        for section in self.sections:
            section.on_interruption(t_ns)

    def on_time(self, t_ns: int) -> None:
        """Time has come to `t_ns` although nothing happened: the edges before it pass."""
        if t_ns > self._edge_ns:
            self._advance(t_ns)

    def finish(self, t_ns: int) -> Json:
        """End at `t_ns` (an edge there still counts), and what all sections found."""
        if t_ns + 1 > self._edge_ns:
            self._advance(t_ns + 1)
        found: Json = {}
        for section in self.sections:
            _merge(found, section.finish(t_ns))
        return found

    def tables(self) -> dict[str, Table]:
        return {name: table for section in self.sections for name, table in section.tables().items()}

    def _advance(self, t_ns: int) -> None:
        """Pass the edges before `t_ns`; what was known holds for the first seconds of a silence and not longer."""
        last = self.last_ns
        if last and t_ns - last > SILENCE_NS and self._silent_ns != last:
            self._silent_ns = last
            self._pass(last + SILENCE_NS)
            self.on_reset(last + SILENCE_NS, "silence")
        edge = self._edge_ns
        if edge == UNSET or t_ns - edge > LONGEST_SILENCE_NS:
            self._edge_ns = -(-t_ns // SECOND_NS) * SECOND_NS
        else:
            self._pass(t_ns)

    def _pass(self, t_ns: int) -> None:
        """Tell of every edge before `t_ns`."""
        edge = self._edge_ns
        while edge < t_ns:
            for take in self._timer:
                take(edge)
            edge += SECOND_NS
        self._edge_ns = edge


def _merge(into: Json, more: Json) -> None:
    """Add keys; dictionaries under the same key are joined."""
    for key, value in more.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            into[key] = value
