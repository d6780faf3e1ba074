"""How far a feed can be trusted: counts, rate, age, latency and the clock skew between the venue and us."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import ceil

from msgspec import Struct

WINDOW = 1024
RATE_WINDOW_S = 10


class Percentiles(Struct, frozen=True):
    """Of the last `n` latencies, in milliseconds; None while `n` is 0."""

    n: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LatencyWindow:
    """The last 1024 latencies in nanoseconds; may be read while it is written."""

    __slots__ = ("_ring", "add")

    def __init__(self) -> None:
        self._ring: deque[int] = deque(maxlen=WINDOW)
        self.add = self._ring.append

    def minimum_ns(self) -> int | None:
        values = self._ring.copy()
        return min(values) if values else None

    def percentiles(self, offset_ns: int = 0) -> Percentiles:
        """p50, p95 and p99 by nearest rank, with `offset_ns` added to every value."""
        values = sorted(self._ring.copy())
        n = len(values)
        if not n:
            return Percentiles(0, None, None, None)

        def rank(share: float) -> float:
            return (values[ceil(share * n) - 1] + offset_ns) / 1e6

        return Percentiles(n, rank(0.50), rank(0.95), rank(0.99))


class QualityReport(Struct, frozen=True):
    """A feed's quality at one moment; durations in the unit their name says, None where unknown.

    `clock_skew_ms` is how far our clock runs ahead of the venue's (negative: behind). Measured against the venue's
    own clock where a connector can ask for it, else only a bound: a frame cannot arrive before it was sent, so a
    negative least latency shows at least that much skew.
    """

    updates: int
    rate_per_s: float | None
    age_s: float | None
    snapshots: int
    applied: int
    ignored: int
    duplicates: int
    out_of_order: int
    gaps: int
    resyncs: int
    crossed: int
    quote_mismatches: int
    checksums_ok: int
    checksums_bad: int
    decode_errors: int
    dropped: int
    trades: int
    trade_gaps: int
    reconnects: int
    exchange_to_received: Percentiles
    received_to_drained: Percentiles
    clock_skew_ms: float | None
    clock_skew_measured: bool


class FeedQuality:
    """Counters of one feed, written by the feed's thread and read by anyone."""

    __slots__ = (
        "_second_ends", "_seconds", "applied", "checksums_bad", "checksums_ok", "clock_offset_ns", "crossed",
        "decode_errors", "drained", "dropped", "duplicates", "first_ns", "gaps", "ignored", "last_ns", "out_of_order",
        "quote_mismatches", "reconnects", "resyncs", "snapshots", "trade_gaps", "trades", "transit", "updates",
    )  # fmt: skip

    def __init__(self) -> None:
        self.updates = self.snapshots = self.applied = self.ignored = self.duplicates = self.out_of_order = 0
        self.gaps = self.resyncs = self.crossed = self.quote_mismatches = 0
        self.checksums_ok = self.checksums_bad = self.decode_errors = self.dropped = 0
        self.trades = self.trade_gaps = self.reconnects = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.clock_offset_ns: int | None = None
        """Our clock minus the venue's as measured by asking it; None while nobody has."""
        self.transit = LatencyWindow()
        self.drained = LatencyWindow()
        self._second_ends = 0
        self._seconds: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW_S + 1)
        """Seconds in which something came, and the count of updates before each."""

    def observe(self, received_ns: int, exchange_ns: int | None) -> None:
        """Count one update that reached us."""
        if received_ns >= self._second_ends:
            self._next_second(received_ns)
        self.updates += 1
        self.last_ns = received_ns
        if exchange_ns is not None:
            self.transit.add(received_ns - exchange_ns)

    def _next_second(self, received_ns: int) -> None:
        second = received_ns // 1_000_000_000
        self._second_ends = (second + 1) * 1_000_000_000
        self._seconds.append((second, self.updates))
        if self.first_ns is None:
            self.first_ns = received_ns

    def age_s(self, now_ns: int) -> float | None:
        """Seconds since the last update; None before the first."""
        return None if self.last_ns is None else max(0.0, (now_ns - self.last_ns) / 1e9)

    def rate_per_s(self, now_ns: int) -> float | None:
        """Updates per second over the last ten whole seconds (fewer at the start); None before the first."""
        if self.first_ns is None:
            return None
        now_s = now_ns // 1_000_000_000
        seconds = [*self._seconds.copy(), (now_s, self.updates)]
        counts = [
            after - before
            for (second, before), (_, after) in pairwise(seconds)
            if now_s - RATE_WINDOW_S <= second < now_s
        ]
        elapsed = min(RATE_WINDOW_S, now_s - self.first_ns // 1_000_000_000)
        return sum(counts) / elapsed if elapsed > 0 else float(self.updates)

    def clock_skew_ms(self) -> tuple[float | None, bool]:
        """Our clock minus the venue's in ms and whether it was measured; a negative bound or None otherwise."""
        if self.clock_offset_ns is not None:
            return self.clock_offset_ns / 1e6, True
        least = self.transit.minimum_ns()
        return (least / 1e6 if least is not None and least < 0 else None), False

    def report(self, now_ns: int) -> QualityReport:
        skew, measured = self.clock_skew_ms()
        return QualityReport(
            updates=self.updates,
            rate_per_s=self.rate_per_s(now_ns),
            age_s=self.age_s(now_ns),
            snapshots=self.snapshots,
            applied=self.applied,
            ignored=self.ignored,
            duplicates=self.duplicates,
            out_of_order=self.out_of_order,
            gaps=self.gaps,
            resyncs=self.resyncs,
            crossed=self.crossed,
            quote_mismatches=self.quote_mismatches,
            checksums_ok=self.checksums_ok,
            checksums_bad=self.checksums_bad,
            decode_errors=self.decode_errors,
            dropped=self.dropped,
            trades=self.trades,
            trade_gaps=self.trade_gaps,
            reconnects=self.reconnects,
            exchange_to_received=self.transit.percentiles(),
            received_to_drained=self.drained.percentiles(),
            clock_skew_ms=skew,
            clock_skew_measured=measured,
        )
