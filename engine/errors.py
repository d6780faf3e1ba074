"""Everything that can go wrong, as one tree.

* EngineError
    * ConfigError: a setting is missing or wrong
    * PluginError: a connector or strategy file cannot be used
    * StoreError: a recording or capture cannot be read or written
    * SendError (retryable): an alert did not go out by its channel
    * FeedError
        * StreamUnsupported: this venue has no stream; poll instead
        * Blocked: the venue refuses us (region, credentials, symbol); retrying does not help
        * InvalidSymbol: the venue does not know this symbol
        * Disconnected (retryable): the connection broke
        * RateLimited (retryable): the venue asks us to slow down
        * DecodeError: a frame could not be read
        * SequenceGap (retryable): updates are missing; the book needs a snapshot
    * TradingError
        * RiskRefused: the risk gate said no
        * OrderRejected: the venue said no
        * BrokerUnavailable (retryable): the order's fate is unknown or the broker is away

`retryable` is for loops, `hint` is for people: one sentence on what to do.
"""

from __future__ import annotations

from typing import Literal


class EngineError(Exception):
    """Base of every error that the project raises on purpose."""

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(EngineError):
    """A setting is missing or wrong; the message names it."""


class PluginError(EngineError):
    """A connector or strategy file cannot be used; the message names the file."""


class StoreError(EngineError):
    """A recording or capture cannot be read or written; the message names the file and line."""


class SendError(EngineError):
    """An alert did not go out by its channel; the words hold no secret."""

    retryable = True


class FeedError(EngineError):
    """Market data did not arrive as it should."""


class StreamUnsupported(FeedError):
    """The venue (or this configuration of it) offers no stream."""


class Blocked(FeedError):
    """The venue refuses us for good; `why` says for what, where that is known, so that a venue can advise in its words.

    `location`: it does not serve this place. `key`: it wants credentials, or others.
    """

    def __init__(self, message: str, *, hint: str = "", why: Literal["", "location", "key"] = "") -> None:
        super().__init__(message, hint=hint)
        self.why = why


class InvalidSymbol(FeedError):
    """The venue does not list this symbol; the hint names near ones."""


class Disconnected(FeedError):
    """The connection broke or could not be made."""

    retryable = True


class RateLimited(FeedError):
    """The venue asks us to slow down.

    `retry_after_s` is the wait that the venue asked for, or None when it gave none.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class DecodeError(FeedError):
    """A frame or body could not be read; it is dropped and counted."""


class SequenceGap(FeedError):
    """Updates are missing between two sequence numbers."""

    retryable = True

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(f"expected update {expected}, received {received}")
        self.expected = expected
        self.received = received


class TradingError(EngineError):
    """An order did not become what was wished."""


class RiskRefused(TradingError):
    """The risk gate refused the order."""


class OrderRejected(TradingError):
    """The venue refused the order."""


class BrokerUnavailable(TradingError):
    """The broker cannot be reached; the order's fate may be unknown."""

    retryable = True
