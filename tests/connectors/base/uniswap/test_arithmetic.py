"""A pool's prices and ladder, against the contract's own rounding and a recorded pool."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.uniswap.arithmetic import (
    MAX_TICK,
    MIN_TICK,
    Pool,
    Segment,
    State,
    grid_below,
    ladder,
    mid,
    quote,
    sqrt_price_of,
)
from tests.fakes.uniswap_pool import CAPTURE, WBTC_WETH, FakePool, read, tick_of
from tests.shared import capture

TOKENS = Pool(8, 18, 3000, 60, True)
ONE_WORD = "uniswap_v3_wbtc_weth_block17600000_oneword.json.gz"


def state_of(pool: FakePool) -> State:
    ticks = {tick: net for tick, (net, _) in pool.ticks.items()}
    return State(pool.sqrt_price, pool.tick, pool.liquidity, ticks, min(ticks), max(ticks))


def truths() -> dict[str, Any]:
    content = json.loads(capture("truths.json").read_text(encoding="utf-8"))[CAPTURE]
    assert isinstance(content, dict)
    return content


def test_the_ends_of_the_tick_scale_are_those_of_the_contract() -> None:
    assert sqrt_price_of(MIN_TICK) == 4295128739
    assert sqrt_price_of(MAX_TICK) == 1461446703485210103287273052203988822378723970342
    assert sqrt_price_of(0) == 1 << 96
    with pytest.raises(ValueError, match="887273"):
        sqrt_price_of(MAX_TICK + 1)


@given(st.integers(-500_000, 500_000))
def test_a_tick_is_a_ten_thousandth_of_the_price(tick: int) -> None:
    with localcontext(prec=60):
        exact = Decimal("1.0001") ** tick
        root = Decimal(sqrt_price_of(tick)) / (1 << 96)
        assert abs(root * root / exact - 1) < Decimal("1e-9")
    assert tick_of(sqrt_price_of(tick)) == tick


def test_the_grid_is_rounded_down_on_both_sides_of_zero() -> None:
    assert [grid_below(tick, 60) for tick in (59, 0, -1, -60, -61)] == [0, 0, -60, -60, -120]


def test_a_stretch_holds_what_the_reference_says() -> None:
    stretch = Segment(sqrt_price_of(196250), sqrt_price_of(196260), 12 * 10**18)
    assert stretch.amount0 / 1e6 == pytest.approx(328_639.24996, abs=1e-5)
    assert stretch.amount1 / 1e18 == pytest.approx(109.53166, abs=1e-5)


def test_the_recorded_pool_has_its_recorded_price_and_tick() -> None:
    pool, expected = FakePool.recorded(), truths()
    assert str(pool.sqrt_price) == expected["slot0.sqrtPriceX96"]
    assert tick_of(pool.sqrt_price) == pool.tick == expected["slot0.tick"]
    assert mid(TOKENS, state_of(pool)) == float(f"{Decimal(expected['mid_price_WETH_per_WBTC']):.15g}")
    assert f"{mid(TOKENS, state_of(pool)):.10f}" == "33.5447367169"


def test_the_recorded_pool_has_its_recorded_tick_liquidity() -> None:
    pool, expected = FakePool.recorded(), truths()
    nets = [(tick, net) for tick, (net, _) in sorted(pool.ticks.items())]
    assert len(nets) == expected["initialised_ticks"]
    assert sum([net for tick, net in nets if tick <= pool.tick]) == pool.liquidity == int(expected["liquidity"])
    assert sum([net for _, net in nets]) == expected["sum_all_liquidityNet"] == 0
    recorded = {int(word): int(one["bitmap"]) for word, one in read(CAPTURE)[f"v3_{WBTC_WETH}_tick_bitmap"].items()}
    assert {word: pool.bitmap(word) for word in recorded} == recorded
    assert {tick // pool.spacing >> 8 for tick in pool.ticks} == {word for word, bits in recorded.items() if bits}


def test_the_ladder_of_the_recorded_pool_ends_without_liquidity_on_both_sides() -> None:
    pool = FakePool.recorded()
    sums = list(accumulate([net for _, (net, _) in sorted(pool.ticks.items())]))
    assert sums[-1] == 0
    assert all(total >= 0 for total in sums)
    bids, asks = ladder(TOKENS, state_of(pool), 10**6)
    assert len(bids) > 1_000
    assert len(asks) > 1_000
    for side, sign in ((bids, -1), (asks, 1)):
        prices = [sign * level[0] for level in side]
        assert prices == sorted(prices)
    assert asks[0][0] > mid(TOKENS, state_of(pool)) > bids[0][0]


def test_an_older_recording_has_its_price_and_bitmap() -> None:
    content = read(ONE_WORD)
    assert tick_of(content["sqrt_price_x96"]) == content["tick"]
    word = int(content["tick_bitmap"]["16"]["bitmap"])
    marked = {(16 * 256 + bit) * 60 for bit in range(256) if word >> bit & 1}
    assert marked == {int(tick) for tick in content["tick_data"]}
    state = State(
        content["sqrt_price_x96"], content["tick"], content["liquidity"],
        {int(tick): one["liquidity_net"] for tick, one in content["tick_data"].items()}, 16 * 256 * 60, 17 * 256 * 60,
    )  # fmt: skip
    bids, asks = ladder(TOKENS, state, 20)
    assert len(bids) == len(asks) == 20
    assert mid(TOKENS, state) == pytest.approx(15.857, abs=0.001)


@pytest.mark.parametrize("levels", [1, 3, 20])
def test_taking_levels_costs_what_the_contract_asks(levels: int) -> None:
    """The quote of the pool itself for the size of the first levels, with its fee."""
    bids, asks = ladder(TOKENS, state_of(FakePool.recorded()), levels)
    paid = round(sum([price * size for price, size in asks]) * 1e18)
    amount0, _ = FakePool.recorded().swap(paid, zero_for_one=False)
    assert -amount0 / 1e8 == pytest.approx(sum([size for _, size in asks]), rel=1e-6)
    given_base = round(sum([size for _, size in bids]) * 1e8)
    _, amount1 = FakePool.recorded().swap(given_base, zero_for_one=True)
    assert -amount1 / 1e18 == pytest.approx(sum([price * size for price, size in bids]), rel=1e-6)


def test_a_pool_whose_base_is_the_second_token_is_turned_around() -> None:
    turned = Pool(8, 18, 3000, 60, False)
    state = state_of(FakePool.recorded())
    assert mid(turned, state) == pytest.approx(1 / mid(TOKENS, state))
    bids, asks = ladder(turned, state, 3)
    paid = round(sum([price * size for price, size in asks]) * 1e8)
    _, amount1 = FakePool.recorded().swap(paid, zero_for_one=True)
    assert -amount1 / 1e18 == pytest.approx(sum([size for _, size in asks]), rel=1e-6)
    given_base = round(sum([size for _, size in bids]) * 1e18)
    amount0, _ = FakePool.recorded().swap(given_base, zero_for_one=False)
    assert -amount0 / 1e8 == pytest.approx(sum([price * size for price, size in bids]), rel=1e-6)


def test_the_fee_lies_on_both_sides_of_the_price() -> None:
    state = state_of(FakePool.recorded())
    price = mid(TOKENS, state)
    assert quote(TOKENS, state, net=True) == pytest.approx((price * 0.997, price / 0.997), rel=1e-14)
    assert quote(TOKENS, state, net=False) == (price, price)
    (raw_bid, *_), (raw_ask, *_) = ladder(TOKENS, state, 1, net=False)
    (net_bid, *_), (net_ask, *_) = ladder(TOKENS, state, 1)
    assert net_bid[0] == pytest.approx(raw_bid[0] * 0.997, rel=1e-14)
    assert net_ask[0] == pytest.approx(raw_ask[0] / 0.997, rel=1e-14)


def test_a_stretch_without_liquidity_is_a_hole_and_no_level() -> None:
    state = State(sqrt_price_of(30), 30, 10**18, {60: -(10**18), 180: 10**18}, -600, 600)
    _, asks = ladder(Pool(18, 18, 3000, 60, True), state, 3, net=False)
    assert [price for price, _ in asks] == pytest.approx([1.0001**45, 1.0001**210, 1.0001**270], rel=1e-9)


@pytest.mark.parametrize(("tick", "liquidity"), [(60, 5 * 10**18), (59, 2 * 10**18)])
def test_a_price_on_a_boundary_is_read_by_its_tick(tick: int, liquidity: int) -> None:
    """The same root with either tick: above the boundary lies the one liquidity, below it the other."""
    state = State(sqrt_price_of(60), tick, liquidity, {60: 3 * 10**18}, -600, 600)
    bids, asks = ladder(Pool(18, 18, 500, 60, True), state, 1, net=False)
    assert asks[0][1] == pytest.approx(Segment(sqrt_price_of(60), sqrt_price_of(120), 5 * 10**18).amount0 / 1e18)
    assert bids[0][1] == pytest.approx(Segment(sqrt_price_of(60), sqrt_price_of(0), 2 * 10**18).amount0 / 1e18)
