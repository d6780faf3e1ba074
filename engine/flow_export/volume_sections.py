"""What an export says of volume: toxicity, and how well bars alone would have told buys from sells."""

from __future__ import annotations

from math import isnan, nan, sqrt

import numpy as np

from engine.flow.section import Json, Section
from engine.flow.trades.quote_history import in_ticks
from engine.flow.trades.toxicity import BarSplit, VolumeBuckets, bulk_buy_share

BUCKETS = 100
SPLIT_INTERVALS_S = (1, 5, 10)


class Bar:
    """One bar of trades; prices in ticks, `before` is the close before it."""

    __slots__ = ("before", "bought", "close", "open", "volume")

    def __init__(self, last: float) -> None:
        self.open = nan
        self.before = self.close = last
        self.volume = self.bought = 0.0

    def add(self, price: float, size: float, side: int) -> None:
        if not self.volume:
            self.open = price
        self.close = price
        self.volume += size
        if side > 0:
            self.bought += size


class ByVolume(Section):
    """Toxicity in volume buckets, and how well bars alone would have told buys from sells."""

    def __init__(self, tick: float, volume: float) -> None:
        self._tick = tick
        self._bucket = volume / BUCKETS
        self._exact = VolumeBuckets(self._bucket) if volume > 0.0 else None
        self._edges: list[int] = []
        self._trades: list[tuple[int, float, float, int]] = []

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._trades.append((t_ns, in_ticks(price, self._tick), size, side))
        if self._exact is not None:
            self._exact.add(size, 1.0 if side > 0 else 0.0 if side else None)

    def on_timer(self, t_ns: int) -> None:
        self._edges.append(t_ns)

    def finish(self, t_ns: int) -> Json:
        exact = self._exact
        if exact is None or not self._edges:
            return {}
        found: Json = {"bucket": self._bucket, "n": exact.n, "exact_buckets": exact.buckets}
        if exact.values:
            found |= {"exact": _summary(exact.values), "exact_series": list(exact.values)}
        split = {f"{interval}s": self._split(interval) for interval in SPLIT_INTERVALS_S}
        return {
            "vpin": found | self._from_bars(),
            "bar_volume_split": {name: content for name, content in split.items() if content},
        }

    def _bars(self, interval: int) -> list[Bar]:
        """Bars from the first edge on that end no later than the last trade, those without a trade too."""
        edges = [edge for edge in self._edges[::interval] if edge <= self._trades[-1][0]]
        bars: list[Bar] = []
        place, last = 0, nan
        for number, edge in enumerate(edges):
            bar = Bar(last)
            while place < len(self._trades) and self._trades[place][0] <= edge:
                bar.add(*self._trades[place][1:])
                place += 1
            last = bar.close
            if number:
                bars.append(bar)
        return bars

    def _from_bars(self) -> Json:
        bars = [bar for bar in self._bars(1) if not isnan(bar.before)]
        if len(bars) < 2:
            return {}
        sigma = float(np.std([bar.close - bar.before for bar in bars], ddof=1))
        if not sigma:
            return {}
        buckets = VolumeBuckets(self._bucket)
        for bar in bars:
            if bar.volume > 0.0:
                buckets.add(bar.volume, bulk_buy_share(bar.close - bar.before, sigma))
        return {"bvc_sigma_full_sample": sigma} | ({"bvc": _summary(buckets.values)} if buckets.values else {})

    def _split(self, interval: int) -> Json:
        splitter = BarSplit()
        true: list[float] = []
        volumes: list[float] = []
        said: dict[str, list[float]] = {"seed_60_40": [], "bvc_normal_50bar": [], "half_half": []}
        for bar in self._bars(interval):
            if bar.volume <= 0.0:
                continue
            bought = splitter.add(bar.close, bar.volume)
            if bought is None:
                continue
            true.append(bar.bought)
            volumes.append(bar.volume)
            rose = bar.close - bar.open
            said["seed_60_40"].append(bar.volume * (0.6 if rose > 0 else 0.4 if rose < 0 else 0.5))
            said["bvc_normal_50bar"].append(bought)
            said["half_half"].append(bar.volume / 2)
        return {name: _accuracy(true, guess, volumes) for name, guess in said.items()} if len(true) > 1 else {}


def _summary(values: tuple[float, ...]) -> list[float]:
    """First, last, mean, count."""
    return [values[0], values[-1], sum(values) / len(values), len(values)]


def _accuracy(true: list[float], said: list[float], volumes: list[float]) -> Json:
    bought, guess, volume = np.array(true), np.array(said), np.array(volumes)
    real, seen = 2 * bought / volume - 1, 2 * guess / volume - 1
    spread = sqrt(float(real.var()) * float(seen.var()))
    # Of a constant, rounding leaves a hair of variance.
    varies = float(seen.std()) > 1e-12 and spread > 0.0
    return {
        "bars": len(true),
        "volume_accuracy": 1.0 - float(np.abs(guess - bought).sum() / volume.sum()),
        "corr_imbalance": float(((real - real.mean()) * (seen - seen.mean())).mean()) / spread if varies else None,
        "mean_abs_true_imbalance": float(np.abs(real).mean()),
        "mean_abs_est": float(np.abs(seen).mean()),
    }
