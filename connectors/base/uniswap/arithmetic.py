"""The arithmetic of a Uniswap v3 pool, in integers: square-root prices of ticks, prices, and the ladder of a taker.

A pool's price is token1 per token0 in raw units, kept as its square root times 2⁹⁶. Between two neighbouring
initialised ticks its liquidity L is constant; moving the root from a up to b takes L·(b-a)/2⁹⁶ of token1 in and gives
L·2⁹⁶·(b-a)/(a·b) of token0 out. Division to a float is the last step of everything.

Source: Uniswap v3 core (TickMath, SqrtPriceMath, SwapMath); protocol sheet 5.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from msgspec import Struct

from engine.market.events import Level

MIN_TICK, MAX_TICK = -887_272, 887_272
FEE_UNIT = 1_000_000
"""A pool's fee is given in millionths of what a taker pays in."""
DIGITS = 15
"""Significant decimal digits of prices and sizes: what a double holds of any decimal."""

_Q96 = 1 << 96
_Q32 = 1 << 32
_Q192 = 1 << 192
_POWERS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001, 0xFFF97272373D413259A46990580E213A, 0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0, 0xFFCB9843D60F6159C9DB58835C926644, 0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861, 0xFE5DEE046A99A2A811C461F1969C3053, 0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54, 0xF3392B0822B70005940C7A398E4B70F3, 0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825, 0xA9F746462D870FDF8A65DC1F90E061E5, 0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6, 0x9AA508B5B7A84E1C677DE54F3E99BC9, 0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98, 0x48A170391F7DC42444E8FA2,
)  # fmt: skip
"""1.0001 to the power of -2ⁿ⁻¹, times 2¹²⁸, as the contract has them."""


class Pool(Struct, frozen=True):
    """What never changes: decimals of both tokens, fee in millionths, tick spacing, and which token is the base."""

    decimals0: int
    decimals1: int
    fee: int
    spacing: int
    base_is_0: bool


class State(Struct, frozen=True):
    """A pool at one block. `ticks` maps initialised ticks to their net liquidity, whole within `low` … `high`."""

    sqrt_price: int
    tick: int
    liquidity: int
    ticks: Mapping[int, int]
    low: int
    high: int


class Segment(Struct, frozen=True):
    """A stretch of constant liquidity; `entered` and `reached` are the root prices at its ends as a taker comes."""

    entered: int
    reached: int
    liquidity: int

    @property
    def amount0(self) -> int:
        """Raw token0 that lies in it, rounded down."""
        low, high = sorted((self.entered, self.reached))
        return (self.liquidity << 96) * (high - low) // high // low

    @property
    def amount1(self) -> int:
        """Raw token1 that lies in it, rounded down."""
        return self.liquidity * abs(self.reached - self.entered) >> 96


@lru_cache(maxsize=65_536)
def sqrt_price_of(tick: int) -> int:
    """The root of 1.0001 to the power of `tick`, times 2⁹⁶, rounded up as the contract does.

    Raises:
        ValueError: outside -887272 … 887272.
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"tick {tick} is outside {MIN_TICK} … {MAX_TICK}")
    ratio = 1 << 128
    for bit, power in enumerate(_POWERS):
        if abs(tick) >> bit & 1:
            ratio = ratio * power >> 128
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return -(-ratio // _Q32)


def grid_below(tick: int, spacing: int) -> int:
    """The highest multiple of the spacing that is not above `tick` (also for negative ones)."""
    return tick // spacing * spacing


def upwards(state: State, spacing: int) -> Iterator[Segment]:
    """The stretches that a taker of token0 meets, one per multiple of the spacing, to the edge of what is known."""
    root, liquidity = state.sqrt_price, state.liquidity
    tick = grid_below(state.tick, spacing) + spacing
    while tick <= min(state.high, MAX_TICK):
        edge = sqrt_price_of(tick)
        if liquidity > 0 and edge > root:
            yield Segment(root, edge, liquidity)
        root = max(root, edge)
        liquidity += state.ticks.get(tick, 0)
        tick += spacing


def downwards(state: State, spacing: int) -> Iterator[Segment]:
    """The stretches that a giver of token0 meets, downwards."""
    root, liquidity = state.sqrt_price, state.liquidity
    tick = grid_below(state.tick, spacing)
    while tick >= max(state.low, MIN_TICK):
        edge = sqrt_price_of(tick)
        if liquidity > 0 and edge < root:
            yield Segment(root, edge, liquidity)
        root = min(root, edge)
        liquidity -= state.ticks.get(tick, 0)
        tick -= spacing


def price(pool: Pool, low: int, high: int) -> tuple[int, int]:
    """The price in quote per base between two roots (their geometric mean), as a numerator and a denominator."""
    above, below = low * high, _Q192
    shift = pool.decimals0 - pool.decimals1
    if shift >= 0:
        above *= 10**shift
    else:
        below *= 10**-shift
    return (above, below) if pool.base_is_0 else (below, above)


def mid(pool: Pool, state: State) -> float:
    """The pool's price without its fee, in quote per base."""
    return ratio(*price(pool, state.sqrt_price, state.sqrt_price))


def quote(pool: Pool, state: State, *, net: bool) -> tuple[float, float]:
    """What a taker of a very small amount is paid and pays per base: bid and ask. Without the fee they are the same."""
    above, below = price(pool, state.sqrt_price, state.sqrt_price)
    kept, whole = (FEE_UNIT - pool.fee, FEE_UNIT) if net else (1, 1)
    return ratio(above * kept, below * whole), ratio(above * whole, below * kept)


def ladder(
    pool: Pool, state: State, levels: int, *, net: bool = True
) -> tuple[tuple[Level, ...], tuple[Level, ...]]:  # fmt: skip
    """Bids and asks of at most `levels` levels: per stretch what it holds, at the price that taking all of it costs.

    `net` includes the fee: prices are what a taker really pays and is paid, and bid sizes what he really hands over. A
    stretch without liquidity is a hole, and no level.
    """
    up, down = upwards(state, pool.spacing), downwards(state, pool.spacing)
    bids, asks = (down, up) if pool.base_is_0 else (up, down)
    kept = FEE_UNIT - pool.fee if net else FEE_UNIT
    return _levels(pool, bids, levels, kept, bids=True), _levels(pool, asks, levels, kept, bids=False)


def ratio(above: int, below: int) -> float:
    """A quotient as the double of its first 15 digits."""
    return float(f"{above / below:.{DIGITS}g}")


def _levels(pool: Pool, segments: Iterator[Segment], most: int, kept: int, *, bids: bool) -> tuple[Level, ...]:
    unit = 10 ** (pool.decimals0 if pool.base_is_0 else pool.decimals1)
    found: list[Level] = []
    for segment in segments:
        if len(found) >= most:
            break
        amount = segment.amount0 if pool.base_is_0 else segment.amount1
        above, below = price(pool, segment.entered, segment.reached)
        if bids:
            level = ratio(above * kept, below * FEE_UNIT), ratio(amount * FEE_UNIT, unit * kept)
        else:
            level = ratio(above * FEE_UNIT, below * kept), ratio(amount, unit)
        if amount and level[0] > 0.0 and (not found or found[-1][0] != level[0]):
            found.append(level)
    return tuple(found)
