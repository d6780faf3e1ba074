"""The fault catalogue: every fault that a venue can do, in its variants, with the reaction that is owed."""

from __future__ import annotations

from typing import Any

from engine.market.events import FeedState
from tests.contract import plays
from tests.contract.case import Case, Expect

LIVE, STALE, SYNCING = FeedState.LIVE, FeedState.STALE, FeedState.SYNCING
RECONNECTING, POLLING, BLOCKED = FeedState.RECONNECTING, FeedState.POLLING, FeedState.BLOCKED
FOREVER = 1_000_000

FAULTS: dict[str, str] = {
    "F1": "the connection ends",
    "F2": "the venue closes with a code",
    "F3": "a shutdown is announced",
    "F4": "silence on a connection that stands",
    "F5": "half-open TCP",
    "F6": "one symbol falls silent",
    "F7": "updates are lost",
    "F8": "updates come twice",
    "F9": "updates change places",
    "F10": "wrong checksums",
    "F11": "the REST book is older than the stream",
    "F12": "REST is slow, refuses or talks nonsense",
    "F13": "the handshake is refused",
    "F14": "frames that cannot be read",
    "F15": "frames that are odd, broken or huge",
    "F16": "subscriptions are lost, refused or wrong",
    "F17": "a burst",
    "F18": "the venue's clock is wrong",
    "F19": "many books lost at once",
    "F20": "the connection grows old",
    "F21": "a second connection with the same key",
    "F22": "the token expires",
    "F23": "the chain misbehaves",
    "F24": "impossible updates",
    "F25": "stop, whatever it waits for",
}

ANEW = Expect(states=(RECONNECTING,), connections=1)
SEAMLESS = Expect(never=(SYNCING, RECONNECTING, POLLING), calm=True)
UNTOUCHED = SEAMLESS.but(at_most=0)
SETTLED = Expect(at_most=0, calm=True)
QUIET = {"silence_s": 10.0}
"""Venues that are given 45 s of silence get ten here."""


def _closed(code: int, at_once_s: float | None = None) -> Case:
    expect = ANEW.but(says=str(code), at_once_s=at_once_s)
    return Case("F2", str(code), "close", lambda on: on.close(code), expect)


CONNECTION = (
    Case("F1", "FIN", "fin", lambda on: on.fin(), ANEW),
    Case("F1", "RST", "rst", lambda on: on.rst(), ANEW),
    Case("F1", "in mid frame", "half_a_frame", lambda on: on.half_a_frame(), ANEW),
    Case("F1", "no way back for a while", "refuse", plays.lose_stream, play=plays.fall_back),
    _closed(1012, 8.0),
    _closed(1001, 8.0),
    _closed(1008),
    _closed(4002),
    Case("F3", "announced", "announce_shutdown", lambda on: on.announce_shutdown(), SEAMLESS.but(connections=1)),
    Case("F4", "no frame, no pong", "stall", lambda on: on.stall(), ANEW.but(
        states=(STALE, RECONNECTING), says="nothing received"), limits=QUIET, stay=True),
    Case("F5", "neither read nor written", "half_open", lambda on: on.half_open(), ANEW.but(
        states=(STALE, RECONNECTING), says="nothing received"), limits=QUIET, stay=True),
    Case("F6", "heartbeats go on", "mute", lambda on: on.mute(), Expect(
        states=(STALE,), at_most=0, calm=True, asks=1, asks_at_most=6), stay=True),
)  # fmt: skip

BOOK = (
    Case("F7", "one update", "gap", lambda on: on.gap(1), Expect(counters={"gaps": 1}, at_most=0, calm=True)),
    Case("F7", "five updates", "gap", lambda on: on.gap(5), Expect(counters={"gaps": 1}, at_most=0, calm=True)),
    Case("F8", "ten updates", "duplicate", lambda on: on.duplicate(10), UNTOUCHED.but(counters={"duplicates": 10})),
    Case("F9", "two neighbours", "swap", lambda on: on.swap(), Expect(counters={"gaps": 1}, at_most=0, calm=True)),
    Case("F10", "once", "bad_checksum", lambda on: on.bad_checksum(1), Expect(
        states=(SYNCING,), says="checksum", counters={"checksums_bad": 1}, at_most=0, calm=True)),
    Case("F10", "always", "bad_checksum", lambda on: on.bad_checksum(FOREVER), Expect(
        states=(SYNCING, POLLING), says="resyncs within a minute", connections=1, asks_per_minute=20, within_s=200.0),
        stay=True, symbols=1, patience={"resyncs_per_minute": 2, "restarts_per_10_minutes": 1}),
    Case("F11", "three times", "stale_snapshot", lambda on: on.stale_snapshot(3), Expect(
        states=(SYNCING,), at_most=0, calm=True, book_requests=4)),
)  # fmt: skip


def _rest(status: int, retry_after_s: int | None = None) -> Case:
    """REST refuses while a book is needed."""

    def inject(on: Any) -> None:
        on.rest_fail(status, retry_after_s, times=1 if retry_after_s else None)
        on.lose_book()

    expect = Expect(says=f"HTTP {status}", rest_not_before_s=(retry_after_s or 0.0) * 0.98)
    return Case("F12", f"{status}", "rest_fail", inject, expect, stay=True)


def _broken(what: str) -> Case:
    def inject(on: Any) -> None:
        on.rest_broken(what)
        on.lose_book()

    return Case("F12", what, "rest_broken", inject, Expect(book_requests=2), stay=True)


REST = (
    _rest(500), _rest(503), _rest(403), _rest(429, 6), _rest(418, 6),
    Case("F12", "451", "rest_fail", lambda on: (on.rest_fail(451, times=None), on.lose_book()), Expect(
        states=(BLOCKED,), says="451", recovers=False, ends=(BLOCKED,), book_requests_at_most=1), stay=True),
    *[_broken(what) for what in ("html", "empty", "cut", "list", "crossed", "half sent", "hung up")],
    Case("F12", "slow", "rest_slow", lambda on: (on.rest_slow(0.6), on.lose_book()), Expect(
        book_requests=1, at_most=0), patience={"fetch_s": 3.0}, stay=True),
    Case("F12", "never", "rest_slow", lambda on: (on.rest_slow(30.0), on.lose_book()), Expect(
        book_requests=2), patience={"fetch_s": 0.3}, stay=True),
)  # fmt: skip


def _refused(status: int, retry_after_s: int | None = None) -> Case:
    def inject(on: Any) -> None:
        on.refuse(status, retry_after_s)
        on.rst()

    expect = ANEW.but(says=f"HTTP {status}", not_before_s=(retry_after_s or 0.0) * 0.98)
    return Case("F13", str(status), "refuse", inject, expect)


HANDSHAKE = (
    _refused(429, 8), _refused(503), _refused(403), _refused(500),
    Case("F13", "451", "refuse", plays.lose_stream, play=plays.blocked_stream),
    Case("F13", "451 and no REST either", "rest_fail", plays.lose_stream, play=plays.blocked),
)  # fmt: skip

SHAPES = (
    "cut_json", "empty", "null", "number", "list", "empty_object", "unknown_channel", "wrong_types", "nan",
    "huge_number", "deep", "not_utf8", "nul_bytes", "html",
)  # fmt: skip


def _shape(name: str) -> Case:
    return Case(
        "F14", name.replace("_", " "), "malformed", lambda on: on.send(on.malformed()[name]), Expect(at_most=0),
        patience={"resyncs_per_minute": FOREVER},
    )  # fmt: skip


FRAMES = (
    *[_shape(name) for name in SHAPES],
    Case("F14", "instead of an update", "edit", lambda on: on.edit("cut"), Expect(counters={"decode_errors": 1})),
    Case("F14", "twelve a minute", "nonsense", lambda on: on.nonsense(12), ANEW.but(says="unreadable frames")),
    Case("F15", "binary", "harmless", lambda on: on.harmless("binary"), UNTOUCHED),
    Case("F15", "fragmented", "harmless", lambda on: on.harmless("fragmented"), UNTOUCHED),
    Case("F15", "exponents", "harmless", lambda on: on.harmless("exponent"), UNTOUCHED),
    Case("F15", "five megabytes", "huge", lambda on: on.huge(5_000_000), Expect(at_most=0), alone=True),
    Case("F15", "over the bound", "huge", lambda on: on.huge(25_000_000), ANEW.but(says="over the bound"), alone=True),
    Case("F15", "no WebSocket frame", "wrong_frame", lambda on: on.wrong_frame(), ANEW),
)


def _clock(what: str) -> Case:
    return Case("F18", what, "skew", lambda on: on.skew(what), UNTOUCHED, play=plays.wrong_clock)


def _chain(what: str) -> Case:
    return Case("F23", what, "reorganise", lambda on: on.reorganise(what))


def _impossible(what: str) -> Case:
    expect = Expect(counters={"resyncs": 1}, at_most=0, calm=True)
    return Case("F24", what, "edit", lambda on: on.edit(what), expect)


SUBSCRIPTION = (
    Case("F16", "first one lost", "lose_subscription", lambda on: on.lose_subscription(), Expect(at_most=1),
         first=True),
    Case("F16", "first one refused", "refuse_subscription", lambda on: on.refuse_subscription(), Expect(at_most=1),
         first=True),
    Case("F16", "later one lost", "lose_subscription", lambda on: on.lose_subscription(), SETTLED,
         play=plays.subscribe_later),
    Case("F16", "later one refused", "refuse_subscription", lambda on: on.refuse_subscription(), SETTLED,
         play=plays.subscribe_later),
    Case("F16", "a wrong symbol", "wrong_symbol", plays.nothing, play=plays.wrong_symbol),
    Case("F17", "50,000 messages", "flood", lambda on: on.flood(50_000), Expect(at_most=0), play=plays.flood,
         symbols=1, alone=True, pace=1.0, history=150_000),
    *[_clock(what) for what in ("ahead", "behind", "1970", "microseconds")],
    Case("F19", "every book", "desync_all", lambda on: on.desync_all(), Expect(counters={"gaps": 1}, at_most=0),
         symbols=99),
    Case("F20", "replaced in time", "rotate", plays.nothing, SEAMLESS.but(connections=2), play=plays.rotate,
         limits={"rotate_after_s": 6.0}, patience={"rotate_again_s": 6.0}),
    Case("F20", "ended by the venue", "age_out", lambda on: on.age_out(), ANEW.but(at_once_s=8.0)),
)  # fmt: skip

OWN = (
    Case("F21", "killed by another", "second_connection", lambda on: on.second_connection(), Expect()),
    Case("F22", "refreshed", "expire_token", lambda on: on.expire_token(), Expect()),
    Case("F22", "for good", "expire_token", lambda on: on.expire_token(for_good=True), Expect(
        states=(BLOCKED,), recovers=False, ends=(BLOCKED,))),
    *[_chain(what) for what in ("reorg", "missing block", "partial batch", "empty result")],
    *[_impossible(what) for what in ("crossed", "negative", "NaN", "null", "infinite", "letters")],
    Case("F24", "removal of nothing", "harmless", lambda on: on.harmless("absent removal"), UNTOUCHED),
)  # fmt: skip

STOP = tuple(Case("F25", what, "stop", plays.nothing, play=play) for what, play in plays.STOPS.items())

CASES: tuple[Case, ...] = (*CONNECTION, *BOOK, *REST, *HANDSHAKE, *FRAMES, *SUBSCRIPTION, *OWN, *STOP)
"""Every case; a venue that cannot suffer one says why (`Adapter.cannot`)."""
