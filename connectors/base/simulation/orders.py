"""Who does what in the simulated market: makers near and far, takers, walls and sweeps.

`OrderFlow.step` lets one event happen to the book; what changed stands in `changed_bids`, `changed_asks` (key → lots)
and `fills` (key, lots) until the next step.
"""

from __future__ import annotations

from collections import Counter
from math import exp
from random import Random

from connectors.base.simulation.book import Scale, Side
from connectors.base.simulation.flow import NORMALS, SECOND_NS, Mood
from connectors.base.simulation.symbols import SimulatedInstrument
from engine.market.events import BUY, SELL

FIRST_LEVELS, LEAST_LEVELS, MOST_LEVELS = 140, 110, 180
MARKET_SHARE = 0.13
"""The share of market orders among events in a normal phase."""

WALL_EVERY_S, WALL_EVERY_EVENTS, WALL_LIFE_S, MOST_WALLS = 9.0, 60.0, 25.0, 3
SWEEP_EVERY_S, SWEEP_EVERY_EVENTS = 10.0, 80.0
NEVER = 1 << 62

NOISE = tuple([exp(0.7 * z) for z in NORMALS])
"""Equally likely factors on sizes (log-normal)."""

DISTANCES = tuple([min(int(5.0 * ((1.0 - (i + 0.5) / 1024) ** -0.75 - 1.0)), 149) for i in range(1024)])
"""Equally likely distances from the touch, in ticks: half within four, a long tail."""

PROFILE = tuple([(0.3 + 1.0 - exp(-(d + 1) / 10.0)) * (1.0 + d / 90.0) for d in range(150)])
"""The typical size at each distance, growing away from the touch, in units of the instrument's depth."""


class OrderFlow:
    """Acts on one book, one event at a time."""

    __slots__ = (
        "_depth", "_next_pull_ns", "_next_sweep_ns", "_next_wall_ns", "_pressure", "_random", "_spread",
        "_sweep_every_s", "_trend", "_wall_every_s", "aggressor", "asks", "bids", "changed_asks", "changed_bids",
        "fills", "impact", "seen",
    )  # fmt: skip

    def __init__(self, random: Random, instrument: SimulatedInstrument, scale: Scale) -> None:
        self._random = random
        self._depth = float(scale.lots(instrument.depth))
        self._spread = instrument.spread
        self._trend = self._pressure = 0.0
        self.aggressor = BUY
        self.bids, self.asks = Side(-1), Side(1)
        self.changed_bids: dict[int, int] = {}
        self.changed_asks: dict[int, int] = {}
        self.fills: list[tuple[int, int]] = []
        self.seen: Counter[str] = Counter()
        self.impact = 0.0
        """How far the last event moved the fair value, in ticks."""
        self._wall_every_s, self._sweep_every_s = WALL_EVERY_S, SWEEP_EVERY_S
        self._next_wall_ns = self._next_sweep_ns = NEVER
        self._next_pull_ns = NEVER
        best_bid = instrument.start_ticks - instrument.spread // 2
        for side, best in ((self.bids, -best_bid), (self.asks, best_bid + instrument.spread)):
            for distance in range(FIRST_LEVELS):
                side.set(best + distance, self._typical(distance, 1.0))

    def step(self, now_ns: int, fair: float, mood: Mood) -> float:
        """Let one event happen; how strongly it excites others (1 is average)."""
        self.changed_bids, self.changed_asks, self.fills, self.impact = {}, {}, [], 0.0
        bids, asks = self.bids, self.asks
        middle = (asks.keys[0] - bids.keys[0]) / 2
        pressure = self._pressure = max(-1.0, min(1.0, (fair - middle) / 3.0))
        random = self._random.random
        strength = 0.7
        if now_ns >= self._next_pull_ns:
            self._pull_walls(now_ns)
        elif now_ns >= self._next_wall_ns:
            self._place_wall(now_ns)
        elif now_ns >= self._next_sweep_ns:
            self._sweep(now_ns, mood)
            strength = 8.0
        elif random() < MARKET_SHARE * mood.markets * (0.7 + 0.6 * abs(pressure)):
            self._take_some()
            strength = 2.6
        else:
            self._make(bids if random() < 0.5 else asks, mood)
        self._keep_depth(bids, self.changed_bids)
        self._keep_depth(asks, self.changed_asks)
        if not (self.changed_bids or self.changed_asks):
            self._stir(bids if random() < 0.5 else asks)
        return strength

    def plan(self, now_ns: int, events_per_s: float) -> None:
        """Keep walls and sweeps rare among few events: they are planned in seconds, or in events on a slow feed."""
        self._wall_every_s = max(WALL_EVERY_S, WALL_EVERY_EVENTS / events_per_s)
        self._sweep_every_s = max(SWEEP_EVERY_S, SWEEP_EVERY_EVENTS / events_per_s)
        self._next_wall_ns = self._after(now_ns, self._wall_every_s)
        self._next_sweep_ns = self._after(now_ns, self._sweep_every_s)

    def _after(self, now_ns: int, mean_s: float) -> int:
        return now_ns + int(self._random.expovariate(1.0) * mean_s * SECOND_NS)

    def _typical(self, distance: int, factor: float) -> int:
        """A plausible size in lots at a distance from the touch."""
        noise = NOISE[int(self._random.random() * 1024)]
        return int(self._depth * PROFILE[min(distance, 149)] * noise * factor) + 1

    def _change(self, side: Side, key: int, lots: int) -> None:
        side.set(key, lots)
        (self.changed_bids if side is self.bids else self.changed_asks)[key] = lots

    def _make(self, side: Side, mood: Mood) -> None:
        """A maker acts on one level: joins, adds, cancels, or steps in front of the others."""
        random = self._random.random
        best = side.keys[0]
        spread = self.asks.keys[0] + self.bids.keys[0]
        favour = -self._pressure * side.sign
        if spread > 1:
            wide = max(0.0, spread - self._spread * mood.spread)
            if random() < (0.02 + min(0.6, 0.2 * wide)) * (1.0 + 0.8 * favour):
                ahead = 1 + int(random() * random() * (spread - 1))
                self._change(side, best - ahead, self._typical(0, 0.7 * mood.depth))
                return
        distance = DISTANCES[int(random() * 1024)]
        key = best + distance
        if key in side.walls:
            return
        now = side.sizes.get(key, 0)
        target = self._typical(distance, mood.depth)
        if distance == 0 and random() < -0.3 * favour:
            self._change(side, key, 0)
        elif not now:
            self._change(side, key, target)
        elif now > target:
            leaves = distance > 0 and random() < 0.12
            self._change(side, key, 0 if leaves else now - int((now - target) * random()) - 1)
        else:
            self._change(side, key, now + int((target - now) * random()) + 1)

    def _choose_taker(self) -> Side:
        """The side that a taker hits; sets the aggressor. Takers follow the fair value and each other."""
        buys = self._random.random() < 0.5 + 0.3 * self._pressure + 0.2 * self._trend
        self.aggressor = BUY if buys else SELL
        self._trend = 0.94 * self._trend + 0.06 * self.aggressor
        return self.asks if buys else self.bids

    def _take_some(self) -> None:
        side = self._choose_taker()
        if self._random.random() < 0.15:
            lots = side.sizes[side.keys[0]]
        else:
            lots = self._typical(0, 0.35 * NOISE[int(self._random.random() * 1024)])
        self._take(side, lots, 3)

    def _take(self, side: Side, lots: int, most_levels: int) -> None:
        """Eat up to `lots` from the touch on, through at most `most_levels` levels."""
        for _ in range(most_levels):
            key = side.keys[0]
            filled = min(lots, side.sizes[key])
            left = side.sizes[key] - filled
            self.fills.append((key, filled))
            self._change(side, key, left)
            self.seen["trade"] += 1
            if not left and side.walls.pop(key, None) is not None:
                self.seen["wall eaten"] += 1
            lots -= filled
            if not lots:
                return

    def _sweep(self, now_ns: int, mood: Mood) -> None:
        """One big taker goes through several levels at once, and the fair value follows it half-way."""
        side = self._choose_taker()
        levels = 3 + int(self._random.random() * 7)
        sizes = [side.sizes[key] for key in side.keys[:levels]]
        reach = side.keys[levels - 1] - side.keys[0]
        self._take(side, sum(sizes[:-1]) + max(1, int(sizes[-1] * self._random.random())), levels)
        self.seen["sweep"] += 1
        self.impact = 0.5 * reach * self.aggressor
        self._next_sweep_ns = self._after(now_ns, self._sweep_every_s / mood.sweeps)

    def _place_wall(self, now_ns: int) -> None:
        """A big order comes to rest a few levels away, for a while."""
        side = self.bids if self._random.random() < 0.5 else self.asks
        self._next_wall_ns = self._after(now_ns, self._wall_every_s)
        if len(side.walls) >= MOST_WALLS:
            return
        key = side.keys[0] + 3 + int(self._random.random() * 22)
        lots = int(self._depth * (14.0 + 26.0 * self._random.random()))
        self._change(side, key, lots)
        side.walls[key] = self._after(now_ns, WALL_LIFE_S)
        self._next_pull_ns = min(self._next_pull_ns, side.walls[key])
        self.seen["wall placed"] += 1

    def _pull_walls(self, now_ns: int) -> None:
        for side in (self.bids, self.asks):
            for key in [key for key, ends_ns in side.walls.items() if ends_ns <= now_ns]:
                del side.walls[key]
                self._change(side, key, self._typical(key - side.keys[0], 1.0))
                self.seen["wall pulled"] += 1
        self._next_pull_ns = min([*self.bids.walls.values(), *self.asks.walls.values()], default=NEVER)

    def _keep_depth(self, side: Side, changed: dict[int, int]) -> None:
        """Forget the farthest level when there are too many, add some behind when there are too few."""
        keys = side.keys
        if len(keys) > MOST_LEVELS:
            key = keys[-1]
            self._change(side, key, 0)
            if side.walls.pop(key, None) is not None:
                self.seen["wall pulled"] += 1
        while len(keys) < LEAST_LEVELS:
            key = keys[-1] + 1 + int(self._random.random() * 1.2)
            self._change(side, key, self._typical(key - keys[0], 1.0))

    def _stir(self, side: Side) -> None:
        """Somebody adds a little to a level near the touch."""
        key = side.keys[1 + int(self._random.random() * 10)]
        self._change(side, key, side.sizes[key] + 1 + int(self._depth * 0.05))
