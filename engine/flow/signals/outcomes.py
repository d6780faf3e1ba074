"""Did it come true? Every signal is followed to its horizons and compared with chance, costs taken off.

Entry is the mid that held when the latency budget had passed after the signal. A markout is
`direction × 10,000 × (mid later - mid at entry) / mid at entry`, in basis points. Beside each type runs a placebo of
equally many signals at random times and sides.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from random import Random

from msgspec import Struct

from engine.flow.signals.calibration import LEAST_OUTCOMES, Calibration, Confidence
from engine.flow.signals.flow_signal import RULES, SECOND_NS, FlowSignal
from engine.flow.signals.scoreboard import PLACEBO, Record, Score

HORIZONS_S = (1.0, 5.0, 30.0, 300.0)
LATENCY_S = 0.25
LONGEST_GAP_NS = 2 * SECOND_NS
PLACEBO_WITHIN_S = 120.0
PENDING_KEPT = 20_000
IDLE = 1 << 62


def markout_bps(direction: int, entry: float, later: float) -> float:
    """The move in the signal's direction in basis points of the entry mid."""
    return direction * 10_000.0 * (later - entry) / entry


class _Follow(Struct, frozen=True, gc=False):
    """A signal waiting for its entry (`horizon_s` None) or for one of its horizons."""

    kind: str
    direction: int
    half: int | None
    mid: float = 0.0
    half_spread_bps: float = 0.0
    entered_ns: int = 0
    horizon_s: float | None = None


class OutcomeLedger:
    """Follows the signals of one symbol.

    The owner calls `settle` for every event later than `due_ns`, with the quote that held before that event, and
    `gap` when the book was not to be trusted for a while. Signals still pending when it is thrown away are lost.
    """

    def __init__(
        self,
        venue: str,
        symbol: str,
        pool: Calibration | None = None,
        *,
        latency_s: float = LATENCY_S,
        fee_bps: float | None = None,
        horizons_s: tuple[float, ...] = HORIZONS_S,
        seed: int = 0,
    ) -> None:
        self.venue, self.symbol = venue, symbol
        self.fee_bps = fee_bps
        self.horizons_s = horizons_s
        self.dropped = 0
        """Signals not followed because too many were pending."""
        self.due_ns = IDLE
        self._latency_ns = round(latency_s * SECOND_NS)
        self._pool = pool if pool is not None else Calibration()
        self._own = Calibration()
        self._records: dict[tuple[str, float], Record] = {}
        self._due: list[tuple[int, int, _Follow]] = []
        self._serial = 0
        self._random = Random(seed)
        self._gaps: deque[tuple[int, int]] = deque(maxlen=256)

    def follow(self, kind: str, direction: int, strength: float | None, at_ns: int) -> None:
        """Follow a signal (+1 buy, -1 sell) from its latency on, and a placebo at a random time and side."""
        half = None if strength is None else int(strength >= 0.5)
        self._push(_Follow(kind, direction, half), at_ns + self._latency_ns)
        later = at_ns + self._latency_ns + round(self._random.random() * PLACEBO_WITHIN_S * SECOND_NS)
        self._push(_Follow(placebo_of(kind), self._random.choice((-1, 1)), None), later)

    def gap(self, from_ns: int, to_ns: int) -> None:
        """The book was not valid in between."""
        if to_ns - from_ns > LONGEST_GAP_NS:
            self._gaps.append((from_ns, to_ns))

    def settle(self, t_ns: int, mid: float | None, half_spread_bps: float, until_ns: int = IDLE) -> None:
        """Settle what was due before `t_ns`. `mid` held from the last event until then (None: not valid), but is not to
        be trusted after `until_ns`."""
        due = self._due
        while due and due[0][0] < t_ns:
            at_ns, _, follow = heapq.heappop(due)
            trusted = mid if at_ns <= until_ns else None
            if follow.horizon_s is None:
                self._enter(follow, at_ns, trusted, half_spread_bps)
            else:
                self._leave(follow, at_ns, trusted)
        self.due_ns = due[0][0] if due else IDLE

    def confidence(self, kind: str, horizon_s: float, strength: float | None) -> Confidence:
        """From this symbol's outcomes, or the venue's where it has fewer than 30."""
        half = None if strength is None else int(strength >= 0.5)
        hits, count = self._own.count(kind, horizon_s, half)
        if count < LEAST_OUTCOMES:
            pooled_hits, pooled = self._pool.count(kind, horizon_s, half)
            if pooled >= LEAST_OUTCOMES:
                hits, count = pooled_hits, pooled
        return Confidence(hits, count)

    def scores(self, records: Mapping[tuple[str, float], Record] | None = None) -> list[Score]:
        """The record of every type and horizon met so far, placebos included; `judge` adds the q-values.

        It takes a while: `records` are those to score (None: the present ones), see `copied`.
        """
        known = self._records if records is None else records
        return [
            record.score(self.venue, self.symbol, kind, horizon, self.fee_bps)
            for (kind, horizon), record in sorted(known.items())
        ]

    def copied(self) -> dict[tuple[str, float], Record]:
        """The records as they stand, so that `scores` need not hold up who feeds this."""
        return {key: record.copy() for key, record in self._records.items()}

    def _push(self, follow: _Follow, due_ns: int) -> None:
        if len(self._due) >= PENDING_KEPT:
            self.dropped += 1
            return
        self._serial += 1
        heapq.heappush(self._due, (due_ns, self._serial, follow))
        self.due_ns = self._due[0][0]

    def _record(self, kind: str, horizon_s: float) -> Record:
        return self._records.setdefault((kind, horizon_s), Record())

    def _enter(self, follow: _Follow, at_ns: int, mid: float | None, half_spread_bps: float) -> None:
        for horizon in self.horizons_s:
            record = self._record(follow.kind, horizon)
            if mid is None:
                record.invalid += 1
                continue
            record.pending += 1
            leg = _Follow(follow.kind, follow.direction, follow.half, mid, half_spread_bps, at_ns, horizon)
            if len(self._due) >= PENDING_KEPT:
                record.pending -= 1
            self._push(leg, at_ns + round(horizon * SECOND_NS))

    def _leave(self, follow: _Follow, at_ns: int, mid: float | None) -> None:
        horizon = follow.horizon_s or 0.0
        record = self._record(follow.kind, horizon)
        record.pending -= 1
        torn = any(begin < at_ns and end > follow.entered_ns for begin, end in self._gaps)
        if mid is None or torn:
            record.invalid += 1
            return
        markout = markout_bps(follow.direction, follow.mid, mid)
        record.add(markout, follow.half_spread_bps, follow.entered_ns, at_ns)
        for calibration in (self._own, self._pool):
            calibration.add(follow.kind, horizon, follow.half, markout)


def placebo_of(kind: str) -> str:
    """The name under which the placebo of a type is kept."""
    return PLACEBO + kind


def followed(signal: FlowSignal) -> bool:
    """Whether a signal has a direction and horizons to be followed over."""
    return signal.direction is not None and bool(RULES[signal.kind].horizons_s)
