"""Which kind of channel a feed needs: the market's own, or that of its order flow."""

from __future__ import annotations

from app.flow_keys import is_flow
from app.live.channel import Channel
from app.live.flow_channel import FlowChannel
from app.live.source import LiveSource
from engine.feed.mailbox import FeedKey

AnyChannel = Channel | FlowChannel


def make_channel(key: FeedKey, number: int, source: LiveSource) -> AnyChannel:
    """The channel of a key."""
    if is_flow(key):
        return FlowChannel(key, number, lambda: source.picture(key))
    return Channel(key, number, source.tick(key))
