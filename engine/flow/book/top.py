"""The best prices and what they say at once: spread and how unusual it is, mid, weighted mid, queue imbalance.

Source: spread anomaly as the modified z of Iglewicz and Hoaglin (1993), weighted by time; queue imbalance of Gould and
Bonart (2016).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

from msgspec import Struct

from engine.flow.book.queue_states import BESIDE, BUCKETS, QueueStates, base_of
from engine.flow.readings import Quality, Reading
from engine.flow.section import SECOND_NS, Section
from engine.flow.state import BookState, state_of
from engine.flow.statistics.windows import StepWindow

SPREAD_WINDOW_S = 300
SPREAD_WARM_S = 30
SPREAD_FLOOR_TICKS = 0.5
"""Spreads come in whole ticks and hardly vary: one tick more than usual must not be infinitely unusual."""
NORMAL_DEVIATION = 1.4826
"""By how much a median deviation falls short of a standard deviation where values are normal."""
HALF_LIFE_S = 1800
MARK_NS = 100_000_000
MARKS_KEPT = 1001
_INFINITY = float("inf")
STALE_AFTER_NS = 5 * SECOND_NS
STALE_AFTER_GAPS = 20


class Mark(Struct, frozen=True, gc=False):
    """The running sums at the end of a tenth of a second."""

    end_ns: int
    ofi: float
    depth_sum: float
    events: int


def bid_flow(known: float, known_size: float, price: float, size: float) -> float:
    """What one bid adds to order-flow imbalance: the new size where the price rose, less the old where it fell."""
    if price == known:
        return size - known_size
    return size if price > known else -known_size


def ask_flow(known: float, known_size: float, price: float, size: float) -> float:
    """The same of an ask, where more of it is less: to be subtracted."""
    if price == known:
        return size - known_size
    return size if price < known else -known_size


def weighted_mid(bid: float, bid_size: float, ask: float, ask_size: float) -> float | None:
    """The mid, drawn to the side with the shorter queue; None for an empty queue."""
    if not (bid_size > 0.0 and ask_size > 0.0):
        return None
    return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)


def imbalance(bid_size: float, ask_size: float) -> float | None:
    """`(bid - ask) / (bid + ask)` in -1 … 1; None when both are 0."""
    total = bid_size + ask_size
    return (bid_size - ask_size) / total if total > 0.0 else None


class TopOfBook(Section):
    """The best prices of one symbol as they stand, in ticks too, and all that is summed up quote by quote.

    One method takes every quote, for most change nothing but a size: what is done for each of them is done here. Who
    needs only the changes of price listens to those (`listeners`).
    """

    __slots__ = (
        "ask", "ask_size", "ask_ticks", "base", "bid", "bid_size", "bid_ticks", "depth_sum", "events", "known",
        "listeners", "mark_ns", "marks", "ofi", "ofi_last", "ofi_since_ns", "place", "row", "rows", "spreads", "state",
        "states", "t_ns", "tick", "warm_ns",
    )  # fmt: skip

    def __init__(
        self,
        tick: float,
        window_s: float = SPREAD_WINDOW_S,
        warm_s: float | None = None,
        half_life_s: float | None = HALF_LIFE_S,
    ) -> None:
        """`tick` is the price step in quote units; nothing is said of the spread's history for the first `warm_s`.

        `half_life_s` is that of the states that the micro-price counts; None: it forgets nothing.
        """
        self.tick = tick
        self.spreads = StepWindow(round(window_s * SECOND_NS))
        self.warm_ns = round((max(SPREAD_WARM_S, window_s / 10) if warm_s is None else warm_s) * SECOND_NS)
        self.bid = self.bid_size = self.ask = self.ask_size = 0.0
        self.bid_ticks = self.ask_ticks = 0
        self.t_ns = 0
        self.state = BookState.RESYNC
        self.ofi = 0.0
        """Order-flow imbalance at the best prices since the beginning, in base units (see engine.flow.book.ofi)."""
        self.ofi_last: float | None = None
        """What the newest quote added to it; None for the first one and after a break."""
        self.ofi_since_ns: int | None = None
        """Since when there has been no break."""
        self.depth_sum = 0.0
        """The sum of both queues over the quotes that are in `ofi`, and how many those are."""
        self.events = 0
        self.marks: deque[Mark] = deque(maxlen=MARKS_KEPT)
        """How things stood before each tenth of a second in which a quote came."""
        self.states = QueueStates(half_life_s)
        self.listeners: list[Callable[[int, float, float], None]] = []
        """Told `(t_ns, bid, ask)` when a best price has changed, and for the first quote after a break."""
        self.mark_ns = 0
        """From when on the next quote is preceded by a mark."""
        self.known = False
        """Whether the next quote may be compared with this one."""
        self.base = self.place = BESIDE
        """Where the states of this spread begin, and the present state."""
        self.rows = self.states.still
        self.row = self.rows[BESIDE]
        """Transitions out of the present state, counted while the mid stands still."""

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        if t_ns >= self.mark_ns:
            self.mark(t_ns)
        total = bid_size + ask_size
        if bid == self.bid and ask == self.ask and self.known and 0.0 < total < _INFINITY:
            event = self.ofi_last = bid_size - self.bid_size + self.ask_size - ask_size
            self.ofi += event
            self.depth_sum += total
            self.events += 1
            state = self.place = self.base + int(BUCKETS * bid_size / total)
            self.row[state] += self.states.weight
            self.row = self.rows[state]
        else:
            self._move(t_ns, bid, bid_size, ask, ask_size)
        self.bid_size, self.ask_size, self.t_ns = bid_size, ask_size, t_ns

    def on_timer(self, t_ns: int) -> None:
        self.states.on_second()

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.state = BookState.RESYNC
        self.bid = self.ask = 0.0
        self.spreads.hold(t_ns, None)
        self._break()

    def _move(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """A price has changed, or nothing was known."""
        bid_ticks, ask_ticks, known = self.bid_ticks, self.ask_ticks, self.known
        mid2 = bid_ticks + ask_ticks
        if bid == self.bid:
            flow = bid_size - self.bid_size
        else:
            flow = bid_flow(self.bid, self.bid_size, bid, bid_size)
            self.bid = bid
            bid_ticks = self.bid_ticks = round(bid / self.tick)
        if ask == self.ask:
            flow -= ask_size - self.ask_size
        else:
            flow -= ask_flow(self.ask, self.ask_size, ask, ask_size)
            self.ask = ask
            ask_ticks = self.ask_ticks = round(ask / self.tick)
        state = self.state = BookState.OK if bid < ask else state_of(bid, ask)
        # Locked and crossed moments are no spreads: they would make the usual one look narrower than it is.
        self.spreads.hold(t_ns, ask_ticks - bid_ticks if state is BookState.OK else None)
        total = bid_size + ask_size
        if not (0.0 < total < _INFINITY and (state is BookState.OK or state.two_sided)):
            self._break()
        else:
            if known:
                self.ofi_last = flow
                self.ofi += flow
                self.depth_sum += total
                self.events += 1
            else:
                self.known, self.ofi_last, self.ofi_since_ns = True, None, t_ns
            base = self.base = base_of(ask_ticks - bid_ticks)
            self._go(base + int(BUCKETS * (bid_size / total)), bid_ticks + ask_ticks - mid2, known)
        for listener in self.listeners:
            listener(t_ns, bid, ask)

    def _go(self, state: int, moved: int, known: bool) -> None:
        """Count the way from the last state to this one, while the mid `moved` by so many half ticks."""
        if known and moved:
            self.states.move(self.place, state, moved)
        elif known:
            self.row[state] += self.states.weight
        self.place, self.row = state, self.rows[state]

    def _break(self) -> None:
        """No difference may be taken from here to the next quote."""
        self.known, self.ofi_last, self.ofi_since_ns = False, None, None
        self.base = self.place = BESIDE
        self.row = self.rows[BESIDE]

    def mark(self, t_ns: int) -> int:
        """Note how things stand before the tenth of a second that `t_ns` is in; when to do so next."""
        end = t_ns // MARK_NS * MARK_NS
        self.marks.append(Mark(end, self.ofi, self.depth_sum, self.events))
        self.mark_ns = end + MARK_NS
        return self.mark_ns

    @property
    def spread_ticks(self) -> int | None:
        """Ask minus bid; below zero while crossed."""
        return self.ask_ticks - self.bid_ticks if self.bid else None

    @property
    def spread_bps(self) -> float | None:
        """The spread in basis points of the mid."""
        if not self.bid:
            return None
        return 2e4 * (self.ask_ticks - self.bid_ticks) / (self.ask_ticks + self.bid_ticks)

    @property
    def mid_ticks(self) -> float | None:
        """Halfway between the best prices, in ticks; None while crossed or unknown."""
        return (self.bid_ticks + self.ask_ticks) / 2 if self.state.two_sided else None

    @property
    def mid(self) -> float | None:
        """The same in quote units."""
        mid = self.mid_ticks
        return None if mid is None else mid * self.tick

    @property
    def weighted_mid_ticks(self) -> float | None:
        if not self.state.two_sided:
            return None
        return weighted_mid(self.bid_ticks, self.bid_size, self.ask_ticks, self.ask_size)

    @property
    def imbalance(self) -> float | None:
        """Of the two best queues, in -1 … 1; None while crossed, unknown or one-sided."""
        if not (self.state.two_sided and self.bid_size > 0.0 and self.ask_size > 0.0):
            return None
        return imbalance(self.bid_size, self.ask_size)

    def spread_history(self, t_ns: int) -> tuple[float, float, float, float] | None:
        """z, median, deviation (both in ticks) and percentile of the spread now; None until there is history enough.

        The present value weighs only as long as it has lasted: it is never part of its own baseline.
        """
        spreads = self.spreads
        spreads.settle(t_ns)
        spread = self.spread_ticks
        if spread is None or self.state is not BookState.OK or spreads.covered_ns < self.warm_ns:
            return None
        usual, share = spreads.median(), spreads.share_up_to(spread)
        if usual is None or share is None:
            return None
        deviation = spreads.deviation(usual) or 0
        z = (spread - usual) / max(NORMAL_DEVIATION * deviation, SPREAD_FLOOR_TICKS)
        return z, float(usual), float(deviation), share

    def state_at(self, t_ns: int) -> BookState:
        """The state, with silence taken into account: STALE after 5 s, or 20 usual gaps where quotes are rare."""
        if self.state is BookState.RESYNC or t_ns - self.t_ns < STALE_AFTER_NS:
            return self.state
        # Only where quotes are so rare that each has a mark of its own can 20 gaps be longer than 5 s.
        gaps = [later.end_ns - earlier.end_ns for earlier, later in pairwise(self.marks)]
        limit = max(STALE_AFTER_NS, STALE_AFTER_GAPS * median(gaps)) if gaps else STALE_AFTER_NS
        return BookState.STALE if t_ns - self.t_ns >= limit else self.state

    def readings(self, t_ns: int) -> dict[str, Reading]:
        """Every figure of this part by name, as of `t_ns`."""
        state = self.state_at(t_ns)
        spread = self.spread_ticks
        history = self.spread_history(t_ns) or (None, None, None, None)
        warm = min(self.spreads.covered_ns / self.warm_ns, 1.0) if self.warm_ns else 1.0
        full = self.spreads.covered_ns >= 0.999 * self.spreads.window_ns
        weighted = self.weighted_mid_ticks
        now = {
            "spread_abs": None if spread is None else spread * self.tick,
            "spread_ticks": None if spread is None else float(spread),
            "spread_bps": self.spread_bps,
            "mid": self.mid,
            "weighted_mid": None if weighted is None else weighted * self.tick,
            "imbalance_1": self.imbalance,
        }
        found = {name: Reading(value, self.t_ns, state=state) for name, value in now.items()}
        quality = Quality.EXACT if full else Quality.PARTIAL
        names = ("spread_z", "spread_median", "spread_mad", "spread_pctile")
        for name, value in zip(names, history, strict=True):
            found[name] = Reading(value, self.t_ns, quality, warm, state)
        return found
