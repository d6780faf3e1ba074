"""Quote flicker: a best price leaves and is back at once. It says nothing of intent."""

from __future__ import annotations

from collections import deque

from engine.flow.book.top import TopOfBook
from engine.flow.section import Section

WITHIN_NS = 250_000_000
WINDOW_S = 60


class FlickerSide:
    """One side's best price. `changes` and `flickers` since the beginning."""

    __slots__ = ("_before", "_changed_ns", "_price", "changes", "flickers")

    def __init__(self) -> None:
        self.changes = self.flickers = 0
        self._price = self._before = 0.0
        self._changed_ns = 0

    def move(self, t_ns: int, price: float) -> None:
        """The best price has become another one."""
        known = self._price
        if known:
            self.changes += 1
            if price == self._before and t_ns - self._changed_ns <= WITHIN_NS:
                self.flickers += 1
            self._before, self._changed_ns = known, t_ns
        self._price = price

    def forget(self) -> None:
        self._price = self._before = 0.0
        self._changed_ns = 0


class Flicker(Section):
    """How often each best price was left and taken again within 250 ms, by single steps."""

    __slots__ = ("_ask", "_bid", "_marks", "asks", "bids")

    def __init__(self, top: TopOfBook, window_s: int = WINDOW_S) -> None:
        """Listens to `top`."""
        top.listeners.append(self.on_touch)
        self.bids, self.asks = FlickerSide(), FlickerSide()
        self._bid = self._ask = 0.0
        self._marks: deque[tuple[int, int, int, int]] = deque(maxlen=window_s + 1)

    def on_touch(self, t_ns: int, bid: float, ask: float) -> None:
        """A best price has changed."""
        if bid != self._bid:
            self._bid = bid
            self.bids.move(t_ns, bid)
        if ask != self._ask:
            self._ask = ask
            self.asks.move(t_ns, ask)

    def on_timer(self, t_ns: int) -> None:
        self._marks.append((self.bids.changes, self.bids.flickers, self.asks.changes, self.asks.flickers))

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._bid = self._ask = 0.0
        self.bids.forget()
        self.asks.forget()
        self._marks.clear()

    def rates(self) -> tuple[float | None, float | None]:
        """The share of the changes of the last minute that were flickers, of bids and of asks, in 0 … 1.

        None for the first minute, and where nothing changed.
        """
        marks = self._marks
        if len(marks) < (marks.maxlen or 0):
            return None, None
        bids, asks = self.bids.changes - marks[0][0], self.asks.changes - marks[0][2]
        return (
            (self.bids.flickers - marks[0][1]) / bids if bids else None,
            (self.asks.flickers - marks[0][3]) / asks if asks else None,
        )
