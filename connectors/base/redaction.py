"""A link that keeps secrets out of what a venue's words become; what knows the secrets is `engine/redaction.py`."""

from __future__ import annotations

from connectors.base.link import WebSocketLink
from engine.errors import FeedError
from engine.redaction import Redactor

__all__ = ["DiscreetLink", "Redactor"]


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
