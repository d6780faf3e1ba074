"""One number for everything that strategies said: the same signals give the same digest, however they came about.

The canonical stream has one line per signal, in the order in which a run gave them: the JSON object of its fields in
the order in which `Signal` declares them, without `source`, ended by a newline. Floats are written in the fewest digits
that give the same double back, so equal digests mean equal bits. `source` is left out because it is all that a replay
may change. Several runs are hashed one by one; their digests, each in a line after the run's venue, symbol and mode,
sorted, are hashed once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from engine.market.signal import Signal

_FIELDS = tuple([name for name in Signal.__struct_fields__ if name != "source"])
_encode = msgspec.json.Encoder().encode


def canonical(signal: Signal) -> bytes:
    """The line of one signal, with its newline."""
    return _encode({name: getattr(signal, name) for name in _FIELDS}) + b"\n"


class SignalDigest:
    """The SHA-256 of a run's canonical stream so far."""

    __slots__ = ("_hash", "signals")

    def __init__(self) -> None:
        self.signals = 0
        self._hash = sha256()

    def add(self, signal: Signal) -> None:
        self.signals += 1
        self._hash.update(canonical(signal))

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()


def digest(signals: Iterable[Signal]) -> str:
    """The SHA-256 of the canonical stream of these signals, in their order."""
    whole = SignalDigest()
    for signal in signals:
        whole.add(signal)
    return whole.hexdigest()


def digest_of_runs(digests: Mapping[tuple[str, str, str], str]) -> str:
    """One digest for several runs, by the venue, symbol and mode of each; that of a single run is its own."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = sorted([f"{venue} {symbol} {mode} {found}\n" for (venue, symbol, mode), found in digests.items()])
    return sha256("".join(lines).encode()).hexdigest()
