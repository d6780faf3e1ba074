"""Events to bytes and back, for stores and busses: one codec for all of them."""

from __future__ import annotations

import msgspec

from engine.errors import DecodeError
from engine.market.events import MarketEvent
from engine.market.signal import Signal

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[MarketEvent | Signal] = msgspec.json.Decoder(MarketEvent | Signal)


def encode(event: MarketEvent | Signal) -> bytes:
    """One event as a JSON object; its kind is under the key `type`."""
    return _encoder.encode(event)


def decode(data: bytes) -> MarketEvent | Signal:
    """The event that `encode` wrote.

    Raises:
        DecodeError: the bytes are not one of our events.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not an event of ours: {error}") from error
