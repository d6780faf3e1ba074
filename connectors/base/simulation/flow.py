"""When things happen in the simulated market: clustered arrivals, quiet and wild phases, a fair value that wanders.

Arrivals are a Hawkes process with an exponential kernel: every event makes the next ones likelier, trades more than
quotes. Simulated exactly and without thinning.
Source: Dassios and Zhao, "Exact simulation of Hawkes process with exponentially decaying intensity" (2013).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

from msgspec import Struct

from connectors.base.simulation.symbols import SimulatedInstrument

SECOND_NS = 1_000_000_000
CELL_NS = 250_000_000
"""The common factor of a group of symbols moves once per cell."""

MEMORY_EVENTS = 12.0
"""An event's echo fades over so many mean intervals."""

BRANCHING = 0.55
"""How many events an average event sets off directly."""

NORMALS = tuple([NormalDist().inv_cdf((i + 0.5) / 1024) for i in range(1024)])
"""1024 equally likely values of a standard normal: one draw and one look-up instead of a logarithm and a root."""


class Phase(StrEnum):
    """The mood of a market."""

    QUIET = "quiet"
    NORMAL = "normal"
    WILD = "wild"


class Mood(Struct, frozen=True):
    """What a phase does: it lasts `mean_s` on average; the rest are factors on rate, movement and so on."""

    mean_s: float
    rate: float
    volatility: float
    markets: float
    sweeps: float
    depth: float
    spread: float


MOODS = {
    Phase.QUIET: Mood(14.0, 0.4, 0.35, 0.7, 0.25, 1.2, 1.0),
    Phase.NORMAL: Mood(12.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    Phase.WILD: Mood(6.0, 2.2, 2.4, 1.6, 4.0, 0.6, 1.6),
}
# Visits per visit of NORMAL (NORMAL → half QUIET, half WILD; WILD → 0.3 QUIET), times duration, give the time shares.
_SHARES = {Phase.QUIET: 0.65 * 14.0, Phase.NORMAL: 1.0 * 12.0, Phase.WILD: 0.5 * 6.0}
MEAN_RATE_FACTOR = sum(_SHARES[p] * MOODS[p].rate for p in Phase) / sum(_SHARES.values())


class Arrivals:
    """The times of a symbol's order-flow events, at `rate` per second on average over the phases."""

    __slots__ = ("_echo", "_random", "_rate", "mood", "next_ns", "phase", "phase_ends_ns")

    def __init__(self, random: Random, start_ns: int, rate: float) -> None:
        self._random = random
        self._rate = rate
        self._echo = 0.0
        self.phase = Phase.NORMAL
        self.mood = MOODS[Phase.NORMAL]
        self.phase_ends_ns = start_ns + int(random.expovariate(1 / self.mood.mean_s) * SECOND_NS)
        self.next_ns = start_ns
        self.plan(start_ns)

    def set_rate(self, rate: float) -> None:
        """Change the mean rate from the next `plan` on."""
        self._echo *= rate / self._rate
        self._rate = rate

    def excite(self, strength: float) -> None:
        """An event happened: `strength` 1 sets off `BRANCHING` others on average."""
        rate = self._rate
        self._echo = min(self._echo + strength * BRANCHING * rate / MEMORY_EVENTS, 10.0 * rate)

    def plan(self, now_ns: int) -> None:
        """Draw the time of the next event after one at `now_ns`."""
        while now_ns >= self.phase_ends_ns:
            self._turn()
        random = self._random.random
        base = self._rate * self.mood.rate / MEAN_RATE_FACTOR * (1.0 - BRANCHING)
        decay = self._rate / MEMORY_EVENTS
        wait = -log(1.0 - random()) / base
        echo = self._echo
        if echo > 0.0:
            reach = 1.0 + decay * log(1.0 - random()) / echo
            if reach > 0.0:
                wait = min(wait, -log(reach) / decay)
        self._echo = echo * exp(-decay * wait)
        self.next_ns = now_ns + int(wait * 1e9) + 1

    def _turn(self) -> None:
        random = self._random
        if self.phase is Phase.NORMAL:
            self.phase = Phase.QUIET if random.random() < 0.5 else Phase.WILD
        elif self.phase is Phase.WILD:
            self.phase = Phase.QUIET if random.random() < 0.3 else Phase.NORMAL
        else:
            self.phase = Phase.NORMAL
        self.mood = MOODS[self.phase]
        self.phase_ends_ns += int((0.3 + random.expovariate(1.0) * 0.7) * self.mood.mean_s * SECOND_NS)


class FairValue:
    """What a symbol is worth, in ticks: a slow walk of its own plus its share of the group's, held near the start."""

    __slots__ = ("_cell", "_group", "_home", "_instrument", "_now_ns", "_own", "_random", "_shared", "ticks")

    def __init__(self, seed: int, instrument: SimulatedInstrument, random: Random, start_ns: int) -> None:
        self._instrument = instrument
        self._random = random
        self._group = f"{seed}:{instrument.group}"
        self._now_ns = start_ns
        self._cell = start_ns // CELL_NS
        self._home = float(instrument.start_ticks)
        self._own = instrument.volatility * sqrt(1.0 - instrument.beta**2)
        self._shared = instrument.volatility * instrument.beta * sqrt(CELL_NS / SECOND_NS)
        self.ticks = self._home

    def move(self, now_ns: int, volatility: float) -> float:
        """Walk on to `now_ns` with the phase's factor on movement; the new value."""
        elapsed_s = (now_ns - self._now_ns) / 1e9
        self._now_ns = now_ns
        # At most a tick or so per event, or slow feeds would leave their fair value hopelessly behind.
        step = min(self._own * volatility * sqrt(elapsed_s), 1.5)
        ticks = self.ticks + step * NORMALS[int(self._random.random() * 1024)]
        cell = now_ns // CELL_NS
        if cell != self._cell:
            # Each symbol's own mood tells less in what moves them all.
            ticks += self._shared * sqrt(volatility) * shared_step(self._group, cell)
            pull = (self._home - ticks) * min(1.0, 0.00004 * (cell - self._cell))
            ticks += max(-1.0, min(1.0, pull))
            self._cell = cell
        self.ticks = ticks
        return ticks


@lru_cache(maxsize=4096)
def shared_step(group: str, cell: int) -> float:
    """How the group moved in a cell of time, in standard deviations: the same for all its symbols, in any order."""
    return Random(f"{group}:{cell}").gauss(0.0, 1.0)
