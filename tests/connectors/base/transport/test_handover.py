from __future__ import annotations

from connectors.base.transport.channel import Channel
from connectors.base.transport.handover import Shadow
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.sync import WholeBooks
from engine.market.events import FeedState, MarketEvent, Trade
from tests.engine.support import START_NS, snapshot, trade


def test_what_the_first_connection_had_yet_to_bring_is_news_though_the_second_calls_it_past() -> None:
    published: list[MarketEvent] = []
    clock = ManualClock(START_NS)
    real = Channel(Feed("kraken", "BTCUSDT", WholeBooks(), clock=clock), published.append)
    real.push(snapshot(sequence=None))
    real.push(trade(1))
    shadow = Shadow(real, WholeBooks(), crossed_allowed=False)
    real.push(trade(2))
    shadow.channel.push(snapshot(sequence=None))
    for number in (1, 2, 3):
        shadow.channel.push(trade(number, backfill=True))
    shadow.take_over()
    told = [(event.trade_id, event.backfill) for event in published if isinstance(event, Trade)]
    assert told == [(1, False), (2, False), (3, False)]


def test_a_second_connection_that_is_quiet_for_a_moment_takes_over_all_the_same() -> None:
    published: list[MarketEvent] = []
    clock = ManualClock(START_NS)
    real = Channel(Feed("kraken", "BTCUSDT", WholeBooks(), clock=clock), published.append)
    real.push(snapshot(sequence=None))
    shadow = Shadow(real, WholeBooks(), crossed_allowed=False)
    shadow.channel.push(snapshot(sequence=None))
    shadow.channel.feed.set_state(FeedState.STALE, "nothing for a while")
    shadow.take_over()
    assert real.feed.state is FeedState.LIVE
    assert FeedState.SYNCING not in [getattr(event, "state", None) for event in published]
