"""The tape of one symbol: everything that trades say, alone and against the quotes that stood around them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from engine.flow.book.band import BandDepth
from engine.flow.book.resting import RestingFlow
from engine.flow.detectors.absorption import Absorption
from engine.flow.detectors.detection import Detection
from engine.flow.detectors.exhaustion import Exhaustion
from engine.flow.detectors.large_order import LargeOrders
from engine.flow.detectors.refill import Refills
from engine.flow.detectors.sweep import ALERT_QUANTILE, sweep_of
from engine.flow.detectors.wall import Walls
from engine.flow.readings import Quality
from engine.flow.section import SECOND_NS, Changes, Section
from engine.flow.session import Session
from engine.flow.trades.bucket_size import BucketSize
from engine.flow.trades.costs import SpreadCosts
from engine.flow.trades.impact import Illiquidity, PriceImpact
from engine.flow.trades.quote_history import QuoteHistory, in_ticks
from engine.flow.trades.signing import Fallback, Signer
from engine.flow.trades.taker_orders import TakerOrder, TakerOrders
from engine.flow.trades.toxicity import BarSplit, VolumeBuckets
from engine.flow.trades.volumes import CumulativeDelta, VolumeWindows
from engine.market.book import Book

DETECTIONS_KEPT = 1_000


class Tape(Section):
    """All trade metrics and detectors of one symbol, fed event by event.

    `tick` is the price step. `multiplier` turns price · size into quote units; `inverse` says that a contract is worth
    `multiplier` in quote units whatever the price. `bucket` is the volume of a toxicity bucket in base units (a
    fiftieth of a day's volume); None: it is found from what is seen, which takes an hour. `fallback` infers sides where
    a venue gives none. `band` (10 bp) is one that stands before this section and is up to date; None: an own one is
    kept.
    """

    __slots__ = (
        "_counted_ns", "_detections", "_inverse", "_learner", "_multiplier", "_own_band", "_price", "_ticks",
        "absorption", "bar_split", "book", "bucket_size", "costs", "cvd", "detections_dropped", "exhaustion",
        "illiquidity", "impact", "large", "on_detection", "on_order", "orders", "quotes", "refills", "resting",
        "session", "signer", "sweeps", "tick", "toxicity", "toxicity_from_bars", "volumes", "walls",
    )  # fmt: skip

    def __init__(
        self, tick: float, *, multiplier: float = 1.0, inverse: bool = False, bucket: float | None = None,
        fallback: Fallback = "quote", band: BandDepth | None = None,
    ) -> None:  # fmt: skip
        self.tick = tick
        self._multiplier, self._inverse = multiplier, inverse
        self.quotes = QuoteHistory(tick)
        self.signer = Signer(self.quotes, fallback)
        self._learner = self.signer.learner
        self.volumes = VolumeWindows()
        self.cvd = CumulativeDelta()
        self.orders = TakerOrders()
        self.large = LargeOrders(tick)
        self.sweeps = 0
        """How many sweeps there were, with or without an alert."""
        self.costs = SpreadCosts(self.quotes)
        self.impact = PriceImpact()
        self.illiquidity = Illiquidity(self.impact.interval_s)
        self.toxicity = VolumeBuckets(bucket) if bucket else None
        self.toxicity_from_bars = VolumeBuckets(bucket) if bucket else None
        self.bucket_size = None if bucket else BucketSize()
        """What the bucket is found from; None for one that was given."""
        self.bar_split = BarSplit()
        self.session = Session(tick)
        self.refills = Refills()
        self.absorption = Absorption()
        self.exhaustion = Exhaustion()
        own = BandDepth(tick)
        self._own_band = own if band is None else None
        self.resting = RestingFlow(own if band is None else band)
        self.walls = Walls()
        self.book: Book | None = None
        """The feed's own book, once there is one: read, never kept beyond the call."""
        self.on_order: Callable[[TakerOrder], None] | None = None
        """Told of every taker order, if set."""
        self.on_detection: Callable[[Detection], None] | None = None
        self._detections: deque[Detection] = deque(maxlen=DETECTIONS_KEPT)
        self.detections_dropped = 0
        self._price = self._ticks = 0.0
        """The last trade's price, in quote units and in ticks; 0 before the first."""
        self._counted_ns = 0
        """Up to when the trades are in `cvd`."""

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        bids, asks = self.refills.bid, self.refills.ask
        if (
            bid == bids.price and ask == asks.price and bids.traded_ns < 0 > asks.traded_ns
            and bid_size > 0.0 < ask_size and self.quotes.mid is not None
        ):  # fmt: skip
            # By far the most: only a size has changed, and no trade waits for an answer.
            bids.size, asks.size = bid_size, ask_size
            if bid_size > bids.peak:
                bids.peak = bid_size
            if ask_size > asks.peak:
                asks.peak = ask_size
            return
        self.quotes.on_bbo(t_ns, bid, bid_size, ask, ask_size)
        found = self.refills.on_bbo(t_ns, bid, bid_size, ask, ask_size)
        if found is not None:
            self._report(found)

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        self.book = book
        if self._own_band is not None:
            self._own_band.on_book(t_ns, book, changes)
        self.resting.on_book(t_ns, changes)

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        if size <= 0.0:
            return
        if price == self._price:
            ticks = self._ticks
        else:
            self._price = price
            self._ticks = ticks = in_ticks(price, self.tick)
        if side and t_ns < self._learner.rest_until_ns:
            self.signer.marked += 1
        else:
            side = self.signer.sign(t_ns, ticks, size, side)
        self.volumes.add(t_ns, size, size * self._multiplier * (1.0 if self._inverse else price), side)
        bar = self.session.bar
        if bar is None:
            bar = self.session.open(t_ns, ticks)
        bar.add(ticks, size, side)
        order = self.orders.add(t_ns, ticks, size, side, venue_ns)
        if order is not None:
            self._ordered(order)
        if side:
            self._against_quotes(t_ns, price, ticks, size, side)
        elif self.toxicity is not None:
            self.toxicity.add(size, None)

    def _against_quotes(self, t_ns: int, price: float, ticks: float, size: float, side: int) -> None:
        """What a trade with a side says of the quotes around it."""
        lag, quotes = self._learner.lag_ns, self.quotes
        self.costs.on_trade(t_ns, ticks, size, side, quotes.before(t_ns - lag) if lag else quotes.mid)
        self.resting.on_trade(price, size, side)
        shown = self.refills.ask if side > 0 else self.refills.bid
        if price == shown.price:
            shown.traded(t_ns, size)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.quotes.on_reset(t_ns)
        self.costs.on_reset()
        self.impact.on_reset()
        self.illiquidity.on_reset()
        self.absorption.on_reset()
        self.exhaustion.on_reset()
        self.refills.on_reset()
        self.resting.on_reset()
        if self._own_band is not None:
            self._own_band.on_reset(t_ns, reason)
        self.walls.on_reset()
        self.book = None

    def on_timer(self, t_ns: int) -> None:
        order = self.orders.expire(t_ns)
        if order is not None:
            self._ordered(order)
        volume = self.volumes.over(t_ns, SECOND_NS)
        mid, signed = self.quotes.mid, volume.buy - volume.sell
        self.cvd.add(t_ns, volume)
        self._counted_ns = t_ns
        self.costs.on_second(t_ns)
        self.quotes.trim(t_ns)
        self.impact.on_second(mid, signed)
        self.illiquidity.on_second(mid, volume.quote)
        self._from_bars(t_ns, volume.total)
        self.resting.on_second()
        for found in (
            self.absorption.on_second(t_ns, mid, signed),
            self.exhaustion.on_second(t_ns, mid, volume.buy, volume.sell),
            self.session.on_second(t_ns, self._ticks if self._price else None),
            *self._walls(t_ns),
        ):
            if found is not None:
                self._report(found)

    def delta_at(self, t_ns: int) -> float:
        """Bought minus sold volume since the anchor, up to now."""
        return self.cvd.value + self.volumes.over(t_ns, t_ns - self._counted_ns).delta

    def on_lost_trades(self, count: int) -> None:
        self.cvd.gap(count)
        self.session.gap(count)

    def on_interruption(self, t_ns: int) -> None:
        self.cvd.interrupt()
        self.session.interrupt()

    @property
    def quality(self) -> Quality:
        """How far figures that rest on sides may be trusted: estimated while sides are inferred."""
        return Quality.ESTIMATED if self.signer.inferred else Quality.EXACT

    def finish_orders(self) -> None:
        """No more trades will come: the order that is still open is whole."""
        order = self.orders.close()
        if order is not None:
            self._ordered(order)

    def drain(self) -> list[Detection]:
        """The detections since the last call, oldest first; they are handed out once."""
        found = list(self._detections)
        self._detections.clear()
        return found

    def _ordered(self, order: TakerOrder) -> None:
        if self.on_order is not None:
            self.on_order(order)
        if self.toxicity is not None:
            # Its fills are of one side and follow each other: together they fill buckets as they would one by one.
            self.toxicity.add(order.size, 1.0 if order.side > 0 else 0.0)
        quality = self.quality
        found = self.large.on_order(order, quality)
        if found is not None:
            self._report(found)
        if order.levels > 2:
            swept = sweep_of(order, self.tick, self.large.size_at(ALERT_QUANTILE), quality=quality)
            if swept is not None:
                self.sweeps += 1
                self._report(swept)

    def _walls(self, t_ns: int) -> list[Detection]:
        book, mid = self.book, self.quotes.mid
        if book is None:
            return []
        return self.walls.on_second(t_ns, mid * self.tick if mid else None, book.top_bids(), book.top_asks())

    def _from_bars(self, t_ns: int, volume: float) -> None:
        """What the toxicity would be if only bars of one second were known, and how large its buckets are."""
        sizes = self.bucket_size
        if sizes is not None and sizes.on_second(t_ns, volume) and sizes.value:
            self.toxicity, self.toxicity_from_bars = VolumeBuckets(sizes.value), VolumeBuckets(sizes.value)
        if self.toxicity_from_bars is None or not volume:
            return
        bought = self.bar_split.add(self._ticks, volume)
        self.toxicity_from_bars.add(volume, 0.5 if bought is None else bought / volume)

    def _report(self, found: Detection) -> None:
        if self.on_detection is not None:
            self.on_detection(found)
        if len(self._detections) == DETECTIONS_KEPT:
            self.detections_dropped += 1
        self._detections.append(found)
