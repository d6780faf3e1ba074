"""Signals are followed to their horizons, and counted."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from engine.flow.signals.calibration import Calibration, Confidence
from engine.flow.signals.outcomes import OutcomeLedger, markout_bps, placebo_of
from engine.flow.signals.scoreboard import Score, judge

SECOND = 1_000_000_000


def play(ledger: OutcomeLedger, *mids: tuple[float, float | None], half_spread_bps: float = 0.0) -> None:
    """Quotes at these seconds; each holds until the next, and the first since ever."""
    last = mids[0][1]
    for seconds, mid in mids:
        t_ns = round(seconds * SECOND)
        if t_ns > ledger.due_ns:
            ledger.settle(t_ns, last, half_spread_bps)
        last = mid


def scores(ledger: OutcomeLedger, kind: str = "absorption") -> dict[float, Score]:
    return {score.horizon_s: score for score in ledger.scores() if score.type == kind}


def test_a_markout_is_the_move_in_the_signals_direction() -> None:
    # The hand-worked case T23.
    assert markout_bps(1, 100.0, 100.05) == pytest.approx(5.0)
    assert markout_bps(-1, 100.0, 100.05) == pytest.approx(-5.0)


def test_entry_waits_for_the_latency_and_costs_come_off() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", fee_bps=2.0)
    ledger.follow("absorption", 1, 0.9, 0)
    play(ledger, (0, 99.0), (0.2, 100.0), (0.3, 100.02), (1.2, 100.05), (1.3, 101.0), (2, 101.0), half_spread_bps=1.0)
    found = scores(ledger)[1.0]
    assert (found.count, found.hits, found.ties, found.pending) == (1, 1, 0, 0)
    assert found.mean_bps == pytest.approx(5.0)
    assert found.net_bps == pytest.approx(2.0)
    assert scores(ledger)[300.0].pending == 1


def test_a_quote_at_the_very_moment_counts_for_it() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.25)
    ledger.follow("absorption", 1, None, 0)
    play(ledger, (0, 90.0), (0.25, 100.0), (1.25, 100.1), (9, 100.1))
    assert scores(ledger)[1.0].mean_bps == pytest.approx(10.0)


def test_a_tie_is_no_hit_and_no_miss() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.0)
    for second in range(4):
        ledger.follow("absorption", 1, None, second * 100 * SECOND)
        play(
            ledger,
            *[(second * 100 + offset, mid) for offset, mid in ((0, 100.0), (0.5, 100.0 + (second == 0)), (9, 1.0))],
        )
    found = scores(ledger)[1.0]
    assert (found.count, found.hits, found.ties, found.hit_rate) == (4, 1, 3, 1.0)


def test_an_invalid_book_at_either_end_is_counted_apart() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.0)
    ledger.follow("absorption", 1, None, 0)
    play(ledger, (0, None), (0.5, 100.0), (9, 100.0))
    ledger.follow("absorption", 1, None, 20 * SECOND)
    play(ledger, (20, 100.0), (20.5, None), (24, 100.0), (40, 100.0))
    found = scores(ledger)
    assert (found[1.0].count, found[1.0].invalid) == (0, 2)
    assert (found[5.0].count, found[5.0].invalid) == (1, 1)


def test_a_long_gap_in_between_spoils_the_outcome_and_a_short_one_does_not() -> None:
    for seconds, expected in ((1.5, (1, 0)), (2.5, (0, 1))):
        ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.0)
        ledger.follow("absorption", 1, None, 0)
        play(ledger, (0, 100.0), (0.1, 100.0))
        ledger.gap(SECOND, round((1 + seconds) * SECOND))
        play(ledger, (5, 100.0), (6, 100.0))
        found = scores(ledger)[5.0]
        assert (found.count, found.invalid) == expected


def test_each_signal_has_a_placebo_of_its_own() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.0)
    random, mid = Random(5), 100.0
    for second in range(2000):
        if second % 3 == 0:
            ledger.follow("absorption", 1, None, second * SECOND)
        play(ledger, (second, mid), (second + 0.5, mid))
        mid += random.choice((-0.1, 0.1))
    placebo = scores(ledger, placebo_of("absorption"))[1.0]
    assert placebo.count > 500
    assert placebo.hit_rate == pytest.approx(0.5, abs=0.08)
    assert all(score.q is None or score.q > 0.05 for score in judge([placebo]))


def test_an_outcome_depends_on_nothing_after_its_horizon() -> None:
    random = Random(2)
    mids = [(second / 2, 100.0 + random.random()) for second in range(400)]
    whole, part = OutcomeLedger("v", "s"), OutcomeLedger("v", "s")
    for ledger, quotes in ((whole, mids), (part, mids[:100])):
        ledger.follow("absorption", -1, None, 3 * SECOND)
        play(ledger, *quotes)
    assert scores(whole)[5.0] == scores(part)[5.0]


def test_pending_signals_are_bounded_and_counted() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL")
    for place in range(20_000):
        ledger.follow("absorption", 1, None, place)
    assert ledger.dropped > 0


def test_confidence_is_shrunk_towards_one_half_and_unknown_below_thirty() -> None:
    # The hand-worked case T22.
    found = Confidence(12, 20)
    assert found.value is None
    assert found.shrunk == pytest.approx(0.5333333333333333)
    assert found.label == "uncalibrated (n=20)"
    assert found.interval == pytest.approx((0.42751835734309435, 0.6378737598809749), abs=1e-10)
    assert Confidence(30, 40).value == pytest.approx(50 / 80)


def test_a_new_symbol_borrows_the_venues_experience() -> None:
    pool = Calibration()
    for _ in range(40):
        pool.add("absorption", 5.0, 1, 1.0)
    ledger = OutcomeLedger("venue", "SYMBOL", pool)
    assert ledger.confidence("absorption", 5.0, 0.9).value == pytest.approx(60 / 80)
    assert ledger.confidence("absorption", 5.0, 0.1).value is None
    assert ledger.confidence("absorption", 5.0, None).count == 0


def test_only_the_last_five_hundred_outcomes_count_for_confidence() -> None:
    calibration = Calibration()
    for markout in [1.0] * 500 + [-1.0] * 400 + [0.0] * 100:
        calibration.add("absorption", 5.0, None, markout)
    assert calibration.count("absorption", 5.0, None) == (0, 400)


def score(p: float | None, mean: float = 1.0, net: float = -1.0) -> Score:
    return Score("v", "s", "absorption", 1.0, 50, 30, 0, 0, 0, 40, 0.6, None, mean, net, 2.0, p)


def test_outcomes_that_overlap_count_once_for_the_verdict() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.0)
    for second in range(100):
        ledger.follow("absorption", 1, None, second * SECOND)
    play(ledger, *[(second / 2, 100.0 + 0.01 * second + 0.001 * (second % 3)) for second in range(1000)])
    found = scores(ledger)
    assert (found[300.0].count, found[300.0].apart, found[300.0].p) == (100, 1, None)
    assert found[1.0].apart == 100
    assert found[1.0].p == pytest.approx(0.0, abs=1e-6)
    assert found[5.0].apart == 20


def test_placebos_are_judged_among_themselves() -> None:
    placebos = [replace(score(0.9), type="placebo:absorption")] * 50
    assert judge([*placebos, score(0.01)])[0].q == pytest.approx(0.01)


def test_a_verdict_counts_all_tests_that_were_made() -> None:
    alone = judge([score(0.03)])
    assert alone[0].verdict == "came true more often than chance, but its mean does not cover the costs"
    many = judge([score(0.03)] + [score(0.9)] * 9)
    assert many[0].verdict == "not distinguishable from chance"
    assert many[0].q == pytest.approx(0.3)


def test_a_verdict_without_a_known_fee_says_nothing_of_costs() -> None:
    found = judge([replace(score(0.001), net_bps=None)])
    assert found[0].verdict == "came true more often than chance; costs are not known"


def test_a_verdict_says_when_there_is_too_little_or_the_sign_is_wrong() -> None:
    found = judge([score(None), score(0.0001, -1.0, -2.0), score(0.0001, 3.0, 1.0)])
    assert [item.verdict for item in found] == [
        "too few outcomes to say (n=50, 40 apart)",
        "went the other way, but its mean does not cover the costs",
        "came true more often than chance, and its mean covers the costs",
    ]


def test_copied_records_are_scored_alike_and_stay_as_they_were() -> None:
    ledger = OutcomeLedger("venue", "SYMBOL", latency_s=0.0)
    ledger.follow("absorption", 1, None, 0)
    play(ledger, (0, 100.0), (0.5, 100.5), (9, 1.0))
    records = ledger.copied()
    before = ledger.scores()
    assert ledger.scores(records) == before
    ledger.follow("absorption", 1, None, 20 * SECOND)
    play(ledger, (20, 100.0), (20.5, 100.5), (29, 1.0))
    assert ledger.scores(records) == before
    assert ledger.scores() != before
