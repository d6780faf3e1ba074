"""A link that keeps secrets out of what a venue's words become; what knows the secrets is `engine/redaction.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from connectors.base.transport.link import WebSocketLink
from engine.errors import FeedError
from engine.redaction import Redactor
from engine.settings import SECRET_ENDINGS

__all__ = ["DiscreetLink", "Redactor", "secrets_in", "secrets_of"]


def secrets_in(url: str) -> list[str]:
    """All parts of an address that may be a key: user, password, the path's parts, the query's values."""
    address = urlsplit(url)
    parts = [address.password or "", address.username or "", *address.path.split("/")]
    return parts + [value for _, value in parse_qsl(address.query)]


def secrets_of(settings: Mapping[str, str], venue: str) -> list[str]:
    """What a venue's settings hold that nobody may see."""
    prefix = venue.upper().replace(":", "_") + "_"
    values = [text for name, text in settings.items() if name.startswith(prefix) and name.endswith(SECRET_ENDINGS)]
    words = [word for value in values for word in re.split(r"[,\s]+", value)]
    return [secret for word in words for secret in (secrets_in(word) if "://" in word else [word])]


class DiscreetLink(WebSocketLink):
    """`WebSocketLink` whose errors show no secret."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def open(self, url: str, timeout_s: float) -> None:
        try:
            super().open(url, timeout_s)
        except FeedError as error:
            raise self._redactor.error(error) from None

    def receive(self, timeout_s: float) -> bytes | None:
        try:
            return super().receive(timeout_s)
        except FeedError as error:
            raise self._redactor.error(error) from None
