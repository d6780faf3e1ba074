from __future__ import annotations

import pytest

from engine.market.events import BUY, SELL, UNKNOWN_SIDE, FeedState, Trade
from tests.engine.support import snapshot, trade


def test_only_live_and_polling_have_data_to_show() -> None:
    assert {state for state in FeedState if state.has_data} == {FeedState.LIVE, FeedState.POLLING}


def test_the_sides_add_up_to_nothing() -> None:
    assert (BUY, SELL, UNKNOWN_SIDE) == (1, -1, 0)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        trade(1).price = 2.0  # type: ignore[misc]


def test_events_are_equal_when_all_they_say_is() -> None:
    assert snapshot(5) == snapshot(5)
    assert snapshot(5) != snapshot(6)
    assert Trade("v", "s", 1.0, 1.0, BUY, 1, None, 1, "stream").backfill is False
