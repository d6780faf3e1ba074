"""Events to bytes and back, for stores and busses: one codec for all of them."""

from __future__ import annotations

import msgspec

from engine.errors import DecodeError
from engine.market.events import MarketEvent
from engine.market.orders import ExecutionReport
from engine.market.signal import Signal

Encodable = MarketEvent | Signal | ExecutionReport

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Encodable] = msgspec.json.Decoder(Encodable)


def encode(event: Encodable) -> bytes:
    """One event as a JSON object; its kind is under the key `type`. Decimals are texts, so that no digit changes."""
    return _encoder.encode(event)


def decode(data: bytes) -> Encodable:
    """The event that `encode` wrote.

    Raises:
        DecodeError: the bytes are not one of our events.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not an event of ours: {error}") from error
