"""A recording second by second, and what is read from it."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from engine.flow.section import Observer
from engine.flow.studies.grid_record import GridRecord
from engine.flow.studies.reports import correlation_report, outcomes, regime_report, signal_report

SECOND = 1_000_000_000
START = 1_000 * SECOND


def recorded(seconds: int, seed: int = 1, lean: float = 0.0) -> GridRecord:
    """Quotes ten times a second; with `lean` the mid follows the imbalance at each whole second."""
    record, random, mid = GridRecord(), Random(seed), 100.0
    observer = Observer([record])
    for step in range(seconds * 10):
        t_ns = START - SECOND // 2 + step * SECOND // 10
        weight = random.random()
        observer.on_bbo(t_ns, mid - 0.01, 0.1 + weight, mid + 0.01, 1.1 - weight)
        if step % 4 == 0:
            observer.on_trade(t_ns, mid, 1.0, random.choice((1, -1)), None, None)
        if step % 10 == 5:
            mid += round(random.choice((-0.01, 0.01)) + lean * (weight - 0.5), 2)
    observer.finish(observer.last_ns)
    return record


def test_the_grid_begins_with_the_first_whole_second_after_the_first_quote() -> None:
    record = recorded(20)
    assert record.first_ns == START
    assert len(record.mids) == 20
    assert len(record.ofi) == len(record.signed) == 19
    assert len(record.bars) == 3


def test_places_stay_seconds_after_a_silence_that_nobody_counted() -> None:
    record = GridRecord()
    observer = Observer([record])
    for second, bid in ((-0.5, 99.0), (1.5, 99.0), (901.5, 97.0), (903.0, 97.0)):
        observer.on_bbo(START + round(second * SECOND), bid, 1.0, 101.0, 1.0)
    observer.finish(observer.last_ns)
    assert len(record.mids) == 904
    assert (record.mids[901], record.mids[902]) == (100.0, 99.0)
    assert len(record.ofi) == len(record.signed) == len(record.mids) - 1


def test_after_a_silence_of_more_than_a_day_the_record_begins_anew() -> None:
    record = GridRecord()
    observer = Observer([record])
    for second, bid in ((-0.5, 99.0), (1.5, 99.0), (100_000.5, 97.0), (100_003.0, 97.0)):
        observer.on_bbo(START + round(second * SECOND), bid, 1.0, 101.0, 1.0)
    observer.finish(observer.last_ns)
    assert record.first_ns == START + 100_001 * SECOND
    assert record.mids.tolist() == [99.0, 99.0, 99.0]
    assert len(record.ofi) == 2


def test_flow_between_edges_is_that_of_the_quotes_between_them() -> None:
    record = GridRecord()
    observer = Observer([record])
    for t_ns, size in ((START - 1, 1.0), (START + 1, 3.0), (START + SECOND, 4.0), (START + SECOND + 1, 9.0)):
        observer.on_bbo(t_ns, 99.0, size, 101.0, 2.0)
    observer.finish(START + 2 * SECOND)
    assert record.ofi.tolist() == [3.0, 5.0]


def test_the_regime_report_agrees_with_the_batch_formulas() -> None:
    record = recorded(200)
    report, mids = regime_report(record), np.asarray(record.mids)
    window = mids[100 - 59 : 102]
    expected = abs(window[-1] - window[0]) / np.abs(np.diff(window)).sum()
    assert report["efficiency_ratio_60s"]["100"] == pytest.approx(expected, rel=1e-9)
    changes = np.diff(np.log(mids)) * 1e4
    weights = 0.5 ** (np.arange(100, -1, -1) / 10.0)
    fast = math.sqrt(float((weights * changes[:101] ** 2).sum() / weights.sum()))
    assert report["rv_fast_bps"]["100"] == pytest.approx(fast, rel=1e-9)
    assert report["bocpd"]["n"] == 19
    assert report["hmm"]["step_s"] == 1


def test_a_short_recording_reports_what_it_can() -> None:
    report = regime_report(recorded(15))
    assert report["n_returns"] == 14
    assert "hmm" not in report
    assert "bocpd" not in report
    assert regime_report(GridRecord()) == {}
    assert signal_report(recorded(15)) == {}


def test_a_score_that_leads_has_information_and_one_that_does_not_has_none() -> None:
    leading = signal_report(recorded(400, lean=0.5))["ic"]["queue_imbalance_l1"]["1s"]
    idle = signal_report(recorded(400))["ic"]["queue_imbalance_l1"]["1s"]
    assert leading["ic"] > 0.5
    assert leading["p"] < 0.001
    assert abs(idle["ic"]) < 0.2


def test_a_score_from_a_book_that_never_came_is_unknown() -> None:
    found = signal_report(recorded(60))["ic"]["imbalance_5"]["1s"]
    assert (found["n"], found["ic"], found["p"]) == (0, None, None)


def test_events_enter_at_the_next_whole_second() -> None:
    record = recorded(100)
    after = {"late": [(START + SECOND + 1, 1)], "on time": [(START + 2 * SECOND, 1)], "early": [(START - SECOND, 1)]}
    found = signal_report(record, after)["signals"]
    mids = record.mids
    expected = 1e4 * (mids[3] - mids[2]) / mids[2]
    assert found["late"]["1s"]["mean_bps"] == pytest.approx(expected)
    assert found["on time"]["1s"]["mean_bps"] == pytest.approx(expected)
    assert found["early"]["1s"]["mean_bps"] == pytest.approx(1e4 * (mids[1] - mids[0]) / mids[0])


def test_an_entry_whose_end_is_unknown_is_left_out() -> None:
    mids = np.array([100.0, 101.0, 101.0])
    found = outcomes([(0, 1), (1, 1), (2, 1)], mids, 1, 0.5)
    assert (found["n"], found["hits"], found["ties"]) == (2, 1, 1)
    assert found["net_half_spread_bps"] == pytest.approx(found["mean_bps"] - 0.5)
    assert outcomes([(2, 1)], mids, 1, 0.5) == {"n": 0}


def test_a_recording_correlates_fully_with_itself() -> None:
    ticks = recorded(200).ticks
    report = correlation_report(ticks, ticks)
    assert report["hy"]["rho"] == pytest.approx(1.0)
    assert report["previous_tick"]["1"]["rho"] == pytest.approx(1.0)
    assert report["hy_lead_lag_argmax_ms"] == 0


def test_recordings_of_different_times_have_no_correlation() -> None:
    ticks = recorded(20).ticks
    later = type(ticks)(ticks.times + 100 * SECOND, ticks.logs)
    assert correlation_report(ticks, later) == {}
