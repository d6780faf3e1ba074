"""What is lost when quotes are looked at now and then instead of all, and when one enters later than one decides."""

from __future__ import annotations

from array import array
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.flow.book.top import TopOfBook, ask_flow, bid_flow
from engine.flow.section import SECOND_NS, Json, Section
from engine.flow.statistics.inference import rank_correlation
from engine.flow_export.regressions import Regressions, fit

STEPS_S = (0.1, 0.5, 1.0, 2.0, 5.0)
DELAYS_S = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
INTERVAL_S = 10
LAST_EDGES = 3
"""Whole seconds at the end that have no return of a second after the longest delay."""

Array = NDArray[np.float64]


class Sampling(Section):
    """Every best quote of a recording, and what its samples would have said."""

    def __init__(self, top: TopOfBook, regressions: Regressions) -> None:
        """`top` stands before this section and is up to date."""
        self._top, self._regressions = top, regressions
        self._times = array("q")
        self._quotes = [array("d") for _ in range(4)]
        self._edges: list[int] = []

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        top = self._top
        if not top.state.two_sided:
            return
        self._times.append(t_ns)
        for kept, value in zip(self._quotes, (top.bid_ticks, bid_size, top.ask_ticks, ask_size), strict=True):
            kept.append(value)

    def on_timer(self, t_ns: int) -> None:
        self._edges.append(t_ns)

    def report(self) -> Json:
        """R² of the impact line by how often one samples, of each level, and the rank correlation by delay."""
        if len(self._edges) <= 2 * INTERVAL_S:
            return {}
        found: Json = {
            "ofi_r2_10s_by_sampling": {"event": self._regressions.best_r2(INTERVAL_S)}
            | {f"{step:g}s": self._sampled(step) for step in STEPS_S},
            "queue_imbalance_ic_1s_by_entry_delay": {f"{delay:g}s": self._delayed(delay) for delay in DELAYS_S},
        }
        levels = self._regressions.level_r2(INTERVAL_S)
        return found | ({"ofi_r2_10s_by_level": levels} if levels else {})

    def _at(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the last quote that is not later than each of these times."""
        return np.searchsorted(np.frombuffer(self._times, dtype=np.int64), times, side="right") - 1

    def _sampled(self, step_s: float) -> float | None:
        step = round(step_s * SECOND_NS)
        grid = np.arange(self._edges[0], self._times[-1] + 1, step)
        places = self._at(grid).tolist()
        bids, bid_sizes, asks, ask_sizes = self._quotes
        flows = [
            bid_flow(bids[a], bid_sizes[a], bids[b], bid_sizes[b])
            - ask_flow(asks[a], ask_sizes[a], asks[b], ask_sizes[b])
            for a, b in pairwise(places)
        ]
        each = round(INTERVAL_S * SECOND_NS / step)
        count = len(flows) // each
        sums = np.array(flows[: count * each]).reshape(count, each).sum(axis=1)
        mids = np.array([(bids[place] + asks[place]) / 2 for place in places[: count * each + 1 : each]])
        line = fit(sums, np.diff(mids))
        return line["r2"] if line is not None else None

    def _delayed(self, delay_s: float) -> Json:
        edges = np.array(self._edges[:-LAST_EDGES])
        bids, bid_sizes, asks, ask_sizes = (np.frombuffer(kept) for kept in self._quotes)
        mids = (bids + asks) / 2
        now, entry = self._at(edges), edges + round(delay_s * SECOND_NS)
        imbalance = (bid_sizes[now] - ask_sizes[now]) / (bid_sizes[now] + ask_sizes[now])
        entered, left = mids[self._at(entry)], mids[self._at(entry + SECOND_NS)]
        return {"ic": rank_correlation(imbalance, (left - entered) / entered), "n": len(edges)}
