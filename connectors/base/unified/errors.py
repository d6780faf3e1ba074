"""What the unified library's errors mean to us.

It puts HTTP 451 and 403 among the passing troubles (ExchangeNotAvailable): only the text tells that a venue refuses us
for good. Its classes are told apart by their names, for it is not imported here.
"""

from __future__ import annotations

import re

from connectors.base.refusal import BAN_S, KEY_HINT, LOCATION_HINT, PACE_HINT, refusal
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited, StreamUnsupported

LONGEST = 240
_STATUS = re.compile(r"(?:\bhttps?://\S+ |^)([1-5]\d\d)[ ,]")
"""`okx GET https://… 451 reason body` of a REST call, `451, message='…', url=…` of a handshake."""
_LOST = frozenset({"InvalidNonce"})


def kinds(error: BaseException) -> frozenset[str]:
    """The names of an error's class and of all that it inherits."""
    return frozenset([cls.__name__ for cls in type(error).__mro__])


def is_lost_book(error: BaseException) -> bool:
    """Whether an update was missing or a checksum failed: the next watch begins with a new snapshot."""
    return bool(kinds(error) & _LOST)


def translate(error: BaseException, venue: str) -> FeedError:
    """Our error for one of the library's, or for whatever else came out of it."""
    if isinstance(error, FeedError):
        return error
    names, text = kinds(error), _text(error)
    said = f"{venue}: {text}"
    status = _STATUS.search(str(error))
    if "BadSymbol" in names:
        return InvalidSymbol(said, hint="Search the venue's own list of instruments.")
    if "RestrictedLocation" in names:
        return Blocked(said, hint=LOCATION_HINT, why="location")
    if names & {"RateLimitExceeded", "DDoSProtection"}:
        wait_s = BAN_S if status is not None and status[1] == "418" else None
        return RateLimited(said, retry_after_s=wait_s, hint=PACE_HINT)
    if "AuthenticationError" in names:
        return Blocked(said, hint=KEY_HINT, why="key")
    if "NotSupported" in names:
        return StreamUnsupported(said, hint="This venue is polled by REST instead.")
    if status is not None and "NetworkError" in names:
        return refusal(int(status[1]), text.encode(), {}, venue)
    if names & {"NetworkError", "OperationFailed", "OSError"}:
        return Disconnected(said, hint="Check the network, or whether a firewall or proxy stands in between.")
    return Disconnected(f"{venue}: {type(error).__name__}: {text}")


def _text(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    page = text.find("<")
    if page >= 0 and "html" in text[page : page + 200].lower():
        # The reason of a refusal stands somewhere in the page; its first words in plain text are enough.
        text = text[:page] + " ".join(re.sub(r"<[^>]*>", " ", text[page:]).split())
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
