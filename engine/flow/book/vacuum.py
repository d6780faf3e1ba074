"""A liquidity vacuum: the size near the mid falls far below what it usually is."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from engine.flow.book.band import BandDepth
from engine.flow.readings import Quality, Reading
from engine.flow.section import SECOND_NS, Changes, Section
from engine.flow.state import BookState
from engine.flow.statistics.time_median import TimeMedian
from engine.market.book import Book

WINDOW_S = 300
WARM_S = 30
ON_BELOW = 0.25
OFF_ABOVE = 0.5
HOLD_NS = 200_000_000
EVENTS_KEPT = 1000
_UNKNOWN = float("nan")


class VacuumEvent(Struct, frozen=True):
    """A vacuum began (`on`) or ended. `side` is +1 for bids, -1 for asks; `ratio` the size over its median."""

    t_ns: int
    side: int
    on: bool
    ratio: float


class VacuumSide:
    """One side: ON when its size stays below a quarter of its median for 200 ms, OFF when it is above half again."""

    __slots__ = ("_dead_until_ns", "_low_since_ns", "_safe_above", "_sizes", "active", "size", "warm_ns")

    def __init__(self, window_s: float, warm_s: float) -> None:
        self._sizes = TimeMedian(round(window_s * SECOND_NS))
        self.warm_ns = round(warm_s * SECOND_NS)
        self.active = False
        self.size: float | None = None
        self._low_since_ns: int | None = None
        self._safe_above = float("inf")
        """From this size on it is certainly no vacuum, until the next whole second."""
        self._dead_until_ns = 0

    def hold(self, t_ns: int, size: float) -> float | None:
        """Take the size from `t_ns` on; the ratio to the median where the side has just turned ON or OFF."""
        self.size = size
        self._sizes.hold(t_ns, size)
        if size >= self._safe_above and not self.active:
            self._low_since_ns = None
            return None
        ratio = self.ratio(t_ns)
        self.refresh(t_ns)
        if self.active:
            if ratio is None or ratio <= OFF_ABOVE:
                return None
            self.active = False
            return ratio
        if ratio is None or ratio >= ON_BELOW or t_ns < self._dead_until_ns:
            self._low_since_ns = None
            return None
        if self._low_since_ns is None:
            self._low_since_ns = t_ns
        if t_ns - self._low_since_ns < HOLD_NS:
            return None
        self.active = True
        return ratio

    def lose(self, t_ns: int) -> None:
        """The size is not known until the next `hold`, and what comes in the 200 ms after that does not count."""
        if self.size is not None:
            self._sizes.hold(t_ns, _UNKNOWN)
        self.size = self._low_since_ns = None
        self.active = False

    def begin(self, t_ns: int) -> None:
        """A new book: give it time to fill."""
        self._dead_until_ns = t_ns + HOLD_NS

    def refresh(self, t_ns: int) -> None:
        """Say anew what is certainly no vacuum; to be called once a second, for a bound of the median ages."""
        bound = self._sizes.ceiling(t_ns + SECOND_NS)
        self._safe_above = float("inf") if bound is None else ON_BELOW * bound

    def ratio(self, t_ns: int) -> float | None:
        """The size over its median; None until 30 s of it are known."""
        median, known_ns = self._sizes.median(t_ns)
        if self.size is None or median is None or known_ns < self.warm_ns or median <= 0.0:
            return None
        return self.size / median


class Vacuum(Section):
    """Both sides of one book, by the size within 10 bps of the mid."""

    __slots__ = ("_band", "asks", "bids", "events", "t_ns")

    def __init__(self, band: BandDepth, window_s: float = WINDOW_S, warm_s: float = WARM_S) -> None:
        """`band` stands before this section and is up to date."""
        self._band = band
        self.bids = VacuumSide(window_s, warm_s)
        self.asks = VacuumSide(window_s, warm_s)
        self.events: deque[VacuumEvent] = deque(maxlen=EVENTS_KEPT)
        """The newest ones, oldest first."""
        self.t_ns = 0

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        band = self._band
        bid, ask = band.bid, band.ask
        if band.mid_ticks is None or bid is None or ask is None:
            self.on_reset(t_ns, "no mid")
            return
        if changes is None:
            self.bids.begin(t_ns)
            self.asks.begin(t_ns)
        self.t_ns = t_ns
        ratio = self.bids.hold(t_ns, bid)
        if ratio is not None:
            self.events.append(VacuumEvent(t_ns, 1, self.bids.active, ratio))
        ratio = self.asks.hold(t_ns, ask)
        if ratio is not None:
            self.events.append(VacuumEvent(t_ns, -1, self.asks.active, ratio))

    def on_timer(self, t_ns: int) -> None:
        self.bids.refresh(t_ns)
        self.asks.refresh(t_ns)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.bids.lose(t_ns)
        self.asks.lose(t_ns)

    def readings(self, t_ns: int, state: BookState = BookState.OK) -> dict[str, Reading]:
        """Whether a vacuum is on (1 or 0) and how severe (1 minus the ratio, in 0 … 1), of either side."""
        found = {}
        for name, side in (("bid", self.bids), ("ask", self.asks)):
            ratio = side.ratio(t_ns)
            severity = None if ratio is None else min(max(1.0 - ratio, 0.0), 1.0)
            active = None if ratio is None else float(side.active)
            found[f"vacuum_{name}"] = Reading(active, self.t_ns, Quality.EXACT, 1.0, state)
            found[f"vacuum_{name}_severity"] = Reading(severity, self.t_ns, Quality.EXACT, 1.0, state)
        return found
