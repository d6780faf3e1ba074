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
        # A run of length r has weight k0 + r and shape a0 + r/2, whatever was observed: all that follows from these
        # alone is worked out once.
        _, weight0, shape0, _ = prior
        lengths = np.arange(longest + 1)
        weight, shape = weight0 + lengths, shape0 + lengths / 2.0
        gammas = np.array([math.lgamma(at + 0.5) - math.lgamma(at) for at in shape])
        self._width = 2.0 * (weight + 1.0) / weight
        self._constant = gammas - 0.5 * np.log(math.pi * self._width)
        self._power = shape + 0.5
        self._towards = 1.0 / (weight + 1.0)
        self._growth = weight / (2.0 * (weight + 1.0))
        self.clear()

    def clear(self) -> None:
        self.posterior: Array = np.array([1.0])
        """The probability of each run length, from 0 on; sums to 1."""
        self._mean, self._scale = np.array([self._prior[0]]), np.array([self._prior[3]])
        self.observations = 0

    def add(self, value: float) -> int:
        """Take an observation; the most probable run length after it."""
        count = len(self.posterior)
        off = value - self._mean
        squares = off * off
        joint = self.posterior * self._predictive(squares)
        kept = min(count, self._longest)
        posterior, mean, scale = np.empty(kept + 1), np.empty(kept + 1), np.empty(kept + 1)
        posterior[0], mean[0], scale[0] = joint.sum() * self._hazard, self._prior[0], self._prior[3]
        posterior[1:] = joint[:kept] * (1.0 - self._hazard)
        mean[1:] = (self._mean + off * self._towards[:count])[:kept]
        scale[1:] = (self._scale + squares * self._growth[:count])[:kept]
        total = float(posterior.sum())
        if not total > 0.0:  # an observation that no run explains: begin anew with it
            self.clear()
            return 0
        self.posterior, self._mean, self._scale = posterior / total, mean, scale
        self.observations += 1
        return int(np.argmax(self.posterior))

    def share_up_to(self, length: int) -> float:
        """The probability that the run is at most `length` observations old, 0 … 1."""
        return float(self.posterior[: length + 1].sum())

    def _predictive(self, squares: Array) -> Array:
        """The Student density of a value under each run length, from its squared distances to their means."""
        count, scale = len(squares), self._scale
        spread = np.log1p(squares / (scale * self._width[:count])) * self._power[:count]
        density: Array = np.exp(self._constant[:count] - 0.5 * np.log(scale) - spread)
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
