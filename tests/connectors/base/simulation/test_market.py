"""The simulated market is a truth (books, numbers, sides that fit) and it looks alive."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pvariance

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.simulation.flow import Phase
from connectors.base.simulation.market import Fact, Market, conflate
from connectors.base.simulation.symbols import INSTRUMENTS
from engine.errors import ConfigError, InvalidSymbol
from engine.market.book import Book
from engine.market.events import BUY, BookDelta, BookSnapshot, Quote, Trade

SYMBOLS = [instrument.symbol for instrument in INSTRUMENTS]


def book_of(snapshot: BookSnapshot) -> Book:
    book = Book(1000)
    book.replace(snapshot.bids, snapshot.asks)
    return book


def deltas_of(facts: list[Fact]) -> list[BookDelta]:
    return [fact for fact in facts if isinstance(fact, BookDelta)]


def trades_of(facts: list[Fact]) -> list[Trade]:
    return [fact for fact in facts if isinstance(fact, Trade)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), symbol=st.sampled_from(SYMBOLS), counts=st.lists(st.integers(1, 60), max_size=8))
def test_the_deltas_applied_to_the_snapshot_are_the_truth_at_every_sequence(
    seed: int, symbol: str, counts: list[int]
) -> None:
    market = Market(seed, rate=200.0)
    book = book_of(market.truth(symbol))
    sequence = market.sequence(symbol)
    for count in counts:
        for delta in deltas_of(market.advance_events(symbol, count)):
            assert delta.first_sequence == sequence + 1
            assert delta.last_sequence == sequence + len(delta.bids) + len(delta.asks)
            sequence = delta.last_sequence
            book.apply(delta.bids, delta.asks)
            assert not book.crossed
            assert min(book.levels) >= 100
            assert max(book.levels) <= 200
            assert market.truth_at(symbol, sequence, None) == (book.bids(), book.asks())
        assert market.truth(symbol).bids == book.bids()
        assert market.truth(symbol).asks == book.asks()
        assert market.sequence(symbol) == sequence


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), symbol=st.sampled_from(SYMBOLS))
def test_a_trade_takes_from_the_best_level_of_the_side_that_it_hits(seed: int, symbol: str) -> None:
    market = Market(seed, rate=100.0)
    book = book_of(market.truth(symbol))
    lot = float(market.instrument(symbol).lot)
    taken: dict[float, float] = {}
    side = BUY
    for fact in market.advance_events(symbol, 1500):
        if isinstance(fact, Trade):
            side = fact.aggressor
            level = (book.asks() if side == BUY else book.bids())[len(taken)]
            assert fact.price == level[0]
            assert 0 < fact.size <= level[1]
            taken[fact.price] = level[1] - fact.size
        elif isinstance(fact, BookDelta):
            changed = dict(fact.asks if side == BUY else fact.bids)
            for price, left in taken.items():
                assert changed[price] == pytest.approx(left, abs=lot / 10)
            taken = {}
            book.apply(fact.bids, fact.asks)


def test_trade_numbers_are_consecutive_per_symbol() -> None:
    market = Market(3, rate=500.0)
    for symbol in SYMBOLS[:3]:
        numbers = [trade.trade_id for trade in trades_of(market.advance(symbol, 20.0))]
        assert len(numbers) > 100
        assert all(isinstance(a, int) and b == a + 1 for a, b in pairwise(numbers))


def test_a_quote_is_the_touch_at_its_update_and_comes_only_when_the_touch_changed() -> None:
    market = Market(4, rate=100.0)
    symbol = "ETH/USDT"
    book = book_of(market.truth(symbol))
    quotes = 0
    last: tuple[float, ...] = ()
    sequence = None
    for fact in market.advance_events(symbol, 3000):
        if isinstance(fact, BookDelta):
            book.apply(fact.bids, fact.asks)
            sequence = fact.last_sequence
        elif isinstance(fact, Quote):
            touch = (fact.bid, fact.bid_size, fact.ask, fact.ask_size)
            assert touch == (*book.bids(1)[0], *book.asks(1)[0])
            assert touch != last
            assert fact.sequence == sequence
            last = touch
            quotes += 1
    assert 300 < quotes < 3000


def test_prices_and_sizes_are_the_doubles_of_decimals_on_their_grids() -> None:
    market = Market(5)
    for symbol in SYMBOLS:
        instrument = market.instrument(symbol)
        market.advance_events(symbol, 300)
        truth = market.truth(symbol)
        for price, size in (*truth.bids, *truth.asks):
            for value, step, decimals in (
                (price, instrument.tick, instrument.price_decimals),
                (size, instrument.lot, instrument.size_decimals),
            ):
                text = f"{value:.{decimals}f}"
                assert float(text) == value
                assert len(text.replace(".", "").lstrip("0")) <= 15
                assert int(text.replace(".", "")) % int(step.replace(".", "")) == 0


def test_the_same_seed_and_calls_give_the_same_bytes_and_another_seed_others() -> None:
    def run(seed: int) -> bytes:
        market = Market(seed, rate=300.0)
        facts = [fact for symbol in SYMBOLS[:4] for fact in market.advance(symbol, 3.0)]
        return msgspec.json.encode(facts)

    assert run(11) == run(11)
    assert run(11) != run(12)


def test_neither_the_cutting_of_time_nor_other_symbols_change_what_happens() -> None:
    whole, cut = Market(6, rate=300.0), Market(6, rate=300.0)
    cut.advance("SOL/USDT", 2.0)
    pieces: list[Fact] = []
    for _ in range(400):
        pieces += cut.advance("BTC/USDT", 0.01)
    assert pieces == whole.advance("BTC/USDT", 4.0)
    assert cut.now_ns("BTC/USDT") == whole.now_ns("BTC/USDT")


def test_times_never_run_backwards_and_stay_within_the_step() -> None:
    market = Market(7, rate=1000.0)
    start = market.now_ns("BTC/USDT")
    times = [fact.received_ns for fact in market.advance("BTC/USDT", 1.0)]
    assert times == sorted(times)
    assert start < times[0] <= times[-1] <= start + 1_000_000_000


@pytest.mark.parametrize(("rate", "seconds"), [(1.0, 20_000.0), (40.0, 1200.0), (5000.0, 12.0)])
def test_the_rate_is_kept_on_average(rate: float, seconds: float) -> None:
    counts = [len(Market(seed, rate=rate).advance("EUR/USD", seconds / 4)) for seed in range(4)]
    assert sum(counts) / seconds == pytest.approx(rate, rel=0.35)


def test_the_rate_can_be_changed_while_it_runs() -> None:
    market = Market(8, rate=5.0)
    slow = len(market.advance("BTC/USDT", 20.0))
    market.set_rate(2000.0)
    assert len(market.advance("BTC/USDT", 2.0)) > 10 * slow
    market.set_rate(5.0, "BTC/USDT")
    assert len(market.advance("BTC/USDT", 10.0)) < 300
    with pytest.raises(ConfigError):
        market.set_rate(0.0)


def test_arrivals_come_in_clusters() -> None:
    # Poisson arrivals have an index of dispersion of 1; one phase alone must already show more.
    market = Market(9, rate=40.0)
    facts = market.advance("BTC/USDT", 900.0)
    start = facts[0].received_ns
    counts = [0] * 900
    for delta in deltas_of(facts):
        counts[(delta.received_ns - start) // 1_000_000_000] += 1
    assert pvariance(counts) / fmean(counts) > 2.5
    # Within ten seconds the mood hardly changes: what is left is the excitation.
    windows = [counts[i : i + 10] for i in range(0, 900, 10)]
    assert fmean([pvariance(window) / max(fmean(window), 1e-9) for window in windows]) > 1.5


def test_walls_sweeps_and_all_phases_happen_but_not_all_the_time() -> None:
    market = Market(10, rate=40.0)
    market.advance("BTC/USDT", 900.0)
    stats = market.stats("BTC/USDT")
    assert stats.sweeps >= 10
    assert stats.walls_placed >= 20
    assert stats.walls_eaten >= 1
    assert stats.walls_pulled >= 5
    assert stats.trades > 20 * stats.sweeps
    assert all(stats.phase_s[phase] > 45.0 for phase in Phase)
    assert sum(stats.phase_s.values()) == pytest.approx(900.0, abs=5.0)


def test_a_sweep_prints_through_several_levels_at_one_moment() -> None:
    market = Market(12, rate=40.0)
    moments: dict[int | None, set[float]] = {}
    for trade in trades_of(market.advance("BTC/USDT", 300.0)):
        moments.setdefault(trade.exchange_ns, set()).add(trade.price)
    assert max(len(prices) for prices in moments.values()) >= 4


def test_a_wall_stands_out_of_its_neighbours_for_seconds() -> None:
    market = Market(13, rate=40.0)
    seen: dict[float, int] = {}
    for _ in range(120):
        market.advance("BTC/USDT", 1.0)
        levels = market.truth("BTC/USDT", 30).bids
        typical = fmean(size for _, size in levels)
        for price, size in levels:
            if size > 6 * typical:
                seen[price] = seen.get(price, 0) + 1
    assert max(seen.values(), default=0) >= 5


def test_size_grows_away_from_the_touch() -> None:
    market = Market(14)
    near, far = [], []
    for _ in range(200):
        market.advance_events("SOL/USDT", 20)
        asks = market.truth("SOL/USDT", 60).asks
        near.append(fmean(size for _, size in asks[:3]))
        far.append(fmean(size for _, size in asks[30:]))
    assert fmean(far) > 1.5 * fmean(near)


def test_the_price_drifts_in_small_steps_and_stays_near_home() -> None:
    market = Market(15, rate=60.0)
    tick = float(market.instrument("BTC/USDT").tick)
    mids = []
    for _ in range(9000):
        market.advance("BTC/USDT", 0.1)
        truth = market.truth("BTC/USDT", 1)
        mids.append((truth.bids[0][0] + truth.asks[0][0]) / 2 / tick)
    steps = [abs(b - a) for a, b in pairwise(mids)]
    assert max(mids) - min(mids) > 40
    assert max(steps) < 25
    assert fmean(steps) < 2
    assert abs(mids[-1] - mids[0]) < 0.02 * mids[0]


def test_more_moves_in_wild_than_in_quiet_phases() -> None:
    market = Market(16, rate=40.0)
    moves: dict[Phase, list[float]] = {phase: [] for phase in Phase}
    for _ in range(900):
        before, phase = market.truth("ETH/USDT", 1), market.stats("ETH/USDT").phase
        market.advance("ETH/USDT", 1.0)
        after = market.truth("ETH/USDT", 1)
        if market.stats("ETH/USDT").phase is phase:
            moves[phase].append(abs(after.bids[0][0] - before.bids[0][0]))
    assert fmean(moves[Phase.WILD]) > 2 * fmean(moves[Phase.QUIET])


def test_symbols_of_one_group_move_together() -> None:
    market = Market(17, rate=40.0)
    paths: dict[str, list[float]] = {"BTC/USDT": [], "ETH/USDT": [], "USD/JPY": []}
    for _ in range(120):
        for symbol, path in paths.items():
            market.advance(symbol, 10.0)
            path.append(market.truth(symbol, 1).bids[0][0])
    changes = {symbol: [b - a for a, b in pairwise(path)] for symbol, path in paths.items()}

    def correlation(a: str, b: str) -> float:
        x, y = changes[a], changes[b]
        product = fmean([p * q for p, q in zip(x, y, strict=True)]) - fmean(x) * fmean(y)
        return float(product / (pvariance(x) * pvariance(y)) ** 0.5)

    assert correlation("BTC/USDT", "ETH/USDT") > 0.25
    assert abs(correlation("BTC/USDT", "USD/JPY")) < 0.3


def test_the_history_is_bounded_and_says_none_for_what_it_forgot() -> None:
    market = Market(18, history=512)
    symbol = "BTC/USDT"
    first = deltas_of(market.advance_events(symbol, 1))[0].last_sequence
    deltas = deltas_of(market.advance_events(symbol, 3000))
    assert first is not None
    assert market.truth_at(symbol, first) is None
    assert market.truth_at(symbol, market.sequence(symbol) + 1) is None
    assert all(market.truth_at(symbol, delta.last_sequence or 0) is not None for delta in deltas[-512::50])
    inside = next(delta for delta in reversed(deltas[-300:-1]) if delta.first_sequence != delta.last_sequence)
    assert market.truth_at(symbol, inside.first_sequence or 0) is None


def test_conflated_deltas_do_what_they_did_one_by_one() -> None:
    market = Market(19, rate=300.0)
    symbol = "SOL/USDT"
    book = book_of(market.truth(symbol))
    deltas = deltas_of(market.advance(symbol, 1.0))
    merged = conflate(deltas)
    assert merged is not None
    assert (merged.first_sequence, merged.last_sequence) == (deltas[0].first_sequence, market.sequence(symbol))
    book.apply(merged.bids, merged.asks)
    assert (book.bids(), book.asks()) == market.truth_at(symbol, market.sequence(symbol), None)
    assert conflate([]) is None


def test_an_unknown_symbol_is_answered_with_near_ones() -> None:
    with pytest.raises(InvalidSymbol) as caught:
        Market().truth("BTCUSDT")
    assert "BTC/USDT" in caught.value.hint


def test_there_are_twenty_symbols_of_two_kinds() -> None:
    instruments = Market(venue="fake").instruments()
    assert len({instrument.symbol for instrument in instruments}) == 20
    assert {instrument.venue for instrument in instruments} == {"fake"}
    assert {"BTC/USDT", "EUR/USD", "USD/JPY"} <= {instrument.symbol for instrument in instruments}
