"""The figures of one symbol by name, worked out when somebody reads them."""

from __future__ import annotations

from engine.flow.book import depth
from engine.flow.book.ofi import BestOfi
from engine.flow.readings import Quality, Reading
from engine.flow.section import SECOND_NS, Changes, Section
from engine.flow.state import BookState
from engine.flow.tape import Tape
from engine.market.book import Book
from engine.market.events import Levels

Readings = dict[str, Reading]

LEVELS = (1, 5, 10, 20)
BANDS_BPS = (5, 10, 25, 50)
NOTIONALS = {"10k": 10_000.0, "100k": 100_000.0, "1m": 1_000_000.0}
NEAR_LEVELS = 200
"""So many levels a side are looked at first; the whole book only where a band reaches beyond them."""
OFI_SPANS_S = (1, 5, 30)
VOLUME_SPANS_S = (10, 60, 300)
SLOPE_LEVELS = 10


class BookFigures(Section):
    """What the book says beyond its best prices: depth, bands, slope, pressure, cost to trade."""

    __slots__ = ("_book", "_t_ns", "tick")

    def __init__(self, tick: float) -> None:
        self.tick = tick
        self._book: Book | None = None
        self._t_ns = 0

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        self._book, self._t_ns = book, t_ns

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._book = None

    def levels(self, count: int) -> tuple[Levels, Levels] | None:
        """The best `count` bids and asks, (price, size) each; None without a book."""
        book = self._book
        return None if book is None else (book.bids(count), book.asks(count))

    def readings(self, state: BookState) -> Readings:
        """All figures; everything is None while there is no book, and what needs a mid while there is none."""
        sides = self._sides()
        if sides is None:
            return {}
        bids, asks = sides
        found: dict[str, tuple[float | None, Quality]] = {}
        for levels in LEVELS:
            value, quality = depth.imbalance(bids, asks, levels)
            # Level 1 is told by the quotes, which are faster.
            if levels > 1:
                found[f"imbalance_{levels}"] = value if state.two_sided else None, quality
            found[f"depth_bid_{levels}"] = depth.depth(bids, levels), quality
            found[f"depth_ask_{levels}"] = depth.depth(asks, levels), quality
        mid = depth.mid_of(bids, asks)
        if mid is not None:
            found |= self._around(bids, asks, mid)
        return {name: Reading(value, self._t_ns, quality, 1.0, state) for name, (value, quality) in found.items()}

    def _sides(self) -> tuple[depth.Side, depth.Side] | None:
        book = self._book
        if book is None:
            return None
        bids, asks = depth.side_of(book.bids(NEAR_LEVELS), self.tick), depth.side_of(book.asks(NEAR_LEVELS), self.tick)
        mid = depth.mid_of(bids, asks)
        if mid is None:
            return bids, asks
        held = book.levels
        if len(bids.prices) < held[0] and depth.band(bids, mid, BANDS_BPS[-1]).truncated:
            bids = depth.side_of(book.bids(), self.tick)
        if len(asks.prices) < held[1] and depth.band(asks, mid, BANDS_BPS[-1]).truncated:
            asks = depth.side_of(book.asks(), self.tick)
        return bids, asks

    def _around(
        self, bids: depth.Side, asks: depth.Side, mid: float
    ) -> dict[str, tuple[float | None, Quality]]:  # fmt: skip
        """What is measured from the mid."""
        found: dict[str, tuple[float | None, Quality]] = {}
        for reach in BANDS_BPS:
            bid, ask = depth.band(bids, mid, reach, self.tick), depth.band(asks, mid, reach, self.tick)
            quality = Quality.PARTIAL if bid.truncated or ask.truncated else Quality.EXACT
            total = bid.size + ask.size
            found[f"band_bid_{reach}"] = bid.size, Quality.PARTIAL if bid.truncated else Quality.EXACT
            found[f"band_ask_{reach}"] = ask.size, Quality.PARTIAL if ask.truncated else Quality.EXACT
            found[f"imbalance_band_{reach}"] = (bid.size - ask.size) / total if total > 0.0 else None, quality
        exact = Quality.EXACT
        found["slope_bid"] = depth.slope(bids, mid, levels=SLOPE_LEVELS), exact
        found["slope_ask"] = depth.slope(asks, mid, levels=SLOPE_LEVELS), exact
        found["pressure"] = depth.pressure(bids, asks, mid), exact
        vamp = depth.vamp(bids, asks, 5)
        found["vamp_5"] = None if vamp is None else vamp * self.tick, exact
        for name, notional in NOTIONALS.items():
            found[f"buy_cost_bps_{name}"] = depth.cost_bps(asks, mid, notional, self.tick), exact
            found[f"sell_cost_bps_{name}"] = depth.cost_bps(bids, mid, notional, self.tick), exact
        return found


def flow_readings(ofi: BestOfi, t_ns: int, state: BookState) -> Readings:
    """Order-flow imbalance over its windows, in base units and normalised by the mean queue."""
    found = {}
    for span in OFI_SPANS_S:
        value, normal = ofi.over(t_ns, span) or (None, None)
        found[f"ofi_{span}s"] = Reading(value, t_ns, Quality.EXACT, 1.0, state)
        found[f"ofi_norm_{span}s"] = Reading(normal, t_ns, Quality.EXACT, 1.0, state)
    return found


def trade_readings(tape: Tape, t_ns: int, state: BookState, alive: bool) -> Readings:
    """What trades say: volumes, delta, costs, impact, toxicity. `alive`: the trade feed has been heard of.

    Without it nothing is known; with it a quiet window has volume 0.
    """
    quality, found = tape.quality, {}
    for span in VOLUME_SPANS_S:
        volume = tape.volumes.over(t_ns, span * SECOND_NS) if alive else None
        found[f"buy_volume_{span}s"] = (volume.buy if volume else None), quality, 1.0
        found[f"sell_volume_{span}s"] = (volume.sell if volume else None), quality, 1.0
        found[f"unsigned_volume_{span}s"] = (volume.unsigned if volume else None), Quality.EXACT, 1.0
        found[f"delta_{span}s"] = (volume.delta if volume else None), quality, 1.0
        found[f"trade_imbalance_{span}s"] = (volume.imbalance if volume else None), quality, 1.0
    running = Quality.PARTIAL if tape.cvd.partial else quality
    found["cvd"] = (tape.delta_at(t_ns) if alive else None), running, 1.0
    found["effective_spread_bps"] = tape.costs.effective(), quality, 1.0
    found["negative_spread_share"] = tape.costs.negative_share(), quality, 1.0
    for place, horizon in enumerate(tape.costs.horizons_s):
        costs = tape.costs.of_window(place)
        found[f"realised_spread_bps_{horizon}s"] = (costs.realised if costs else None), quality, 1.0
        found[f"impact_bps_{horizon}s"] = (costs.impact if costs else None), quality, 1.0
    line = tape.impact.line
    found["kyle_lambda"] = (line.slope if line else None), quality, min(tape.impact.intervals / 30.0, 1.0)
    found["amihud"] = tape.illiquidity.value, Quality.EXACT, 1.0
    if tape.toxicity is not None:
        found["vpin"] = tape.toxicity.value, quality, tape.toxicity.warm
        found["vpin_percentile"] = tape.toxicity.percentile, quality, tape.toxicity.warm
    if tape.toxicity_from_bars is not None:
        found["vpin_bvc"] = tape.toxicity_from_bars.value, Quality.ESTIMATED, tape.toxicity_from_bars.warm
    learner, mid = tape.signer.learner, tape.quotes.mid
    agreement = learner.agreed
    found["quote_lag_ms"] = (learner.lag_ns / 1e6 if learner.learned else None), quality, 1.0
    found["sign_agreement"] = (agreement[0] if agreement else None), quality, 1.0
    impact = tape.impact.bps_per_million(mid, tape.tick) if mid else None
    found["kyle_bps_per_million"] = impact, quality, min(tape.impact.intervals / 30.0, 1.0)
    area, width = tape.session.area(), (tape.session.bin_ticks or 0) * tape.tick
    whole = Quality.PARTIAL if tape.session.partial else Quality.EXACT
    for name in ("poc", "val", "vah"):
        found[name] = (getattr(area, name) * width if area else None), whole, 1.0
    for name, side in (("bid", tape.resting.bid), ("ask", tape.resting.ask)):
        found[f"pull_rate_{name}"] = side.pull_rate, Quality.ESTIMATED, 1.0
        found[f"cancel_to_trade_{name}"] = side.tally.order_to_trade, Quality.ESTIMATED, 1.0
        found[f"fleeting_share_{name}"] = side.fleeting.share, Quality.ESTIMATED, 1.0
    found["absorption_progress"] = tape.absorption.progress, quality, tape.absorption.warm
    found["large_order_size"] = tape.large.threshold, quality, tape.large.warm
    return {name: Reading(value, t_ns, sure, warm, state) for name, (value, sure, warm) in found.items()}
