"""Columns hold all of an event, and nothing is changed on the way there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from engine.market.events import BookSnapshot
from engine.store.base import Entry, Unwritable
from engine.store.columns.entries import FeedName, to_columns
from engine.store.columns.reader import from_columns
from tests.engine.store.events import KEY, any_entries, exactly, fill, order, run_of, snapshot, status, trade


def there_and_back(entries: list[Entry]) -> tuple[list[Entry], dict[str, int]]:
    """The entries after the journey, in order, and how many rows each table had."""
    numbers: dict[FeedName, int] = {}
    columns = to_columns(entries, lambda name: numbers.setdefault(name, len(numbers)))
    feeds = {number: name for name, number in numbers.items()}
    found = [one for name, table in columns.tables.items() for one in from_columns(name, table, feeds)]
    return sorted(found, key=lambda one: one.index), {name: len(table) for name, table in columns.tables.items()}


@settings(max_examples=30, deadline=None)
@given(entries=any_entries())
def test_entries_come_back_bit_for_bit(entries: list[Entry]) -> None:
    assert exactly(there_and_back(entries)[0]) == exactly(entries)


def test_usual_events_lie_in_columns_of_their_kind() -> None:
    assert there_and_back(run_of([snapshot(), trade(), status("live")]))[1] == {"books": 1, "trades": 1, "notes": 1}


def test_orders_and_fills_have_tables_of_their_own_and_are_counted() -> None:
    entries = run_of([order(), fill(1.0), order(2.0, expires_ns=2**70)])
    found, rows = there_and_back(entries)
    assert found == entries
    assert rows == {"orders": 1, "fills": 1, "notes": 1}
    columns = to_columns(entries, lambda name: 0)
    assert (columns.orders, columns.fills) == (2, 1)


def test_a_number_beyond_64_bits_is_kept_as_a_note_and_the_others_stay_in_columns() -> None:
    entries = run_of([snapshot(), snapshot(sequence=2**70), trade()])
    found, rows = there_and_back(entries)
    assert found == entries
    assert rows == {"books": 1, "trades": 1, "notes": 1}


def test_levels_of_both_sides_are_counted() -> None:
    empty = BookSnapshot("mock", "BTCUSDT", (), (), None, None, 0, "mock")
    assert to_columns(run_of([snapshot(), empty, snapshot()]), lambda name: 0).level_rows == 8


def test_text_that_is_none_cannot_be_kept() -> None:
    with pytest.raises(Unwritable, match="mock BTCUSDT cannot be kept"):
        to_columns([Entry(0, KEY, status("\ud800"))], lambda name: 0)
