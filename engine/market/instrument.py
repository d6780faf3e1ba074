"""What can be watched at a venue, and the nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from msgspec import Struct

RENAMED = {"XBT": "BTC", "XDG": "DOGE"}
"""Old names that some venues still write, and today's."""


def asset(name: str) -> str:
    """An asset as everybody writes it today: `BTC` for `XBT`, `DOGE` for `XDG`."""
    upper = name.strip().upper()
    return RENAMED.get(upper, upper)


class Instrument(Struct, frozen=True):
    """One tradable thing at one venue.

    `symbol` is the venue's own spelling; `tick` is the price step and `lot` the size step in units of the base
    (None where the venue does not say). `contract` is empty for the thing itself; for a future it is what it settles
    in, and its last day where it has one (`USDT`, `USDT-261225`). One unit of size is `multiplier` of the base (where
    `inverse`: worth `multiplier` in quote units, whatever the price).
    """

    venue: str
    symbol: str
    base: str
    quote: str
    tick: float | None = None
    lot: float | None = None
    contract: str = ""
    multiplier: float = 1.0
    inverse: bool = False

    @property
    def unified(self) -> str:
        """`BASE/QUOTE`, the form that is the same at every venue; of a future `BASE/QUOTE:CONTRACT`."""
        name = f"{asset(self.base)}/{asset(self.quote)}"
        return f"{name}:{self.contract}" if self.contract else name


def _plain(text: str) -> str:
    letters = "".join(character for character in text.upper() if character.isalnum())
    for old, new in RENAMED.items():
        letters = letters.replace(old, new)
    return letters


SAME_BASE = 3
"""So many equal characters at the front, and two symbols are taken to begin with the same base."""


def nearest_symbols(wrong: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The `limit` known symbols most like `wrong`, best first; punctuation, XBT/BTC and XDG/DOGE do not count."""
    wanted = _plain(wrong)
    if not wanted:
        return []
    scored = []
    for position, symbol in enumerate(known):
        plain = _plain(symbol)
        score = SequenceMatcher(None, wanted, plain).ratio()
        if plain.startswith(wanted) or wanted.startswith(plain):
            score += 0.5
        elif wanted[:SAME_BASE] == plain[:SAME_BASE]:
            score += 0.2  # the base is right, the quote is not
        if score >= 0.6:
            # Among equals: who writes a dollar most often means Tether's, then the venue's own order counts.
            scored.append((-score, len(symbol), not plain.endswith("USDT"), position, symbol))
    return [symbol for *_, symbol in sorted(scored)[:limit]]
