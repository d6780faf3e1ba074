"""Which subscriptions of one link the venue has not answered yet, where it answers by number."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from connectors.base.backoff import Cooldown

PATIENT_TRIES = 2
"""So often an answer is awaited without a word; after that people are told."""
KEPT = 1_000


class _Asked(Struct):
    """One frame: the symbols that are not answered, and when an answer is overdue (None: it is)."""

    symbols: set[str]
    due_ns: int | None


class Acks:
    """Belongs to the session's thread. A symbol may wait for several answers, one per frame that names it."""

    def __init__(self, ack_s: float) -> None:
        self._wait_ns = round(ack_s * 1e9)
        self._asked: dict[int, _Asked] = {}
        self._again_ns: dict[str, int] = {}
        self._troubles: dict[str, int] = {}
        self._cooldowns: dict[str, Cooldown] = {}

    def sent(self, number: int, symbols: Iterable[str], now_ns: int) -> None:
        """A frame left that the venue will answer under this number, for each of these symbols or for all at once."""
        self._asked[number] = _Asked(set(symbols), now_ns + self._wait_ns)
        if len(self._asked) > KEPT:
            del self._asked[next(iter(self._asked))]

    def heard(self, number: int | None, symbol: str) -> None:
        """The venue has accepted a symbol (all of the frame for ""), perhaps late."""
        for one in self._answered(number, symbol):
            if not any(one in asked.symbols for asked in self._asked.values()):
                self._troubles.pop(one, None)
                self._again_ns.pop(one, None)

    def refused(self, number: int | None, symbol: str) -> list[str]:
        """The venue has refused a symbol (all of the frame for ""): whom that concerns."""
        return self._answered(number, symbol) or ([symbol] if symbol else [])

    def awaits(self, symbol: str) -> bool:
        """Whether an answer about this symbol is still to come, and may."""
        return any(symbol in asked.symbols for asked in self._asked.values() if asked.due_ns is not None)

    def unsettled(self, symbol: str) -> bool:
        """Whether the venue has not accepted this symbol yet: an answer is to come, or the question to be repeated."""
        return self.awaits(symbol) or symbol in self._troubles

    def overdue(self, now_ns: int) -> list[str]:
        """Symbols whose answer did not come in time; each is named once per frame at most."""
        found: dict[str, None] = {}
        for asked in self._asked.values():
            if asked.due_ns is not None and now_ns >= asked.due_ns:
                asked.due_ns = None
                found.update(dict.fromkeys(sorted(asked.symbols)))
        return list(found)

    def failed(self, symbol: str, now_ns: int) -> int:
        """A subscription was lost or refused, the how manieth in a row: it is made again, ever later."""
        self._troubles[symbol] = self._troubles.get(symbol, 0) + 1
        cooldown = self._cooldowns.setdefault(symbol, Cooldown(forgive_s=600.0))
        self._again_ns[symbol] = cooldown.next_due_ns(now_ns)
        return self._troubles[symbol]

    def due(self, now_ns: int) -> list[str]:
        """The symbols to subscribe to once more, now; what was asked for them before is forgotten."""
        found = [symbol for symbol, due_ns in self._again_ns.items() if now_ns >= due_ns]
        for symbol in found:
            del self._again_ns[symbol]
            self._drop(symbol)
        return found

    def forget(self, symbol: str) -> None:
        """Nobody wants this symbol any more."""
        for kept in (self._again_ns, self._troubles, self._cooldowns):
            kept.pop(symbol, None)
        self._drop(symbol)

    def _answered(self, number: int | None, symbol: str) -> list[str]:
        """Take an answer off the list: the symbols that it is about."""
        asked = self._asked.get(number) if number is not None else None
        if asked is None or number is None:
            return []
        concerned = [symbol] if symbol else sorted(asked.symbols)
        asked.symbols.difference_update(concerned)
        if not asked.symbols:
            del self._asked[number]
        return concerned

    def _drop(self, symbol: str) -> None:
        for number, asked in list(self._asked.items()):
            asked.symbols.discard(symbol)
            if not asked.symbols:
                del self._asked[number]
