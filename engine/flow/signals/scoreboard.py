"""The record of each type of signal, and a verdict that counts how many questions were asked."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from engine.flow.signals.calibration import LEAST_OUTCOMES
from engine.flow.statistics.inference import jeffreys_interval, newey_west_t, q_values, student_two_sided

BADGE_Q = 0.05
PLACEBO = "placebo:"
MARKOUTS_KEPT = 2_000


class Score(Struct, frozen=True):
    """The record of one type at one horizon.

    `hit_rate` is among outcomes that moved; `hit_interval` holds it with 90 %. `mean_bps` is the mean markout,
    `net_bps` that after half the spread and the taker's fee. `apart` counts outcomes whose horizons do not overlap.
    `t` allows for overlap; `p` is what chance alone would give, from no more outcomes than stand apart (None below 30).
    `q` is the same with all tests counted (None until `judge` has seen them). `verdict` is for the user.
    """

    venue: str
    symbol: str
    type: str
    horizon_s: float
    count: int
    hits: int
    ties: int
    invalid: int
    pending: int
    apart: int
    hit_rate: float | None
    hit_interval: tuple[float, float] | None
    mean_bps: float | None
    net_bps: float | None
    t: float | None
    p: float | None
    q: float | None = None
    verdict: str = ""


class Record:
    """All outcomes of one type at one horizon: counts for ever, the newest 2,000 for the errors."""

    __slots__ = ("_apart_ns", "apart", "costs", "count", "hits", "invalid", "markouts", "pending", "ties", "total")

    def __init__(self) -> None:
        self.count = self.hits = self.ties = self.invalid = self.pending = self.apart = 0
        self.total = self.costs = 0.0
        self.markouts: deque[float] = deque(maxlen=MARKOUTS_KEPT)
        self._apart_ns = 0
        """When the last of those that stand apart ended."""

    def copy(self) -> Record:
        """The same as it stands now, for another thread."""
        other = Record()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.markouts = self.markouts.copy()
        return other

    def add(self, markout_bps: float, half_spread_bps: float, from_ns: int, to_ns: int) -> None:
        """Take an outcome, what half the spread was at its entry, and the time it took."""
        self.count += 1
        self.hits += markout_bps > 0.0
        self.ties += markout_bps == 0.0
        self.total += markout_bps
        self.costs += half_spread_bps
        self.markouts.append(markout_bps)
        if from_ns >= self._apart_ns:
            self.apart += 1
            self._apart_ns = to_ns

    def score(self, venue: str, symbol: str, kind: str, horizon_s: float, fee_bps: float | None) -> Score:
        """What these outcomes come to; `fee_bps` is what a taker pays (None: not known, and so the net is not)."""
        count, moved = self.count, self.count - self.ties
        mean = self.total / count if count else None
        net = mean - self.costs / count - fee_bps if mean is not None and fee_bps is not None else None
        t, p = self._significance(horizon_s)
        return Score(
            venue, symbol, kind, horizon_s, count, self.hits, self.ties, self.invalid, self.pending, self.apart,
            self.hits / moved if moved else None, jeffreys_interval(self.hits, moved) if moved else None,
            mean, net, t, p,
        )  # fmt: skip

    def _significance(self, horizon_s: float) -> tuple[float | None, float | None]:
        """Newey-West t over as many neighbours as overlap, and the larger p of that and of the outcomes apart.

        Errors from many overlapping outcomes of a short time look far too small: what is seen once and counted forty
        times is still seen once.
        """
        if not self.apart:
            return None, None
        overlap = math.ceil(self.count / self.apart)
        t = newey_west_t(self.markouts, min(round(horizon_s), overlap))
        if t is None or self.apart < LEAST_OUTCOMES:
            return t, None
        kept = len(self.markouts)
        apart = min(self.apart, kept)
        mean = sum(self.markouts) / kept
        deviation = math.sqrt(sum((markout - mean) ** 2 for markout in self.markouts) / (kept - 1))
        cautious = min(abs(t), abs(mean) / deviation * math.sqrt(apart)) if deviation > 0.0 else 0.0
        return t, student_two_sided(cautious, apart - 1.0)


def judge(scores: Iterable[Score]) -> list[Score]:
    """The same scores with q-values over all tests (Benjamini-Hochberg) and a verdict in words.

    Placebos are judged among themselves, and come after the others.
    """
    judged = list(scores)
    return [*_judged([score for score in judged if not score.type.startswith(PLACEBO)]),
            *_judged([score for score in judged if score.type.startswith(PLACEBO)])]  # fmt: skip


def _judged(judged: list[Score]) -> list[Score]:
    tested = [place for place, score in enumerate(judged) if score.p is not None]
    found = q_values([judged[place].p or 0.0 for place in tested])
    values = dict(zip(tested, found, strict=True))
    return [_with_verdict(score, values.get(place)) for place, score in enumerate(judged)]


def _with_verdict(score: Score, q: float | None) -> Score:
    if q is None:
        text = f"too few outcomes to say (n={score.count}, {score.apart} apart)"
    elif q >= BADGE_Q:
        text = "not distinguishable from chance"
    else:
        text = "came true more often than chance" if (score.mean_bps or 0.0) > 0.0 else "went the other way"
        text += _costs(score.net_bps)
    return replace(score, q=q, verdict=text)


def _costs(net_bps: float | None) -> str:
    if net_bps is None:
        return "; costs are not known"
    return ", and its mean covers the costs" if net_bps > 0.0 else ", but its mean does not cover the costs"
