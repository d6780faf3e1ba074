"""What a connector's author builds on: describe the venue, inherit the transport."""

from connectors.base.link import Link, PlannedClose, WebSocketLink
from connectors.base.polling import PollingConnector
from connectors.base.runtime import Patience, Runtime, SystemRuntime
from connectors.base.streaming import StreamingConnector
from connectors.base.venue import Control, Conversation, Decode, Limits, Request, Venue

__all__ = [
    "Control",
    "Conversation",
    "Decode",
    "Limits",
    "Link",
    "Patience",
    "PlannedClose",
    "PollingConnector",
    "Request",
    "Runtime",
    "StreamingConnector",
    "SystemRuntime",
    "Venue",
    "WebSocketLink",
]
