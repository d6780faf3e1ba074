from __future__ import annotations

import json

import pytest

from benchmarks.histogram import Histogram
from benchmarks.latency_page import memory_slope
from benchmarks.page import Samples, ages
from benchmarks.tape import moved
from benchmarks.venue import marked, sent_of


def test_a_histogram_knows_its_percentiles_to_the_microsecond() -> None:
    histogram = Histogram()
    for microseconds in range(1, 1001):
        histogram.add(microseconds * 1000)
    assert histogram.row() == (0.5, 0.99, 0.999, 1.0)


def test_a_latency_beyond_the_histogram_counts_as_the_worst() -> None:
    histogram = Histogram()
    histogram.add(80_000_000)
    assert histogram.row() == (80.0, 80.0, 80.0, 80.0)


def test_the_ages_of_one_or_two_updates_are_exact() -> None:
    assert ages(10.0, 10.0, 1) == [10.0]
    assert ages(10.0, 40.0, 2) == [10.0, 40.0]


def test_the_ages_between_the_newest_and_the_oldest_are_evenly_spaced() -> None:
    assert ages(10.0, 40.0, 4) == [10.0, 20.0, 30.0, 40.0]


def test_every_update_of_a_picture_counts() -> None:
    samples = Samples()
    samples.add([["BTC/USDT", 10.0, 30.0, 3], ["ETH/USDT", 5.0, 5.0, 0]], lost=2)
    assert samples.every == [10.0, 20.0, 30.0, 5.0]
    assert (samples.newest, samples.oldest, samples.lost) == ([10.0, 5.0], [30.0, 5.0], 2)


def test_windows_in_which_others_were_busy_are_told_apart() -> None:
    samples = Samples()
    samples.add([["BTC/USDT", 10.0, 10.0, 1]], others_percent=5.0)
    samples.add([["BTC/USDT", 90.0, 90.0, 1]], others_percent=80.0)
    assert (samples.quiet, samples.quiet_windows, samples.windows) == ([10.0], 1, 2)
    assert samples.every == [10.0, 90.0]


def test_a_marked_frame_tells_when_it_was_sent_and_is_still_json() -> None:
    frame = marked(b'{"stream":"s","data":{"u":1}}', 123_456_789)
    assert sent_of(frame) == 123_456_789
    assert json.loads(frame)["data"] == {"u": 1}


def test_a_frame_without_the_mark_tells_nothing() -> None:
    assert sent_of(b'{"result":null,"id":1}') is None
    assert sent_of(b"") is None


def test_a_capture_that_begins_again_has_higher_numbers() -> None:
    frame = b'{"stream":"s","data":{"U":1,"u":2,"b":[["3.10","4"]]}}'
    assert moved(frame, 0) is frame
    assert json.loads(moved(frame, 100))["data"] == {"U": 101, "u": 102, "b": [["3.10", "4"]]}


def test_memory_that_grows_by_one_megabyte_every_ten_seconds_rises_by_six_a_minute() -> None:
    assert memory_slope([float(number) for number in range(20)]) == pytest.approx(6.0)
