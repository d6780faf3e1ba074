from __future__ import annotations

import pytest

from engine.market.book import BookView
from engine.market.events import FeedState, FeedStatus, Source
from engine.market.signal import Signal
from strategies.book_pressure import BookPressure
from tests.engine.support import START_NS

S = 1_000_000_000


def book(at_s: float, bid: float, ask: float, source: Source = "stream") -> BookView:
    at_ns = START_NS + round(at_s * S)
    return BookView("v", "s", (99.0,), (bid,), (101.0,), (ask,), 1, None, at_ns, source, FeedState.LIVE)


def status(state: FeedState) -> FeedStatus:
    return FeedStatus("v", "s", state, "", "", 0, None, START_NS, "stream")


def say(strategy: BookPressure, *books: BookView) -> list[Signal]:
    return [signal for one in books for signal in strategy.on_book(one)]


def test_it_speaks_on_entering_the_zone_and_once() -> None:
    [signal] = say(BookPressure(), *[book(second, 9.0, 1.0) for second in range(30)])
    assert (signal.direction, signal.price, signal.at_ns, signal.source) == ("buy", 100.0, START_NS, "stream")
    assert signal.strength == pytest.approx(0.8)
    assert "+0.80" in signal.reason
    assert signal.confidence is None


def test_more_to_sell_than_to_buy_says_sell_and_the_source_travels_along() -> None:
    [signal] = say(BookPressure(), book(0, 1.0, 9.0, "mock"))
    assert (signal.direction, signal.source) == ("sell", "mock")


def test_below_the_threshold_it_is_silent() -> None:
    assert say(BookPressure(), *[book(second, 3.0, 2.0) for second in range(30)]) == []


def test_it_speaks_again_only_after_the_zone_was_left_well_below_the_threshold() -> None:
    strategy = BookPressure(half_life_s=0.05, cooldown_s=0.0)
    hovering = [book(second, 9.0 if second % 2 else 7.0, 3.0) for second in range(1, 20)]
    assert len(say(strategy, book(0, 9.0, 1.0), *hovering)) == 1
    assert say(strategy, book(30, 1.0, 1.0)) == []
    assert len(say(strategy, book(40, 9.0, 1.0))) == 1


def test_a_pause_is_kept_between_two_signals_in_book_time() -> None:
    strategy = BookPressure(half_life_s=0.05, cooldown_s=5.0)
    assert len(say(strategy, book(0, 9.0, 1.0))) == 1
    assert say(strategy, book(1, 1.0, 1.0), book(2, 9.0, 1.0), book(4.999, 9.0, 1.0)) == []
    assert len(say(strategy, book(5, 9.0, 1.0))) == 1


def test_the_side_may_turn_without_a_rest_in_between() -> None:
    strategy = BookPressure(half_life_s=0.05, cooldown_s=0.0)
    assert [signal.direction for signal in say(strategy, book(0, 9.0, 1.0), book(10, 1.0, 9.0))] == ["buy", "sell"]


def test_the_smoothing_follows_its_half_life_in_book_time() -> None:
    strategy = BookPressure(half_life_s=2.0, threshold=0.95)
    say(strategy, book(0, 1.0, 1.0), book(2, 3.0, 1.0))
    assert strategy.readings() == {"smoothed imbalance": pytest.approx(0.25)}


def test_a_book_from_before_the_last_one_moves_nothing() -> None:
    strategy = BookPressure(threshold=0.95)
    say(strategy, book(10, 1.0, 1.0), book(5, 9.0, 1.0))
    assert strategy.readings() == {"smoothed imbalance": 0.0}


@pytest.mark.parametrize("state", [state for state in FeedState if not state.has_data])
def test_a_gap_makes_it_forget(state: FeedState) -> None:
    strategy = BookPressure(half_life_s=30.0, cooldown_s=0.0)
    assert len(say(strategy, book(0, 9.0, 1.0))) == 1
    strategy.on_status(status(state))
    assert strategy.readings() == {}
    assert len(say(strategy, book(1, 9.0, 1.0))) == 1


def test_a_gap_does_not_shorten_the_pause() -> None:
    strategy = BookPressure(cooldown_s=60.0)
    say(strategy, book(0, 9.0, 1.0))
    strategy.on_status(status(FeedState.SYNCING))
    assert say(strategy, book(1, 9.0, 1.0)) == []


@pytest.mark.parametrize("state", [FeedState.LIVE, FeedState.POLLING])
def test_a_status_with_data_makes_it_forget_nothing(state: FeedState) -> None:
    strategy = BookPressure()
    say(strategy, book(0, 3.0, 1.0))
    strategy.on_status(status(state))
    assert strategy.readings() == {"smoothed imbalance": pytest.approx(0.5)}


def test_an_empty_or_one_sided_book_says_nothing() -> None:
    strategy = BookPressure()
    empty = BookView("v", "s", (), (), (), (), 1, None, START_NS, "stream", FeedState.LIVE)
    half = BookView("v", "s", (99.0,), (5.0,), (), (), 1, None, START_NS, "stream", FeedState.LIVE)
    assert say(strategy, empty, half) == []
    assert strategy.readings() == {}


def test_only_the_asked_for_levels_count() -> None:
    deep = BookView(
        "v", "s", (99.0, 98.0), (1.0, 100.0), (101.0, 102.0), (1.0, 1.0), 1, None, START_NS, "stream", FeedState.LIVE
    )
    assert say(BookPressure(depth=1), deep) == []
    assert len(say(BookPressure(depth=2), deep)) == 1
