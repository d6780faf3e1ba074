from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.market.book import BookView
from engine.market.events import FeedState, FeedStatus
from strategies.base import Strategy
from tests.engine.support import START_NS, trade


@dataclass
class Silent(Strategy):
    name: ClassVar[str] = "silent"


def test_a_strategy_that_overrides_nothing_says_nothing() -> None:
    strategy = Silent()
    book = BookView("v", "s", (), (), (), (), None, None, START_NS, "stream", FeedState.LIVE)
    strategy.on_status(FeedStatus("v", "s", FeedState.LIVE, "", "", 0, None, START_NS, "stream"))
    assert (list(strategy.on_book(book)), list(strategy.on_trade(trade(1))), dict(strategy.readings())) == ([], [], {})
