"""Several simulated venues of one market: what a thing is worth is the same for all, what each makes of it is its own.

A venue sees the common worth a little late, has a standing leaning and a passing one of its own, and its own crowd of
makers and takers. So the books agree roughly, and now and then one bids what another asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from math import exp, sqrt
from random import Random
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from connectors.base.simulation.flow import CELL_NS, MOODS, NORMALS, SECOND_NS, Phase, shared_step
from connectors.base.simulation.symbols import SimulatedInstrument

CELLS_KEPT = 2_400
"""Ten minutes: longer than a venue that nobody looked at is made to catch up."""

MOOD_CELLS = 40
MOST_STEP_TICKS = 1.5
PASSING_S = 6.0
CALM = 0.35
"""The common worth moves slower than a market of its own does, so that slow crowds can follow it together."""
_PHASES = (Phase.QUIET, Phase.QUIET, Phase.NORMAL, Phase.NORMAL, Phase.NORMAL, Phase.WILD)


class VenueCharacter(Struct, frozen=True):
    """How one simulated venue differs from the others.

    It sees the common worth `lag_s` late, leans by `leaning` and, for moments, by about `passing` (both in ticks), its
    answers take `latency_s`, it writes `mark` between base and quote, and its tick is `coarseness` times the usual one.
    `renamed` are assets that it calls by old names. `width` is how many times wider than usual its spreads are: the
    less its price is its own, the more its makers want.
    """

    lag_s: float = 0.0
    leaning: float = 0.0
    passing: float = 0.0
    latency_s: float = 0.0
    mark: str = "/"
    coarseness: int = 1
    renamed: tuple[tuple[str, str], ...] = ()
    width: int = 1

    def lists(self, instrument: SimulatedInstrument) -> SimulatedInstrument:
        """The instrument as this venue lists it: its spelling, its tick."""
        renamed = dict(self.renamed)
        symbol = self.mark.join([renamed.get(part, part) for part in instrument.unified.split("/")])
        by = self.coarseness
        return replace(
            instrument,
            symbol=symbol,
            name=instrument.unified,
            tick=str(Decimal(instrument.tick) * by),
            spread=max(1, round(instrument.spread * self.width / by)),
            depth=instrument.depth * by,
            volatility=instrument.volatility / by,
        )


WIDE = 6
"""Several crowds around one worth: with narrow spreads there would always be a gap somewhere."""

CHARACTERS = {
    "alpha": VenueCharacter(0.0, 0.0, 0.3, 0.008, "-", width=WIDE),
    "beta": VenueCharacter(0.1, 0.15, 0.5, 0.045, "", width=WIDE),
    "gamma": VenueCharacter(0.25, -0.15, 0.7, 0.120, "/", 2, width=WIDE, renamed=(("BTC", "XBT"), ("DOGE", "XDG"))),
}


def character_of(name: str) -> VenueCharacter:
    """The character of a venue of that name: a known one, or one that the name alone decides."""
    if name in CHARACTERS:
        return CHARACTERS[name]
    random = Random(name)
    return VenueCharacter(
        random.uniform(0.0, 0.3), random.uniform(-0.2, 0.2), random.uniform(0.2, 0.7), random.uniform(0.005, 0.15),
        random.choice("-/_"), width=WIDE,
    )  # fmt: skip


class CommonWorth:
    """What each symbol is worth over time, by its unified name; any number of venues may ask, from any thread."""

    def __init__(self, seed: int, instruments: Sequence[SimulatedInstrument]) -> None:
        self._seed = seed
        self._walks = {instrument.unified: _Walk(seed, instrument) for instrument in instruments}
        self._lock = Lock()

    def price(self, name: str, at_ns: int) -> float:
        """The worth in quote units at a moment; of what is forgotten (after ten minutes) the oldest that is kept."""
        with self._lock:
            return self._walks[name].price(at_ns)


class _Walk:
    """One symbol's walk, a value per cell of time, straight lines between them."""

    def __init__(self, seed: int, instrument: SimulatedInstrument) -> None:
        self._instrument = instrument
        self._tick = float(instrument.tick)
        self._group, self._own, self._mood = f"{seed}:{instrument.group}", f"{seed}:{instrument.symbol}", f"{seed}:mood"
        self._first = 0
        self._ticks: deque[float] = deque(maxlen=CELLS_KEPT)

    def price(self, at_ns: int) -> float:
        cell, into = divmod(at_ns, CELL_NS)
        self._reach(cell + 1)
        before = self._ticks[max(0, cell - self._first)]
        after = self._ticks[max(0, cell + 1 - self._first)]
        return (before + (after - before) * into / CELL_NS) * self._tick

    def _reach(self, cell: int) -> None:
        ticks, home = self._ticks, float(self._instrument.start_ticks)
        if not ticks:
            self._first = cell - 1
            ticks.append(home)
        last = self._first + len(ticks) - 1
        if cell - last > CELLS_KEPT:
            # Nobody looked for long: what was in between nobody will ask for.
            self._first, last = cell - CELLS_KEPT, cell - CELLS_KEPT
            now = ticks[-1]
            ticks.clear()
            ticks.append(now)
        for one in range(last + 1, cell + 1):
            self._first += len(ticks) == CELLS_KEPT
            ticks.append(self._next(ticks[-1], one, home))

    def _next(self, ticks: float, cell: int, home: float) -> float:
        own = self._instrument
        wildness = MOODS[Random(f"{self._mood}:{cell // MOOD_CELLS}").choice(_PHASES)].volatility
        step = own.beta * shared_step(self._group, cell) + sqrt(1.0 - own.beta**2) * shared_step(self._own, cell)
        pull = max(-1.0, min(1.0, (home - ticks) * 0.00004))
        return ticks + CALM * own.volatility * sqrt(CELL_NS / SECOND_NS) * wildness * step + pull


class FollowedValue:
    """What one venue's crowd takes a symbol to be worth, in its ticks: the common worth, late, and an opinion."""

    __slots__ = ("_character", "_name", "_now_ns", "_opinion", "_random", "_seen", "_tick", "_worth", "ticks")

    def __init__(
        self,
        worth: CommonWorth,
        character: VenueCharacter,
        instrument: SimulatedInstrument,
        random: Random,
        start_ns: int,
    ) -> None:
        self._worth, self._character, self._random = worth, character, random
        self._name, self._tick = instrument.unified, float(instrument.tick)
        self._now_ns = start_ns
        self._opinion = character.leaning
        self._seen = self.ticks = float(instrument.start_ticks)
        """`ticks` may be pushed from outside (by a big taker); what it was when left is `_seen`."""

    def move(self, now_ns: int, volatility: float) -> float:
        """Walk on to `now_ns`; `volatility` is the mood's factor on the venue's own opinion. The new value."""
        own = self._character
        elapsed_s = (now_ns - self._now_ns) / 1e9
        self._now_ns = now_ns
        fading = exp(-elapsed_s / PASSING_S)
        noise = own.passing * volatility * sqrt(1.0 - fading * fading) * NORMALS[int(self._random.random() * 1024)]
        opinion = self._opinion + self.ticks - self._seen
        self._opinion = own.leaning + (opinion - own.leaning) * fading + noise
        worth = self._worth.price(self._name, now_ns - round(own.lag_s * SECOND_NS)) / self._tick
        # At most a tick or so per event, or slow feeds would leave their fair value hopelessly behind.
        step = worth + self._opinion - self.ticks
        self.ticks = self._seen = self.ticks + max(-MOST_STEP_TICKS, min(MOST_STEP_TICKS, step))
        return self.ticks
