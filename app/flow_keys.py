"""The order flow of a feed goes to the browser as a feed of its own, named after the market's."""

from __future__ import annotations

from engine.feed.mailbox import FeedKey

FLOW = "flow:"


def flow_key(key: FeedKey) -> FeedKey:
    """The order flow of a market's feed."""
    return (key[0], key[1], FLOW + key[2])


def is_flow(key: FeedKey) -> bool:
    return key[2].startswith(FLOW)


def market_key(key: FeedKey) -> FeedKey:
    """The market's feed behind an order flow's; any other key as it is."""
    return (key[0], key[1], key[2].removeprefix(FLOW))
