"""What an export says of the book: samples of its states, sums over all of them, and what order flow explains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.flow.book import depth
from engine.flow.book.band import BandDepth
from engine.flow.book.flicker import Flicker
from engine.flow.book.micro_price import MicroPrice
from engine.flow.book.ofi import LEVELS, BestOfi, LevelOfi
from engine.flow.book.queue_states import BUCKETS, WIDEST_TICKS
from engine.flow.book.top import TopOfBook
from engine.flow.book.vacuum import HOLD_NS, OFF_ABOVE, ON_BELOW, WARM_S, Vacuum
from engine.flow.section import Changes, Json, Row, Section, Table
from engine.flow_export.regressions import Regressions
from engine.flow_export.sampling import Sampling
from engine.market.book import Book

SAMPLES = 60
SAMPLED_WINDOW_S = 60
BANDS_BPS = (5, 10, 25)
COST_NOTIONAL = 100_000.0


def sampled(index: int, count: int) -> bool:
    """Whether the state of this index is written: about sixty of them, evenly spaced, and the last."""
    return index % max(1, count // SAMPLES) == 0 or index == count - 1


class Checksum:
    """Count, sum, sum of squares and extremes of a series."""

    __slots__ = ("high", "low", "n", "squares", "total")

    def __init__(self) -> None:
        self.n = 0
        self.total = self.squares = 0.0
        self.low, self.high = float("inf"), float("-inf")

    def add(self, value: float | None) -> None:
        if value is None:
            return
        self.n += 1
        self.total += value
        self.squares += value * value
        self.low, self.high = min(self.low, value), max(self.high, value)

    def json(self) -> Json:
        if not self.n:
            return {"n": 0}
        return {"n": self.n, "sum": self.total, "sumsq": self.squares, "min": self.low, "max": self.high}


class TopSamples(Section):
    """Every best quote in sums, and about sixty of them in full. Prices in ticks."""

    def __init__(self, tick: float, quotes: int, top: TopOfBook, ofi: BestOfi) -> None:
        """`top` (with a spread window of 60 s) and `ofi` stand before this section and are up to date."""
        self._tick, self._quotes, self._top, self._ofi = tick, quotes, top, ofi
        names = ("spread_ticks", "spread_bps", "mid", "imbalance_1", "weighted_mid", "ofi_event")
        self._checksums = {name: Checksum() for name in names}
        self._index = 0
        self._rows: list[Row] = []
        self._held: dict[str, float | None] = {}
        self._since_ns = 0
        self._areas = dict.fromkeys(("spread_bps", "spread_ticks", "imbalance_1"), 0.0)
        self._known_ns = dict.fromkeys(self._areas, 0)

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        top = self._top
        self._accumulate(t_ns)
        spread = top.spread_ticks
        now = self._held = {
            "spread_ticks": None if spread is None else float(spread),
            "spread_bps": top.spread_bps,
            "mid": top.mid_ticks,
            "imbalance_1": top.imbalance,
            "weighted_mid": top.weighted_mid_ticks,
            "ofi_event": self._ofi.last,
        }
        for name, checksum in self._checksums.items():
            checksum.add(now[name])
        if sampled(self._index, self._quotes):
            self._rows.append(self._row(t_ns, now))
        self._index += 1

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._accumulate(t_ns)
        self._held = {}

    def _accumulate(self, t_ns: int) -> None:
        """Weigh what held until now by how long it held."""
        lasted = t_ns - self._since_ns
        for name in self._areas:
            value = self._held.get(name)
            if value is not None:
                self._areas[name] += value * lasted
                self._known_ns[name] += lasted
        self._since_ns = t_ns

    def _row(self, t_ns: int, now: Mapping[str, float | None]) -> Row:
        top = self._top
        history = top.spread_history(t_ns) or (None, None, None, None)
        return (
            self._index, t_ns, float(top.bid_ticks), top.bid_size, float(top.ask_ticks), top.ask_size,
            now["spread_bps"], now["mid"], now["weighted_mid"], now["imbalance_1"], self._ofi.cumulative, *history,
        )  # fmt: skip

    def finish(self, t_ns: int) -> Json:
        areas = {name: area / self._known_ns[name] for name, area in self._areas.items() if self._known_ns[name]}
        return {
            "l1_checksums": {name: checksum.json() for name, checksum in self._checksums.items()},
            "l1_time_weighted": areas,
        }

    def tables(self) -> Mapping[str, Table]:
        columns = (
            "i", "ts", "bid", "bid_size", "ask", "ask_size", "spread_bps", "mid", "weighted_mid", "imbalance_1",
            "ofi_cum", "spread_z60", "spread_med60", "spread_mad60", "spread_pct60",
        )  # fmt: skip
        return {"l1_samples": Table(columns, self._rows)}


class BookSamples(Section):
    """About sixty states of the whole book, in full. Prices in ticks."""

    def __init__(self, tick: float, books: int, levels: LevelOfi) -> None:
        self._tick, self._books, self._levels = tick, books, levels
        self._index = 0
        self._rows: list[Row] = []

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        if sampled(self._index, self._books):
            self._rows.append(
                self._row(t_ns, depth.side_of(book.bids(), self._tick), depth.side_of(book.asks(), self._tick))
            )
        self._index += 1

    def _row(self, t_ns: int, bids: depth.Side, asks: depth.Side) -> Row:
        mid = depth.mid_of(bids, asks)
        best = [float(side.prices[0]) if side.prices else None for side in (bids, asks)]
        shape: list[object] = [depth.imbalance(bids, asks, levels)[0] for levels in (1, 5, 10)]
        shape += [depth.depth(bids, 10), depth.depth(asks, 10)]
        if mid is None:
            shape = [None, None, None, *shape[3:], *[None] * (2 * len(BANDS_BPS) + 6)]
        else:
            shape += [depth.band(side, mid, reach).size for reach in BANDS_BPS for side in (bids, asks)]
            shape += [depth.vamp(bids, asks, 5), depth.slope(bids, mid, levels=10), depth.slope(asks, mid, levels=10)]
            near = [depth.Side(side.prices[:10], side.sizes[:10]) for side in (bids, asks)]
            shape.append(depth.pressure(near[0], near[1], mid))
            shape += [depth.cost_bps(side, mid, COST_NOTIONAL, self._tick) for side in (asks, bids)]
        return (self._index, t_ns, *best, *shape, *self._levels.cumulative)

    def tables(self) -> Mapping[str, Table]:
        bands = [f"band{reach}_{side}" for reach in BANDS_BPS for side in ("bid", "ask")]
        columns = (
            "k", "ts", "bid", "ask", "imbalance_1", "imbalance_5", "imbalance_10", "depth10_bid", "depth10_ask", *bands,
            "vamp5", "slope_bid_top10", "slope_ask_top10", "pressure_top10", "buy_cost_bps_100k", "sell_cost_bps_100k",
            *[f"mlofi_cum_{level}" for level in range(1, LEVELS + 1)],
        )  # fmt: skip
        return {"l2_samples": Table(columns, self._rows)}


class Counts(Section):
    """How many events of each kind there were, and when the first and the last."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._quotes = self._trades = self._snapshots = self._updates = 0
        self._first_ns = 0

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self._quotes += 1
        self._first_ns = self._first_ns or t_ns

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._trades += 1
        self._first_ns = self._first_ns or t_ns

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        if changes is None:
            self._snapshots += 1
        else:
            self._updates += 1
        self._first_ns = self._first_ns or t_ns

    def finish(self, t_ns: int) -> Json:
        counts = {"bbo": self._quotes, "trade": self._trades, "snap": self._snapshots, "diff": self._updates}
        return {"tick": self._tick, "counts": counts, "first_ts": self._first_ns, "last_ts": t_ns}


class Counted(Section):
    """The parts of the analysis that need nothing but to be asked at the end."""

    def __init__(self, flicker: Flicker, micro_price: MicroPrice, vacuum: Vacuum) -> None:
        self._flicker, self._micro_price, self._vacuum = flicker, micro_price, vacuum

    def finish(self, t_ns: int) -> Json:
        bids, asks, micro = self._flicker.bids, self._flicker.asks, self._micro_price
        found: Json = {
            "flicker_250ms": {"bid": [bids.flickers, bids.changes], "ask": [asks.flickers, asks.changes]},
            "vacuum_10bps": {
                "params": {
                    "W_s": SAMPLED_WINDOW_S,
                    "on": ON_BELOW,
                    "off": OFF_ABOVE,
                    "hold_ms": HOLD_NS // 10**6,
                    "warm_s": WARM_S,
                }
            },
            "vacuum_events": [[one.t_ns, one.side, one.on, one.ratio] for one in self._vacuum.events],
        }
        solved = micro.solve()
        if solved is not None:
            found["microprice"] = {
                "n_imb": BUCKETS,
                "max_spread": WIDEST_TICKS,
                "transitions": 2.0 * micro.transitions,
                "g_star_ticks": np.reshape(solved.final, (WIDEST_TICKS, BUCKETS)).tolist(),
                "G1_ticks": np.reshape(solved.first, (WIDEST_TICKS, BUCKETS)).tolist(),
            }
        return found


def book_sections(tick: float, quotes: int, books: int) -> list[Section]:
    """The book's part of an export."""
    top, levels = TopOfBook(tick, SAMPLED_WINDOW_S, half_life_s=None), LevelOfi()
    ofi, flicker, micro_price, band = BestOfi(top), Flicker(top), MicroPrice(top), BandDepth(tick)
    vacuum, regressions = Vacuum(band, SAMPLED_WINDOW_S), Regressions(tick, top, ofi, levels)
    return [
        Counts(tick), top, levels, TopSamples(tick, quotes, top, ofi), BookSamples(tick, books, levels),
        regressions, Sampling(top, regressions), flicker, micro_price, band, vacuum,
        Counted(flicker, micro_price, vacuum),
    ]  # fmt: skip
