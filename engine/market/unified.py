"""One name for one thing at every venue: `BASE/QUOTE`, and which symbol that is at each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from engine.market.instrument import RENAMED, Instrument, asset, nearest_symbols

DOLLAR_COINS = ("USD", "USDT", "USDC", "FDUSD", "TUSD", "USDP", "PYUSD", "DAI", "USDE")
"""A dollar and the coins that aim to be worth one, in the order in which one is preferred. They are different quotes:
their prices differ, by much in a crisis. Only who asks for it has them treated alike."""

NEAR_KEPT = 100
"""Answers to wrong names that are remembered: looking through thousands takes a tenth of a second."""

ANY_DOLLAR = "USD*"
"""The quote of a name when dollars and dollar coins are treated alike; no venue has it, so it is never mistaken."""


class Unknown(Struct, frozen=True):
    """A name that too few venues know: who does, and what is like it (name → venues that list it)."""

    name: str
    venues: tuple[str, ...]
    near: dict[str, tuple[str, ...]]


def unified(instrument: Instrument, *, dollars_alike: bool = False) -> str:
    """`BASE/QUOTE` (of a future `BASE/QUOTE:CONTRACT`), the same at every venue.

    With `dollars_alike` every dollar and dollar coin is the quote `USD*`.
    """
    if dollars_alike and asset(instrument.quote) in DOLLAR_COINS:
        instrument = replace(instrument, quote=ANY_DOLLAR)
    return instrument.unified


class UnifiedNames:
    """Which venue has what, by unified name. `listings` holds what each venue lists.

    Where a venue has several things of one name (pools of different fees; dollars treated alike), the first in the
    order of `DOLLAR_COINS`, then of its own list, stands for it.
    """

    def __init__(self, listings: Mapping[str, Iterable[Instrument]], *, dollars_alike: bool = False) -> None:
        self._alike = dollars_alike
        self._near: dict[tuple[str, str, int], list[str]] = {}
        self._found: dict[str, dict[str, Instrument]] = {}
        self._own: dict[str, dict[str, str]] = {}
        for venue, instruments in listings.items():
            ranked = sorted(instruments, key=_rank) if dollars_alike else instruments
            for instrument in ranked:
                if not (instrument.base and instrument.quote):
                    continue  # a recording, or something that is not traded against anything
                name = unified(instrument, dollars_alike=dollars_alike)
                self._found.setdefault(name, {}).setdefault(venue, instrument)
                self._own.setdefault(instrument.symbol, {})[venue] = name

    def names(self, least: int = 2) -> list[str]:
        """The names that at least so many venues have; those of most venues first, otherwise in the venues' order."""
        names = [name for name, venues in self._found.items() if len(venues) >= least]
        return sorted(names, key=lambda name: -len(self._found[name]))

    def at(self, name: str) -> dict[str, Instrument]:
        """The instrument of that name at each venue that has it."""
        return dict(self._found.get(name, {}))

    def resolve(self, text: str) -> str | None:
        """The unified name that somebody means, None when it is no name here.

        It may be written so, in another case or with other marks (`xbt-usdt`), as one of the venues spells it
        (`BTCUSDT`), or as it was before dollars were treated alike or told apart.
        """
        if text in self._found:
            return text
        if text in self._own:
            return next(iter(self._own[text].values()))
        base, _, quote = text.partition("/")
        if asset(quote) in (*DOLLAR_COINS, ANY_DOLLAR):
            coins = (ANY_DOLLAR,) if self._alike else DOLLAR_COINS if quote == ANY_DOLLAR else ()
            others = [name for coin in coins if (name := f"{asset(base)}/{coin}") in self._found]
            if others:
                return max(others, key=lambda name: len(self._found[name]))
        wanted = _plain(text)
        return next((name for name in self._found if wanted and _plain(name) == wanted), None)

    def unknown(self, name: str, limit: int = 4) -> Unknown:
        """What to say of a name that cannot be used: which venues do have it, and the near names with their venues."""
        near = nearest_symbols(name, [one for one in self._found if one != name], limit)
        return Unknown(name, tuple(self._found.get(name, {})), {one: tuple(self._found[one]) for one in near})

    def nearest_at(self, venue: str, name: str, limit: int = 3) -> list[str]:
        """The symbols of one venue that are most like `name`, as it spells them."""
        asked = (venue, name, limit)
        if asked not in self._near:
            own = {one: found[venue].symbol for one, found in self._found.items() if venue in found}
            if len(self._near) >= NEAR_KEPT:
                self._near.clear()
            self._near[asked] = [own[one] for one in nearest_symbols(name, own, limit)]
        return self._near[asked]


def _rank(instrument: Instrument) -> int:
    quote = asset(instrument.quote)
    return DOLLAR_COINS.index(quote) if quote in DOLLAR_COINS else len(DOLLAR_COINS)


def _plain(text: str) -> str:
    """Letters and digits only, assets by today's names."""
    letters = "".join(filter(str.isalnum, text.upper()))
    for old, new in RENAMED.items():
        letters = letters.replace(old, new)
    return letters
