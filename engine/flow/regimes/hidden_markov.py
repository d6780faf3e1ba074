"""Calm or excited? A two-state hidden Markov model of returns with zero mean.

Only the forward filter runs on live data: what it says of a moment never changes afterwards. Parameters are fitted
apart from it on at least four hours; on minutes the fit degenerates (states that never end).

Source: Hamilton, Econometrica 57 (1989) 357-384; Baum-Welch for the fit.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS_S = (1, 2, 5, 10, 20)
"""Steps that are tried, shortest first."""
MOST_ZEROS = 0.25
LEAST_RETURNS = 20
FLOOR_SHARE = 0.25
SMALLEST = 1e-9
_ROOT = math.sqrt(2.0 * math.pi)


class TwoStateModel(Struct, frozen=True):
    """Probabilities of moving between the states, their volatilities in the unit of the returns, and of the start.

    State 1 is the calm one (smaller sigma), state 2 the excited one.
    """

    moves: tuple[tuple[float, float], tuple[float, float]]
    sigma: tuple[float, float]
    start: tuple[float, float]


class TwoStateFilter:
    """The probability of the excited state after each return, from the past alone; four multiplications per step."""

    __slots__ = ("_first", "_model", "_second", "log_likelihood", "steps")

    def __init__(self, model: TwoStateModel) -> None:
        self._model = model
        self.clear()

    def clear(self) -> None:
        """Forget what was seen; the next return is the first."""
        self._first, self._second = self._model.start
        self.log_likelihood = 0.0
        self.steps = 0

    def add(self, change: float) -> float:
        """Take a return; the probability of the excited state, 0 … 1."""
        model = self._model
        first, second = self._first, self._second
        if self.steps:
            (stay, leave), (back, remain) = model.moves
            first, second = first * stay + second * back, first * leave + second * remain
        calm, excited = model.sigma
        first *= math.exp(-0.5 * (change / calm) ** 2) / calm
        second *= math.exp(-0.5 * (change / excited) ** 2) / excited
        total = first + second
        if total > 0.0:
            self._first, self._second = first / total, second / total
            self.log_likelihood += math.log(total / _ROOT)
        else:  # so far out that both densities are zero: only the excited state can have made it
            self._first, self._second = 0.0, 1.0
        self.steps += 1
        return self._second

    @property
    def probability(self) -> float | None:
        """Of the excited state; None before the first return."""
        return self._second if self.steps else None


def choose_step(mids: Array) -> tuple[int, Array] | None:
    """The shortest step of 1 s mids at which fewer than a quarter of the returns are zero, and those in bps.

    None where even the longest has more, and below 20 returns. `mids` has one value per second.
    """
    logs = np.log(mids)
    for step in STEPS_S:
        changes = np.diff(logs[::step]) * 10_000.0
        if len(changes) >= LEAST_RETURNS and np.mean(changes == 0.0) < MOST_ZEROS:
            return step, changes
    return None


def sigma_floor(changes: Array) -> float:
    """The least volatility that a state may have: a quarter of the median return that is not zero."""
    return FLOOR_SHARE * float(np.median(np.abs(changes[changes != 0.0])))


def fit(changes: Array, floor: float, rounds: int = 500, tolerance: float = 1e-7) -> TwoStateModel:
    """Maximum likelihood by expectation and maximisation, begun at half and one and a half standard deviations.

    `floor` is the least sigma. Ends after `rounds`, or once a round gains less than `tolerance` of the log likelihood.
    """
    sigma = np.maximum(float(np.std(changes)) * np.array([0.5, 1.5]), floor)
    moves, start = np.array([[0.95, 0.05], [0.05, 0.95]]), np.array([0.5, 0.5])
    last = -math.inf
    for _ in range(rounds):
        moves, sigma, start, reached = _round(changes, moves, sigma, start, floor)
        if abs(reached - last) < tolerance * abs(reached):
            break
        last = reached
    if sigma[0] > sigma[1]:
        moves, sigma, start = moves[::-1, ::-1], sigma[::-1], start[::-1]
    return TwoStateModel(
        ((float(moves[0, 0]), float(moves[0, 1])), (float(moves[1, 0]), float(moves[1, 1]))),
        (float(sigma[0]), float(sigma[1])), (float(start[0]), float(start[1])),
    )  # fmt: skip


def _round(changes: Array, moves: Array, sigma: Array, start: Array, floor: float) -> tuple[Array, Array, Array, float]:
    """One step of expectation and maximisation; the log likelihood is that of the parameters that went in."""
    count = len(changes)
    density = np.exp(-0.5 * (changes[:, None] / sigma) ** 2) / (sigma * _ROOT)
    forward, backward, scale = np.empty((count, 2)), np.ones((count, 2)), np.empty(count)
    state = start * density[0]
    for step in range(count):
        if step:
            state = (forward[step - 1] @ moves) * density[step]
        scale[step] = max(float(state.sum()), 1e-300)
        forward[step] = state / scale[step]
    for step in range(count - 2, -1, -1):
        backward[step] = moves @ (density[step + 1] * backward[step + 1]) / scale[step + 1]
    weight = forward * backward
    weight /= weight.sum(axis=1, keepdims=True)
    pairs = moves * (forward[:-1].T @ (density[1:] * backward[1:] / scale[1:, None]))
    new_moves = pairs / pairs.sum(axis=1, keepdims=True)
    new_sigma = np.maximum(np.sqrt(weight.T @ changes**2 / weight.sum(axis=0)), floor)
    new_start = np.maximum(weight[0], SMALLEST)
    return new_moves, new_sigma, new_start / new_start.sum(), float(np.log(scale).sum())
