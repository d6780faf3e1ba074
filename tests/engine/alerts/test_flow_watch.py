"""What is new in a picture of the order flow is told once; what was there before is history."""

from __future__ import annotations

from engine.alerts.flow_watch import FlowWatch
from engine.flow.regimes.regime import Regime, RegimeChange
from engine.flow.signals.flow_signal import SignalType
from engine.market.terms import Terms
from tests.engine.alerts.support import KEY, order, picture, signal, texts


def test_the_first_picture_is_history() -> None:
    watch = FlowWatch(KEY)
    old = picture(
        1, detections=((1, order(5.0, 100.0)),), signals=(signal(1, SignalType.ABSORPTION),),
        regimes=(RegimeChange(Regime.RANGE, Regime.UNKNOWN, 1),),
    )  # fmt: skip
    assert watch.look(old, "mock") == []
    assert watch.look(picture(2, detections=((1, order(5.0, 100.0)),)), "mock") == []


def test_a_large_order_is_told_with_its_worth() -> None:
    watch = FlowWatch(KEY)
    watch.look(picture(1), "stream")
    [found] = watch.look(picture(2, detections=((1, order(5.0, 60_000.0, side=-1)),)), "stream")
    assert found.text == "order: sold 5 at 60,000, 300,000 in quote units"
    assert (found.size, found.source, found.kind.value) == (300_000.0, "stream", "large_order")
    assert watch.look(picture(3, detections=((1, order(5.0, 60_000.0, side=-1)),)), "stream") == []


def test_the_worth_of_a_contract_is_that_of_what_it_stands_for() -> None:
    for terms, worth in ((Terms(multiplier=0.01), 3_000.0), (Terms(multiplier=100.0, inverse=True), 500.0)):
        watch = FlowWatch(KEY)
        watch.look(picture(1, terms=terms), "stream")
        [found] = watch.look(picture(2, detections=((1, order(5.0, 60_000.0)),), terms=terms), "stream")
        assert found.size == worth


def test_an_order_that_swept_the_book_is_one_thing() -> None:
    watch = FlowWatch(KEY)
    watch.look(picture(1), "stream")
    both = ((1, order(5.0, 100.0)), (2, order(5.0, 100.0, kind="sweep")), (3, order(6.0, 1.0, kind="sweep", alert=0.0)))
    found = watch.look(picture(2, detections=(*both, (4, order(7.0, 1.0, kind="wall")))), "stream")
    assert len(found) == 2
    assert found[0].identity == found[1].identity


def test_signals_are_told_in_words() -> None:
    watch = FlowWatch(KEY)
    watch.look(picture(1), "stream")
    signals = (
        signal(1, SignalType.ABSORPTION, direction="buy"),
        signal(2, SignalType.EXHAUSTION, side=-1),
        signal(3, SignalType.LIQUIDITY_VACUUM, side=-1),
        signal(4, SignalType.OFI_PRESSURE, direction="buy"),
    )
    assert texts(watch.look(picture(2, signals=signals), "stream")) == [
        "absorption: heavy selling hardly moves the price, at 100.5",
        "exhaustion: a new low while the taking behind it fades, at 100.5",
        "vacuum: the asks within 10 bps are far below their usual size, at 100.5",
    ]


def test_a_change_of_regime_says_what_was_before() -> None:
    watch = FlowWatch(KEY)
    watch.look(picture(1), "stream")
    changes = (
        RegimeChange(Regime.UNKNOWN, Regime.RANGE, 5),
        RegimeChange(Regime.RANGE, Regime.UNKNOWN, 6),
        RegimeChange(Regime.TREND_UP, Regime.RANGE, 7),
    )
    assert texts(watch.look(picture(2, regimes=changes), "stream")) == ["regime: trend up, before that range"]
    assert watch.look(picture(3, regimes=changes), "stream") == []


def test_an_analysis_that_begins_anew_is_history_again() -> None:
    watch = FlowWatch(KEY)
    watch.look(picture(7, detections=((90, order(5.0, 100.0)),)), "stream")
    assert watch.look(picture(1, detections=((1, order(6.0, 100.0)),)), "stream") == []
    assert len(watch.look(picture(2, detections=((1, order(6.0, 100.0)), (2, order(8.0, 100.0)))), "stream")) == 1
