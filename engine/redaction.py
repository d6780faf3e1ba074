"""Keeps secrets out of what others' words become: errors and farewells may quote what we sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import quote, unquote

from engine.errors import EngineError

SHORTEST = 6
"""What is shorter is no secret, and stands in innocent words."""
TELLING = 6
"""So many letters of a long secret's beginning are hidden as well."""

Kind = TypeVar("Kind", bound=EngineError)


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
                # Their words may have been cut off in the middle of it.
                text = re.sub(re.escape(secret[:TELLING]) + r"\S*", "***", text)
        return text

    def error(self, error: Kind) -> Kind:
        """The same error without secrets; raise it `from None`, for its cause may hold them too."""
        error.args = (self.text(str(error)),)
        error.hint = self.text(error.hint)
        return error
