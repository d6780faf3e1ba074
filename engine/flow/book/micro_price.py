"""The micro-price: what the mid is expected to become in the long run, given queue imbalance and spread.

It is no forecast of the next event, and where the tick is small it lies far outside the spread. Quotes are sampled at
every event here, in the source at fixed times: the adjustments come out larger.

Source: Stoikov (2018), "The micro-price".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.flow.book.queue_states import BUCKETS, WIDEST_TICKS
from engine.flow.book.top import TopOfBook
from engine.flow.readings import Quality, Reading
from engine.flow.section import Section

SOLVE_EVERY_S = 30
MOVES_NEEDED = 500
VISITS_NEEDED = 30

Matrix = NDArray[np.float64]


class Adjustments(Struct, frozen=True):
    """By state (spread first, then imbalance bucket from all ask to all bid), in ticks to be added to the mid.

    `first` is the expected size of the next move of the mid, `final` of all moves to come.
    """

    first: Sequence[float]
    final: Sequence[float]


def solve(still: Matrix, moving: Matrix, expected: Matrix, mirror: Sequence[int]) -> Adjustments | None:
    """Adjustments from the probabilities of going from state to state while the mid stands still or moves.

    `expected` is the mean move of the mid in one step out of each state, `mirror` the state with the sides exchanged;
    the three must be symmetric under it. None where the sum over all moves to come does not converge.
    """
    count = len(expected)
    identity = np.eye(count)
    first = np.linalg.solve(identity - still, expected)
    passed_on = np.linalg.solve(identity - still, moving)
    # The adjustment is odd under exchange of the sides: solved for one half, where the sum converges.
    half = [state for state in range(count) if state < mirror[state]]
    other = [mirror[state] for state in half]
    kernel = passed_on[np.ix_(half, half)] - passed_on[np.ix_(half, other)]
    if len(half) and max(abs(np.linalg.eigvals(kernel))) >= 1.0:
        return None
    final = np.zeros(count)
    final[half] = np.linalg.solve(np.eye(len(half)) - kernel, first[half])
    final[other] = -final[half]
    return Adjustments(first.tolist(), final.tolist())


class MicroPrice(Section):
    """Solves now and then for what the quotes' states have been counted to lead to."""

    __slots__ = ("_seconds", "_top", "_visits", "adjustments")

    def __init__(self, top: TopOfBook) -> None:
        """`top` counts the states."""
        self._top = top
        self._seconds = 0
        self._visits: Sequence[float] = ()
        self.adjustments: Adjustments | None = None

    def on_timer(self, t_ns: int) -> None:
        self._seconds += 1
        if self._seconds >= SOLVE_EVERY_S:
            self._seconds = 0
            self.adjustments = self.solve(MOVES_NEEDED)

    def solve(self, moves_needed: int = 1) -> Adjustments | None:
        """The adjustments by what has been counted; every transition counts with its mirror image."""
        still, moved, moves = self._top.states.counts()
        if moved.sum() < moves_needed:
            return None
        mirror = [_mirror(state) for state in range(len(moves))]
        exchange = np.ix_(mirror, mirror)
        still, moved, moves = still + still[exchange], moved + moved[exchange], moves - moves[mirror]
        visits = still.sum(axis=1) + moved.sum(axis=1)
        self._visits = visits.tolist()
        visits[visits == 0.0] = 1.0
        try:
            return solve(still / visits[:, None], moved / visits[:, None], moves / visits, mirror)
        except np.linalg.LinAlgError:
            return None  # some states are never left by a move of the mid

    @property
    def transitions(self) -> float:
        """How many transitions have been counted, without their mirror images."""
        still, moved, _ = self._top.states.counts()
        return float(still.sum() + moved.sum())

    def adjustment(self) -> float | None:
        """What to add to the mid now, in ticks; None while too little is known, or the spread is too wide."""
        top, found = self._top, self.adjustments
        spread, total = top.spread_ticks, top.bid_size + top.ask_size
        if found is None or spread is None or not (0 < spread <= WIDEST_TICKS and total > 0.0):
            return None
        bucket = min(int(BUCKETS * top.bid_size / total), BUCKETS - 1)
        state = (spread - 1) * BUCKETS + bucket
        return found.final[state] if self._visits[state] >= VISITS_NEEDED else None

    def reading(self, t_ns: int) -> Reading:
        """The micro-price in quote units; where it is not known the weighted mid, marked as estimated."""
        top, adjustment = self._top, self.adjustment()
        mid = top.mid_ticks
        if mid is not None and adjustment is not None:
            return Reading((mid + adjustment) * top.tick, top.t_ns, state=top.state_at(t_ns))
        weighted = top.weighted_mid_ticks
        value = None if weighted is None else weighted * top.tick
        return Reading(value, top.t_ns, Quality.ESTIMATED, 0.0, top.state_at(t_ns))


def _mirror(state: int) -> int:
    return state // BUCKETS * BUCKETS + BUCKETS - 1 - state % BUCKETS
