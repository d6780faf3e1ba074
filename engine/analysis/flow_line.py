"""The order flow of one feed while somebody looks: the analyzer on its line, and what of it is read for all at once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from msgspec import Struct
from msgspec.structs import replace

from engine.analysis.flow_border import FAILED, FlowBorder
from engine.clock import Clock
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.flow.analyzer import FlowAnalyzer, FlowMetrics
from engine.flow.book.heatmap import Column
from engine.flow.book.level_record import LevelHistory, LevelRecord
from engine.flow.detectors.detection import Detection
from engine.flow.regimes.regime import RegimeChange
from engine.flow.second_bars import SecondBar, SecondBars
from engine.flow.session import Session
from engine.flow.signals.flow_signal import FlowSignal
from engine.flow.signals.scoreboard import Score, judge
from engine.flow.trades.bubbles import Bubble, Bubbles
from engine.flow.trades.footprint import Footprint, stacks
from engine.flow.trades.profile import ValueArea
from engine.market.terms import Terms

LADDER_LEVELS = 50
DETECTIONS_KEPT = 400
BARS_SHOWN = 60
SLOW_EVERY_NS = 1_000_000_000
BACK_NS = 1_000_000_000
SCORE_EVERY_NS = 10_000_000_000
AGAIN_AFTER_NS = 30_000_000_000
"""An analysis that has failed begins anew after so long."""
LATE_NS = 500_000_000
"""A quiet market is told of the time so much later, so that no event that is still on its way comes too late."""

log = logging.getLogger(__name__)


class FootprintBar(Struct, frozen=True):
    """One bar up to `close_ns` (None: still open); `cells` are (bin, bought, sold, imbalance side) upward.

    `stacked` are runs of imbalanced bins (lowest, highest, side).
    """

    close_ns: int | None
    delta: float
    high_delta: float
    low_delta: float
    cells: tuple[tuple[int, float, float, int], ...]
    stacked: tuple[tuple[int, int, int], ...]


class SlowPicture(Struct, frozen=True):
    """What changes by the second: bars by price, profile, signals, regimes, columns of the heatmap."""

    bin_ticks: int | None
    bars: tuple[FootprintBar, ...]
    profile: Mapping[int, float]
    area: ValueArea | None
    signals: tuple[FlowSignal, ...]
    regimes: tuple[RegimeChange, ...]
    inputs: Mapping[str, float | None]
    columns: tuple[Column, ...]
    heat_ticks: int


class FlowPicture(Struct, frozen=True):
    """All that is shown of one feed at one moment. `tick` is its price step, `levels` are prices near
    the touch, `walls` price → since when, `terms` what a trade there costs and is worth. `failed` says why the analysis
    stopped (empty: it runs); the rest is then as it stood before. `analysis` grows where it began anew: nothing of an
    earlier one continues."""

    number: int
    tick: float
    metrics: FlowMetrics
    levels: tuple[LevelHistory, ...]
    walls: Mapping[float, int]
    detections: tuple[tuple[int, Detection], ...]
    seconds: tuple[SecondBar, ...]
    seconds_count: int
    bubbles: tuple[Bubble, ...]
    bubbles_count: int
    slow: SlowPicture
    scores: tuple[Score, ...]
    terms: Terms = Terms()
    failed: str = ""
    analysis: int = 0


class FlowLine:
    """One analyzer and its records. `attach` puts it on a feed, `look` takes the picture; one thread calls both.

    An analyzer that fails hears no more, with a line in the log; half a minute later `look` lets go of it and of the
    feed, so that whoever attaches begins anew.

    `picture` is the newest, for any thread; None before the first.
    """

    def __init__(self, key: FeedKey) -> None:
        self.key = key
        self.leases = 0
        self.terms = Terms()
        """Of the analyzer; others count from the next `attach` on."""
        self.analyzer: FlowAnalyzer | None = None
        self.feed: Feed | None = None
        self.picture: FlowPicture | None = None
        self.idle_since_ns: int | None = None
        self.failed = ""
        """Why the analysis stopped; empty while it runs."""
        self._border: FlowBorder | None = None
        self._again_ns = 0
        self.detections: deque[tuple[int, Detection]] = deque(maxlen=DETECTIONS_KEPT)
        self._detected = 0
        self._bars: SecondBars | None = None
        self._levels: LevelRecord | None = None
        self._bubbles = Bubbles()
        self._number = self._analyses = 0
        self._scores: tuple[Score, ...] = ()
        self._scored_ns = 0
        self._bars_shown: tuple[FootprintBar, ...] = ()
        self._slow: SlowPicture | None = None
        self._slow_due_ns = 0
        self._lock: AbstractContextManager[object] = nullcontext()

    def attach(self, feed: Feed, tick: float, *, derive_quotes: bool, terms: Terms | None = None) -> None:
        """Analyse this feed from now on; what was known of an earlier one stays, with a hole before it."""
        analyzer, terms = self.analyzer, terms or self.terms
        if analyzer is not None and analyzer.observer.last_ns > feed.clock.now_ns() + BACK_NS:
            analyzer = None  # a recording is played from an earlier place: what was found lies in the future now
            self.detections.clear()
        if analyzer is None or analyzer.tick != tick or terms != self.terms:
            self.terms = terms
            analyzer = self.analyzer = self._make(tick, derive_quotes)
            self._bars_shown, self._slow, self._scored_ns = (), None, 0
        else:
            analyzer.observer.on_reset(analyzer.observer.last_ns, "nobody was listening")
            analyzer.observer.on_interruption(analyzer.observer.last_ns)
        self.feed, self.failed = feed, ""
        analyzer.heatmap.watch(feed.clock.now_ns())
        self._border = FlowBorder(self.key, analyzer.observer, self._fail)
        analyzer.lock = self._lock = feed.observe(self._border)

    def detach(self) -> None:
        """Leave the feed."""
        feed, self.feed = self.feed, None
        if feed is not None:
            feed.observe(None)

    def look(self, clock: Clock | None = None) -> None:
        """Take a new picture. A market that is stamped by `clock` is told of the time, even while nothing happens.

        A recording's clock may run ahead of its player: there only events tell the time.
        """
        feed, analyzer, border = self.feed, self.analyzer, self._border
        if feed is None or analyzer is None or border is None:
            return
        if self.failed:
            self._wait(feed)
            return
        try:
            self._read(feed, analyzer, clock)
        except Exception as error:  # the same border as in the feed's way
            log.exception(FAILED, self.key)
            border.fail(error)

    def _read(self, feed: Feed, analyzer: FlowAnalyzer, clock: Clock | None) -> None:
        self._score(analyzer)
        with self._lock:
            now_ns = analyzer.observer.last_ns
            if feed.clock is clock:
                now_ns = feed.clock.now_ns()
                analyzer.observer.on_time(now_ns - LATE_NS)
            if self.leases:
                analyzer.heatmap.watch(now_ns)
            self.picture = self._picture(analyzer, now_ns)

    def _fail(self, error: Exception) -> None:
        """The analysis has failed, on the feed's thread or on that of whoever looks."""
        feed = self.feed
        self._again_ns = AGAIN_AFTER_NS + (feed.clock.now_ns() if feed is not None else 0)
        self.failed = f"{type(error).__name__}: {error}"

    def _wait(self, feed: Feed) -> None:
        """Say that the analysis has failed, and when its time has come, make room for a new one."""
        if self.picture is not None and not self.picture.failed:
            self._number += 1
            self.picture = replace(self.picture, number=self._number, failed=self.failed)
        if feed.clock.now_ns() >= self._again_ns:
            self.detach()
            self.analyzer = None

    def _make(self, tick: float, derive_quotes: bool) -> FlowAnalyzer:
        venue, symbol, _ = self.key
        terms = self.terms
        analyzer = FlowAnalyzer(
            venue, symbol, tick, multiplier=terms.multiplier, inverse=terms.inverse, fee_bps=terms.fee_bps,
            derive_quotes=derive_quotes,
        )  # fmt: skip
        self._analyses += 1
        self._bars = SecondBars(analyzer.top, analyzer.tape)
        self._levels = LevelRecord(analyzer.top)
        self._bubbles = Bubbles()
        records = (self._bars, self._levels, self._bubbles)
        analyzer.observer.set_sections((*analyzer.observer.sections, *records))
        told = analyzer.tape.on_detection

        def detected(found: Detection) -> None:
            if told is not None:
                told(found)
            self._detected += 1
            self.detections.append((self._detected, found))

        analyzer.tape.on_detection = detected
        return analyzer

    def _picture(self, analyzer: FlowAnalyzer, now_ns: int) -> FlowPicture | None:
        bars, levels = self._bars, self._levels
        if bars is None or levels is None or not analyzer.observer.last_ns:
            return None
        if self._slow is None or now_ns >= self._slow_due_ns or now_ns < self._slow_due_ns - 2 * SLOW_EVERY_NS:
            self._slow_due_ns = now_ns + SLOW_EVERY_NS
            self._slow = _slow_picture(analyzer, self._closed(analyzer.tape.session))
        best = analyzer.book.levels(LADDER_LEVELS)
        prices = [price for side in best or () for price, _ in side]
        self._number += 1
        return FlowPicture(
            number=self._number,
            tick=analyzer.tick,
            metrics=analyzer.metrics(now_ns),
            levels=tuple(levels.levels(prices)),
            walls=analyzer.tape.walls.standing,
            detections=tuple(self.detections),
            seconds=tuple(bars.bars),
            seconds_count=bars.count,
            bubbles=tuple(self._bubbles.bubbles),
            bubbles_count=self._bubbles.count,
            slow=self._slow,
            scores=self._scores,
            terms=self.terms,
            analysis=self._analyses,
        )

    def _score(self, analyzer: FlowAnalyzer) -> None:
        """Judge the outcomes now and then; it takes too long to be done while the feed waits."""
        now_ns = analyzer.observer.last_ns
        if self._scored_ns and 0 <= now_ns - self._scored_ns < SCORE_EVERY_NS:
            return
        self._scored_ns = now_ns
        with self._lock:
            records = analyzer.outcomes.copied()
        self._scores = tuple(judge(analyzer.outcomes.scores(records)))

    def _closed(self, session: Session) -> tuple[FootprintBar, ...]:
        """The newest closed bars; what a bar holds is worked out once."""
        known = {bar.close_ns: bar for bar in self._bars_shown}
        newest = [session.bars[place] for place in range(max(len(session.bars) - BARS_SHOWN, 0), len(session.bars))]
        self._bars_shown = tuple([known.get(close_ns) or _bar(close_ns, bar) for close_ns, bar in newest])
        return self._bars_shown


def _slow_picture(analyzer: FlowAnalyzer, closed: tuple[FootprintBar, ...]) -> SlowPicture:
    session, inputs = analyzer.tape.session, analyzer.watch.regime_inputs
    opened = [_bar(None, session.bar)] if session.bar is not None else []
    return SlowPicture(
        session.bin_ticks, (*closed, *opened), session.profile(), session.area(), tuple(analyzer.board.signals()),
        tuple(analyzer.watch.regime.changes),
        {name: getattr(inputs, name) for name in inputs.__struct_fields__ if name not in ("vacuum", "unmatched_s")},
        tuple(analyzer.heatmap.columns), analyzer.heatmap.bin_ticks,
    )  # fmt: skip


def _bar(close_ns: int | None, bar: Footprint) -> FootprintBar:
    sides = bar.imbalances()
    cells = tuple([(place, cell.buy, cell.sell, sides.get(place, 0)) for place, cell in sorted(bar.cells.items())])
    return FootprintBar(close_ns, bar.delta, bar.high_delta, bar.low_delta, cells, tuple(stacks(sides)))
