from __future__ import annotations

import pytest

from engine.feed.quality import WINDOW, FeedQuality, LatencyWindow

S = 1_000_000_000
T0 = 1_700_000_000 * S


def test_before_the_first_update_nothing_is_known() -> None:
    report = FeedQuality().report(T0)
    assert (report.rate_per_s, report.age_s, report.clock_skew_ms, report.clock_skew_measured) == (
        None,
        None,
        None,
        False,
    )
    assert (report.exchange_to_received.n, report.exchange_to_received.p50_ms) == (0, None)
    assert report.updates == 0


def test_the_age_is_that_of_the_last_update_and_never_negative() -> None:
    quality = FeedQuality()
    quality.observe(T0, None)
    assert quality.age_s(T0 + 5 * S) == 5.0
    assert quality.age_s(T0 - S) == 0.0


def test_the_rate_is_the_mean_of_the_last_ten_whole_seconds() -> None:
    quality = FeedQuality()
    for second in range(30):
        for number in range(second):
            quality.observe(T0 + second * S + number * 1_000_000, None)
    assert quality.rate_per_s(T0 + 30 * S) == pytest.approx(sum(range(20, 30)) / 10)
    assert quality.rate_per_s(T0 + 30 * S + 999_999_999) == pytest.approx(sum(range(20, 30)) / 10)


def test_the_rate_of_a_young_feed_divides_by_the_seconds_there_were() -> None:
    quality = FeedQuality()
    for number in range(40):
        quality.observe(T0 + number * S // 20, None)
    assert quality.rate_per_s(T0 + 2 * S) == 20.0
    assert FeedQuality().rate_per_s(T0) is None


def test_the_rate_within_the_first_second_is_what_came() -> None:
    quality = FeedQuality()
    for number in range(7):
        quality.observe(T0 + number, None)
    assert quality.rate_per_s(T0 + S // 2) == 7.0


def test_the_rate_of_a_silent_feed_falls_to_nothing() -> None:
    quality = FeedQuality()
    for number in range(100):
        quality.observe(T0 + number * S // 100, None)
    assert quality.rate_per_s(T0 + 5 * S) == 20.0
    assert quality.rate_per_s(T0 + 12 * S) == 0.0


def test_percentiles_are_nearest_ranks() -> None:
    window = LatencyWindow()
    for milliseconds in range(100, 0, -1):
        window.add(milliseconds * 1_000_000)
    found = window.percentiles()
    assert (found.n, found.p50_ms, found.p95_ms, found.p99_ms) == (100, 50.0, 95.0, 99.0)


@pytest.mark.parametrize(("values", "p50", "p99"), [([7], 7.0, 7.0), ([1, 9], 1.0, 9.0), ([1, 2, 9], 2.0, 9.0)])
def test_percentiles_of_few_values_are_among_them(values: list[int], p50: float, p99: float) -> None:
    window = LatencyWindow()
    for value in values:
        window.add(value * 1_000_000)
    found = window.percentiles()
    assert (found.p50_ms, found.p99_ms) == (p50, p99)


def test_percentiles_can_be_shifted_by_a_known_clock_error() -> None:
    window = LatencyWindow()
    window.add(-3_000_000)
    assert window.percentiles(5_000_000).p50_ms == 2.0


def test_only_the_newest_latencies_count() -> None:
    window = LatencyWindow()
    window.add(-999)
    for _ in range(WINDOW):
        window.add(1_000_000)
    assert window.percentiles().n == WINDOW
    assert window.minimum_ns() == 1_000_000


def test_a_frame_that_came_before_it_was_sent_bounds_the_skew() -> None:
    quality = FeedQuality()
    quality.observe(T0, T0 - 20_000_000)
    assert quality.clock_skew_ms() == (None, False)
    quality.observe(T0, T0 + 1_270_000_000)
    assert quality.clock_skew_ms() == (-1270.0, False)


def test_a_measured_skew_wins_over_the_bound() -> None:
    quality = FeedQuality()
    quality.observe(T0, T0 + 5_000_000)
    quality.clock_offset_ns = 2_500_000
    report = quality.report(T0)
    assert (report.clock_skew_ms, report.clock_skew_measured) == (2.5, True)


def test_every_counter_is_reported_under_its_own_name() -> None:
    quality = FeedQuality()
    names = (
        "snapshots", "applied", "ignored", "duplicates", "out_of_order", "gaps", "resyncs", "crossed",
        "quote_mismatches", "checksums_ok", "checksums_bad", "decode_errors", "dropped", "trades", "trade_gaps",
        "reconnects",
    )  # fmt: skip
    for value, name in enumerate(names, start=1):
        setattr(quality, name, value)
    report = quality.report(T0)
    assert [getattr(report, name) for name in names] == list(range(1, len(names) + 1))
