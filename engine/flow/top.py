"""The best prices and what they say at once: spread and how unusual it is, mid, weighted mid, queue imbalance.

Source: spread anomaly as the modified z of Iglewicz and Hoaglin (1993), weighted by time; queue imbalance of Gould and
Bonart (2016).
"""

from __future__ import annotations

import itertools
from collections import deque
from statistics import median

from engine.flow.readings import Quality, Reading
from engine.flow.section import SECOND_NS, Section
from engine.flow.state import BookState, state_of
from engine.flow.windows import StepWindow

SPREAD_WINDOW_S = 300
SPREAD_WARM_S = 30
SPREAD_FLOOR_TICKS = 0.5
"""Spreads come in whole ticks and hardly vary: one tick more than usual must not be infinitely unusual."""
NORMAL_DEVIATION = 1.4826
"""By how much a median deviation falls short of a standard deviation where values are normal."""
GAPS_KEPT = 1000
STALE_AFTER_NS = 5 * SECOND_NS
STALE_AFTER_GAPS = 20


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
    """The best prices of one symbol as they stand, and the history of the spread. Prices also in whole ticks."""

    __slots__ = (
        "_times", "ask", "ask_size", "ask_ticks", "bid", "bid_size", "bid_ticks", "changed_ns", "spreads", "state",
        "t_ns", "tick", "warm_ns",
    )  # fmt: skip

    def __init__(self, tick: float, window_s: float = SPREAD_WINDOW_S, warm_s: float | None = None) -> None:
        """`tick` is the price step in quote units; nothing is said of the spread's history for the first `warm_s`."""
        self.tick = tick
        self.spreads = StepWindow(round(window_s * SECOND_NS))
        self.warm_ns = round((max(SPREAD_WARM_S, window_s / 10) if warm_s is None else warm_s) * SECOND_NS)
        self.bid = self.bid_size = self.ask = self.ask_size = 0.0
        self.bid_ticks = self.ask_ticks = 0
        self.t_ns = self.changed_ns = 0
        self.state = BookState.RESYNC
        self._times: deque[int] = deque(maxlen=GAPS_KEPT + 1)

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        if bid != self.bid or ask != self.ask:
            self._move(t_ns, bid, ask)
        self.bid_size, self.ask_size, self.t_ns = bid_size, ask_size, t_ns
        self._times.append(t_ns)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.state = BookState.RESYNC
        self.bid = self.ask = 0.0
        self.spreads.hold(t_ns, None)

    def _move(self, t_ns: int, bid: float, ask: float) -> None:
        self.bid, self.ask = bid, ask
        self.bid_ticks, self.ask_ticks = round(bid / self.tick), round(ask / self.tick)
        self.changed_ns = t_ns
        state = self.state = state_of(bid, ask)
        # Locked and crossed moments are no spreads: they would make the usual one look narrower than it is.
        self.spreads.hold(t_ns, self.ask_ticks - self.bid_ticks if state is BookState.OK else None)

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
        times = list(self._times)
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
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
