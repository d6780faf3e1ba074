"""Studies of whole recordings: regimes, correlation of pairs, and what scores said of the returns that followed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.flow.correlation import asynchronous
from engine.flow.regimes import hidden_markov
from engine.flow.regimes.change_point import BLOCK_STEPS, HAZARD, WARM_BLOCKS, RunLength, scale_of
from engine.flow.regimes.trend import BPS, DirectionalMovement, EfficiencyRatio, VolatilityRatio
from engine.flow.statistics.inference import correlation_p_value, jeffreys_interval, newey_west_t, rank_correlation
from engine.flow.studies.grid_record import BAR_S, SECOND_NS, GridRecord

Array = NDArray[np.float64]
Json = dict[str, Any]

HORIZONS_S = (1, 5, 30)
KERNEL_LAGS = (0, 5, 10, 20, 50)
FLOW_SPANS_S = (5, 30)
SPAN_S = 60
COOLDOWN_S = 10
IMBALANCE = 0.7
OFI_SCORE = 3.0
OFI_HISTORY = 120
OFI_WARM = 60


def regime_report(record: GridRecord) -> Json:
    """Efficiency, volatility ratio, ADX, hidden states and change points; keys are places on the grid of seconds."""
    if record.first_ns is None or len(record.mids) < 2:
        return {}
    report: Json = {"grid_first": record.first_ns, "n_returns": len(record.mids) - 1}
    straight, lively = EfficiencyRatio(SPAN_S), VolatilityRatio(warm=SPAN_S)
    efficiency, ratios, fast = {}, {}, {}
    changes = []
    for place, mid in enumerate(record.mids):
        straight.add(mid)
        change = lively.add(mid)
        if change is not None:
            changes.append(change)
        if place > SPAN_S:
            key = str(place - 1)
            efficiency[key], ratios[key], fast[key] = straight.ratio, lively.ratio, lively.fast.value
    report |= {"efficiency_ratio_60s": efficiency, "rv_ratio_10_120": ratios, "rv_fast_bps": fast}
    report["adx"] = _adx(record)
    report |= _hidden_states(np.asarray(record.mids))
    report |= _change_points(changes, record.half_spread_bps)
    return report


def _adx(record: GridRecord) -> Json:
    movement, values = DirectionalMovement(), {}
    for place, bar in enumerate(record.bars):
        movement.add(bar.high, bar.low, bar.close)
        if movement.adx is not None:
            values[str(place)] = movement.adx
    return {
        "bar_s": BAR_S, "first_edge": record.first_ns, "n_bars": len(record.bars), "values": values,
        "plus_di_last": movement.plus, "minus_di_last": movement.minus,
    }  # fmt: skip


def _hidden_states(mids: Array) -> Json:
    chosen = hidden_markov.choose_step(mids)
    if chosen is None:
        return {}
    step, changes = chosen
    floor = hidden_markov.sigma_floor(changes)
    model = hidden_markov.fit(changes, floor)
    forward = hidden_markov.TwoStateFilter(model)
    excited = [forward.add(float(change)) for change in changes]
    (stay, _), (_, remain) = model.moves
    return {
        "hmm": {
            "step_s": step, "sigma_floor_bps": floor, "n": len(changes), "P": model.moves, "sigma_bps": model.sigma,
            "pi": model.start, "loglik": forward.log_likelihood,
            "p_high_vol": {str(place): value for place, value in enumerate(excited)},
            "p_high_vol_last": excited[-1],
            "expected_durations_steps": [1.0 / (1.0 - stay), 1.0 / (1.0 - remain)],
        }
    }  # fmt: skip


def _change_points(changes: Sequence[float], floor: float) -> Json:
    blocks = [changes[start : start + BLOCK_STEPS] for start in range(0, len(changes) - BLOCK_STEPS + 1, BLOCK_STEPS)]
    if len(blocks) < WARM_BLOCKS:
        return {}
    squares = [sum(change * change for change in block) for block in blocks]
    levels = [math.log(max(math.sqrt(square), floor)) for square in squares]
    centre, width = scale_of(levels)
    run = RunLength()
    lengths, young = [], []
    for level in levels:
        lengths.append(run.add((level - centre) / width))
        young.append(run.share_up_to(5))
    return {
        "bocpd": {
            "y0": centre, "ys": width, "hazard": HAZARD, "rmax": 600, "n": len(levels),
            "map_run_length": lengths, "p_r_le_5": young,
        }
    }  # fmt: skip


def correlation_report(one: asynchronous.Ticks, other: asynchronous.Ticks) -> Json:
    """How two symbols move together over the time in which both are known; empty where that is no time at all."""
    span = asynchronous.overlap(one, other)
    if span is None:
        return {}
    left, right = one.between(*span), other.between(*span)
    if len(left.times) < 2 or len(right.times) < 2:
        return {}
    fine, seconds = asynchronous.grid(*span, 0.1), asynchronous.grid(*span, 1.0)
    fine_left, fine_right = asynchronous.returns_on(one, fine), asynchronous.returns_on(other, fine)
    covariance = asynchronous.overlap_covariance(left, right)
    curve = asynchronous.lead_lag_curve(left, right)
    refreshed = asynchronous.refresh_returns(left, right)
    return {
        "ticks": [len(left.times), len(right.times)],
        "hy": {
            "cov": covariance, "var_x": asynchronous.squared_path(left), "var_y": asynchronous.squared_path(right),
            "rho": asynchronous.overlap_correlation(left, right),
        },
        "previous_tick": {
            f"{horizon:g}": {"n": count, "rho": value}
            for horizon, (count, value) in asynchronous.epps_curve(one, other, span).items()
        },
        "kernel_100ms": {
            str(lags): asynchronous.kernel_correlation(fine_left, fine_right, lags) for lags in KERNEL_LAGS
        },
        "hy_cov_over_rv_1s": _over_roots(
            covariance, asynchronous.returns_on(one, seconds), asynchronous.returns_on(other, seconds)
        ),
        "refresh_time": {
            "n": len(refreshed[0]), "rho": _over_roots(float(refreshed[0] @ refreshed[1]), *refreshed)
        },
        "hy_lead_lag_ms": {str(lag): value for lag, value in curve.items()},
        "hy_lead_lag_argmax_ms": max(curve, key=lambda lag: curve[lag] or -math.inf),
        "hy_thinned": {
            str(every): asynchronous.overlap_correlation(_thinned(left, every), _thinned(right, every))
            for every in (5, 20)
        },
    }  # fmt: skip


def _thinned(ticks: asynchronous.Ticks, every: int) -> asynchronous.Ticks:
    return asynchronous.Ticks(ticks.times[::every], ticks.logs[::every])


def _over_roots(covariance: float, left: Array, right: Array) -> float | None:
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return covariance / scale if scale > 0.0 else None


def signal_report(record: GridRecord, events: Mapping[str, Sequence[tuple[int, int]]] | None = None) -> Json:
    """What scores at the whole seconds said of the mid 1, 5 and 30 s later; entry at the second itself.

    `events` are further entries by name: (time, direction) each, entered at the next whole second.
    """
    mids = np.asarray(record.mids)
    if len(mids) <= max(HORIZONS_S):
        return {}
    half_spread = record.half_spread_bps
    scores = {"queue_imbalance_l1": np.asarray(record.imbalances[1])}
    scores |= {f"imbalance_{levels}": np.asarray(record.imbalances[levels]) for levels in (5, 10)}
    for span in FLOW_SPANS_S:
        scores[f"ofi_{span}s"] = _trailing(record.ofi, span)
        scores[f"signed_volume_{span}s"] = _trailing(record.signed, span)
    entries = {
        "queue_imbalance>=0.7": _imbalance_entries(scores["queue_imbalance_l1"]),
        "ofi_5s_robust_z>=3": _pressure_entries(scores["ofi_5s"]),
    }
    for name, found in (events or {}).items():
        entries[name] = _next_seconds(found, record.first_ns or 0)
    return {
        "half_spread_bps": half_spread,
        "seconds": len(mids),
        "ic": {
            name: {f"{horizon}s": _information(score, mids, horizon) for horizon in HORIZONS_S}
            for name, score in scores.items()
        },
        "queue_imbalance_curve_1s": _curve(scores["queue_imbalance_l1"], mids),
        "signals": {
            name: {f"{horizon}s": outcomes(found, mids, horizon, half_spread) for horizon in HORIZONS_S}
            for name, found in entries.items()
        },
    }


def _trailing(sums: Sequence[float], span: int) -> Array:
    """Sums over the last `span` seconds at each edge; NaN until there are so many."""
    seconds = np.asarray(sums)
    trailing = np.full(len(seconds) + 1, np.nan)
    for place in range(span, len(trailing)):
        # Each window is summed by itself: running differences would break ties between equal sums.
        trailing[place] = seconds[place - span : place].sum()
    return trailing


def _information(score: Array, mids: Array, horizon: int) -> Json:
    """The rank correlation of a score with the return that followed, and its significance."""
    ahead = (mids[horizon:] - mids[:-horizon]) / mids[:-horizon]
    known = ~np.isnan(score[: len(ahead)])
    value = rank_correlation(score[: len(ahead)][known], ahead[known])
    count = int(known.sum())
    p_value = correlation_p_value(value, count / horizon) if value is not None else None
    return {"n": count, "ic": value, "n_eff": count / horizon, "p": p_value}


def _curve(score: Array, mids: Array) -> list[Json]:
    """The mean move one second after each eighth of the range of an imbalance."""
    moves = BPS * (mids[1:] - mids[:-1]) / mids[:-1]
    bins = np.minimum(np.floor((score[:-1] + 1.0) * 4.0), 7.0)
    return [
        {
            "lo": -1.0 + 0.25 * place, "hi": -0.75 + 0.25 * place, "n": int(chosen.sum()),
            "mean_bps": float(moves[chosen].mean()) if chosen.any() else None,
        }
        for place in range(8)
        for chosen in (bins == place,)
    ]  # fmt: skip


def _next_seconds(events: Sequence[tuple[int, int]], first_ns: int) -> list[tuple[int, int]]:
    """The places on the grid at or after the events; an event before the grid enters at its first edge."""
    return [(max(-(-(t_ns - first_ns) // SECOND_NS), 0), side) for t_ns, side in events]


def _imbalance_entries(score: Array) -> list[tuple[int, int]]:
    """(second, direction) wherever the imbalance is strong, at most once in ten seconds per side."""
    entries, last = [], {1: -COOLDOWN_S, -1: -COOLDOWN_S}
    for place, value in enumerate(score):
        side = 1 if value > 0.0 else -1
        if abs(value) >= IMBALANCE and place - last[side] >= COOLDOWN_S:
            entries.append((place, side))
            last[side] = place
    return entries


def _pressure_entries(score: Array) -> list[tuple[int, int]]:
    """(second, direction) wherever flow is far outside its own last two minutes, at most once in ten seconds."""
    entries, last = [], -COOLDOWN_S
    for place in range(len(score)):
        past = score[max(place - OFI_HISTORY, 0) : place]
        past = past[~np.isnan(past)]
        if len(past) < OFI_WARM:
            continue
        middle = float(np.median(past))
        spread = 1.4826 * float(np.median(np.abs(past - middle)))
        if spread > 0.0 and abs(score[place] - middle) >= OFI_SCORE * spread and place - last >= COOLDOWN_S:
            entries.append((place, 1 if score[place] > middle else -1))
            last = place
    return entries


def outcomes(entries: Sequence[tuple[int, int]], mids: Array, horizon: int, half_spread: float) -> Json:
    """The markouts of entries (second, direction) at one horizon in seconds; those whose end is unknown are left out.

    Here, other than on the live scoreboard, the interval is of hits among all outcomes, ties included.
    """
    inside = [(place, side) for place, side in entries if place + horizon < len(mids)]
    moves = [side * BPS * float((mids[place + horizon] - mids[place]) / mids[place]) for place, side in inside]
    count, hits, ties = len(moves), sum(move > 0.0 for move in moves), moves.count(0.0)
    if not count:
        return {"n": 0}
    mean = float(np.mean(moves))
    return {
        "n": count, "hits": hits, "ties": ties, "hit_rate": hits / count,
        "hit_rate_given_move": hits / (count - ties) if count > ties else None,
        "hit_ci90": jeffreys_interval(hits, count), "mean_bps": mean, "net_half_spread_bps": mean - half_spread,
        "nw_t": newey_west_t(moves, horizon),
    }  # fmt: skip
