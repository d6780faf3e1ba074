"""What an export says of costs: spreads, price impact, and how well quotes tell the side of a trade."""

from __future__ import annotations

from engine.flow.section import SECOND_NS, Json, Section
from engine.flow.trades.costs import SpreadCosts
from engine.flow.trades.impact import Illiquidity, PriceImpact
from engine.flow.trades.quote_history import QuoteHistory, in_ticks
from engine.flow.trades.signing import LagLearner, TickRule

UNLIMITED = 1 << 62
HORIZONS_S = (1, 5, 30)
LAGS_MS = (0, 1, 5, 10, 20, 50, 100)


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
