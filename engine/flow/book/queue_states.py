"""How often the best quotes go from one state (spread, queue imbalance) to another, while the mid stands or moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BUCKETS = 10
WIDEST_TICKS = 2
STRIDE = BUCKETS + 1
"""An imbalance of exactly all bid falls into a bucket of its own, which is joined to the last one when it is read."""
BESIDE = WIDEST_TICKS * STRIDE
"""Where the states begin that are not of interest: a wider spread, or none."""
WEIGHT_LIMIT = 1e9

Matrix = NDArray[np.float64]


def base_of(spread_ticks: int) -> int:
    """Where the states of this spread begin; the imbalance bucket is added to it."""
    return (spread_ticks - 1) * STRIDE if 0 < spread_ticks <= WIDEST_TICKS else BESIDE


class QueueStates:
    """Counts of transitions. Older ones weigh less by a half-life: newer ones get a `weight` that grows instead.

    `still[a][b]` counts transitions from a to b with the mid unchanged; whoever feeds it writes there directly.
    """

    __slots__ = ("_growth", "_moved", "_moves", "still", "weight")

    def __init__(self, half_life_s: float | None) -> None:
        """None: nothing is forgotten."""
        count = BESIDE + STRIDE
        self.still = [[0.0] * count for _ in range(count)]
        self._moved = [[0.0] * count for _ in range(count)]
        self._moves = [0.0] * count
        """The weighted sum of the moves of the mid out of each state, in half ticks."""
        self._growth = 2.0 ** (1.0 / half_life_s) if half_life_s else 1.0
        self.weight = 1.0

    def move(self, was: int, state: int, half_ticks: int) -> None:
        """The mid went by so many half ticks, and the state from one to the other."""
        self._moved[was][state] += self.weight
        if state < BESIDE:
            self._moves[was] += self.weight * half_ticks

    def on_second(self) -> None:
        """A second has passed."""
        self.weight *= self._growth
        if self.weight > WEIGHT_LIMIT:
            scale, self.weight = 1.0 / self.weight, 1.0
            for row in (*self.still, *self._moved, self._moves):
                row[:] = [value * scale for value in row]

    def counts(self) -> tuple[Matrix, Matrix, Matrix]:
        """Transitions with the mid still, those with it moved, and the sums of its moves in ticks, by `BUCKETS` buckets
        for each spread; in numbers of present weight.
        """
        still, moved = (_joined(np.array(rows)[:BESIDE, :BESIDE]) / self.weight for rows in (self.still, self._moved))
        moves = np.array(self._moves)[:BESIDE].reshape(WIDEST_TICKS, STRIDE)
        moves[:, BUCKETS - 1] += moves[:, BUCKETS]
        return still, moved, moves[:, :BUCKETS].reshape(-1) / 2 / self.weight


def _joined(counts: Matrix) -> Matrix:
    """The last two buckets of each spread as one, in both directions."""
    cut = counts.reshape(WIDEST_TICKS, STRIDE, WIDEST_TICKS, STRIDE).copy()
    cut[:, BUCKETS - 1] += cut[:, BUCKETS]
    cut[..., BUCKETS - 1] += cut[..., BUCKETS]
    size = WIDEST_TICKS * BUCKETS
    return np.asarray(cut[:, :BUCKETS, :, :BUCKETS].reshape(size, size))
