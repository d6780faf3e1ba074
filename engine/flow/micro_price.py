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

from engine.flow.section import Section
from engine.flow.top import TopOfBook

BUCKETS = 10
WIDEST_TICKS = 2
HALF_LIFE_S = 1800
SOLVE_EVERY_S = 30
MOVES_NEEDED = 500
VISITS_NEEDED = 30
WEIGHT_LIMIT = 1e9

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
    """Counts how the best quotes go from state to state, forgets with a half-life, and solves now and then."""

    __slots__ = (
        "_growth", "_mid2", "_moved", "_moves", "_seconds", "_still", "_top", "_visits", "_was", "_weight",
        "adjustments", "moves", "transitions",
    )  # fmt: skip

    def __init__(self, top: TopOfBook, half_life_s: float | None = HALF_LIFE_S) -> None:
        """`top` stands before this section and is up to date. None: nothing is forgotten."""
        count = BUCKETS * WIDEST_TICKS
        self._top = top
        self._still = [[0.0] * count for _ in range(count)]
        self._moved = [[0.0] * count for _ in range(count)]
        self._moves = [0.0] * count
        """The weighted sum of the moves of the mid out of each state, in half ticks."""
        self._visits = [0] * count
        self._growth = 2.0 ** (1.0 / half_life_s) if half_life_s else 1.0
        self._weight = 1.0
        self._was = -1
        self._mid2 = 0
        self._seconds = 0
        self.moves = self.transitions = 0
        self.adjustments: Adjustments | None = None

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        top = self._top
        bid_ticks, ask_ticks = top.bid_ticks, top.ask_ticks
        spread = ask_ticks - bid_ticks
        total = bid_size + ask_size
        if not (0 < spread <= WIDEST_TICKS and total > 0.0):
            self._was = -1
            return
        bucket = int(BUCKETS * bid_size / total)
        state = (spread - 1) * BUCKETS + (bucket if bucket < BUCKETS else BUCKETS - 1)
        was, mid2 = self._was, bid_ticks + ask_ticks
        if was >= 0:
            self.transitions += 1
            if mid2 == self._mid2:
                self._still[was][state] += self._weight
            else:
                self.moves += 1
                self._moved[was][state] += self._weight
                self._moves[was] += self._weight * (mid2 - self._mid2)
            self._visits[was] += 1
        self._was, self._mid2 = state, mid2

    def on_timer(self, t_ns: int) -> None:
        self._weight *= self._growth
        if self._weight > WEIGHT_LIMIT:
            self._shrink()
        self._seconds += 1
        if self._seconds >= SOLVE_EVERY_S and self.moves >= MOVES_NEEDED:
            self._seconds = 0
            self.adjustments = self.solve()

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._was = -1

    def solve(self) -> Adjustments | None:
        """The adjustments by what has been counted; every transition counts with its mirror image."""
        count = BUCKETS * WIDEST_TICKS
        mirror = [state // BUCKETS * BUCKETS + BUCKETS - 1 - state % BUCKETS for state in range(count)]
        still, moved, moves = np.array(self._still), np.array(self._moved), np.array(self._moves) / 2
        exchange = np.ix_(mirror, mirror)
        still, moved, moves = still + still[exchange], moved + moved[exchange], moves - moves[mirror]
        visits = still.sum(axis=1) + moved.sum(axis=1)
        visits[visits == 0.0] = 1.0
        try:
            return solve(still / visits[:, None], moved / visits[:, None], moves / visits, mirror)
        except np.linalg.LinAlgError:
            return None  # some states are never left by a move of the mid

    def adjustment(self) -> float | None:
        """What to add to the mid now, in ticks; None while too little is known, or the spread is too wide."""
        state, found = self._was, self.adjustments
        if found is None or state < 0:
            return None
        mirrored = state // BUCKETS * BUCKETS + BUCKETS - 1 - state % BUCKETS
        if self._visits[state] + self._visits[mirrored] < VISITS_NEEDED:
            return None
        return found.final[state]

    def _shrink(self) -> None:
        """Bring the growing weight of new counts back to 1."""
        scale, self._weight = 1.0 / self._weight, 1.0
        for row in (*self._still, *self._moved, self._moves):
            row[:] = [value * scale for value in row]
