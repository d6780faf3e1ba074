"""Order-flow imbalance: by how much bids grew and asks shrank, summed over time.

It explains the move of the mid in the same interval; it does not predict the next one.

Source: Cont, Kukanov and Stoikov (2014) for the best level and the impact line; Xu, Gould and Howison (2018) for
levels. Deeper levels repeat the move of the touch where every price is occupied: that is the definition.
"""

from __future__ import annotations

import numpy as np

from engine.flow.book.top import TopOfBook, ask_flow, bid_flow
from engine.flow.section import Changes, Section
from engine.flow.statistics.windows import Line, RollingLine
from engine.market.book import Book, Column

LEVELS = 10
IMPACT_S = 10
IMPACT_INTERVALS = 180
IMPACT_WARM = 30
STATES_KEPT = 128
"""After so many states of the book what flowed between them is counted."""
Columns = tuple[Column, Column, Column, Column]
"""Bid prices, bid sizes, ask prices and ask sizes, best first."""


class BestOfi:
    """At the best prices, over windows of up to 90 s (their beginnings to the nearest tenth of a second).

    The sums are kept by `TopOfBook`, quote by quote.
    """

    __slots__ = ("_top",)

    def __init__(self, top: TopOfBook) -> None:
        self._top = top

    @property
    def cumulative(self) -> float:
        """Since the beginning, in base units."""
        return self._top.ofi

    @property
    def last(self) -> float | None:
        """What the newest quote added; None for the first one and after a break."""
        return self._top.ofi_last

    def over(self, t_ns: int, window_s: float) -> tuple[float, float | None] | None:
        """OFI of the last `window_s` in base units, and normalised by the mean queue; None while it is not known.

        The second is None where no quote came in that time.
        """
        top, begin = self._top, t_ns - round(window_s * 1e9)
        if top.ofi_since_ns is None or top.ofi_since_ns > begin:
            return None
        ofi, depth_sum, events = top.ofi, top.depth_sum, top.events
        for mark in reversed(top.marks):
            if mark.end_ns < begin:
                break
            ofi, depth_sum, events = mark.ofi, mark.depth_sum, mark.events
        ofi, depth_sum, events = top.ofi - ofi, top.depth_sum - depth_sum, top.events - events
        queue = depth_sum / (2 * events) if events else 0.0
        return ofi, ofi / queue if queue > 0.0 else None


class LevelOfi(Section):
    """At each of the ten best levels of the book, from update to update.

    States of the book are only written down as they come; what flowed between them is worked out for many at once, when
    it is asked for or when enough are kept.
    """

    __slots__ = ("_cumulative", "_depth_sum", "_kept", "_short", "complete", "events", "levels")

    def __init__(self, levels: int = LEVELS) -> None:
        self.levels = levels
        self.events = 0
        """How many book states there were."""
        self.complete = True
        """Whether every level was there in all states since somebody set this."""
        self._cumulative = [0.0] * levels
        self._depth_sum = 0.0
        self._kept: list[float] = []
        """States with all levels, each by its four columns; the first is counted already. Empty: nothing is known."""
        self._short: Columns | None = None
        """The last state, where it lacks a level."""

    @property
    def cumulative(self) -> list[float]:
        """By level, best first, since the beginning, in base units."""
        self._settle()
        return self._cumulative

    @property
    def depth_sum(self) -> float:
        """The sum over the book states of the mean size per level and side."""
        self._settle()
        return self._depth_sum

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        self.events += 1
        kept = self._kept
        if kept and changes is not None:
            before = len(kept)
            if book.extend_by_best(self.levels, kept):
                if before >= STATES_KEPT * 4 * self.levels:
                    self._settle()
                return
            del kept[before:]
        self._compare(book.best_columns(self.levels), begins=changes is None)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._settle()
        self._kept, self._short = [], None

    def _settle(self) -> None:
        """Count the states that are kept; the last one of them stays."""
        kept, levels = self._kept, self.levels
        width = 4 * levels
        if len(kept) <= width:
            return
        states = np.array(kept).reshape(-1, 4, levels)
        bids, bid_sizes, asks, ask_sizes = states[:, 0], states[:, 1], states[:, 2], states[:, 3]
        bought = bid_sizes[1:] * (bids[1:] >= bids[:-1]) - bid_sizes[:-1] * (bids[1:] <= bids[:-1])
        sold = ask_sizes[1:] * (asks[1:] <= asks[:-1]) - ask_sizes[:-1] * (asks[1:] >= asks[:-1])
        # Row by row and onto the sum so far: how many are counted at once does not show in the last bits.
        flows = np.vstack((self._cumulative, bought - sold))
        self._cumulative = np.add.reduce(flows, axis=0).tolist()
        sizes = (bid_sizes[1:].sum(axis=1) + ask_sizes[1:].sum(axis=1)) / (2 * levels)
        self._depth_sum = float(np.add.accumulate(np.append(self._depth_sum, sizes))[-1])
        del kept[:-width]

    def _compare(self, now: Columns, *, begins: bool) -> None:
        """Take a state that begins anew, or in which or before which a level is missing."""
        self._settle()
        known, levels = self._known(), self.levels
        bids, bid_sizes, asks, ask_sizes = now
        self._depth_sum += (sum(bid_sizes) + sum(ask_sizes)) / (2 * levels)
        whole = len(bids) == len(asks) == levels
        self._kept, self._short = ([*bids, *bid_sizes, *asks, *ask_sizes], None) if whole else ([], now)
        if begins or known is None:
            self.complete &= whole
            return
        # A level that is missing on either side, before or after, is not known to have changed.
        self.complete = False
        for level, (bid, size, was, before, ask, offered, was_ask, offered_before) in enumerate(
            zip(bids, bid_sizes, known[0], known[1], asks, ask_sizes, known[2], known[3], strict=False)
        ):
            self._cumulative[level] += bid_flow(was, before, bid, size) - ask_flow(
                was_ask, offered_before, ask, offered
            )

    def _known(self) -> Columns | None:
        """The last state; None while nothing is known."""
        kept, levels = self._kept, self.levels
        if not kept:
            return self._short
        bids, bid_sizes, asks, ask_sizes = [tuple(kept[at : at + levels]) for at in range(0, 4 * levels, levels)]
        return bids, bid_sizes, asks, ask_sizes


class Impact:
    """The line `move of the mid in ticks = a + b · flow` through the last intervals, none of which overlap."""

    __slots__ = ("_known", "_line", "_seconds", "interval_s")

    def __init__(self, interval_s: int = IMPACT_S, intervals: int = IMPACT_INTERVALS) -> None:
        self.interval_s = interval_s
        self._line = RollingLine(intervals)
        self._seconds = 0
        self._known: tuple[float, float] | None = None

    def on_second(self, mid_ticks: float | None, cumulative: float) -> None:
        """Take the mid and the sum of the flow as they stand at a whole second; None for an unknown mid."""
        if self._known is not None and mid_ticks is not None:
            self._seconds += 1
            if self._seconds < self.interval_s:
                return
            mid, flow = self._known
            self._line.add(cumulative - flow, mid_ticks - mid)
        self._seconds = 0
        self._known = None if mid_ticks is None else (mid_ticks, cumulative)

    def lose(self) -> None:
        """The flow was interrupted: the interval under way does not count."""
        self._known = None

    @property
    def n(self) -> int:
        """How many intervals the line goes through."""
        return self._line.n

    def line(self) -> Line | None:
        """None below 30 intervals, and where nothing varied."""
        return self._line.line() if self._line.n >= IMPACT_WARM else None
