"""What order flow and trades explain of the move of the mid over a whole recording, by interval and level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.flow.book.integrated import integrate, principal
from engine.flow.book.ofi import LEVELS, BestOfi, LevelOfi
from engine.flow.book.top import TopOfBook
from engine.flow.section import Changes, Json, Section
from engine.flow.statistics.windows import RollingLine
from engine.market.book import Book

INTERVALS_S = (1, 5, 10)

Array = NDArray[np.float64]


class Second:
    """How things stood at a whole second."""

    __slots__ = ("book_mid", "breaks", "events", "flow", "levels", "mid", "ofi", "size", "t_ns")

    def __init__(
        self, t_ns: int, mid: float | None, book_mid: float | None, ofi: float, flow: float, book: LevelOfi, breaks: int
    ) -> None:
        self.t_ns, self.mid, self.book_mid, self.ofi, self.flow = t_ns, mid, book_mid, ofi, flow
        self.breaks = breaks
        """How often until then what was known did not continue."""
        self.levels, self.size, self.events = book.cumulative.copy(), book.depth_sum, book.events


class Regressions(Section):
    """What order flow and trades explain of the move of the mid, over the whole capture and by interval.

    Intervals in which something was lost are left out: what flowed in them is not known.
    """

    def __init__(self, tick: float, top: TopOfBook, ofi: BestOfi, levels: LevelOfi) -> None:
        self._tick, self._top, self._ofi, self._levels = tick, top, ofi, levels
        self._flow = 0.0
        self._breaks = 0
        self._book_mid: float | None = None
        self._seconds: list[Second] = []

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._flow += side * size

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        touch, tick = book.touch, self._tick
        self._book_mid = (round(touch[0] / tick) + round(touch[1] / tick)) / 2 if touch is not None else None

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._breaks += 1
        self._book_mid = None

    def on_timer(self, t_ns: int) -> None:
        mid, ofi = self._top.mid_ticks, self._ofi.cumulative
        self._seconds.append(Second(t_ns, mid, self._book_mid, ofi, self._flow, self._levels, self._breaks))

    def finish(self, t_ns: int) -> Json:
        return {"ofi_regression": {f"{interval}s": self._regress(interval) for interval in INTERVALS_S}}

    def _regress(self, interval: int) -> Json:
        edges = self._seconds[::interval]
        if len(edges) < 4:
            return {}
        pairs = [
            (a, b) for a, b in pairwise(edges) if a.mid is not None and b.mid is not None and a.breaks == b.breaks
        ]  # fmt: skip
        follows = np.array([a is b for (_, a), (b, _) in pairwise(pairs)], dtype=bool)
        moves = np.array([(b.mid or 0.0) - (a.mid or 0.0) for a, b in pairs])
        ofi = np.array([b.ofi - a.ofi for a, b in pairs])
        flow = np.array([b.flow - a.flow for a, b in pairs])
        found: Json = {
            "edges_first": edges[0].t_ns,
            "edges_last": edges[-1].t_ns,
            "n": len(pairs),
            "ofi_l1": fit(ofi, moves),
            "ti": fit(flow, moves),
            "ofi_ti_joint_r2": joint_r2(np.column_stack([ofi, flow]), moves),
            "lagged_ofi_l1": fit(ofi[:-1][follows], moves[1:][follows]),
            "lagged_ti": fit(flow[:-1][follows], moves[1:][follows]),
        }
        levels = self._levels_by(interval)
        if levels is None:
            return found
        flows, sizes, moves = levels
        return found | {"l2_raw": level_fits(flows, moves), "l2_norm": level_fits(flows / sizes[:, None], moves)}

    def best_r2(self, interval: int) -> float | None:
        """What the flow at the best prices explains over these intervals; None where nothing varies."""
        found = self._regress(interval).get("ofi_l1")
        return found["r2"] if found else None

    def level_r2(self, interval: int) -> list[float | None]:
        """The same of each level of the book alone; empty where there are too few intervals."""
        levels = self._levels_by(interval)
        if levels is None:
            return []
        lines = [fit(levels[0][:, level], levels[2]) for level in range(LEVELS)]
        return [line["r2"] if line else None for line in lines]

    def _levels_by(self, interval: int) -> tuple[Array, Array, Array] | None:
        """Flows by level, mean sizes and moves of the book's mid, a row per interval; None for too few of them."""
        edges = self._seconds[::interval]
        pairs = [
            (a, b) for a, b in pairwise(edges)
            if a.book_mid is not None and b.book_mid is not None and b.events > a.events and a.breaks == b.breaks
        ]  # fmt: skip
        if len(pairs) < 2 * (LEVELS + 2):
            return None
        moves = np.array([(b.book_mid or 0.0) - (a.book_mid or 0.0) for a, b in pairs])
        flows = np.array([np.subtract(b.levels, a.levels) for a, b in pairs])
        sizes = np.array([(b.size - a.size) / (b.events - a.events) for a, b in pairs])
        return flows, sizes, moves


def fit(x: Array, y: Array) -> Json | None:
    """The least-squares line in the keys of the file; None where nothing varies."""
    line = RollingLine()
    for one, other in zip(x.tolist(), y.tolist(), strict=True):
        line.add(one, other)
    found = line.line()
    if found is None:
        return None
    return {"a": found.intercept, "b": found.slope, "r2": found.r2, "t": found.t, "n": found.n}


def joint_r2(x: Array, y: Array) -> float | None:
    """The share of the variance of `y` that the columns of `x` explain together, in sample; None where it has none."""
    if not len(y):
        return None
    design = np.column_stack([np.ones(len(x)), x])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    return _r2(y, design @ weights, float(y.mean()))


def _r2(y: Array, said: Array, mean: float) -> float | None:
    total = float(((y - mean) ** 2).sum())
    return 1.0 - float(((y - said) ** 2).sum()) / total if total > 0.0 else None


def _tested(x: Array, y: Array, half: int) -> float | None:
    """R² on the second part of a line that was fitted on the first, against that part's own mean."""
    line = fit(x[:half], y[:half])
    if line is None:
        return None
    return _r2(y[half:], line["a"] + line["b"] * x[half:], float(y[:half].mean()))


def level_fits(flows: Array, moves: Array) -> Json:
    """Best level, all levels and their principal component, in sample and out of it. A row per interval."""
    weights, share = principal(flows)
    half = len(flows) // 2
    earlier, _ = principal(flows[:half])
    return {
        "n": len(flows),
        "best": fit(flows[:, 0], moves),
        "integrated": fit(integrate(flows, weights), moves),
        "multi10_r2": joint_r2(flows, moves),
        "pc1": weights.tolist(),
        "pc1_share": share,
        "oos_best_r2": _tested(flows[:, 0], moves, half),
        "oos_integrated_r2": _tested(integrate(flows, earlier), moves, half),
    }
