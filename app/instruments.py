"""What the venues list, asked for once in the background so that no page waits for it."""

from __future__ import annotations

import logging
from threading import Lock, Thread
from time import monotonic
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.connector import Connector
from engine.errors import EngineError
from engine.market.instrument import Instrument, nearest_symbols

KEEP_S = 3600.0
RETRY_S = 15.0
LONGEST_SYMBOL = 60

log = logging.getLogger(__name__)


class Listing(Struct):
    """A venue's instruments as far as they are known. `error` and `hint` say why there are none."""

    state: Literal["loading", "ready", "failed"]
    instruments: dict[str, Instrument]
    error: str = ""
    hint: str = ""
    asked_at: float = 0.0

    def problem(self, symbol: str) -> tuple[str, list[str]] | None:
        """Why `symbol` cannot be watched and the nearest right ones; None when it can or nobody knows."""
        if symbol in self.instruments:
            return None
        if len(symbol) > LONGEST_SYMBOL or not symbol.isprintable():
            return f"{symbol[:LONGEST_SYMBOL]!r}… is no symbol.", []
        if self.state != "ready":
            return None
        unified = {instrument.unified: name for name, instrument in self.instruments.items()}
        near = nearest_symbols(symbol, [*self.instruments, *unified])
        names = list(dict.fromkeys([unified.get(name, name) for name in near]))
        return f"There is no {symbol!r} here.", names


class InstrumentDirectory:
    """One listing per venue; a failed one is asked for again after 15 s, a good one after an hour."""

    def __init__(self) -> None:
        self._listings: dict[str, Listing] = {}
        self._lock = Lock()

    def listing(self, connector: Connector) -> Listing:
        """What is known now; begins to ask when nothing is. Never blocks."""
        with self._lock:
            listing = self._listings.get(connector.name)
            now = monotonic()
            keep_s = RETRY_S if listing is not None and listing.state == "failed" else KEEP_S
            if listing is None or (listing.state != "loading" and now - listing.asked_at > keep_s):
                # What is known stays in force while it is asked for again: nothing on the page flips meanwhile.
                listing = Listing("loading", {}, asked_at=now) if listing is None else replace(listing, asked_at=now)
                self._listings[connector.name] = listing
                Thread(target=self._ask, args=(connector,), name=f"instruments-{connector.name}", daemon=True).start()
            return listing

    def tick(self, venue: str, symbol: str) -> float | None:
        """The price step of a symbol; None where it is not known."""
        instrument = self.instrument(venue, symbol)
        return instrument.tick if instrument else None

    def instrument(self, venue: str, symbol: str) -> Instrument | None:
        """What the venue lists under a symbol, as far as that is known now."""
        listing = self._listings.get(venue)
        return listing.instruments.get(symbol) if listing else None

    def _ask(self, connector: Connector) -> None:
        try:
            found = {instrument.symbol: instrument for instrument in connector.instruments()}
            listing = Listing("ready", found, asked_at=monotonic())
        except EngineError as error:
            listing = Listing("failed", {}, str(error), error.hint, monotonic())
        except Exception as error:  # the border: top of a thread
            log.exception("instruments of %s", connector.name)
            listing = Listing("failed", {}, f"{type(error).__name__}: {error}", "See the log.", monotonic())
        with self._lock:
            known = self._listings.get(connector.name)
            if listing.state == "failed" and known is not None and known.state == "ready":
                return  # an old list is better than none
            self._listings[connector.name] = listing
