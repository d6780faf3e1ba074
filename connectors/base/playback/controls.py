"""What a page may do with a replay, and what it is told of one."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

Step = Literal["event", "book"]


class ReplayState(Struct, frozen=True):
    """How a replay stands. Times are the recording's, UTC ns; `speed` None is as fast as possible.

    `seeking` while it is on its way to another place; `ended` after the last event; `error` is empty while it works.
    """

    title: str
    start_ns: int
    end_ns: int
    at_ns: int
    speed: float | None
    paused: bool
    loop: bool
    seeking: bool
    ended: bool
    error: str


class ReplayControls(Protocol):
    """What a page may do with a replay. Every method returns at once and may be called from any thread."""

    def state(self) -> ReplayState: ...

    def set_speed(self, speed: float | None) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def step(self, what: Step = "event") -> None: ...

    def seek(self, at_ns: int) -> None: ...

    def set_loop(self, loop: bool) -> None: ...
