"""The addresses in ALERT_URLS: taken apart, named, and what of them is secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

MOST = 20
_APART = re.compile(r"[\s,;]+(?=(?:[A-Za-z0-9_-]+=)?[A-Za-z][A-Za-z0-9+.-]*://)")
_NAMED = re.compile(r"(?:([A-Za-z0-9_-]{1,40})=)?([A-Za-z][A-Za-z0-9+.-]*)://(\S+)")
_SERVERS = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "ntfys", "ntfy", "gotify"})
"""Schemes whose host is a server's name; elsewhere it is often the token itself."""


class Address(Struct, frozen=True):
    """One channel's name and URL. Its representation shows no more than the scheme."""

    name: str
    url: str

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0].lower()

    def __repr__(self) -> str:
        return f"Address({self.name!r}, '{self.scheme}://***')"


def addresses(text: str) -> tuple[list[Address], list[str]]:
    """The addresses in a list separated by commas or blanks, each a URL as Apprise writes it, or `name=URL`; one
    without a name is called by its scheme.

    Then what is wrong with others, in words that quote nothing: what is no URL, a name that is taken, too many.
    """
    found: dict[str, Address] = {}
    problems: list[str] = []
    for place, part in enumerate(_APART.split(text.strip(" ,;\n\t")), 1):
        match = _NAMED.fullmatch(part)
        if match is None:
            problems.append(
                f"Address {place} in ALERT_URLS is no URL. It is written scheme://…, or name=scheme://…, as the "
                "documentation of Apprise says for each service."
            )
            continue
        given, scheme, rest = match.groups()
        name = given or _free(scheme.lower(), found)
        if name in found:
            problems.append(f"Address {place} in ALERT_URLS is left out: the name {name!r} is taken by an earlier one.")
        elif len(found) >= MOST:
            problems.append(f"Address {place} in ALERT_URLS is left out: {MOST} are allowed.")
        else:
            found[name] = Address(name, f"{scheme}://{rest}")
    return list(found.values()), problems


def secrets_of(address: Address) -> list[str]:
    """Everything in an address that nobody is to see."""
    return [address.url, *[part for part in _parts(address) if part]]


def _parts(address: Address) -> Iterator[str]:
    split = urlsplit(address.url)
    user, _, server = split.netloc.rpartition("@")
    yield user
    yield from user.split(":")
    if address.scheme not in _SERVERS:
        yield server
        yield from server.split(":")
    yield from [unquote(part) for part in split.path.split("/")]
    yield from [value for name, value in parse_qsl(split.query) if name not in ("from", "to", "mode")]


def _free(scheme: str, taken: dict[str, Address]) -> str:
    """The scheme, with a number where it is taken."""
    number = 1
    while (name := scheme if number == 1 else f"{scheme}-{number}") in taken:
        number += 1
    return name
