"""The shape of a book at one moment. Pure functions of its levels, best first; prices in ticks.

Differences of prices are small beside prices: in whole ticks they are exact.

Source: slope after Naes and Skjeltorp (2006), but through the origin over cumulated sizes: simpler than theirs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import exp

from msgspec import Struct

from engine.flow.readings import Quality
from engine.market.events import Levels

PRESSURE_DECAY_BPS = 5.0
PRESSURE_REACH_BPS = 50.0

Sizes = Sequence[float]
Prices = Sequence[float]


class Side(Struct, frozen=True):
    """One side of a book, best first: prices in ticks, sizes in base units."""

    prices: Prices
    sizes: Sizes


def side_of(levels: Levels, tick: float) -> Side:
    """Levels as the line gives them, with their prices in ticks."""
    return Side([round(price / tick) for price, _ in levels], [size for _, size in levels])


class Band(Struct, frozen=True):
    """What stands within a distance of the mid. `truncated`: the side ends inside, the true size is larger."""

    size: float
    notional: float
    truncated: bool


def mid_of(bids: Side, asks: Side) -> float | None:
    """Halfway between the best prices in ticks; None while a side is empty or they are crossed."""
    if not bids.prices or not asks.prices or bids.prices[0] > asks.prices[0]:
        return None
    return (bids.prices[0] + asks.prices[0]) / 2


def depth(side: Side, levels: int) -> float:
    """The size in the best `levels` levels, or in what there is; 0 for an empty side."""
    return sum(side.sizes[:levels])


def imbalance(bids: Side, asks: Side, levels: int) -> tuple[float | None, Quality]:
    """`(bid - ask) / (bid + ask)` of the best `levels` levels, in -1 … 1; None while a side is empty.

    PARTIAL where a side has fewer levels.
    """
    if not bids.sizes or not asks.sizes:
        return None, Quality.EXACT
    bid, ask = depth(bids, levels), depth(asks, levels)
    short = len(bids.sizes) < levels or len(asks.sizes) < levels
    return (bid - ask) / (bid + ask), Quality.PARTIAL if short else Quality.EXACT


def band(side: Side, mid: float, reach_bps: float, tick: float = 1.0) -> Band:
    """What stands within `reach_bps` of the mid, the edge included; the notional in quote units."""
    reach = mid * reach_bps / 1e4
    size = notional = 0.0
    for price, stands in zip(side.prices, side.sizes, strict=True):
        if abs(price - mid) > reach:
            return Band(size, notional * tick, False)
        size += stands
        notional += stands * price
    return Band(size, notional * tick, True)


def slope(side: Side, mid: float, *, levels: int | None = None, reach_bps: float | None = None) -> float | None:
    """Cumulated size per basis point of distance, fitted through the origin; large means dense. None where empty.

    Of the best `levels` levels, or of those within `reach_bps` of the mid.
    """
    total = products = squares = 0.0
    for price, size in zip(side.prices[:levels], side.sizes[:levels], strict=True):
        distance = 1e4 * abs(price - mid) / mid
        if reach_bps is not None and distance > reach_bps:
            break
        total += size
        products += distance * total
        squares += distance * distance
    return products / squares if squares > 0.0 else None


def pressure(
    bids: Side, asks: Side, mid: float, *, decay_bps: float = PRESSURE_DECAY_BPS, reach_bps: float = PRESSURE_REACH_BPS
) -> float | None:
    """The imbalance of all sizes, each the less the farther from the mid; in -1 … 1. None where nothing is in reach."""
    bid, ask = _weight(bids, mid, decay_bps, reach_bps), _weight(asks, mid, decay_bps, reach_bps)
    return (bid - ask) / (bid + ask) if bid + ask > 0.0 else None


def _weight(side: Side, mid: float, decay_bps: float, reach_bps: float) -> float:
    found = 0.0
    for price, size in zip(side.prices, side.sizes, strict=True):
        distance = 1e4 * abs(price - mid) / mid
        if distance > reach_bps:
            break
        found += size * exp(-distance / decay_bps)
    return found


def vamp(bids: Side, asks: Side, levels: int) -> float | None:
    """The mid of both sides' mean prices, each weighted by the other side's size; None while a side is empty."""
    bid, ask = depth(bids, levels), depth(asks, levels)
    if not (bid > 0.0 and ask > 0.0):
        return None
    return (_mean_price(bids, levels, bid) * ask + _mean_price(asks, levels, ask) * bid) / (bid + ask)


def _mean_price(side: Side, levels: int, size: float) -> float:
    return sum(price * stands for price, stands in zip(side.prices[:levels], side.sizes[:levels], strict=True)) / size


def cost_bps(side: Side, mid: float, notional: float, tick: float = 1.0) -> float | None:
    """What taking `notional` (in quote units) from this side costs against the mid; at least half the spread.

    None where the book that is seen does not hold so much: nothing is extrapolated.
    """
    left = notional / tick
    size = cost = 0.0
    for price, stands in zip(side.prices, side.sizes, strict=True):
        taken = min(left / price, stands)
        size += taken
        cost += taken * abs(price - mid)
        left -= taken * price
        if left <= 1e-12 * notional / tick:
            return 1e4 * cost / size / mid
    return None


def largest_gap(side: Side, levels: int) -> float | None:
    """The widest distance in ticks between neighbours among the best `levels`; None below two levels."""
    near = side.prices[:levels]
    return max((abs(far - price) for price, far in itertools.pairwise(near)), default=None)
