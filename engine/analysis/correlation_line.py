"""How some feeds move together: a reader of all of them, a matrix for each horizon, and the curves of a pair."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.flow.correlation.asynchronous import Ticks, distinct, epps_curve, lead_lag_curve, overlap
from engine.flow.correlation.matrix import HORIZONS_S, Cell, ReturnCorrelation
from engine.market.book import BookView
from engine.market.events import BookDelta, BookSnapshot, MarketEvent, Quote

SECOND_NS = 1_000_000_000
TICKS_KEPT = 20_000
STUDY_EVERY_NS = 5 * SECOND_NS
STUDIES_KEPT = 100
LATE_NS = SECOND_NS // 2
MOST_SECONDS = 600
DRAW_EVERY_NS = 50_000_000


class PairStudy(Struct, frozen=True):
    """The curves of a pair over `span_s`: `epps` horizon in s → (returns, correlation), `lags` ms → correlation.

    The peak of `lags` at +L says that the first leads by L ms; times are those of receipt.
    """

    span_s: float
    ticks: tuple[int, int]
    epps: Mapping[float, tuple[int, float | None]]
    lags: Mapping[int, float | None]


class CorrelationLine:
    """Reads the mids of feeds as they come. The hub delivers, `look` passes the seconds, any thread may read.

    Mids come from best quotes, or from books where a venue sends none. At each second a feed that has no data, or
    none that is fresh, counts as not known.
    """

    lost: Collection[FeedKey] = ()

    def __init__(self, keys: Sequence[FeedKey]) -> None:
        self.keys = tuple(keys)
        self.asked_ns = 0
        names = [name_of(key) for key in self.keys]
        self.matrices = {horizon: ReturnCorrelation(names) for horizon in HORIZONS_S}
        self._ticks: dict[FeedKey, deque[tuple[int, float]]] = {key: deque(maxlen=TICKS_KEPT) for key in self.keys}
        self._edge_ns = 0
        self._studies: dict[tuple[FeedKey, FeedKey], tuple[int, PairStudy | None]] = {}
        self._drawn_ns: dict[FeedKey, int] = {}
        self._closed = False

    def put(self, key: FeedKey, event: MarketEvent, feed: Feed) -> None:
        """Keep the mid, if it is another one."""
        kind = type(event)
        if kind is Quote:
            quote: Quote = event  # type: ignore[assignment]
            mid, t_ns = (quote.bid + quote.ask) / 2.0, quote.received_ns
        elif kind in (BookDelta, BookSnapshot) and feed.quote is None:
            view = self._drawn(key, event.received_ns, feed)
            if view is None or not view.bids or not view.asks:
                return
            mid, t_ns = (view.bids[0][0] + view.asks[0][0]) / 2.0, view.received_ns
        else:
            return
        ticks = self._ticks.get(key)
        if ticks is not None and not self._closed and (not ticks or ticks[-1][1] != mid):
            ticks.append((t_ns, mid))

    def reopen(self, key: FeedKey) -> None:
        """A book that begins anew changes nothing about the mids."""

    def close(self) -> None:
        """Take nothing any more."""
        self._closed = True

    def look(self, now_ns: int, feeds: Mapping[FeedKey, Feed | None]) -> None:
        """Pass the whole seconds up to a moment ago."""
        edge = (now_ns - LATE_NS) // SECOND_NS * SECOND_NS
        if not self._edge_ns or edge - self._edge_ns > MOST_SECONDS * SECOND_NS:
            self._edge_ns = edge - SECOND_NS
        while self._edge_ns < edge:
            self._edge_ns += SECOND_NS
            mids = [self._mid(key, feeds.get(key)) for key in self.keys]
            for horizon, matrix in self.matrices.items():
                if self._edge_ns % (horizon * SECOND_NS) == 0:
                    matrix.step(mids)

    def cell(self, horizon_s: int, one: FeedKey, other: FeedKey) -> Cell:
        """The correlation of two feeds at a horizon.

        Raises:
            KeyError: no such horizon.
            ValueError: one of the two is not among the feeds.
        """
        return self.matrices[horizon_s].cell(name_of(one), name_of(other))

    def study(self, one: FeedKey, other: FeedKey, now_ns: int) -> PairStudy | None:
        """The curves of a pair, at most 5 s old; None while both are not known together."""
        pair = one, other
        known = self._studies.get(pair)
        if known is not None and 0 <= now_ns - known[0] < STUDY_EVERY_NS:
            return known[1]
        if len(self._studies) >= STUDIES_KEPT:
            self._studies.clear()
        study = _study(self._taken(one), self._taken(other))
        self._studies[pair] = now_ns, study
        return study

    def _drawn(self, key: FeedKey, t_ns: int, feed: Feed) -> BookView | None:
        """The book, but not more often than is of use: it is drawn for whoever asks."""
        if t_ns - self._drawn_ns.get(key, 0) < DRAW_EVERY_NS:
            return None
        self._drawn_ns[key] = t_ns
        return feed.view

    def _mid(self, key: FeedKey, feed: Feed | None) -> float | None:
        if feed is None or not feed.state.has_data:
            return None
        age_s = feed.quality.age_s(feed.clock.now_ns())
        if age_s is None or age_s >= feed.stale_after_s:
            return None
        # What came after the edge does not count.
        ticks = self._ticks[key]
        for place in range(-1, -len(ticks) - 1, -1):
            t_ns, mid = ticks[place]
            if t_ns <= self._edge_ns:
                return mid
        return None

    def _taken(self, key: FeedKey) -> Ticks:
        ticks = list(self._ticks[key].copy())
        return distinct([t_ns for t_ns, _ in ticks], [mid for _, mid in ticks])


def name_of(key: FeedKey) -> str:
    """A feed's name in a matrix."""
    return f"{key[0]} {key[1]}"


def _study(one: Ticks, other: Ticks) -> PairStudy | None:
    span = overlap(one, other)
    if span is None:
        return None
    left, right = one.between(*span), other.between(*span)
    if len(left.times) < 2 or len(right.times) < 2:
        return None
    return PairStudy(
        (span[1] - span[0]) / SECOND_NS, (len(left.times), len(right.times)), epps_curve(one, other, span),
        lead_lag_curve(left, right),
    )  # fmt: skip
