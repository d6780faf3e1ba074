"""What an export says of the trades: bars of one second, orders, detections, costs, signing, toxicity, profile."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan, sqrt

import numpy as np

from engine.flow.costs import Illiquidity, PriceImpact, SpreadCosts
from engine.flow.detectors.detection import Detection
from engine.flow.footprint import Footprint
from engine.flow.profile import value_area
from engine.flow.quote_history import QuoteHistory, in_ticks
from engine.flow.section import SECOND_NS, Json, Row, Section, Table
from engine.flow.signing import LagLearner, TickRule
from engine.flow.taker_orders import TakerOrder
from engine.flow.tape import Tape
from engine.flow.top import TopOfBook
from engine.flow.toxicity import BarSplit, VolumeBuckets, bulk_buy_share

UNLIMITED = 1 << 62
HORIZONS_S = (1, 5, 30)
LAGS_MS = (0, 1, 5, 10, 20, 50, 100)
BUCKETS = 100
SPLIT_INTERVALS_S = (1, 5, 10)
STUDIED = {
    "absorption": ("absorption", -1), "exhaustion": ("exhaustion", -1), "large_order_q99": ("large_order", 1),
    "sweep>=3_levels": ("sweep", 1),
}  # fmt: skip
"""Name of the study → kind of the detection, and its opinion relative to its side."""


class SecondBars(Section):
    """A row per second: how the quote stood at its end, and what flowed in it."""

    def __init__(self, top: TopOfBook) -> None:
        """`top` stands before this section and is up to date."""
        self._top = top
        self._bought = self._sold = 0.0
        self._trades = 0
        self._before: float | None = None
        self._rows: list[Row] = []

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._trades += 1
        if side > 0:
            self._bought += size
        elif side:
            self._sold += size

    def on_timer(self, t_ns: int) -> None:
        top, flowed = self._top, self._top.ofi
        if self._before is not None:
            spread = None if top.spread_ticks is None else float(top.spread_ticks)
            row = (t_ns, top.mid_ticks, spread, top.imbalance, flowed - self._before)
            self._rows.append((*row, self._bought, self._sold, self._trades))
        self._before = flowed
        self._bought = self._sold = 0.0
        self._trades = 0

    def tables(self) -> Mapping[str, Table]:
        columns = (
            "t_end", "mid_end", "spread_ticks_end", "imbalance_1_end", "ofi_l1", "buy_volume", "sell_volume", "trades",
        )  # fmt: skip
        return {"bars_1s": Table(columns, self._rows)}


class TapeFindings(Section):
    """The tape as it runs live, and every order and detection that it reported. Prices in ticks."""

    def __init__(self, tape: Tape) -> None:
        """`tape` stands before this section."""
        self._tape = tape
        self._orders: dict[int, int] = {}
        self._found: dict[str, list[Detection]] = {}
        self._bought = self._sold = self._unsigned = 0.0
        self._trades = self._updates = 0
        tape.on_order = self._ordered
        tape.on_detection = self._detected

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._trades += 1
        if side > 0:
            self._bought += size
        elif side:
            self._sold += size
        else:
            self._unsigned += size

    def finish(self, t_ns: int) -> Json:
        self._tape.finish_orders()
        signed, delta = self._bought + self._sold, self._bought - self._sold
        resting = self._tape.resting
        tallies = {"bid": resting.bid.tally, "ask": resting.ask.tally}
        return {
            "trades": {
                "n": self._trades, "buy_volume": self._bought, "sell_volume": self._sold, "unsigned": self._unsigned,
                "cvd": delta, "trade_imbalance": delta / signed if signed else None,
            },
            "orders": {
                "n": sum(self._orders.values()),
                "levels_hist": {str(levels): self._orders[levels] for levels in sorted(self._orders)},
            },
            "large_orders": self._large(),
            "sweeps": self._sweeps(),
            "refills": {"events": [_refill(found, self._tape.tick) for found in self._found.get("refill", ())]},
            "absorption": {"events": [_absorption(found) for found in self._found.get("absorption", ())]},
            "exhaustion": {"events": [_exhaustion(found) for found in self._found.get("exhaustion", ())]},
            "add_cancel_10bps": {
                **{f"add_{side}": tally.added for side, tally in tallies.items()},
                **{f"cancel_{side}": tally.cancelled for side, tally in tallies.items()},
                **{f"traded_{side}": tally.traded for side, tally in tallies.items()},
                "rows": resting.updates,
            },
        }  # fmt: skip

    def events(self) -> dict[str, list[tuple[int, int]]]:
        """(time, opinion as +1 or -1) of the detections whose outcomes are studied, by the name of the study."""
        return {
            name: [(found.t_ns, way * found.side) for found in self._found.get(kind, ())]
            for name, (kind, way) in STUDIED.items()
        }

    def _ordered(self, order: TakerOrder) -> None:
        self._orders[order.levels] = self._orders.get(order.levels, 0) + 1

    def _detected(self, found: Detection) -> None:
        self._found.setdefault(found.kind, []).append(found)

    def _large(self) -> Json:
        events = self._found.get("large_order", [])
        rows = [[found.t_ns, found.side, found.size, found.evidence["threshold"]] for found in events]
        return {"n": len(rows), "first": rows[:3], "last": rows[-3:], "sum_size": sum(found.size for found in events)}

    def _sweeps(self) -> Json:
        events = self._found.get("sweep", [])
        known: Json = {
            "n": len(events),
            "buys": sum(found.side > 0 for found in events),
            "size": sum(found.size for found in events),
            "first": [_sweep(found) for found in events[:3]],
            "last": [_sweep(found) for found in events[-2:]],
        }
        return known | ({"max_levels": int(max(found.evidence["levels"] for found in events))} if events else {})


def _sweep(found: Detection) -> Json:
    told = found.evidence
    return {
        "t": found.t_ns, "side": found.side, "size": found.size, "levels": int(told["levels"]),
        "fills": int(told["fills"]), "p0": told["first_ticks"], "p1": told["last_ticks"], "slip_bps": told["slip_bps"],
    }  # fmt: skip


def _refill(found: Detection, tick: float) -> Json:
    told = found.evidence
    return {
        "t": found.t_ns, "side": "bid" if found.side > 0 else "ask", "price": in_ticks(found.price or 0.0, tick),
        "executed": told["executed"], "peak": told["peak"], "refills": int(told["refills"]),
    }  # fmt: skip


def _absorption(found: Detection) -> Json:
    told = found.evidence
    return {
        "t": found.t_ns, "flow_side": found.side, "signal": -found.side, "SV": told["flow"], "dm": told["moved_ticks"],
        "lam": told["ticks_per_unit"], "progress": told["progress"], "thr": told["threshold"],
    }  # fmt: skip


def _exhaustion(found: Detection) -> Json:
    told = found.evidence
    return {
        "t": found.t_ns, "trend": found.side, "signal": -found.side, "d1": told["first_move"],
        "d2": told["second_move"], "v1": told["first_volume"], "v2": told["second_volume"], "score": told["decline"],
    }  # fmt: skip


class Costs(Section):
    """Spreads paid and kept over the whole capture, with quotes as they came and with the lag that fits best."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._quotes = QuoteHistory(tick, keep_ns=UNLIMITED, limit=UNLIMITED)
        self._learner = LagLearner(LAGS_MS, limit=None)
        self._rule = TickRule()
        self._by_ticks = [0, 0.0]
        self._trades: list[tuple[int, float, float, int, float | None]] = []
        self._impact = PriceImpact(window=None, least=3)
        self._illiquidity = Illiquidity(window=None)
        self._signed = self._quoted = 0.0

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self._quotes.on_bbo(t_ns, bid, bid_size, ask, ask_size)

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        ticks = in_ticks(price, self._tick)
        by_ticks = self._rule.take(ticks)
        self._signed += side * size
        self._quoted += price * size
        if not side:
            return
        self._trades.append((t_ns, ticks, size, side, self._quotes.mid))
        self._learner.take(t_ns, ticks, size, side, by_ticks, self._quotes)
        if by_ticks == side:
            self._by_ticks[0] += 1
            self._by_ticks[1] += size

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._quotes.on_reset(t_ns)
        self._impact.on_reset()
        self._illiquidity.on_reset()

    def on_timer(self, t_ns: int) -> None:
        mid = self._quotes.mid
        self._impact.on_second(mid, self._signed)
        self._illiquidity.on_second(mid, self._quoted)
        self._signed = self._quoted = 0.0

    def finish(self, t_ns: int) -> Json:
        found: Json = {}
        line = self._impact.line
        if line is not None:
            found["kyle_10s"] = {"a": line.intercept, "b": line.slope, "r2": line.r2, "t": line.t, "n": line.n}
        if self._illiquidity.value is not None:
            bars, value = self._illiquidity.bars, self._illiquidity.value
            found["amihud_10s"] = {"bars": bars, "value_bps_per_million_quote": value}
        return found | self._signing() | (self._spreads(t_ns) if self._trades else {})

    def _signing(self) -> Json:
        learner = self._learner
        if not learner.seen:
            return {}
        agreed = {f"lee_ready_lag_{lag}ms": learner.agreement(place) for place, lag in enumerate(learner.lags_ms)}
        agreed["tick_rule"] = self._by_ticks[0] / learner.seen, self._by_ticks[1] / learner.seen_size
        shares = {name: {"trades": both[0], "volume": both[1]} for name, both in agreed.items() if both is not None}
        return {"signing_accuracy": shares}

    def _spreads(self, t_ns: int) -> Json:
        lag_ms = self._learner.best_ms()
        as_came, fitted = self._replay(t_ns, None), self._replay(t_ns, lag_ms * 1_000_000)
        paid, better = as_came.effective_of_all(), fitted.effective_of_all()
        found: Json = {}
        if paid is not None:
            found["spreads"] = {
                "effective_bps_vw": paid[0], "effective_bps_mean": paid[1], **_horizons(as_came),
            }  # fmt: skip
        if better is not None:
            found["spreads_calibrated_lag"] = {
                "quote_lag_ms": lag_ms, "effective_bps_vw": better[0], "negative_share": fitted.negative_share_of_all(),
                "negative_share_lag0": as_came.negative_share_of_all(), **_horizons(fitted),
            }  # fmt: skip
        return found

    def _replay(self, t_ns: int, lag_ns: int | None) -> SpreadCosts:
        """All trades again, against the mid in the order of arrival (None) or the one `lag_ns` before."""
        costs = SpreadCosts(self._quotes, HORIZONS_S, merge_ns=0)
        edge = 0
        for traded_ns, ticks, size, side, mid in self._trades:
            if traded_ns > edge:
                costs.on_second(edge)
                edge = traded_ns + SECOND_NS
            costs.on_trade(
                traded_ns, ticks, size, side, mid if lag_ns is None else self._quotes.before(traded_ns - lag_ns)
            )
        costs.on_second(t_ns)
        return costs


def _horizons(costs: SpreadCosts) -> Json:
    found: Json = {}
    for place, seconds in enumerate(costs.horizons_s):
        known = costs.of_all(place)
        if known is not None:
            found[f"{seconds}s"] = {
                "n": known.n, "effective": known.effective, "realised": known.realised, "impact": known.impact,
            }  # fmt: skip
    return found


class Bar:
    """One bar of trades; prices in ticks, `before` is the close before it."""

    __slots__ = ("before", "bought", "close", "open", "volume")

    def __init__(self, last: float) -> None:
        self.open = nan
        self.before = self.close = last
        self.volume = self.bought = 0.0

    def add(self, price: float, size: float, side: int) -> None:
        if not self.volume:
            self.open = price
        self.close = price
        self.volume += size
        if side > 0:
            self.bought += size


class ByVolume(Section):
    """Toxicity in volume buckets, and how well bars alone would have told buys from sells."""

    def __init__(self, tick: float, volume: float) -> None:
        self._tick = tick
        self._bucket = volume / BUCKETS
        self._exact = VolumeBuckets(self._bucket) if volume > 0.0 else None
        self._edges: list[int] = []
        self._trades: list[tuple[int, float, float, int]] = []

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        self._trades.append((t_ns, in_ticks(price, self._tick), size, side))
        if self._exact is not None:
            self._exact.add(size, 1.0 if side > 0 else 0.0 if side else None)

    def on_timer(self, t_ns: int) -> None:
        self._edges.append(t_ns)

    def finish(self, t_ns: int) -> Json:
        exact = self._exact
        if exact is None or not self._edges:
            return {}
        found: Json = {"bucket": self._bucket, "n": exact.n, "exact_buckets": exact.buckets}
        if exact.values:
            found |= {"exact": _summary(exact.values), "exact_series": list(exact.values)}
        split = {f"{interval}s": self._split(interval) for interval in SPLIT_INTERVALS_S}
        return {
            "vpin": found | self._from_bars(),
            "bar_volume_split": {name: content for name, content in split.items() if content},
        }

    def _bars(self, interval: int) -> list[Bar]:
        """Bars from the first edge on that end no later than the last trade, those without a trade too."""
        edges = [edge for edge in self._edges[::interval] if edge <= self._trades[-1][0]]
        bars: list[Bar] = []
        place, last = 0, nan
        for number, edge in enumerate(edges):
            bar = Bar(last)
            while place < len(self._trades) and self._trades[place][0] <= edge:
                bar.add(*self._trades[place][1:])
                place += 1
            last = bar.close
            if number:
                bars.append(bar)
        return bars

    def _from_bars(self) -> Json:
        bars = [bar for bar in self._bars(1) if not isnan(bar.before)]
        if len(bars) < 2:
            return {}
        sigma = float(np.std([bar.close - bar.before for bar in bars], ddof=1))
        if not sigma:
            return {}
        buckets = VolumeBuckets(self._bucket)
        for bar in bars:
            if bar.volume > 0.0:
                buckets.add(bar.volume, bulk_buy_share(bar.close - bar.before, sigma))
        return {"bvc_sigma_full_sample": sigma} | ({"bvc": _summary(buckets.values)} if buckets.values else {})

    def _split(self, interval: int) -> Json:
        splitter = BarSplit()
        true: list[float] = []
        volumes: list[float] = []
        said: dict[str, list[float]] = {"seed_60_40": [], "bvc_normal_50bar": [], "half_half": []}
        for bar in self._bars(interval):
            if bar.volume <= 0.0:
                continue
            bought = splitter.add(bar.close, bar.volume)
            if bought is None:
                continue
            true.append(bar.bought)
            volumes.append(bar.volume)
            rose = bar.close - bar.open
            said["seed_60_40"].append(bar.volume * (0.6 if rose > 0 else 0.4 if rose < 0 else 0.5))
            said["bvc_normal_50bar"].append(bought)
            said["half_half"].append(bar.volume / 2)
        return {name: _accuracy(true, guess, volumes) for name, guess in said.items()} if len(true) > 1 else {}


def _summary(values: tuple[float, ...]) -> list[float]:
    """First, last, mean, count."""
    return [values[0], values[-1], sum(values) / len(values), len(values)]


def _accuracy(true: list[float], said: list[float], volumes: list[float]) -> Json:
    bought, guess, volume = np.array(true), np.array(said), np.array(volumes)
    real, seen = 2 * bought / volume - 1, 2 * guess / volume - 1
    spread = sqrt(float(real.var()) * float(seen.var()))
    # Of a constant, rounding leaves a hair of variance.
    varies = float(seen.std()) > 1e-12 and spread > 0.0
    return {
        "bars": len(true),
        "volume_accuracy": 1.0 - float(np.abs(guess - bought).sum() / volume.sum()),
        "corr_imbalance": float(((real - real.mean()) * (seen - seen.mean())).mean()) / spread if varies else None,
        "mean_abs_true_imbalance": float(np.abs(real).mean()),
        "mean_abs_est": float(np.abs(seen).mean()),
    }


class Profile(Section):
    """The footprint of the whole capture in bins of one basis point, and its value area."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._quotes = QuoteHistory(tick)
        self._footprint: Footprint | None = None
        self._early: list[tuple[float, float, int]] = []

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        if self._footprint is None:
            self._quotes.on_bbo(t_ns, bid, bid_size, ask, ask_size)
            if self._quotes.mid is not None:
                self._footprint = Footprint(max(1, round(self._quotes.mid * 1e-4)))
                for trade in self._early:
                    self._footprint.add(*trade)

    def on_trade(self, t_ns: int, price: float, size: float, side: int, venue_ns: int | None, trade_id: object) -> None:
        ticks = in_ticks(price, self._tick)
        if self._footprint is None:
            self._early.append((ticks, size, side))
        else:
            self._footprint.add(ticks, size, side)

    def finish(self, t_ns: int) -> Json:
        footprint = self._footprint
        cells = footprint.cells if footprint is not None else {}
        area = value_area({place: cell.total for place, cell in cells.items()})
        if footprint is None or area is None:
            return {}
        return {
            "profile": {
                "bin_ticks": footprint.bin_ticks, "poc": area.poc, "val": area.val, "vah": area.vah,
                "frac": area.share, "total": area.total, "bins": len(cells),
                "footprint": {str(place): [cells[place].sell, cells[place].buy] for place in sorted(cells)},
            }
        }  # fmt: skip


def tape_sections(tick: float, volume: float) -> list[Section]:
    """The tape's part of an export; `volume` is what will be traded in all."""
    top, tape = TopOfBook(tick), Tape(tick)
    return [
        top, tape, SecondBars(top), TapeFindings(tape), Costs(tick), ByVolume(tick, volume), Profile(tick),
    ]  # fmt: skip
