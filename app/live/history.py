"""What a panel that opens late still gets to see of one feed: bounded runs of points, trades, signals and gaps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from engine.feed.mailbox import Point
from engine.market.events import FeedState, FeedStatus, Trade
from engine.market.signal import Signal

FINE_POINTS = 600
COARSE_POINTS = 400
COARSE_EVERY_NS = 1_000_000_000
TRADES_KEPT = 500
SIGNALS_KEPT = 200
GAPS_KEPT = 50
BACK_NS = 1_000_000_000
"""Time that runs back by more than this means that a recording is played from another place."""


class History:
    """At most 1000 price points: the newest 600 as they came, before those one per second. Written by one thread."""

    def __init__(self) -> None:
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.trade_count = 0
        self.beginnings = 0
        """How often everything was forgotten because time ran back."""
        self.signals: deque[Signal] = deque(maxlen=SIGNALS_KEPT)
        self.gaps: deque[tuple[int, int | None]] = deque(maxlen=GAPS_KEPT)
        self._fine: deque[Point] = deque()
        self._coarse: deque[Point] = deque(maxlen=COARSE_POINTS)

    def points(self) -> list[Point]:
        """All that is kept, oldest first."""
        return [*self._coarse, *self._fine]

    def last_points(self, limit: int) -> list[Point]:
        """The newest `limit` points as they came (at most 600), oldest first."""
        fine = self._fine
        return list(fine) if len(fine) <= limit else [fine[i] for i in range(len(fine) - limit, len(fine))]

    def add_points(self, points: Iterable[Point]) -> list[Point]:
        """Keep points; gives back those that are news (a time that was there already is not)."""
        fine, coarse = self._fine, self._coarse
        fresh: list[Point] = []
        for point in points:
            if fine and point.received_ns <= fine[-1].received_ns:
                if point.received_ns > fine[-1].received_ns - BACK_NS:
                    continue
                self._begin_again()
                fresh.clear()
            fine.append(point)
            fresh.append(point)
            if len(fine) > FINE_POINTS:
                oldest = fine.popleft()
                if not coarse or oldest.received_ns - coarse[-1].received_ns >= COARSE_EVERY_NS:
                    coarse.append(oldest)
        return fresh

    def _begin_again(self) -> None:
        """What was known lies in the future now."""
        self.beginnings += 1
        for kept in (self._fine, self._coarse, self.trades, self.signals, self.gaps):
            kept.clear()

    def add_trades(self, trades: Sequence[Trade]) -> None:
        self.trades.extend(trades)
        self.trade_count += len(trades)

    def observe_status(self, status: FeedStatus, last_ns: int | None) -> bool:
        """Open or close a gap; True when the list of gaps changed. Before the first point nothing is missing."""
        gaps = self.gaps
        is_open = bool(gaps) and gaps[-1][1] is None
        if status.state.has_data:
            if is_open:
                gaps[-1] = (gaps[-1][0], status.received_ns)
            return is_open
        if is_open or not self._fine:
            return False
        # Silence began with the last word, not when it was noticed.
        silent = status.state is FeedState.STALE and last_ns is not None
        gaps.append((last_ns if silent and last_ns is not None else status.received_ns, None))
        return True

    def add_gap(self, start_ns: int, end_ns: int) -> None:
        """Note a time in which nobody was listening."""
        if self._fine and not (self.gaps and self.gaps[-1][1] is None):
            self.gaps.append((start_ns, end_ns))
