"""Book pressure: speaks when one side of the book outweighs the other for a while."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from engine.market.book import BookView
from engine.market.events import FeedStatus
from engine.market.signal import Direction, Signal
from strategies.base import Strategy, param


@dataclass
class BookPressure(Strategy):
    """Smooths the size imbalance of the first levels and signals when it passes `threshold`.

    The imbalance `(bid - ask) / (bid + ask)` of `depth` levels is averaged exponentially with a half-life in book time
    (never the clock). A signal is given on entering the zone; the next one in the same direction only after the
    smoothed imbalance has fallen back below `release` times the threshold and `cooldown_s` have passed.
    Source: the imbalance of the touch predicts the next mid change (Gould & Bonart 2016, "Queue imbalance as a
    one-tick-ahead price predictor in a limit order book").
    """

    name: ClassVar[str] = "book_pressure"

    depth: int = param(10, low=1, high=50, help="Levels per side that count")
    threshold: float = param(0.6, low=0.05, high=0.95, help="Smoothed imbalance that gives a signal (0 … 1)")
    half_life_s: float = param(0.5, low=0.05, high=30.0, help="Half-life of the smoothing in seconds")
    release: float = param(0.5, low=0.0, high=1.0, help="Share of the threshold below which the zone is left")
    cooldown_s: float = param(2.0, low=0.0, high=300.0, help="Least seconds between two signals")

    _smoothed: float | None = field(default=None, init=False)
    _last_ns: int = field(default=0, init=False)
    _zone: int = field(default=0, init=False)
    _spoke_ns: int | None = field(default=None, init=False)

    def on_book(self, book: BookView) -> Iterable[Signal]:
        imbalance, mid = book.imbalance(self.depth), book.mid
        if imbalance is None or mid is None:
            return
        smoothed = self._smooth(imbalance, book.received_ns)
        if abs(smoothed) < self.threshold * self.release:
            self._zone = 0
        side = 1 if smoothed >= self.threshold else -1 if smoothed <= -self.threshold else 0
        if side == 0 or side == self._zone or not self._rested(book.received_ns):
            return
        self._zone = side
        self._spoke_ns = book.received_ns
        direction: Direction = "buy" if side > 0 else "sell"
        reason = f"imbalance of {self.depth} levels {smoothed:+.2f}, threshold {self.threshold:.2f}"
        strength = min(1.0, abs(smoothed))
        yield Signal(
            self.name, book.venue, book.symbol, direction, strength, mid, book.received_ns, reason, source=book.source
        )

    def on_status(self, status: FeedStatus) -> None:
        if not status.state.has_data:
            self._smoothed = None
            self._zone = 0

    def readings(self) -> Mapping[str, float]:
        return {} if self._smoothed is None else {"smoothed imbalance": self._smoothed}

    def _smooth(self, imbalance: float, now_ns: int) -> float:
        if self._smoothed is None:
            self._smoothed = imbalance
        else:
            elapsed_s = max(0, now_ns - self._last_ns) / 1e9
            keep = 0.5 ** (elapsed_s / self.half_life_s)
            self._smoothed = keep * self._smoothed + (1.0 - keep) * imbalance
        self._last_ns = now_ns
        return self._smoothed

    def _rested(self, now_ns: int) -> bool:
        return self._spoke_ns is None or (now_ns - self._spoke_ns) / 1e9 >= self.cooldown_s
