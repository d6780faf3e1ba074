"""A fault of the catalogue as data: how it is injected, the reaction that is owed, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.market.events import FeedState
from tests.fakes.rig import PACE


class Expect(Struct, frozen=True):
    """The reaction to a fault. Times are seconds of the connector's clock.

    What must be seen of the suffering symbol after the injection: `states` (each), `says` (words in a reason or hint),
    `counters` (fields of its quality, grown by at least so much), `connections` (new ones, at least so many).
    What must not: more than `at_most` new connections, a state of `never`, any unrest of the bystander (`calm`).
    `asks`: messages that the connector sends at least because of it; `asks_at_most` bounds them until the reaction was
    seen, `asks_per_minute` the most that it sends within any minute. `book_requests` (`_at_most`): books by REST that
    it asks for; `rest_not_before_s`: the least time from the first of these to the next.
    `not_before_s`: the least time from the first refused attempt after the injection to the next one; `at_once_s`: the
    longest from the injection to a new connection. `recovers`: every book is LIVE again within `within_s` of the end of
    the fault; else the case ends in one of `ends`.
    """

    states: tuple[FeedState, ...] = ()
    says: str = ""
    counters: Mapping[str, int] = {}
    connections: int = 0
    at_most: int | None = None
    never: tuple[FeedState, ...] = ()
    calm: bool = False
    asks: int = 0
    asks_at_most: int | None = None
    asks_per_minute: int | None = None
    book_requests: int = 0
    book_requests_at_most: int | None = None
    rest_not_before_s: float = 0.0
    not_before_s: float = 0.0
    at_once_s: float | None = None
    recovers: bool = True
    within_s: float = 80.0
    ends: tuple[FeedState, ...] = ()

    def but(self, **fields: Any) -> Expect:
        """The same with some fields changed."""
        return replace(self, **fields) if fields else self


class Case(Struct, frozen=True):
    """One variant of one fault.

    `inject` does it to an adapter; `first`: before the connector starts. `stay`: the fault lasts until the reaction was
    seen, then the venue heals. `alone`: too heavy to share the machine with other cases. `limits` and `patience` are
    shortened for the case, `symbols` is how many it wants (more than 2: all that the fake has),
    `pace` how much faster than ours its time runs.
    """

    fault: str
    variant: str
    verb: str
    inject: Callable[[Any], object]
    expect: Expect = Expect()
    symbols: int = 2
    first: bool = False
    stay: bool = False
    alone: bool = False
    limits: Mapping[str, Any] = {}
    patience: Mapping[str, Any] = {}
    history: int = 20_000
    pace: float = PACE
    play: Callable[[Any, Any, Any], None] | None = None
    """What is done instead of the common course (see `course.perform`)."""

    @property
    def id(self) -> str:
        return f"{self.fault} {self.variant}"


class Outcome(Struct):
    """What came of one case with one connector."""

    connector: str
    fault: str
    variant: str
    injected: bool = False
    detected: bool | None = None
    """None: there was nothing to be noticed."""
    recovered: bool = False
    wrong: int = 0
    """Words that differed from the truth while the book was LIVE, or any other broken promise at the end."""
    lost: int = 0
    """Points missing in the line although nothing was said to be wrong, and polled books that became none."""
    doubled: int = 0
    """Trades and updates that were published more than once."""
    seconds: float | None = None
    """From the injection to LIVE again, by the connector's clock."""
    failure: str = ""
    reason: str = ""
    """Why the case is not applicable; then nothing else counts."""
    again: bool = False
    """It was played once more, alone: the first time it failed by the clock while others shared the machine."""

    @property
    def failed_by_the_clock(self) -> bool:
        """Something came too late or not at all, but nothing untrue was said, and nothing was lost or doubled."""
        return bool(self.failure) and not (self.wrong or self.lost or self.doubled)

    @property
    def mark(self) -> str:
        """One cell of the table."""
        return "n/a" if self.reason else "✘" if self.failure else "✔"


encode = msgspec.json.Encoder().encode
decode_outcomes = msgspec.json.Decoder(list[Outcome]).decode
