"""Everything that a venue can do wrong, by name, and the board on which it is switched on and off.

The mock connector and the fake venues of the tests share this vocabulary, so that a fault seen on the page can be had
in a test. A fault acts a number of times, for a number of seconds, or until it is cleared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from engine.clock import SYSTEM_CLOCK, Clock
from engine.errors import ConfigError


class Fault(StrEnum):
    """What goes wrong."""

    DROP = "drop"
    CLOSE_1012 = "close_1012"
    CLOSE_1008 = "close_1008"
    SHUTDOWN_NOTICE = "shutdown_notice"
    REFUSE_STREAM = "refuse_stream"
    HANDSHAKE_REFUSED = "handshake_refused"
    STALL = "stall"
    SYMBOL_STALL = "symbol_stall"
    LATENCY = "latency"
    FLOOD = "flood"
    GAP = "gap"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    CROSSED = "crossed"
    BAD_FRAME = "bad_frame"
    BAD_VALUES = "bad_values"
    HUGE_FRAME = "huge_frame"
    BAD_CHECKSUM = "bad_checksum"
    CLOCK_SKEW = "clock_skew"
    ACK_MISSING = "ack_missing"
    ACK_REFUSED = "ack_refused"
    STALE_SNAPSHOT = "stale_snapshot"
    SNAPSHOT_ERROR = "snapshot_error"
    SNAPSHOT_HTML = "snapshot_html"
    SNAPSHOT_SLOW = "snapshot_slow"
    REFUSE_REST = "refuse_rest"


class FaultCard(Struct, frozen=True):
    """What a fault is, for people.

    `once` faults act once (or `count` times) and are gone; the others stay until cleared or their time is over.
    `parameter` names what `value` means (empty: it has none) and `default` is its value if nobody says.
    """

    text: str
    once: bool
    parameter: str = ""
    default: float = 0.0


CARDS: dict[Fault, FaultCard] = {
    Fault.DROP: FaultCard("The connection breaks without a word.", True),
    Fault.CLOSE_1012: FaultCard("The venue closes the connection to restart (code 1012).", True),
    Fault.CLOSE_1008: FaultCard("The venue closes the connection because we sent too much (code 1008).", True),
    Fault.SHUTDOWN_NOTICE: FaultCard("The venue announces that it will close the connection soon.", True),
    Fault.REFUSE_STREAM: FaultCard("There is no stream at all: only REST is left.", False),
    Fault.HANDSHAKE_REFUSED: FaultCard("New connections are refused.", False, "HTTP status", 503),
    Fault.STALL: FaultCard("Silence: the connection stands, but nothing comes.", False),
    Fault.SYMBOL_STALL: FaultCard("One symbol falls silent while the others go on.", False),
    Fault.LATENCY: FaultCard("Everything arrives late.", False, "milliseconds", 250),
    Fault.FLOOD: FaultCard("A burst of messages all at once.", True, "messages", 20_000),
    Fault.GAP: FaultCard("Book updates get lost.", True),
    Fault.DUPLICATE: FaultCard("A book update comes twice.", True),
    Fault.REORDER: FaultCard("Two book updates change places.", True),
    Fault.CROSSED: FaultCard("An update puts the best bid on the best ask.", True),
    Fault.BAD_FRAME: FaultCard("A message that cannot be read.", True),
    Fault.BAD_VALUES: FaultCard("An update with a negative size, no price or not-a-number.", True),
    Fault.HUGE_FRAME: FaultCard("A message of many megabytes.", True, "megabytes", 5),
    Fault.BAD_CHECKSUM: FaultCard("An update with a wrong checksum.", True),
    Fault.CLOCK_SKEW: FaultCard("The venue's clock is wrong.", False, "seconds ahead", 3600),
    Fault.ACK_MISSING: FaultCard("Subscriptions are not answered.", False),
    Fault.ACK_REFUSED: FaultCard("Subscriptions are refused.", False),
    Fault.STALE_SNAPSHOT: FaultCard("The book by REST is older than the stream.", True),
    Fault.SNAPSHOT_ERROR: FaultCard("REST answers with an error.", False, "HTTP status", 500),
    Fault.SNAPSHOT_HTML: FaultCard("REST answers with a web page.", False),
    Fault.SNAPSHOT_SLOW: FaultCard("REST takes its time.", False, "seconds", 10),
    Fault.REFUSE_REST: FaultCard("REST cannot be reached.", False),
}


PER_SYMBOL = frozenset(
    {
        Fault.SYMBOL_STALL, Fault.FLOOD, Fault.GAP, Fault.DUPLICATE, Fault.REORDER, Fault.CROSSED, Fault.BAD_FRAME,
        Fault.BAD_VALUES, Fault.HUGE_FRAME, Fault.BAD_CHECKSUM, Fault.STALE_SNAPSHOT, Fault.SNAPSHOT_ERROR,
        Fault.SNAPSHOT_HTML,
    }
)  # fmt: skip
"""Faults that can be had for one symbol alone."""


class ActiveFault(Struct, frozen=True):
    """A fault that is on: for `symbol` ("" for all), `left` more times and until `until_ns` (None: without limit)."""

    fault: Fault
    symbol: str
    value: float
    left: int | None
    until_ns: int | None


class ScriptedFault(Struct, frozen=True):
    """A fault to switch on when the venue has sent `at` messages; the rest as for `FaultBoard.set`."""

    at: int
    fault: Fault
    symbol: str = ""
    value: float | None = None
    count: int | None = None
    seconds: float | None = None


class FaultBoard:
    """Which faults are on; safe to use from any thread.

    `supported` are the faults that this venue knows how to do, in the order in which to show them; `acted` counts how
    often each was taken.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, supported: Iterable[Fault] = Fault) -> None:
        self.supported = tuple(supported)
        self.acted: Counter[Fault] = Counter()
        self._clock = clock
        self._lock = Lock()
        self._active: dict[tuple[Fault, str], ActiveFault] = {}
        self._script: list[ScriptedFault] = []

    @property
    def quiet(self) -> bool:
        """Whether nothing is on and nothing is scripted: the quick question before each batch."""
        return not self._active and not self._script

    def set(
        self,
        fault: Fault | str,
        *,
        symbol: str = "",
        value: float | None = None,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Switch a fault on, for one symbol or all (""); once, `count` times, for `seconds`, or until cleared.

        Raises:
            ConfigError: no fault of that name, this venue cannot do it, or not for one symbol.
        """
        fault = self._known(fault)
        if symbol and fault not in PER_SYMBOL:
            raise ConfigError(f"the fault {str(fault)!r} concerns all symbols at once, not {symbol}")
        card = CARDS[fault]
        if count is None and card.once:
            count = 1
        until_ns = None if seconds is None else self._clock.now_ns() + round(seconds * 1e9)
        value = card.default if value is None else value
        with self._lock:
            self._active[fault, symbol] = ActiveFault(fault, symbol, value, count, until_ns)

    trigger = set

    def clear(self, fault: Fault | str | None = None, symbol: str | None = None) -> None:
        """Switch a fault off (for one symbol if named); all faults and the script without a name."""
        with self._lock:
            if fault is None:
                self._active.clear()
                self._script = []
                return
            for key in [key for key in self._active if key[0] == fault and symbol in (None, key[1])]:
                del self._active[key]

    def peek(self, fault: Fault, symbol: str = "") -> ActiveFault | None:
        """The fault if it is on for this symbol (or for all), without using it up."""
        if not self._active:
            return None
        with self._lock:
            return self._find(fault, symbol)

    def take(self, fault: Fault, symbol: str = "") -> ActiveFault | None:
        """The fault if it is on for this symbol (or for all); counts as one time."""
        if not self._active:
            return None
        with self._lock:
            found = self._find(fault, symbol)
            if found is None:
                return None
            self.acted[fault] += 1
            if found.left is not None:
                key = (fault, found.symbol)
                if found.left <= 1:
                    del self._active[key]
                else:
                    self._active[key] = replace(found, left=found.left - 1)
            return found

    def active(self) -> list[ActiveFault]:
        """All that is on now."""
        with self._lock:
            for fault, symbol in list(self._active):
                self._expire(fault, symbol)
            return list(self._active.values())

    def play(self, script: Iterable[ScriptedFault]) -> None:
        """Switch these on as `reached` counts up; replaces an earlier script."""
        with self._lock:
            self._script = sorted(script, key=lambda step: step.at)

    def reached(self, messages: int) -> None:
        """The venue has sent so many messages: switch on what the script wants by now."""
        while True:
            with self._lock:
                if not self._script or self._script[0].at > messages:
                    return
                step = self._script.pop(0)
            self.set(step.fault, symbol=step.symbol, value=step.value, count=step.count, seconds=step.seconds)

    def _known(self, fault: Fault | str) -> Fault:
        if fault not in self.supported:
            names = ", ".join(self.supported)
            raise ConfigError(f"no fault {str(fault)!r} here", hint=f"There are: {names}.")
        return Fault(fault)

    def _find(self, fault: Fault, symbol: str) -> ActiveFault | None:
        return self._expire(fault, symbol) or (self._expire(fault, "") if symbol else None)

    def _expire(self, fault: Fault, symbol: str) -> ActiveFault | None:
        found = self._active.get((fault, symbol))
        if found is not None and found.until_ns is not None and self._clock.now_ns() >= found.until_ns:
            del self._active[fault, symbol]
            return None
        return found
