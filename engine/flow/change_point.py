"""When did the market last change its character? Bayesian online change points over a series of volatilities.

Feed it log volatility of blocks, not returns: with raw returns it fires at every fat tail.

Source: Adams & MacKay, arXiv 0710.3742 (2007), with a normal-inverse-gamma prior.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK_STEPS = 10
WARM_BLOCKS = 12
LEAST_DEVIATION = 0.25
HAZARD = 1.0 / 60.0
LONGEST_RUN = 600


class RunLength:
    """The posterior of how many observations the present regime has lasted; O(run length) per observation.

    `prior` is (mean, its weight in observations, shape, scale) of the normal-inverse-gamma. Runs beyond `longest` are
    forgotten.
    """

    def __init__(
        self,
        hazard: float = HAZARD,
        prior: tuple[float, float, float, float] = (0.0, 0.2, 2.0, 1.0),
        longest: int = LONGEST_RUN,
    ) -> None:
        self._hazard = hazard
        self._prior = prior
        self._longest = longest
        self._gammas: list[float] = []
        self.clear()

    def clear(self) -> None:
        mean, weight, shape, scale = self._prior
        self.posterior: Array = np.array([1.0])
        """The probability of each run length, from 0 on; sums to 1."""
        self._mean, self._scale = np.array([mean]), np.array([scale])
        self._weight, self._shape = np.array([weight]), np.array([shape])
        self.observations = 0

    def add(self, value: float) -> int:
        """Take an observation; the most probable run length after it."""
        mean, weight, shape, scale = self._mean, self._weight, self._shape, self._scale
        joint = self.posterior * self._predictive(value)
        posterior = np.empty(len(joint) + 1)
        posterior[0] = joint.sum() * self._hazard
        posterior[1:] = joint * (1.0 - self._hazard)
        prior = self._prior
        self._mean = np.concatenate(([prior[0]], (weight * mean + value) / (weight + 1.0)))
        self._scale = np.concatenate(
            ([prior[3]], scale + weight * (value - mean) ** 2 / (2.0 * (weight + 1.0)))
        )  # fmt: skip
        self._weight = np.concatenate(([prior[1]], weight + 1.0))
        self._shape = np.concatenate(([prior[2]], shape + 0.5))
        if len(posterior) > self._longest + 1:
            posterior, self._mean, self._scale, self._weight, self._shape = (
                kept[: self._longest + 1]
                for kept in (posterior, self._mean, self._scale, self._weight, self._shape)
            )  # fmt: skip
        total = float(posterior.sum())
        if not total > 0.0:  # an observation that no run explains: begin anew with it
            self.clear()
            return 0
        self.posterior = posterior / total
        self.observations += 1
        return int(np.argmax(self.posterior))

    def share_up_to(self, length: int) -> float:
        """The probability that the run is at most `length` observations old, 0 … 1."""
        return float(self.posterior[: length + 1].sum())

    def _predictive(self, value: float) -> Array:
        """The Student density of the next value under each run length."""
        weight, shape = self._weight, self._shape
        spread = self._scale * (weight + 1.0) / (shape * weight)
        # The shapes are prior + k/2 for k = 0, 1, …: their gamma functions are looked up.
        gammas = self._gammas
        while len(gammas) < len(shape):
            at = self._prior[2] + 0.5 * len(gammas)
            gammas.append(math.lgamma(at + 0.5) - math.lgamma(at))
        constant = np.array(gammas[: len(shape)]) - 0.5 * np.log(2.0 * shape * math.pi * spread)
        exponent = (shape + 0.5) * np.log1p((value - self._mean) ** 2 / (2.0 * shape * spread))
        density: Array = np.exp(constant - exponent)
        return density


class VolatilityChange:
    """The age of the present volatility, from 1 s log returns in bps: log realised volatility of blocks of ten.

    The first twelve blocks only set the scale. `steps` is the most probable age in blocks, None until then; `floor`
    (half a tick in bps) keeps a quiet block's logarithm finite.
    """

    def __init__(self, run: RunLength | None = None) -> None:
        self.run = run or RunLength()
        self.clear()

    def clear(self) -> None:
        """Begin anew, with a scale yet to be found."""
        self.run.clear()
        self.steps: int | None = None
        self._warm: list[float] = []
        self._centre = self._width = 0.0
        self.restart_block()

    def restart_block(self) -> None:
        """Throw away the block under way: a return is missing in it."""
        self._squares = 0.0
        self._taken = 0

    def add(self, change: float, floor: float) -> int | None:
        """Take a return; the age after the block that it completes, else None."""
        self._squares += change * change
        self._taken += 1
        if self._taken < BLOCK_STEPS:
            return None
        level = math.log(max(math.sqrt(self._squares), floor))
        self.restart_block()
        if len(self._warm) < WARM_BLOCKS:
            self._warm.append(level)
            if len(self._warm) < WARM_BLOCKS:
                return None
            self._centre, self._width = scale_of(self._warm)
            for earlier in self._warm[:-1]:
                self.run.add((earlier - self._centre) / self._width)
        self.steps = self.run.add((level - self._centre) / self._width)
        return self.steps


def scale_of(levels: list[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1, at least 0.25) by which the blocks are standardised."""
    values = np.array(levels[:WARM_BLOCKS])
    return float(values.mean()), max(float(values.std(ddof=1)), LEAST_DEVIATION)
