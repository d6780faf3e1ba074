"""Delta divergence: a new extreme of the price that the volume delta does not confirm."""

from __future__ import annotations

from collections import deque
from math import sqrt

from msgspec import Struct

BARS = 20
SIGMAS = 0.5


class Divergence(Struct, frozen=True, gc=False):
    """At the close of a bar; `side` is against the price: -1 at a new high, +1 at a new low.

    `shortfall` is by how much the cumulative delta stayed behind its own extreme, in deviations of the bars' deltas.
    """

    t_ns: int
    side: int
    close: float
    shortfall: float


class DeltaDivergence:
    """Compares each bar's close and cumulative delta with those of the `bars` bars before it; None until they are
    there. Begin anew when the delta is anchored anew: `clear`."""

    __slots__ = ("_closes", "_cumulative", "_deltas", "bars", "sigmas")

    def __init__(self, bars: int = BARS, sigmas: float = SIGMAS) -> None:
        self.bars = bars
        self.sigmas = sigmas
        self._closes: deque[float] = deque(maxlen=bars)
        self._deltas: deque[float] = deque(maxlen=bars)
        self._cumulative: deque[float] = deque(maxlen=bars)

    def clear(self) -> None:
        """Forget all bars."""
        self._closes.clear()
        self._deltas.clear()
        self._cumulative.clear()

    @property
    def warm(self) -> float:
        """How many of the bars are there, in 0 … 1."""
        return len(self._closes) / self.bars

    def on_bar(self, t_ns: int, close: float, delta: float) -> Divergence | None:
        """Take a closed bar: its last price, and what was bought minus what was sold in it."""
        total = (self._cumulative[-1] if self._cumulative else 0.0) + delta
        found = self._judge(t_ns, close, total) if len(self._closes) == self.bars else None
        self._closes.append(close)
        self._deltas.append(delta)
        self._cumulative.append(total)
        return found

    def _judge(self, t_ns: int, close: float, total: float) -> Divergence | None:
        mean = sum(self._deltas) / self.bars
        sigma = sqrt(sum((delta - mean) ** 2 for delta in self._deltas) / (self.bars - 1))
        if sigma <= 0.0:
            return None
        if close > max(self._closes):
            side, behind = -1, max(self._cumulative) - total
        elif close < min(self._closes):
            side, behind = 1, total - min(self._cumulative)
        else:
            return None
        return Divergence(t_ns, side, close, behind / sigma) if behind > self.sigmas * sigma else None
