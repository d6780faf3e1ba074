"""The median by time of a step function, exact, and cheap where only a bound of it is needed."""

from __future__ import annotations

from array import array
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

COMPACT_AFTER = 4096
"""Steps left behind before the arrays are cut to what is still in the window."""


class TimeMedian:
    """A step function with any values over the last `window_ns`; NaN stands for time in which it is not known.

    The smallest value whose cumulated duration reaches half. A step costs an append; the median is worked out when it
    is asked for. `ceiling` bounds it by what was worked out last: in `u` ns the window loses and gains at most `u`.
    """

    __slots__ = ("_cumulated", "_evaluated_ns", "_head", "_ordered", "_starts", "_values", "window_ns")

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self._starts = array("q")
        self._values = array("d")
        self._head = 0
        self._evaluated_ns = 0
        self._ordered: list[float] = []
        self._cumulated: list[int] = []

    def hold(self, t_ns: int, value: float) -> None:
        """From `t_ns` on the function has this value (NaN: unknown)."""
        self._starts.append(t_ns)
        self._values.append(value)
        if len(self._starts) - self._head > COMPACT_AFTER:
            self._leave_behind(t_ns)

    def median(self, t_ns: int) -> tuple[float | None, int]:
        """The median as of `t_ns` (None while nothing is known) and for how many ns of the window it is known."""
        values, lasted = self._window(t_ns)
        order = np.argsort(values, kind="stable")
        cumulated = np.cumsum(lasted[order])
        self._evaluated_ns = t_ns
        self._ordered, self._cumulated = values[order].tolist(), cumulated.tolist()
        if not self._cumulated or not self._cumulated[-1]:
            return None, 0
        total = self._cumulated[-1]
        return self._ordered[bisect_left(self._cumulated, (total + 1) // 2)], total

    def ceiling(self, t_ns: int) -> float | None:
        """What the median cannot be above at `t_ns`, by the last evaluation; None when that is too long ago."""
        if not self._cumulated:
            return None
        passed = t_ns - self._evaluated_ns
        needed = (self._cumulated[-1] + 3 * passed + 1) // 2
        place = bisect_left(self._cumulated, needed)
        return self._ordered[place] if place < len(self._ordered) else None

    def _window(self, t_ns: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Values and durations of the known steps that reach into the window."""
        self._leave_behind(t_ns)
        # Copies: an array that is looked at through a buffer cannot grow.
        starts = np.array(self._starts[self._head :], dtype=np.int64)
        values = np.array(self._values[self._head :], dtype=np.float64)
        ends = np.append(starts[1:], t_ns)
        lasted = ends - np.maximum(starts, t_ns - self.window_ns)
        known = ~np.isnan(values) & (lasted > 0)
        return values[known], lasted[known]

    def _leave_behind(self, t_ns: int) -> None:
        """Step over what ended before the window, and now and then forget it."""
        starts, head, begin = self._starts, self._head, t_ns - self.window_ns
        if len(starts) > head + 1 and starts[head + 1] <= begin:
            head = max(head, bisect_left(starts, begin + 1, head) - 1)
        if head > COMPACT_AFTER:
            del self._starts[:head], self._values[:head]
            head = 0
        self._head = head
