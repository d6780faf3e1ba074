"""Times as venues write them, to UTC nanoseconds."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

NS_DIGITS = 9
MICROSECONDS_FROM, MICROSECONDS_UNTIL = 10**14, 10**17
"""Stamps between these are microseconds: milliseconds reach the first only in the year 5138."""


def rfc3339_ns(text: str) -> int:
    """The nanoseconds of a UTC time such as `2026-08-09T21:05:48.228568804Z`, any number of decimals.

    Raises:
        ValueError: it is no such time.
    """
    seconds, ending, fraction = _second_ns(text[:19]), text[-1:], text[20:-1]
    if ending != "Z" or (len(text) > 20 and (text[19] != "." or not fraction.isdecimal())):
        raise ValueError(f"{text!r} is no UTC time")
    return seconds + int(fraction[:NS_DIGITS].ljust(NS_DIGITS, "0"))


def unix_ns(stamp: int) -> int | None:
    """The nanoseconds of a stamp in milliseconds (or microseconds, told by its size); None for what is no time."""
    if not 0 <= stamp < MICROSECONDS_UNTIL:
        return None
    return stamp * 1_000_000 if stamp < MICROSECONDS_FROM else stamp * 1_000


@lru_cache(maxsize=64)
def _second_ns(text: str) -> int:
    # Frames of the same second come together: the calendar is consulted once a second.
    if len(text) != 19 or text[10] != "T":
        raise ValueError(f"{text!r} is no time")
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * 1_000_000_000
