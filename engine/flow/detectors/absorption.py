"""Absorption: strong one-sided flow that does not move the price as it usually does."""

from __future__ import annotations

from collections import deque

from engine.flow.detectors.detection import Detection
from engine.flow.statistics.windows import RollingLine, SortedWindow

FLOW_S = 10
MEMORY_S = 120
LEAST = 60
QUANTILE = 0.9
PROGRESS = 0.10
COOLDOWN_NS = 10_000_000_000


class Absorption:
    """On the grid of seconds. λ is the slope of the mid's change on signed volume in the last 120 seconds (at least
    60); the signed volume of 10 s must reach the 0.9 quantile of its last 120 values, and have moved the mid by no more
    than a tenth of what λ makes of it. The event's side is that of the flow; the opinion is against it."""

    __slots__ = ("_fit", "_flow", "_last_ns", "_mids", "_signed", "progress")

    def __init__(self) -> None:
        self._fit = RollingLine(MEMORY_S)
        self._signed: deque[float] = deque(maxlen=FLOW_S)
        self._mids: deque[float] = deque(maxlen=FLOW_S + 1)
        self._flow = SortedWindow(MEMORY_S)
        self._last_ns: dict[int, int] = {}
        self.progress: float | None = None
        """How far the flow of the last 10 s has moved the mid, of what it usually does; None while not known."""

    @property
    def warm(self) -> float:
        """How much of what it needs first is there, in 0 … 1."""
        return min(len(self._flow) / LEAST, self._fit.n / LEAST, 1.0)

    def on_second(self, t_ns: int, mid: float | None, signed: float) -> Detection | None:
        """Take a second: the mid at its end in ticks (None: unknown), the signed volume in it.

        The first mid opens the grid; the volume that comes with it belongs to no second.
        """
        self.progress = None
        if mid is None:
            self.on_reset()
            return None
        mids = self._mids
        if not mids:
            mids.append(mid)
            return None
        self._fit.add(signed, mid - mids[-1])
        self._signed.append(signed)
        mids.append(mid)
        if len(mids) <= FLOW_S:
            return None
        flow = sum(self._signed)
        found = self._judge(t_ns, flow, mid - mids[0])
        self._flow.add(abs(flow))
        return found

    def on_reset(self) -> None:
        """A hole: the seconds around it are not neighbours. What was learned before it stays."""
        self._mids.clear()
        self._signed.clear()

    def _judge(self, t_ns: int, flow: float, moved: float) -> Detection | None:
        if len(self._flow) < LEAST or self._fit.n < LEAST or flow == 0.0:
            return None
        line, threshold = self._fit.line(), self._flow.quantile(QUANTILE)
        if line is None or threshold is None or line.slope <= 0.0:
            return None
        side = 1 if flow > 0.0 else -1
        self.progress = progress = side * moved / (line.slope * abs(flow))
        if abs(flow) < threshold or progress > PROGRESS:
            return None
        last = self._last_ns.get(side)
        if last is not None and t_ns - last < COOLDOWN_NS:
            return None
        self._last_ns[side] = t_ns
        evidence = {
            "progress": progress, "moved_ticks": moved, "ticks_per_unit": line.slope, "threshold": threshold,
            "flow": flow, "percentile": self._flow.share_up_to(abs(flow)) or 0.0,
        }  # fmt: skip
        return Detection("absorption", t_ns, side, abs(flow), None, evidence)
