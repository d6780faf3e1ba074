"""Trades as a chart shows them: what was taken from each side within half a second, at its mean price."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from engine.flow.section import Section

WIDTH_NS = 500_000_000
BUBBLES_KEPT = 2_400


class Bubble(Struct, frozen=True, gc=False):
    """So much was bought (`side` +1), sold (-1) or traded without a known side (0) in the half second from `t_ns`.

    `price` is the mean by volume in quote units, `size` in base units.
    """

    t_ns: int
    price: float
    size: float
    side: int


class Bubbles(Section):
    """The newest 2,400, oldest first; those of the present half second are not among them yet."""

    __slots__ = ("_begin_ns", "_notional", "_sizes", "bubbles", "count")

    def __init__(self) -> None:
        self.bubbles: deque[Bubble] = deque(maxlen=BUBBLES_KEPT)
        self.count = 0
        self._begin_ns = 0
        self._sizes, self._notional = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        if t_ns - self._begin_ns >= WIDTH_NS:
            self._turn(t_ns)
        self._sizes[side] += size
        self._notional[side] += size * price

    def on_timer(self, t_ns: int) -> None:
        if t_ns - self._begin_ns >= WIDTH_NS:
            self._turn(t_ns)

    def since(self, count: int) -> list[Bubble]:
        """Those after number `count` that are still kept."""
        new = min(self.count - count, len(self.bubbles))
        return [self.bubbles[place] for place in range(len(self.bubbles) - new, len(self.bubbles))] if new > 0 else []

    def _turn(self, t_ns: int) -> None:
        for side in (1, -1, 0):
            size = self._sizes[side]
            if size > 0.0:
                self.bubbles.append(Bubble(self._begin_ns, self._notional[side] / size, size, side))
                self.count += 1
                self._sizes[side] = self._notional[side] = 0.0
        self._begin_ns = t_ns // WIDTH_NS * WIDTH_NS
