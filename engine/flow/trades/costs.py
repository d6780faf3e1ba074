"""What trading costs: the spread that takers pay, and what of it makers keep.

Huang & Stoll 1996, Bessembinder & Kaufman 1997.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Any

from msgspec import Struct

from engine.flow.trades.quote_history import QuoteHistory

SECOND_NS = 1_000_000_000
HORIZONS_S = (1, 5, 30, 300)
PENDING = 50_000
"""Trades that wait for their horizons at most."""
MERGE_NS = 5_000_000
"""Fills of one side against one mid so soon after the first wait for their horizons with it."""
NOTHING = (0.0, 0.0, 0.0, 0)


def effective_bps(side: int, price: float, mid: float) -> float:
    """Twice the distance from the mid that the taker paid, in basis points; below zero it was better than the mid."""
    return 2.0 * side * (price - mid) / mid * 1e4


def realised_bps(side: int, price: float, mid: float, later: float) -> float:
    """What of the effective spread the maker kept when the mid had moved on to `later`, in basis points of `mid`."""
    return 2.0 * side * (price - later) / mid * 1e4


class Costs(Struct, frozen=True, gc=False):
    """Averages weighted by volume, in basis points, of the `n` trades whose horizon has passed."""

    effective: float
    realised: float
    n: int

    @property
    def impact(self) -> float:
        """How far the mid went with the trade, times two: effective minus realised."""
        return self.effective - self.realised


MISALIGNED_SHARE = 0.10
"""More trades than this at a better price than the mid: quotes and trades do not fit together."""
Sums = tuple[float, float, float, int, int]
"""Σ size, Σ size · effective, Σ effective, trades, trades better than the mid."""
NO_SUMS: Sums = (0.0, 0.0, 0.0, 0, 0)


def _added(one: Sums, other: Sums) -> Sums:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4]


Run = list[Any]
"""Fills of one side against one mid within a moment: [time of the first, fills, Σ size, Σ size · (price - mid),
Σ (price - mid), fills better than the mid, side, mid]; a list, for one is made or changed at every trade."""
NO_RUN: Run = [0, 0, 0.0, 0.0, 0.0, 0, 0, None]
Waiting = tuple[int, int, float, float, float, float]
"""A run that is over: time, fills, Σ size, Σ size · effective, Σ 2e4 · side · size / mid, mid."""


class _Horizon:
    """One horizon: how many of the waiting runs have passed it, and their sums, second by second."""

    __slots__ = ("after_ns", "done", "lost", "seconds", "sums")

    def __init__(self, after_ns: int, window_s: int) -> None:
        self.after_ns = after_ns
        self.done = 0
        """Runs at the head of the common queue for which this horizon has passed."""
        self.sums = [0.0, 0.0, 0.0, 0]
        """Σ size, Σ size · effective, Σ size · realised, trades: of all time."""
        self.seconds: deque[tuple[float, float, float, int]] = deque(maxlen=window_s)
        self.lost = 0
        """Trades that a gap, a bad book or the bound took."""

    def settle(self, t_ns: int, waiting: list[Waiting], quotes: QuoteHistory) -> None:
        """Take the runs whose horizon lies at or before `t_ns`."""
        after, place, end = self.after_ns, self.done, len(waiting)
        latest = t_ns - after
        if place == end or waiting[place][0] > latest:
            self.seconds.append(NOTHING)
            return
        times, mids = quotes.times, quotes.mids
        known = len(times)
        # Runs wait in order of time: one walk along the mids serves them all.
        spot = bisect_right(times, waiting[place][0] + after)
        volume = paid = kept = 0.0
        count = 0
        while place < end:
            traded_ns, fills, size, cost, weight, mid = waiting[place]
            if traded_ns > latest:
                break
            place += 1
            due_ns = traded_ns + after
            while spot < known and times[spot] <= due_ns:
                spot += 1
            later = mids[spot - 1] if spot else None
            if later is None:
                self.lost += fills
                continue
            volume += size
            paid += cost
            kept += cost - weight * (later - mid)
            count += fills
        self.done = place
        self.seconds.append((volume, paid, kept, count))
        if count:
            sums = self.sums
            sums[0] += volume
            sums[1] += paid
            sums[2] += kept
            sums[3] += count


class SpreadCosts:
    """Effective and realised spread of every signed trade against the mid that stood before it.

    Settled once a second by `on_second`; a reset of the book loses the trades that wait, for nobody saw what came
    between. `window_s` seconds are averaged, `of_all` gives everything since the start. Fills of one side against one
    mid within `merge_ns` of the first wait for their horizons together, for most orders fill in parts.
    """

    __slots__ = (
        "_fresh", "_horizons", "_run", "_seconds", "_sums", "_until", "_waiting", "horizons_s", "merge_ns", "quotes",
        "skipped",
    )  # fmt: skip

    def __init__(
        self, quotes: QuoteHistory, horizons_s: tuple[int, ...] = HORIZONS_S, window_s: int = 300,
        merge_ns: int = MERGE_NS,
    ) -> None:  # fmt: skip
        self.quotes = quotes
        self.merge_ns = merge_ns
        self.horizons_s = horizons_s
        self._horizons = [_Horizon(seconds * SECOND_NS, window_s) for seconds in horizons_s]
        self._waiting: list[Waiting] = []
        self._fresh: list[Run] = []
        """The runs of this second."""
        self._run = NO_RUN
        self._until = 0
        self._sums: Sums = NO_SUMS
        self._seconds: deque[Sums] = deque(maxlen=window_s)
        self.skipped = 0
        """Signed trades for which no mid was known."""

    def on_trade(self, t_ns: int, price: float, size: float, side: int, mid: float | None) -> None:
        """Take a trade with a side; price and mid in ticks."""
        run = self._run
        if t_ns < self._until and side == run[6] and mid == run[7] and mid is not None:
            gap = price - mid
            run[1] += 1
            run[2] += size
            run[3] += size * gap
            run[4] += gap
            if gap * side < 0.0:
                run[5] += 1
            return
        if mid is None:
            self.skipped += 1
            return
        gap = price - mid
        self._run = run = [t_ns, 1, size, size * gap, gap, gap * side < 0.0, side, mid]
        self._until = t_ns + self.merge_ns
        self._fresh.append(run)

    def on_second(self, t_ns: int) -> None:
        """Time has come to `t_ns`, a second further: settle what is due."""
        waiting = self._waiting
        self._close_second()
        for horizon in self._horizons:
            horizon.settle(t_ns, waiting, self.quotes)
        self._forget(max(min(horizon.done for horizon in self._horizons), len(waiting) - PENDING))

    def on_reset(self) -> None:
        """The book was lost: what still waits will never be known."""
        self._close_second()
        self._forget(len(self._waiting))

    def _close_second(self) -> None:
        """The runs of this second are over: count them, and let them wait."""
        if not self._fresh:
            self._seconds.append(NO_SUMS)
            return
        sums = self._of_fresh()
        self._seconds.append(sums)
        self._sums = _added(self._sums, sums)
        wait = self._waiting.append
        for first_ns, fills, size, paid, _, _, side, mid in self._fresh:
            scale = 2e4 * side / mid
            wait((first_ns, fills, size, scale * paid, scale * size, mid))
        self._fresh, self._run, self._until = [], NO_RUN, 0

    def _forget(self, count: int) -> None:
        """Let the oldest `count` runs go; a horizon that has not passed for one of them has lost it."""
        if count <= 0:
            return
        gone = self._waiting[:count]
        del self._waiting[:count]
        for horizon in self._horizons:
            horizon.lost += sum(run[1] for run in gone[horizon.done :])
            horizon.done = max(horizon.done - count, 0)

    def _of_fresh(self) -> Sums:
        """The sums of this second so far."""
        volume = paid = plain = 0.0
        n = below = 0
        for _, fills, size, weighted, gap, better, side, mid in self._fresh:
            scale = 2e4 * side / mid
            volume += size
            paid += scale * weighted
            plain += scale * gap
            n += fills
            below += better
        return volume, paid, plain, n, below

    def of_window(self, place: int) -> Costs | None:
        """The costs over the window at `horizons_s[place]`; None while no trade has got that far."""
        volume = paid = kept = 0.0
        n = 0
        for part in self._horizons[place].seconds:
            volume += part[0]
            paid += part[1]
            kept += part[2]
            n += part[3]
        return Costs(paid / volume, kept / volume, n) if volume > 0.0 else None

    def of_all(self, place: int) -> Costs | None:
        """The costs since the start at `horizons_s[place]`; None while no trade has got that far."""
        volume, paid, kept, n = self._horizons[place].sums
        return Costs(paid / volume, kept / volume, int(n)) if volume > 0.0 else None

    def lost(self, place: int) -> int:
        """Trades of which `horizons_s[place]` will never be known."""
        return self._horizons[place].lost

    def effective(self) -> float | None:
        """The effective spread over the window in basis points, weighted by volume; None without a trade."""
        volume, paid, *_ = self._of_window()
        return paid / volume if volume > 0.0 else None

    def effective_of_all(self) -> tuple[float, float] | None:
        """The effective spread since the start in basis points: weighted by volume, and by trade."""
        volume, paid, plain, n, _ = _added(self._sums, self._of_fresh())
        return (paid / volume, plain / n) if volume > 0.0 else None

    def negative_share(self) -> float | None:
        """The share of the window's trades that were better than the mid, in 0 … 1; None without a trade."""
        *_, n, below = self._of_window()
        return below / n if n else None

    def negative_share_of_all(self) -> float | None:
        """The same since the start."""
        *_, n, below = _added(self._sums, self._of_fresh())
        return below / n if n else None

    def _of_window(self) -> Sums:
        sums = self._of_fresh()
        for second in self._seconds:
            sums = _added(sums, second)
        return sums

    @property
    def misaligned(self) -> bool:
        """Whether quotes and trades of the window do not fit together: the lag is wrong, or a feed is late."""
        share = self.negative_share()
        return share is not None and share > MISALIGNED_SHARE
