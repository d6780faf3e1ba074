"""What an export says of the trades: bars of one second, orders, detections, footprint and profile."""

from __future__ import annotations

from collections.abc import Mapping

from engine.flow.book.top import TopOfBook
from engine.flow.detectors.detection import Detection
from engine.flow.section import Json, Row, Section, Table
from engine.flow.tape import Tape
from engine.flow.trades.footprint import Footprint
from engine.flow.trades.profile import value_area
from engine.flow.trades.quote_history import QuoteHistory, in_ticks
from engine.flow.trades.taker_orders import TakerOrder
from engine.flow_export.cost_sections import Costs
from engine.flow_export.volume_sections import ByVolume

STUDIED = {
    "absorption": ("absorption", -1), "exhaustion": ("exhaustion", -1), "large_order_q99": ("large_order", 1),
    "sweep>=3_levels": ("sweep", 1),
}  # fmt: skip
"""Name of the study → kind of the detection, and its opinion relative to its side."""


class SecondBars(Section):
    """A row per second: how the quote stood at its end, and what flowed in it. Silence leaves the quote standing."""

    def __init__(self, top: TopOfBook) -> None:
        """`top` stands before this section and is up to date."""
        self._top = top
        self._stood: Row = (None, None, None)
        """Mid, spread and imbalance at the last edge at which they were known; gone after a break."""
        self._silent = False
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
            stood = self._stood
            if not self._silent or top.spread_ticks is not None:
                spread = None if top.spread_ticks is None else float(top.spread_ticks)
                stood = self._stood = top.mid_ticks, spread, top.imbalance
            self._rows.append((t_ns, *stood, flowed - self._before, self._bought, self._sold, self._trades))
        self._before = flowed
        self._bought = self._sold = 0.0
        self._trades = 0

    def on_reset(self, t_ns: int, reason: str) -> None:
        self._silent = reason == "silence"

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
