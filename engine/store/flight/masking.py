"""Keeps secrets out of recorded frames, in addresses and in JSON, also those that nobody has told us of."""

from __future__ import annotations

import re
from collections.abc import Callable

_NAME = (
    r"(?:access|refresh|auth|id|bearer|listen)?[_-]?(?:token|key|jwt)|(?:client|api)?[_-]?(?:secret|key|id_?token)"
    r"|client[_-]?id|pass(?:word|phrase)|sign(?:ature)?"
)
_QUERY = re.compile(rf"([?&](?:{_NAME})=)[^&#\s]*", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_FIELD = re.compile(rf'("(?:{_NAME})"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)


class Mask:
    """Writes *** where a secret stands. `known` hides the secrets that the connector knows.

    `private`: what comes back may hold secrets as well (a venue that issues tokens).
    """

    def __init__(self, known: Callable[[str], str], *, private: bool) -> None:
        self._known = known
        self._private = private

    def url(self, text: str) -> str:
        """An address without user, password and the values that are keys by their name."""
        return _QUERY.sub(r"\1***", _USER.sub("***@", self._known(text)))

    def data(self, text: str, *, ours: bool) -> str:
        """What was on the wire; `ours` is what we sent."""
        text = self._known(text)
        return _FIELD.sub(r'\1"***"', text) if ours or self._private else text
