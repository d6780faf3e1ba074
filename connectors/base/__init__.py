"""What a connector's author builds on: describe the venue, inherit the transport."""

from connectors.base.runtime import Patience, Runtime, SystemRuntime
from connectors.base.transport.link import Link, PlannedClose, WebSocketLink
from connectors.base.transport.polling import PollingConnector
from connectors.base.transport.streaming import StreamingConnector
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
