"""What an export says of the book: samples of its states, sums over all of them, and what order flow explains."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.flow import depth
from engine.flow.band import BandDepth
from engine.flow.flicker import Flicker
from engine.flow.integrated import integrate, principal
from engine.flow.micro_price import MicroPrice
from engine.flow.ofi import LEVELS, BestOfi, LevelOfi
from engine.flow.queue_states import BUCKETS, WIDEST_TICKS
from engine.flow.section import Changes, Json, Row, Section, Table
from engine.flow.top import TopOfBook
from engine.flow.vacuum import Vacuum
from engine.flow.windows import RollingLine
from engine.market.book import Book

SAMPLES = 60
SAMPLED_WINDOW_S = 60
BANDS_BPS = (5, 10, 25)
COST_NOTIONAL = 100_000.0
INTERVALS_S = (1, 5, 10)

Array = NDArray[np.float64]


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


class Second:
    """How things stood at a whole second."""

    __slots__ = ("book_mid", "events", "flow", "levels", "mid", "ofi", "size", "t_ns")

    def __init__(
        self, t_ns: int, mid: float | None, book_mid: float | None, ofi: float, flow: float, book: LevelOfi
    ) -> None:
        self.t_ns, self.mid, self.book_mid, self.ofi, self.flow = t_ns, mid, book_mid, ofi, flow
        self.levels, self.size, self.events = book.cumulative.copy(), book.depth_sum, book.events


class Regressions(Section):
    """What order flow and trades explain of the move of the mid, over the whole capture and by interval."""

    def __init__(self, tick: float, top: TopOfBook, ofi: BestOfi, levels: LevelOfi) -> None:
        self._tick, self._top, self._ofi, self._levels = tick, top, ofi, levels
        self._flow = 0.0
        self._book_mid: float | None = None
        self._seconds: list[Second] = []

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._flow += side * size

    def on_book(self, t_ns: int, book: Book, changes: Changes | None) -> None:
        (bids, _), (asks, _) = book.top_bids(), book.top_asks()
        tick = self._tick
        self._book_mid = (round(bids[0] / tick) + round(asks[0] / tick)) / 2 if bids and asks else None

    def on_timer(self, t_ns: int) -> None:
        second = Second(t_ns, self._top.mid_ticks, self._book_mid, self._ofi.cumulative, self._flow, self._levels)
        self._seconds.append(second)

    def finish(self, t_ns: int) -> Json:
        return {"ofi_regression": {f"{interval}s": self._regress(interval) for interval in INTERVALS_S}}

    def _regress(self, interval: int) -> Json:
        edges = self._seconds[::interval]
        if len(edges) < 4:
            return {}
        pairs = [(a, b) for a, b in pairwise(edges) if a.mid is not None and b.mid is not None]
        moves = np.array([(b.mid or 0.0) - (a.mid or 0.0) for a, b in pairs])
        ofi = np.array([b.ofi - a.ofi for a, b in pairs])
        flow = np.array([b.flow - a.flow for a, b in pairs])
        found: Json = {
            "edges_first": edges[0].t_ns,
            "edges_last": edges[-1].t_ns,
            "n": len(pairs),
            "ofi_l1": fit(ofi, moves),
            "ti": fit(flow, moves),
            "ofi_ti_joint_r2": joint_r2(np.column_stack([ofi, flow]), moves),
            "lagged_ofi_l1": fit(ofi[:-1], moves[1:]),
            "lagged_ti": fit(flow[:-1], moves[1:]),
        }
        return found | self._regress_levels(edges)

    @staticmethod
    def _regress_levels(edges: list[Second]) -> Json:
        pairs = [
            (a, b) for a, b in pairwise(edges)
            if a.book_mid is not None and b.book_mid is not None and b.events > a.events
        ]  # fmt: skip
        if len(pairs) < 2 * (LEVELS + 2):
            return {}
        moves = np.array([(b.book_mid or 0.0) - (a.book_mid or 0.0) for a, b in pairs])
        flows = np.array([np.subtract(b.levels, a.levels) for a, b in pairs])
        sizes = np.array([(b.size - a.size) / (b.events - a.events) for a, b in pairs])
        return {"l2_raw": level_fits(flows, moves), "l2_norm": level_fits(flows / sizes[:, None], moves)}


def fit(x: Array, y: Array) -> Json | None:
    """The least-squares line in the keys of the file; None where nothing varies."""
    line = RollingLine()
    for one, other in zip(x.tolist(), y.tolist(), strict=True):
        line.add(one, other)
    found = line.line()
    if found is None:
        return None
    return {"a": found.intercept, "b": found.slope, "r2": found.r2, "t": found.t, "n": found.n}


def joint_r2(x: Array, y: Array) -> float:
    """The share of the variance of `y` that the columns of `x` explain together, in sample."""
    design = np.column_stack([np.ones(len(x)), x])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    return _r2(y, design @ weights, float(y.mean()))


def _r2(y: Array, said: Array, mean: float) -> float:
    return float(1.0 - ((y - said) ** 2).sum() / ((y - mean) ** 2).sum())


def _tested(x: Array, y: Array, half: int) -> float | None:
    """R² on the second part of a line that was fitted on the first, against that part's own mean."""
    line = fit(x[:half], y[:half])
    if line is None:
        return None
    return _r2(y[half:], line["a"] + line["b"] * x[half:], float(y[:half].mean()))


def level_fits(flows: Array, moves: Array) -> Json:
    """Best level, all levels and their principal component, in sample and out of it. A row per interval."""
    weights, share = principal(flows)
    half = len(flows) // 2
    earlier, _ = principal(flows[:half])
    return {
        "n": len(flows),
        "best": fit(flows[:, 0], moves),
        "integrated": fit(integrate(flows, weights), moves),
        "multi10_r2": joint_r2(flows, moves),
        "pc1": weights.tolist(),
        "pc1_share": share,
        "oos_best_r2": _tested(flows[:, 0], moves, half),
        "oos_integrated_r2": _tested(integrate(flows, earlier), moves, half),
    }


class Counted(Section):
    """The parts of the analysis that need nothing but to be asked at the end."""

    def __init__(self, flicker: Flicker, micro_price: MicroPrice, vacuum: Vacuum) -> None:
        self._flicker, self._micro_price, self._vacuum = flicker, micro_price, vacuum

    def finish(self, t_ns: int) -> Json:
        bids, asks, micro = self._flicker.bids, self._flicker.asks, self._micro_price
        found: Json = {
            "flicker_250ms": {"bid": [bids.flickers, bids.changes], "ask": [asks.flickers, asks.changes]},
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
    vacuum = Vacuum(band, SAMPLED_WINDOW_S)
    return [
        top, levels, TopSamples(tick, quotes, top, ofi), BookSamples(tick, books, levels),
        Regressions(tick, top, ofi, levels), flicker, micro_price, band, vacuum, Counted(flicker, micro_price, vacuum),
    ]  # fmt: skip
