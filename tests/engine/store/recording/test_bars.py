from __future__ import annotations

from msgspec.structs import replace

from engine.market.candle import SECONDS
from engine.settings import TIMEFRAMES
from engine.store.recording.bars import BARS_KEPT, BarMaker, depth_row
from tests.engine.store.events import KEY, OTHER, START_NS, trade

MINUTE = 60.0
FIRST_MS = START_NS // 1_000_000 // 60_000 * 60_000
"""The minute in which the tests begin, 20 s old."""


def test_a_bar_holds_the_trades_of_its_time_by_side() -> None:
    maker = BarMaker("r", ["1m"])
    for at_s, price, size, side in ((0, 100.0, 1.0, 1), (1, 103.0, 2.0, -1), (2, 99.0, 4.0, 0), (3, 101.0, 8.0, 1)):
        maker.add(KEY, trade(at_s, price=price, size=size, aggressor=side))
    [bar] = maker.take()
    assert (bar.symbol, bar.timeframe, bar.ts_utc, bar.provider, bar.recording) == (
        "BTCUSDT",
        "1m",
        FIRST_MS,
        "mock",
        "r",
    )
    assert (bar.open, bar.high, bar.low, bar.close) == (100.0, 103.0, 99.0, 101.0)
    assert (bar.volume, bar.buy_volume, bar.sell_volume) == (15.0, 9.0, 2.0)


def test_only_bars_that_have_changed_are_taken() -> None:
    maker = BarMaker("r", ["1m", "5m"])
    maker.add(KEY, trade(0))
    maker.add(OTHER, trade(0, OTHER))
    assert {(bar.symbol, bar.timeframe) for bar in maker.take()} == {
        (symbol, timeframe) for symbol in ("BTCUSDT", "ETHUSDT") for timeframe in ("1m", "5m")
    }
    assert maker.take() == []
    maker.add(KEY, trade(MINUTE))
    assert [(bar.timeframe, bar.ts_utc - FIRST_MS, bar.volume) for bar in maker.take()] == [
        ("1m", 60_000, 1.0), ("5m", -180_000, 2.0),
    ]  # fmt: skip


def test_a_trade_counts_where_the_venue_stamped_it_even_a_little_late() -> None:
    maker = BarMaker("r", ["1m"])
    maker.add(KEY, trade(MINUTE))
    maker.take()
    maker.add(KEY, trade(0, price=90.0))
    maker.add(KEY, replace(trade(0, price=80.0), exchange_ns=None, received_ns=trade(MINUTE).received_ns))
    assert [(bar.ts_utc - FIRST_MS, bar.close, bar.volume) for bar in maker.take()] == [
        (0, 90.0, 1.0),
        (60_000, 80.0, 2.0),
    ]


def test_a_trade_that_is_much_too_late_is_counted_and_left_out() -> None:
    maker = BarMaker("r", ["1m"])
    for minute in range(1, BARS_KEPT + 3):
        maker.add(KEY, trade(minute * MINUTE))
    assert len(maker.take()) == BARS_KEPT + 2
    maker.add(KEY, trade(MINUTE))
    assert (maker.take(), maker.late) == ([], 1)


def test_what_a_venue_only_repeats_is_no_news() -> None:
    maker = BarMaker("r", ["1m"])
    maker.add(KEY, replace(trade(0), backfill=True))
    assert maker.take() == []


def test_every_timeframe_of_the_settings_is_known() -> None:
    assert set(TIMEFRAMES) < set(SECONDS)


def test_a_row_of_depth_has_ten_levels_a_side_and_figures_of_just_those() -> None:
    bids = tuple([(100.0 - level, 1.0) for level in range(30)])
    asks = tuple([(101.0 + level, 3.0) for level in range(30)])
    row = depth_row("BTCUSDT", "mock", bids, asks, 1_700_000_000_123_456_789)
    assert row.ts_utc == 1_700_000_000_123
    assert row.bids.count("[") == row.asks.count("[") == 11
    assert (row.mid_price, row.spread, row.imbalance) == (100.5, 1.0, -0.5)


def test_what_a_side_that_is_empty_leaves_open_is_none() -> None:
    row = depth_row("BTCUSDT", "mock", (), ((101.0, 3.0),), 0)
    assert (row.bids, row.mid_price, row.spread, row.imbalance) == ("[]", None, None, None)
