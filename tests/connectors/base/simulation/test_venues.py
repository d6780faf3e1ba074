"""Several simulated venues of one market: one worth, own books, own spelling; gaps come and go."""

from __future__ import annotations

from functools import partial

import pytest

from connectors.base.simulation.market import INSTRUMENTS, Market
from connectors.base.simulation.venues import CELLS_KEPT, CHARACTERS, CommonWorth, FollowedValue, character_of

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
BTC = INSTRUMENTS[0]


def venues(worth: CommonWorth, *names: str) -> dict[str, Market]:
    return {
        name: Market(
            7,
            instruments=[character_of(name).lists(BTC)],
            start_ns=START,
            venue=f"mock:{name}",
            values=partial(FollowedValue, worth, character_of(name)),
        )
        for name in names
    }


def test_each_venue_lists_the_same_things_in_its_own_spelling() -> None:
    listed = {name: character_of(name).lists(BTC).public(name) for name in CHARACTERS}
    assert {one.unified for one in listed.values()} == {"BTC/USDT"}
    assert {name: one.symbol for name, one in listed.items()} == {
        "alpha": "BTC-USDT",
        "beta": "BTCUSDT",
        "gamma": "XBT/USDT",
    }
    assert len({one.tick for one in listed.values()}) == 2


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda one: one.symbol)
def test_every_thing_can_be_listed_by_every_venue(instrument: object) -> None:
    for name in [*CHARACTERS, "delta"]:
        market = Market(1, instruments=[character_of(name).lists(instrument)], venue=name)  # type: ignore[arg-type]
        [symbol] = market.symbols
        truth = market.truth(symbol, 5)
        tick = market.instruments()[0].tick or 0.0
        assert all(abs(price / tick - round(price / tick)) < 1e-6 for price, _ in truth.bids)
        assert truth.bids[0][0] < truth.asks[0][0]


def test_the_worth_is_the_same_whoever_asks_and_in_whatever_order() -> None:
    one, other = CommonWorth(3, [BTC]), CommonWorth(3, [BTC])
    moments = [START + step * SECOND // 3 for step in range(200)]
    asked = [one.price("BTC/USDT", at) for at in moments]
    other.price("BTC/USDT", START)
    backwards = [other.price("BTC/USDT", at) for at in reversed(moments)]
    assert asked == backwards[::-1]
    assert len(set(asked)) > 100
    assert CommonWorth(4, [BTC]).price("BTC/USDT", moments[-1]) != asked[-1]


def test_what_is_long_gone_is_forgotten_and_a_long_absence_costs_nothing() -> None:
    worth = CommonWorth(3, [BTC])
    first = worth.price("BTC/USDT", START)
    far = START + 1_000 * CELLS_KEPT * SECOND
    assert abs(worth.price("BTC/USDT", far) / first - 1) < 0.2
    assert worth.price("BTC/USDT", START) == worth.price("BTC/USDT", far - CELLS_KEPT * SECOND)


def test_books_agree_roughly_and_now_and_then_one_bids_what_another_asks() -> None:
    markets = venues(CommonWorth(7, [BTC]), "alpha", "beta", "gamma")
    looks, gaps, widest = 0, 0, 0.0
    for step in range(1, 1_500):
        tops = []
        for market in markets.values():
            [symbol] = market.symbols
            market.advance_to(symbol, START + step * SECOND // 5)
            truth = market.truth(symbol, 1)
            tops.append((truth.bids[0][0], truth.asks[0][0]))
        gap = max(bid for bid, _ in tops) - min(ask for _, ask in tops)
        looks, gaps, widest = looks + 1, gaps + (gap > 0), max(widest, gap / tops[0][0])
    assert 0.02 < gaps / looks < 0.7
    assert widest < 0.0005, "never more than 5 bps apart"


def test_venues_have_crowds_of_their_own_and_the_same_seed_the_same_ones() -> None:
    alpha, beta = venues(CommonWorth(7, [BTC]), "alpha", "beta").values()
    again = venues(CommonWorth(7, [BTC]), "alpha")["alpha"]
    facts = alpha.advance("BTC-USDT", 20.0)
    assert facts == again.advance("BTC-USDT", 20.0)
    assert [type(fact) for fact in beta.advance("BTCUSDT", 20.0)] != [type(fact) for fact in facts]
    assert {fact.venue for fact in facts} == {"mock:alpha"}
