"""When markets that close are open: by the clock of New York, which American shares and the currency market follow.

Pure. Holidays are not known: on those a market is taken to be open.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

OPENS, CLOSES = 4, 20
"""American shares are traded from 4:00 to 20:00, before and after the main session included."""
WEEK_TURNS = 17
"""Currencies rest from Friday to Sunday, 17:00 each."""
MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6


def new_york(now_ns: int) -> datetime:
    """The time in New York, without a time zone; summer time from March's second to November's first Sunday."""
    now = datetime.fromtimestamp(now_ns / 1e9, UTC).replace(tzinfo=None)
    begins = _sunday(now.year, 3, 2) + timedelta(hours=7)
    ends = _sunday(now.year, 11, 1) + timedelta(hours=6)
    return now - timedelta(hours=4 if begins <= now < ends else 5)


def shares_rest(now_ns: int) -> bool:
    """Whether American shares are not traded now."""
    here = new_york(now_ns)
    return here.weekday() >= SATURDAY or not OPENS <= here.hour < CLOSES


def currencies_rest(now_ns: int) -> bool:
    """Whether the currency market has its week-end."""
    here = new_york(now_ns)
    day, evening = here.weekday(), here.hour >= WEEK_TURNS
    return day == SATURDAY or (day == FRIDAY and evening) or (day == SUNDAY and not evening)


def _sunday(year: int, month: int, which: int) -> datetime:
    first = datetime(year, month, 1)  # noqa: DTZ001 - local times throughout
    return first + timedelta(days=(SUNDAY - first.weekday()) % 7 + 7 * (which - 1))
