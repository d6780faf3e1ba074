"""Keeps secrets out of what a venue's words become: its errors and farewells may quote what we sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from connectors.base.link import WebSocketLink
from engine.errors import FeedError
from engine.settings import SECRET_ENDINGS

SHORTEST = 6
"""What is shorter is no secret, and stands in innocent words."""
TELLING = 6
"""So many letters of a long secret's beginning are hidden as well."""

Kind = TypeVar("Kind", bound=FeedError)


class Redactor:
    """Knows some secrets, and writes *** in their place; also where they were quoted for an address."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        forms = [form for one in secrets for form in (one, unquote(one), quote(one), quote(one, safe=""))]
        known = {*self._secrets, *[form for form in forms if len(form) >= SHORTEST]}
        # The longest first: one secret may be the beginning of another.
        self._secrets = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        for secret in self._secrets:
            if len(secret) >= 2 * TELLING:
                # The venue's words may have been cut off in the middle of it.
                text = re.sub(re.escape(secret[:TELLING]) + r"\S*", "***", text)
        return text

    def error(self, error: Kind) -> Kind:
        """The same error without secrets; raise it `from None`, for its cause may hold them too."""
        error.args = (self.text(str(error)),)
        error.hint = self.text(error.hint)
        return error


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
