"""How far trading moves the price: Kyle's λ and Amihud's measure.

Kyle 1985 (Econometrica 53:1315), Amihud 2002 (JFM 5:31).
"""

from __future__ import annotations

from collections import deque
from math import log

from engine.flow.statistics.windows import Line, RollingLine


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
