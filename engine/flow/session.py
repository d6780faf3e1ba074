"""The session since its anchor: footprint bars of one minute, the volume profile, and divergences at their closes."""

from __future__ import annotations

from collections import deque

from engine.flow.detectors.detection import Detection
from engine.flow.detectors.divergence import DeltaDivergence
from engine.flow.trades.footprint import Footprint, nice_bin
from engine.flow.trades.profile import ValueArea, value_area
from engine.flow.trades.volumes import DAY_NS

MINUTE_NS = 60 * 1_000_000_000
BARS_KEPT = 240


class Session:
    """Anchored at each UTC midnight, or by `anchor`. The bin is the nice number of ticks nearest to 1 bp of the first
    price, and stays for the session: bars and profile share it."""

    __slots__ = (
        "_closed", "_day", "_first", "_interrupted", "_missing", "bar", "bar_ns", "bars", "bin_ticks", "divergence",
        "tick",
    )  # fmt: skip

    def __init__(self, tick: float, bar_ns: int = MINUTE_NS, bin_ticks: int | None = None) -> None:
        self.tick = tick
        self.bar_ns = bar_ns
        self.bin_ticks = bin_ticks
        self.bars: deque[tuple[int, Footprint]] = deque(maxlen=BARS_KEPT)
        """(time of the close, bar) of closed bars, oldest first; minutes without a trade leave none."""
        self.bar: Footprint | None = None
        """The bar that is open; None before the first trade and after a close."""
        self.divergence = DeltaDivergence()
        self._closed: dict[int, float] = {}
        """Volume by bin in the closed bars of the session."""
        self._day = -1
        self._first = bin_ticks is None
        self._missing = 0
        self._interrupted = False

    @property
    def partial(self) -> bool:
        """Whether trades of the session are missing, or may be."""
        return self._missing > 0 or self._interrupted

    def gap(self, missing: int) -> None:
        """So many trades were lost; below zero: so many of them came after all."""
        self._missing = max(self._missing + missing, 0)

    def interrupt(self) -> None:
        """The stream was lost within the session: nobody knows how many trades there were."""
        self._interrupted = self._day >= 0

    def on_second(self, t_ns: int, last: float | None) -> Detection | None:
        """A second has passed; at the end of a bar, the divergence that its close shows. `last` is the last price."""
        if t_ns % self.bar_ns:
            return None
        bar, self.bar = self.bar, None
        if bar is None:
            return None
        for place, cell in bar.cells.items():
            self._closed[place] = self._closed.get(place, 0.0) + cell.total
        self.bars.append((t_ns, bar))
        if last is None:
            return None
        found = self.divergence.on_bar(t_ns, last, bar.delta)
        if found is None:
            return None
        evidence = {"shortfall": found.shortfall}
        return Detection("delta_divergence", t_ns, found.side, 0.0, found.close * self.tick, evidence)

    def anchor(self) -> None:
        """Begin a new session: profile and divergence start from nothing."""
        self._closed = {}
        self._missing, self._interrupted = 0, False
        self.bar = None
        self.divergence.clear()
        if self._first:
            self.bin_ticks = None

    def profile(self) -> dict[int, float]:
        """Volume by bin since the anchor."""
        volumes = dict(self._closed)
        for place, cell in (self.bar.cells if self.bar is not None else {}).items():
            volumes[place] = volumes.get(place, 0.0) + cell.total
        return volumes

    def area(self) -> ValueArea | None:
        """Point of control and value area of the session; None before the first trade."""
        return value_area(self.profile())

    def open(self, t_ns: int, price: float) -> Footprint:
        """The bar for a trade at this price in ticks, the first since the last close."""
        day = t_ns // DAY_NS
        if day != self._day:
            if self._day >= 0:
                self.anchor()
            self._day = day
        if self.bin_ticks is None:
            self.bin_ticks = nice_bin(price)
        bar = self.bar = Footprint(self.bin_ticks)
        return bar
