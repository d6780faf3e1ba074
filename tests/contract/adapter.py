"""What a venue's adapter offers to the catalogue: the real connector on its fake, and every fault by name.

To add a connector:
1. Its fake: a `FakeVenue` (tests/fakes/venue.py) has most faults already; any `FakeServer` will do.
2. Its rig: a `Rig` (tests/fakes/rig.py) that makes truth, venue and connector, and whose `oracle` says what is true.
   A fake that is no `FakeVenue` overrides `live_and_moving`, `until_live`, `settle` and `describe` of the rig as well.
3. An `Adapter` in a module of `tests/contract/adapters/`, found there by itself: `name`, `two` (the symbols),
   `make_rig`, and the verbs below that its fake does differently. A verb that the venue cannot suffer goes into
   `cannot` with the reason, which docs/reliability.md prints; what it answers differently goes into `differs`.
4. `python -m tests.contract.report --write docs/reliability.md` runs its faults and writes the table.

Verbs act on `self.symbol`, the first symbol, unless they name another; `self.other` must not suffer from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, ClassVar

from tests.contract.case import Case, Expect
from tests.fakes import binance_faults as faults
from tests.fakes import frames
from tests.fakes.rig import Rig


class Adapter(ABC):
    """One connector before one fake venue, made anew for every case."""

    name: ClassVar[str]
    two: ClassVar[tuple[str, str]]
    """Two symbols: the one that suffers and a bystander."""
    many: ClassVar[tuple[str, ...]] = ()
    """As many as the fake can play, for faults that hit all at once; empty: the two."""
    wrong_symbol: ClassVar[str] = "BTCUSTD"
    """A symbol that the venue does not list, one slip from `near_symbol` (else the first of `two`)."""
    near_symbol: ClassVar[str] = ""
    sockets: ClassVar[int] = 1
    """How many sockets one connection for `two` takes."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """Why the venue cannot suffer something: by verb ("bad_checksum"), case ("F12 418") or fault ("F23")."""
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What this venue answers differently from the catalogue: fields of `Expect` by verb, case or fault."""

    def __init__(self, case: Case) -> None:
        symbols = {1: self.two[:1], 2: self.two}.get(case.symbols, self.many or self.two)
        self.symbol, self.other = symbols[0], symbols[-1]
        options = {"limits": dict(case.limits), "patience": dict(case.patience), "history": case.history}
        self.rig: Any = self.make_rig(symbols, pace=case.pace, **options)

    @abstractmethod
    def make_rig(self, symbols: Sequence[str], **options: Any) -> Rig:
        """Everything of one case, not started; `options` are those of `Rig`."""

    @classmethod
    def reason_not(cls, case: Case) -> str:
        """Why this case is none of this venue's; empty when it is."""
        for key in (case.id, case.verb, case.fault):
            if key in cls.cannot:
                return cls.cannot[key]
        return ""

    @classmethod
    def expected(cls, case: Case) -> Expect:
        """The reaction that this venue's connector owes."""
        expect = case.expect
        for key in (case.fault, case.verb, case.id):
            expect = expect.but(**cls.differs.get(key, {}))
        return expect

    @property
    def venue(self) -> Any:
        """The fake."""
        return self.rig.venue

    # ---- what happened, as the catalogue asks for it

    @property
    def accepted(self) -> int:
        """Connections that the venue ever accepted."""
        return int(self.venue.accepted)

    def attempts(self) -> list[float]:
        """When the connector tried to connect, accepted or not; seconds of the monotonic clock."""
        return [entry.at for entry in self.venue.entries("handshake")]

    def book_requests(self) -> list[float]:
        """When it asked for a book by REST."""
        return [entry.at for entry in self.rig.book_requests()]

    def messages(self) -> list[float]:
        """When it sent a message."""
        return [entry.at for entry in self.venue.entries("text")]

    # ---- F1 … F5: the connection

    def fin(self) -> None:
        """The connection ends in good order, without a word."""
        self.venue.fin()

    def rst(self) -> None:
        """The connection is reset."""
        self.venue.rst()

    def close(self, code: int) -> None:
        """The venue closes with this code."""
        self.venue.close_all(code, "as the catalogue wants it")

    def half_a_frame(self) -> None:
        """The connection ends in the middle of a frame."""
        self.venue.send_all_raw(b"\x81\x7e\x01")
        self.venue.fin()

    def announce_shutdown(self) -> None:
        """The venue says that it will close."""
        raise NotImplementedError

    def stall(self) -> None:
        """The connection stands, but nothing comes any more, no answer to a ping either."""
        self.venue.stall()

    def half_open(self) -> None:
        """The connection is neither read nor written any more."""
        self.venue.half_open()

    def age_out(self) -> None:
        """The venue ends the connection because of its age."""
        self.venue.close_all(1001, "24 hours")

    # ---- F6 … F11, F24: one book

    def mute(self) -> None:
        """The symbol falls silent, the connection lives; it had spoken long enough to be known as a busy one."""
        self.rig.pause(80)
        self.venue.mute(self.symbol)

    def unmute(self) -> None:
        self.venue.unmute(self.symbol)

    def gap(self, count: int = 1) -> None:
        """So many book updates are lost."""
        self.venue.gap(self.symbol, count)

    def duplicate(self, count: int = 1) -> None:
        """So many book updates come twice."""
        self.venue.duplicate(self.symbol, count)

    def swap(self) -> None:
        """Two book updates change places."""
        self.venue.swap(self.symbol)

    def bad_checksum(self, count: int = 1) -> None:
        """So many book updates carry a wrong checksum."""
        raise NotImplementedError

    def stale_snapshot(self, times: int = 3) -> None:
        """A book is lost, and the next snapshots by REST are older than the stream."""
        raise NotImplementedError

    def edit(self, what: str) -> None:
        """One update becomes impossible (`crossed`, `negative`, `NaN`, `null`, `infinite`, `letters`, `cut`)."""
        if what == "cut":
            self.venue.rewrite(self.symbol, lambda data: (faults.Raw(data[: len(data) // 2].encode()),))
            return
        self.venue.rewrite(self.symbol, faults.edited(self.edits()[what]))

    def edits(self) -> Mapping[str, Any]:
        """How a book message is made impossible, by name."""
        raise NotImplementedError

    def harmless(self, what: str, count: int = 5) -> None:
        """Updates that are right but unusual: `fragmented`, `binary`, `exponent`, `absent removal`."""
        how = {"fragmented": faults.fragmented, "binary": faults.binary, **self.unusual()}[what]
        self.venue.rewrite(self.symbol, how, count=count)

    def unusual(self) -> Mapping[str, faults.Rewrite]:
        """Unusual ways of writing the same, beside fragments and binary frames."""
        return {}

    # ---- F12, F13: refusals

    def lose_book(self) -> None:
        """Something that makes the connector ask for the book by REST, where it does."""
        self.gap()

    def need_rest(self) -> None:
        """Something that makes a connector that has not started yet need a book by REST; nothing where it begins so."""
        return

    def rest_fail(self, status: int, retry_after_s: int | None = None, times: int | None = 2) -> None:
        """REST answers with this status."""
        self.venue.fail_rest(status, retry_after_s=retry_after_s, times=times)

    def rest_slow(self, seconds: float, times: int | None = 1) -> None:
        """REST takes its time (real seconds)."""
        self.venue.slow_rest(seconds, times)

    def rest_broken(self, what: str, times: int = 2) -> None:
        """REST answers 200 with nonsense: `html`, `empty`, `cut`, `list`, `crossed`, `hung up`, `half sent`."""
        raise NotImplementedError

    def refuse(self, status: int, retry_after_s: int | None = None, times: int | None = 1) -> None:
        """New connections are refused with this status."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self.venue.refuse(status, headers=headers, times=times)

    def hang_handshakes(self) -> Event:
        """The next handshake is not answered until the event is set."""
        hold: Event = self.venue.hang_handshakes()
        return hold

    def heal(self) -> None:
        """Nothing is wrong any more."""
        self.venue.heal()

    # ---- F14, F15: frames

    def malformed(self) -> Mapping[str, bytes]:
        """Frames that nobody may believe or die of."""
        raise NotImplementedError

    def nonsense(self, count: int) -> None:
        """So many unreadable messages at once."""
        for _ in range(count):
            self.send(b"nonsense")

    def send(self, frame: bytes) -> None:
        """A text frame as it is, to every connection."""
        self.venue.send_all(frame)

    def huge(self, size: int) -> None:
        """One text message of so many bytes."""
        self.venue.send_all_raw(frames.encode(frames.TEXT, b"x" * size))

    def stop_reading(self) -> None:
        """The venue reads no more but goes on writing."""
        self.venue.each(lambda session: session.stop_reading())

    def resume(self) -> None:
        """The venue reads again, so that it sees which connections have ended."""
        self.venue.each(lambda session: session.resume())

    def wrong_frame(self) -> None:
        """Bytes that are no WebSocket frame."""
        self.venue.send_all_raw(b"\xf3\x01x")

    # ---- F16 … F19

    def lose_subscription(self) -> None:
        """The next subscription is neither done nor answered."""
        raise NotImplementedError

    def refuse_subscription(self) -> None:
        """The next subscription is answered with an error that names no symbol."""
        raise NotImplementedError

    def flood(self, messages: int) -> None:
        """So many messages at once."""
        raise NotImplementedError

    def skew(self, what: str) -> None:
        """The venue's clock is wrong: `ahead`, `behind` (an hour), `1970`, `microseconds`."""
        raise NotImplementedError

    def desync_all(self) -> None:
        """Every symbol's book is lost at once."""
        self.venue.desync_all()

    # ---- F21 … F23: what only some venues can do

    def second_connection(self) -> None:
        """Somebody else connects with the same key."""
        raise NotImplementedError

    def expire_token(self, *, for_good: bool = False) -> None:
        """The token is no longer valid; `for_good`: nor can it be refreshed."""
        raise NotImplementedError

    def reorganise(self, what: str) -> None:
        """The chain misbehaves: `reorg`, `missing block`, `partial batch`, `empty result`."""
        raise NotImplementedError
