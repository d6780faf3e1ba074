"""The clock of New York and the markets that keep its hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.base.market_hours import currencies_rest, new_york, shares_rest


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2026-01-15T12:00", "07:00"), ("2026-07-15T12:00", "08:00"), ("2026-03-08T06:59", "01:59"),
        ("2026-03-08T07:00", "03:00"), ("2026-11-01T05:59", "01:59"), ("2026-11-01T06:00", "01:00"),
        ("2027-03-14T07:00", "03:00"), ("2027-11-07T06:00", "01:00"),
    ],
)  # fmt: skip
def test_new_york_keeps_summer_time(utc: str, local: str) -> None:
    assert f"{new_york(at(utc)):%H:%M}" == local


@pytest.mark.parametrize(
    ("utc", "rest"),
    [
        ("2026-11-20T08:59", True), ("2026-11-20T09:00", False), ("2026-11-21T00:59", False),
        ("2026-11-21T01:00", True), ("2026-11-21T15:00", True), ("2026-11-22T15:00", True), ("2026-07-15T08:00", False),
    ],
)  # fmt: skip
def test_shares_rest_at_night_and_at_the_week_end(utc: str, rest: bool) -> None:
    assert shares_rest(at(utc)) is rest


@pytest.mark.parametrize(
    ("utc", "rest"),
    [
        ("2026-11-20T21:59", False), ("2026-11-20T22:00", True), ("2026-11-21T12:00", True),
        ("2026-11-22T21:59", True), ("2026-11-22T22:00", False), ("2026-11-18T03:00", False),
    ],
)  # fmt: skip
def test_currencies_rest_from_friday_to_sunday(utc: str, rest: bool) -> None:
    assert currencies_rest(at(utc)) is rest
