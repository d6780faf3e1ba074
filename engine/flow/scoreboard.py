"""The record of each type of signal, and a verdict that counts how many questions were asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from engine.flow.calibration import LEAST_OUTCOMES
from engine.flow.statistics import jeffreys_interval, newey_west_t, q_values, two_sided

BADGE_Q = 0.05
MARKOUTS_KEPT = 2_000


class Score(Struct, frozen=True):
    """The record of one type at one horizon.

    `hit_rate` is among outcomes that moved; `hit_interval` holds it with 90 %. `mean_bps` is the mean markout,
    `net_bps` that after half the spread and the taker's fee. `t` allows for overlapping horizons; `p` is what chance
    would give, `q` the same with all tests counted (None until `judge` has seen them all). `verdict` is for the user.
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

    __slots__ = ("costs", "count", "hits", "invalid", "markouts", "pending", "ties", "total")

    def __init__(self) -> None:
        self.count = self.hits = self.ties = self.invalid = self.pending = 0
        self.total = self.costs = 0.0
        self.markouts: deque[float] = deque(maxlen=MARKOUTS_KEPT)

    def add(self, markout_bps: float, half_spread_bps: float) -> None:
        """Take an outcome and what half the spread was at its entry."""
        self.count += 1
        self.hits += markout_bps > 0.0
        self.ties += markout_bps == 0.0
        self.total += markout_bps
        self.costs += half_spread_bps
        self.markouts.append(markout_bps)

    def score(self, venue: str, symbol: str, kind: str, horizon_s: float, fee_bps: float) -> Score:
        """What these outcomes come to; `fee_bps` is what a taker pays."""
        count, moved = self.count, self.count - self.ties
        mean = self.total / count if count else None
        net = mean - self.costs / count - fee_bps if mean is not None else None
        t = newey_west_t(self.markouts, round(horizon_s))
        p = two_sided(t) if t is not None and count >= LEAST_OUTCOMES else None
        return Score(
            venue, symbol, kind, horizon_s, count, self.hits, self.ties, self.invalid, self.pending,
            self.hits / moved if moved else None, jeffreys_interval(self.hits, moved) if moved else None,
            mean, net, t, p,
        )  # fmt: skip


def judge(scores: Iterable[Score]) -> list[Score]:
    """The same scores with q-values over all tests (Benjamini-Hochberg) and a verdict in words."""
    judged = list(scores)
    tested = [place for place, score in enumerate(judged) if score.p is not None]
    found = q_values([judged[place].p or 0.0 for place in tested])
    values = dict(zip(tested, found, strict=True))
    return [_with_verdict(score, values.get(place)) for place, score in enumerate(judged)]


def _with_verdict(score: Score, q: float | None) -> Score:
    if q is None:
        text = f"too few outcomes to say (n={score.count})"
    elif q >= BADGE_Q:
        text = "not distinguishable from chance"
    else:
        text = "came true more often than chance" if (score.mean_bps or 0.0) > 0.0 else "went the other way"
        text += ", and pays after costs" if (score.net_bps or 0.0) > 0.0 else ", but does not pay after costs"
    return replace(score, q=q, verdict=text)
