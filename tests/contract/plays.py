"""Cases whose course is another than fault, reaction, recovery (see `course.perform`)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from engine.market.events import FeedState
from tests.contract.case import Case, Expect, Outcome
from tests.contract.course import Mark, demand, forbid, recover, until

LIVE, POLLING, BLOCKED = FeedState.LIVE, FeedState.POLLING, FeedState.BLOCKED
POLLS = 4
FLOOD_S = 20.0


def nothing(on: Any) -> None:
    """The case itself does it."""


def lose_stream(on: Any) -> None:
    """The connection breaks and no other is accepted."""
    on.refuse(503, times=None)
    on.rst()


def fall_back(on: Any, case: Case, outcome: Outcome) -> None:
    """No stream: books are polled, none is lost or shown twice, and the stream returns."""
    rig = on.rig.live_and_moving()
    case.inject(on)
    outcome.injected, outcome.detected = True, False
    until(on, lambda: all(one.state is POLLING for one in rig.witnesses.values()), "POLLING", 60.0)
    outcome.detected = True
    polls = rig.witness.polls
    until(on, lambda: rig.witness.polls >= polls + POLLS, "polled books", 30.0)
    _return(on, outcome)


def blocked_stream(on: Any, case: Case, outcome: Outcome) -> None:
    """The venue refuses the stream for good: books are polled, nobody knocks again, until somebody wants to."""
    rig = on.rig.live_and_moving()
    on.refuse(451, times=None)
    on.rst()
    outcome.injected, outcome.detected = True, False
    until(on, lambda: all(one.state is POLLING for one in rig.witnesses.values()), "POLLING", 60.0)
    until(on, lambda: rig.witness.polls >= 2, "polled books", 30.0)
    outcome.detected = rig.witness.said("451")
    demand(outcome.detected, "nobody said 451")
    attempts, polls = len(on.attempts()), rig.witness.polls
    until(on, lambda: rig.witness.polls >= polls + POLLS, "polled books", 60.0)
    demand(len(on.attempts()) == attempts, "it knocked again although the venue refuses for good")
    on.heal()
    rig.connector.start_again()
    _return(on, outcome)


def blocked(on: Any, case: Case, outcome: Outcome) -> None:
    """The venue refuses everything for good: BLOCKED with the reason, no more requests, until somebody wants to."""
    rig = on.rig.live_and_moving()
    on.refuse(451, times=None)
    on.rest_fail(451, times=None)
    on.rst()
    outcome.injected, outcome.detected = True, False
    until(on, lambda: all(one.state is BLOCKED for one in rig.witnesses.values()), "BLOCKED", 60.0)
    outcome.detected = rig.witness.said("451")
    demand(outcome.detected, "nobody said 451")
    asked = len(on.attempts()) + len(on.book_requests())
    quiet = rig.venue.wait_for(lambda: len(on.attempts()) + len(on.book_requests()) > asked, 10.0 / on.rig.pace)
    demand(not quiet, "it asked again although the venue refuses for good")
    on.heal()
    rig.connector.start_again()
    _return(on, outcome)


def _return(on: Any, outcome: Outcome) -> None:
    """The fault is over: the stream must be back within a minute or so."""
    ended = time.monotonic()
    on.heal()
    recover(on, Expect(within_s=250.0), ended)
    outcome.recovered, outcome.seconds = True, (time.monotonic() - ended) * on.rig.pace


def subscribe_later(on: Any, case: Case, outcome: Outcome) -> None:
    """One symbol lives; the subscription to another fails, is made again, and nobody is disturbed."""
    rig = on.rig
    rig.start(on.other)
    rig.move()
    rig.until_live()
    mark = Mark(on)
    case.inject(on)
    outcome.injected = True
    rig.start(on.symbol)
    begun = time.monotonic()
    recover(on, on.expected(case), begun)
    outcome.detected = outcome.recovered = True
    outcome.seconds = (time.monotonic() - begun) * on.rig.pace
    forbid(on, on.expected(case), mark)


def wrong_symbol(on: Any, case: Case, outcome: Outcome) -> None:
    """A symbol that does not exist is INVALID and near ones are named; the others live."""
    rig = on.rig
    rig.start(on.other)
    rig.start(on.wrong_symbol)
    rig.move()
    outcome.injected, outcome.detected = True, False
    wrong = rig.witnesses[on.wrong_symbol]
    until(on, lambda: wrong.state is FeedState.INVALID, "INVALID")
    near = on.near_symbol or on.symbol
    until(on, lambda: near in wrong.statuses[-1].hint, f"{near} as a hint")
    outcome.detected = True
    del rig.witnesses[on.wrong_symbol]
    recover(on, on.expected(case), time.monotonic())
    outcome.recovered = True


def flood(on: Any, case: Case, outcome: Outcome) -> None:
    """A burst is swallowed: the book is right afterwards, nothing was lost, the connection stands."""
    rig = on.rig.live_and_moving()
    rig.rest()
    rig.until_live()
    mark = Mark(on)
    begun = time.monotonic()
    case.inject(on)
    outcome.injected = True
    rig.until_live(timeout=FLOOD_S)
    outcome.recovered, outcome.seconds = True, (time.monotonic() - begun) * on.rig.pace
    rig.settle()
    forbid(on, on.expected(case), mark)


def wrong_clock(on: Any, case: Case, outcome: Outcome) -> None:
    """A venue's wrong clock changes no book and no age."""
    rig = on.rig
    case.inject(on)
    outcome.injected = True
    rig.live_and_moving()
    goal = rig.witness.events + 50
    until(on, lambda: rig.witness.events > goal, "events")
    until(on, lambda: rig.witness.state is LIVE and 0.0 <= _age_s(rig) < 5.0, "a word of now, by our own clock")
    rig.settle()
    outcome.recovered = True


def _age_s(rig: Any) -> float:
    """How old the last word is for the connector."""
    return float(rig.quality().age_s(rig.runtime.clock.now_ns()))


def rotate(on: Any, case: Case, outcome: Outcome) -> None:
    """Connections are replaced before they grow old, and nobody sees a seam."""
    rig, expect = on.rig.live_and_moving(), on.expected(case)
    mark = Mark(on)
    outcome.injected = True
    until(on, lambda: _has_moved(on, mark, expect), "a handover", 60.0)
    forbid(on, expect, mark)
    rig.settle()
    outcome.recovered = True


def _has_moved(on: Any, mark: Mark, expect: Expect) -> bool:
    moved: bool = mark.connections >= expect.connections * on.sockets and on.venue.connections == on.sockets
    return moved


# ---- F25: stop in every phase; what must hold afterwards is checked by the rig


def _stop(reach: Callable[[Any], object]) -> Callable[[Any, Case, Outcome], None]:
    def play(on: Any, case: Case, outcome: Outcome) -> None:
        reach(on)
        outcome.injected = True
        on.rig.close()
        on.resume()
        outcome.recovered = True

    return play


def _in_the_look_up(on: Any, case: Case, outcome: Outcome) -> None:
    with _names_never_found() as asked:
        on.rig.aim("ws://never.test")
        on.rig.start()
        until(on, asked.is_set, "the look-up")
        outcome.injected = True
        on.rig.close()
        outcome.recovered = True


@contextmanager
def _names_never_found() -> Iterator[Event]:
    """Names under `.test` are looked up for ever; the event tells that one was asked for."""
    asked, over, real = Event(), Event(), socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).endswith(".test"):
            asked.set()
            over.wait(30.0)
            raise OSError("no such name")
        return real(host, *rest, **more)

    socket.getaddrinfo = look_up
    try:
        yield asked
    finally:
        socket.getaddrinfo = real
        over.set()


def _mute_listener(scheme: str, backlog: int) -> Callable[[Any, Case, Outcome], None]:
    """Somebody listens at the address but never says a word."""

    def play(on: Any, case: Case, outcome: Outcome) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=backlog) as mute:
            on.rig.aim(f"{scheme}://127.0.0.1:{mute.getsockname()[1]}")
            on.rig.start()
            until(on, lambda: on.rig.witness.statuses, "the attempt")
            outcome.injected = True
            on.rig.close()
            outcome.recovered = True

    return play


def _in_the_handshake(on: Any) -> None:
    on.hang_handshakes()
    on.rig.start()
    until(on, on.attempts, "the handshake")


def _in_the_snapshot_wait(on: Any) -> None:
    on.rest_slow(30.0, times=None)
    on.need_rest()
    on.rig.start()
    on.rig.move()
    until(on, on.book_requests, "the request for a book")


def _in_the_back_off(on: Any) -> None:
    on.refuse(503, 600, times=None)
    on.rest_fail(503, times=None)
    on.rig.start()
    until(on, lambda: len(on.attempts()) >= 1, "the refusal")


def _in_a_blocked_send(on: Any) -> None:
    rig = on.rig
    rig.start(on.symbol)
    rig.move()
    rig.until_live()
    on.stop_reading()
    rig.connector.subscribe = lambda symbols: ["x" * 16_000_000]
    rig.start(on.other)
    begun = time.monotonic()
    until(on, lambda: time.monotonic() - begun > 0.5, "the send to block")


def _in_mid_stream(on: Any) -> None:
    on.rig.live_and_moving()


def _after_a_reset(on: Any) -> None:
    on.rig.live_and_moving()
    on.rst()


def _in_silence(on: Any) -> None:
    on.rig.live_and_moving()
    on.half_open()


def _while_polling(on: Any) -> None:
    on.rig.live_and_moving()
    lose_stream(on)
    until(on, lambda: on.rig.witness.state is POLLING, "POLLING", 60.0)


STOPS: dict[str, Callable[[Any, Case, Outcome], None]] = {
    "in the look-up": _in_the_look_up,
    "in the TCP handshake": _mute_listener("ws", 0),
    "in the TLS handshake": _mute_listener("wss", 5),
    "in the WebSocket handshake": _stop(_in_the_handshake),
    "waiting for a snapshot": _stop(_in_the_snapshot_wait),
    "waiting to try again": _stop(_in_the_back_off),
    "in a blocked send": _stop(_in_a_blocked_send),
    "in mid stream": _stop(_in_mid_stream),
    "right after a reset": _stop(_after_a_reset),
    "on a dead connection": _stop(_in_silence),
    "while polling": _stop(_while_polling),
}
