"""Exhaustion: a move that goes on while those who drive it trade less and less."""

from __future__ import annotations

from collections import deque

from engine.flow.detectors.detection import Detection

HALF_S = 15
DECLINE = 0.4
LEAST_BPS = 1.0
COOLDOWN_NS = 15_000_000_000


class Exhaustion:
    """On the grid of seconds, over two halves of 15 s: both move the same way, the mid ends at their extreme, at least
    1 bp from where they began, and the second half's volume of the driving side is at least 40 % below the first's.
    The event's side is that of the move. In measurements such moves go on more often than they turn."""

    __slots__ = ("_bought", "_last_ns", "_mids", "_sold")

    def __init__(self) -> None:
        self._mids: deque[float] = deque(maxlen=2 * HALF_S + 1)
        self._bought: deque[float] = deque(maxlen=2 * HALF_S)
        self._sold: deque[float] = deque(maxlen=2 * HALF_S)
        self._last_ns: int | None = None

    @property
    def warm(self) -> float:
        """How much of the two halves is there, in 0 … 1."""
        return len(self._bought) / (2 * HALF_S)

    def on_second(self, t_ns: int, mid: float | None, bought: float, sold: float) -> Detection | None:
        """Take a second: the mid at its end (None: unknown), and what was traded in it; the first opens the grid."""
        if mid is None:
            self.on_reset()
            return None
        mids = self._mids
        if mids:
            self._bought.append(bought)
            self._sold.append(sold)
        mids.append(mid)
        if len(mids) <= 2 * HALF_S:
            return None
        return self._judge(t_ns, mids[HALF_S] - mids[0], mid - mids[HALF_S])

    def on_reset(self) -> None:
        """A hole: the halves are no longer whole."""
        self._mids.clear()
        self._bought.clear()
        self._sold.clear()

    def _judge(self, t_ns: int, first: float, second: float) -> Detection | None:
        if first * second <= 0.0 or (self._last_ns is not None and t_ns - self._last_ns < COOLDOWN_NS):
            return None
        mids, side = self._mids, 1 if first > 0.0 else -1
        if mids[-1] != (max(mids) if side > 0 else min(mids)):
            return None
        if abs(first + second) / mids[0] * 1e4 < LEAST_BPS:
            return None
        volumes = list(self._bought if side > 0 else self._sold)
        before, after = sum(volumes[:HALF_S]), sum(volumes[HALF_S:])
        if before <= 0.0 or 1.0 - after / before < DECLINE:
            return None
        self._last_ns = t_ns
        evidence = {
            "first_move": first, "second_move": second, "first_volume": before, "second_volume": after,
            "decline": 1.0 - after / before,
        }  # fmt: skip
        return Detection("exhaustion", t_ns, side, after, None, evidence)
