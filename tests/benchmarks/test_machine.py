from __future__ import annotations

import os
from math import isnan
from pathlib import Path

import pytest

from benchmarks.machine import cpu_s, percentile, rss_mb, slope, write_between


def test_a_percentile_is_the_least_value_that_the_share_reaches() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1.0)) == (50.0, 95.0, 100.0)
    assert percentile([7.0], 0.99) == 7.0
    assert isnan(percentile([], 0.5))


def test_a_slope_is_what_y_gains_per_x() -> None:
    assert slope([(0.0, 10.0), (1.0, 12.0), (2.0, 14.0)]) == pytest.approx(2.0)
    assert slope([(3.0, 5.0)]) == 0.0
    assert slope([(3.0, 5.0), (3.0, 6.0)]) == 0.0


def test_a_report_replaces_what_stands_between_its_own_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one: begin -->\nold\n<!-- one: end -->\nb\n<!-- two: begin -->\nkept\n<!-- two: end -->\n")
    write_between(page, "one", "new\n")
    assert page.read_text() == (
        "a\n<!-- one: begin -->\nnew\n<!-- one: end -->\nb\n<!-- two: begin -->\nkept\n<!-- two: end -->\n"
    )


def test_a_document_without_the_markers_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    with pytest.raises(ValueError, match="one: begin"):
        write_between(page, "one", "new")
    assert page.read_text() == "nothing here"


def test_this_process_has_used_some_processor_time_and_memory() -> None:
    assert cpu_s(os.getpid()) > 0
    assert rss_mb(os.getpid()) > 1


def test_every_table_has_its_place_in_the_published_document() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in ("line", "latency", "latency-page", "page-painting", "page-views", "page-tabs", "page-busy"):
        assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
