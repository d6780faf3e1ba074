"""What trading costs and how far it moves the price: spreads paid, spreads earned, Kyle's λ, Amihud's measure.

Huang & Stoll 1996, Bessembinder & Kaufman 1997, Kyle 1985 (Econometrica 53:1315), Amihud 2002 (JFM 5:31).
"""

from __future__ import annotations

from collections import deque
from math import log

from msgspec import Struct

from engine.flow.quote_history import QuoteHistory
from engine.flow.windows import Line, RollingLine

SECOND_NS = 1_000_000_000
HORIZONS_S = (1, 5, 30, 300)
PENDING = 50_000
"""Trades that wait for their horizons at most."""
MERGE_NS = 1_000_000
"""Fills of one side against one mid within a millisecond of the first wait together: most orders fill in parts."""
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


class Waiting:
    """Fills that wait for their horizons. `paid` is Σ size · effective spread, `weight` Σ 2e4 · side · size / mid."""

    __slots__ = ("fills", "mid", "paid", "side", "size", "t_ns", "weight")

    def __init__(self, t_ns: int, side: int, size: float, mid: float, paid: float) -> None:
        self.t_ns = t_ns
        self.side = side
        self.size = size
        self.mid = mid
        self.paid = paid
        self.weight = 2e4 * side * size / mid
        self.fills = 1


MISALIGNED_SHARE = 0.10
"""More trades than this at a better price than the mid: quotes and trades do not fit together."""


class _Horizon:
    """One horizon: how many of the waiting trades have passed it, and their sums, second by second."""

    __slots__ = ("after_ns", "done", "lost", "seconds", "sums")

    def __init__(self, after_ns: int, window_s: int) -> None:
        self.after_ns = after_ns
        self.done = 0
        """Trades at the head of the common queue for which this horizon has passed."""
        self.sums = [0.0, 0.0, 0.0, 0]
        """Σ size, Σ size · effective, Σ size · realised, trades: of all time."""
        self.seconds: deque[tuple[float, float, float, int]] = deque(maxlen=window_s)
        self.lost = 0
        """Trades that a gap, a bad book or the bound took."""

    def settle(self, t_ns: int, waiting: list[Waiting], quotes: QuoteHistory) -> None:
        """Take the trades whose horizon lies at or before `t_ns`."""
        after, place, end = self.after_ns, self.done, len(waiting)
        if place == end or waiting[place].t_ns + after > t_ns:
            self.seconds.append(NOTHING)
            return
        before = quotes.before
        volume = paid = kept = 0.0
        count = 0
        while place < end:
            trade = waiting[place]
            due_ns = trade.t_ns + after
            if due_ns > t_ns:
                break
            place += 1
            later = before(due_ns)
            if later is None:
                self.lost += trade.fills
                continue
            volume += trade.size
            paid += trade.paid
            kept += trade.paid - trade.weight * (later - trade.mid)
            count += trade.fills
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
    between. `window_s` seconds are averaged, `of_all` gives everything since the start.
    """

    __slots__ = (
        "_horizons", "_last", "_merge_until", "_second", "_seconds", "_sums", "_waiting", "horizons_s", "merge_ns",
        "quotes", "skipped",
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
        self._last: Waiting | None = None
        self._merge_until = 0
        self._second = [0.0, 0.0, 0.0, 0, 0]
        """Σ size, Σ size · effective, Σ effective, trades, trades below zero: of this second."""
        self._sums = [0.0, 0.0, 0.0, 0, 0]
        self._seconds: deque[list[float]] = deque(maxlen=window_s)
        self.skipped = 0
        """Signed trades for which no mid was known."""

    def on_trade(self, t_ns: int, price: float, size: float, side: int, mid: float | None) -> None:
        """Take a trade with a side; price and mid in ticks."""
        if mid is None:
            self.skipped += 1
            return
        cost = 2e4 * side * (price - mid) / mid
        paid = size * cost
        second = self._second
        second[0] += size
        second[1] += paid
        second[2] += cost
        second[3] += 1
        if cost < 0.0:
            second[4] += 1
        last = self._last
        if last is not None and t_ns < self._merge_until and last.side == side and last.mid == mid:
            last.size += size
            last.paid += paid
            last.weight += 2e4 * side * size / mid
            last.fills += 1
            return
        self._last = last = Waiting(t_ns, side, size, mid, paid)
        self._merge_until = t_ns + self.merge_ns
        self._waiting.append(last)

    def on_second(self, t_ns: int) -> None:
        """Time has come to `t_ns`, a second further: settle what is due."""
        waiting = self._waiting
        # What waits is settled whole: nothing may join it any more.
        self._last = None
        for horizon in self._horizons:
            horizon.settle(t_ns, waiting, self.quotes)
        self._forget(max(min(horizon.done for horizon in self._horizons), len(waiting) - PENDING))
        second = self._second
        self._seconds.append(second)
        self._sums = [total + part for total, part in zip(self._sums, second, strict=True)]
        self._second = [0.0, 0.0, 0.0, 0, 0]

    def on_reset(self) -> None:
        """The book was lost: what still waits will never be known."""
        self._last = None
        self._forget(len(self._waiting))

    def _forget(self, count: int) -> None:
        """Let the oldest `count` trades go; a horizon that has not passed for one of them has lost it."""
        if not count:
            return
        gone = self._waiting[:count]
        del self._waiting[:count]
        for horizon in self._horizons:
            horizon.lost += sum(trade.fills for trade in gone[horizon.done :])
            horizon.done = max(horizon.done - count, 0)

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
        volume = paid = 0.0
        for part in (*self._seconds, self._second):
            volume += part[0]
            paid += part[1]
        return paid / volume if volume > 0.0 else None

    def effective_of_all(self) -> tuple[float, float] | None:
        """The effective spread since the start in basis points: weighted by volume, and by trade."""
        volume, paid, plain, n, _ = (total + part for total, part in zip(self._sums, self._second, strict=True))
        return (paid / volume, plain / n) if volume > 0.0 else None

    def negative_share(self) -> float | None:
        """The share of the window's trades that were better than the mid, in 0 … 1; None without a trade."""
        n = below = 0.0
        for part in (*self._seconds, self._second):
            n += part[3]
            below += part[4]
        return below / n if n else None

    def negative_share_of_all(self) -> float | None:
        """The same since the start."""
        n, below = self._sums[3] + self._second[3], self._sums[4] + self._second[4]
        return below / n if n else None

    @property
    def misaligned(self) -> bool:
        """Whether quotes and trades of the window do not fit together: the lag is wrong, or a feed is late."""
        share = self.negative_share()
        return share is not None and share > MISALIGNED_SHARE


class PriceImpact:
    """Kyle's λ: by how many ticks a unit of signed volume moves the mid, over intervals of `interval_s`.

    `line` is None below `least` intervals; a λ that is not above zero must not be used. A gap skips its interval.
    """

    __slots__ = ("_edges", "_fit", "_mid", "_signed", "interval_s", "least")

    def __init__(self, interval_s: int = 10, window: int | None = 180, least: int = 30) -> None:
        self.interval_s = interval_s
        self.least = least
        self._fit = RollingLine(window)
        self._mid: float | None = None
        self._signed = 0.0
        self._edges = 0

    def on_second(self, mid: float | None, signed: float) -> bool:
        """A second has passed: the mid at its end in ticks, the signed volume in it; whether an interval is complete.

        The first call opens the first interval: its volume belongs to no interval.
        """
        if not self._edges:
            self._edges, self._mid, self._signed = 1, mid, 0.0
            return False
        self._signed += signed
        self._edges += 1
        if (self._edges - 1) % self.interval_s:
            return False
        if mid is not None and self._mid is not None:
            self._fit.add(self._signed, mid - self._mid)
        self._mid, self._signed = mid, 0.0
        return True

    def on_reset(self) -> None:
        """What this interval held is not whole."""
        self._mid = None

    @property
    def intervals(self) -> int:
        """How many intervals the line is fitted to."""
        return self._fit.n

    @property
    def line(self) -> Line | None:
        """The line of mid change on signed volume; its slope is λ in ticks per base unit."""
        return self._fit.line() if self._fit.n >= self.least else None

    def bps_per_million(self, mid: float, tick: float) -> float | None:
        """λ in basis points per million of quote, at this mid in ticks; None while λ is."""
        line = self.line
        if line is None or mid <= 0.0:
            return None
        return line.slope / mid * 1e4 / (mid * tick) * 1e6


class Illiquidity:
    """Amihud: the mean of |log return| per quote volume of the last `window` bars, in basis points per million.

    Bars without volume are left out; they are not bars without impact. A gap skips its bar.
    """

    __slots__ = ("_bars", "_edges", "_mid", "_quoted", "interval_s")

    def __init__(self, interval_s: int = 10, window: int | None = 180) -> None:
        self.interval_s = interval_s
        self._edges = 0
        self._mid: float | None = None
        self._quoted = 0.0
        self._bars: deque[float] = deque(maxlen=window)

    def on_second(self, mid: float | None, quoted: float) -> None:
        """A second has passed: the mid at its end, what was traded in it in quote units; the first opens the grid."""
        if not self._edges:
            self._edges, self._mid, self._quoted = 1, mid, 0.0
            return
        self._quoted += quoted
        self._edges += 1
        if (self._edges - 1) % self.interval_s:
            return
        if mid is not None and self._mid is not None:
            self.add(log(mid / self._mid), self._quoted)
        self._mid, self._quoted = mid, 0.0

    def add(self, log_return: float, quote_volume: float) -> None:
        """Take a bar by its return."""
        if quote_volume > 0.0:
            self._bars.append(abs(log_return) / quote_volume * 1e10)

    def on_reset(self) -> None:
        """What this bar held is not whole."""
        self._mid = None

    @property
    def bars(self) -> int:
        """How many bars with volume are in the window."""
        return len(self._bars)

    @property
    def value(self) -> float | None:
        """Basis points per million of quote; None before the first bar with volume."""
        return sum(self._bars) / len(self._bars) if self._bars else None
