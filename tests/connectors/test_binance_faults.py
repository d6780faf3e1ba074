"""Everything that a venue can do wrong, done to the real connector: it notices, recovers, and never shows a wrong book.

Each test ends in the rig: whatever was published or shown while LIVE equals the truth at its update, no limit of the
venue was broken, `close` took less than two seconds, no callback followed it, no thread and no socket is left.
"""

from __future__ import annotations

import gc
import socket
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from engine.errors import Blocked, Disconnected, InvalidSymbol, RateLimited
from engine.market.events import FeedState
from tests.fakes import binance_faults as faults
from tests.fakes import frames
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_rig import BinanceRig
from tests.fakes.http_server import HttpResponse
from tests.fakes.rig import PACE
from tests.fakes.truth import CRYPTO

BTC, ETH = "BTCUSDT", "ETHUSDT"
LIVE, BLOCKED = FeedState.LIVE, FeedState.BLOCKED
FOREVER = 1_000_000


def _reaches(venue: FakeBinance, kind: str, count: int) -> bool:
    return venue.counts[kind] >= count


def test_a_quiet_day_needs_one_connection_one_snapshot_and_no_repair() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        goal = rig.witness.events + 100
        rig.until(lambda: rig.witness.events > goal)
        rig.settle()
        assert rig.venue.accepted == 1
        assert [len(rig.book_requests()), rig.quality().gaps, rig.quality().resyncs] == [2, 0, 0]


# ---- F1 … F5: the connection


def half_a_frame(venue: FakeBinance) -> None:
    venue.send_all_raw(b"\x81\x7e\x01")
    venue.fin()


BREAKS: dict[str, tuple[Callable[[FakeBinance], None], str]] = {
    "fin": (FakeBinance.fin, ""),
    "rst": (FakeBinance.rst, ""),
    "close 1012": (lambda venue: venue.close_all(1012, "restart"), "1012"),
    "close 1001": (lambda venue: venue.close_all(1001, "away"), "1001"),
    "close 1008": (lambda venue: venue.close_all(1008, "policy"), "1008"),
    "close 4002": (lambda venue: venue.close_all(4002, "own code"), "4002"),
    "close without a code": (lambda venue: venue.close_all(None), ""),
    "half a frame, then fin": (half_a_frame, ""),
    "wrong frame": (lambda venue: venue.send_all_raw(b"\xf3\x01x"), ""),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_connection_is_made_anew_and_the_book_won_back(name: str) -> None:
    break_it, code = BREAKS[name]
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        break_it(rig.venue)
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        rig.settle()
        assert rig.witness.said(code)
        assert rig.venue.connections == 1


@pytest.mark.parametrize("code", [1012, 1001])
def test_a_planned_close_is_followed_at_once(code: int) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        gone = time.monotonic()
        rig.venue.close_all(code)
        rig.until(lambda: rig.venue.accepted == 2)
        assert (rig.venue.entries("handshake")[-1].at - gone) * PACE < 5.0


def test_connections_that_break_again_and_again_are_spaced_out() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        for number in range(2, 6):
            rig.venue.rst()
            rig.until(partial(_reaches, rig.venue, "open", number), what=f"connection {number}")
        rig.settle()
        times = [entry.at for entry in rig.venue.entries("handshake")]
        assert max(sum(1 for other in times if 0 <= other - at < 1.0 / PACE) for at in times) <= 5


def test_an_announced_shutdown_moves_over_before_it_comes() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        before = len(rig.witness.statuses)
        rig.venue.server_shutdown()
        rig.until(
            lambda: rig.venue.accepted == 2 and rig.venue.connections == 1, what="the move to a second connection"
        )
        rig.settle()
        assert set(rig.witness.states[before:]) <= {LIVE}


@pytest.mark.parametrize("silence", [FakeBinance.stall, FakeBinance.half_open])
def test_silence_is_noticed_shown_and_ended(silence: Callable[[FakeBinance], None]) -> None:
    with BinanceRig(limits={"silence_s": 10.0}) as rig:
        rig.live_and_moving()
        silence(rig.venue)
        begun = time.monotonic()
        rig.until(lambda: FeedState.STALE in rig.witness.states, what="STALE")
        assert 4.0 <= (time.monotonic() - begun) * PACE <= 9.0
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        assert (rig.venue.entries("handshake")[-1].at - begun) * PACE >= 9.0
        rig.settle()


# ---- F6 … F9, F11, F24: one book


def test_one_silent_symbol_is_stale_and_asked_for_once_while_the_other_lives() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        asked = rig.venue.counts["text"]
        rig.venue.mute(BTC)
        rig.until(lambda: rig.witnesses[BTC].state is FeedState.STALE, what="STALE")
        rig.until(lambda: rig.venue.counts["text"] == asked + 2, what="one resubscription")
        goal = rig.witnesses[ETH].events + 100
        rig.until(lambda: rig.witnesses[ETH].events > goal)
        assert rig.venue.counts["text"] == asked + 2
        assert FeedState.STALE not in rig.witnesses[ETH].states
        rig.venue.unmute(BTC)
        rig.settle()
        assert rig.venue.accepted == 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_gap_is_seen_and_repaired_on_the_same_connection(count: int) -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.gap(BTC, count)
        rig.until(lambda: rig.quality(BTC).gaps == 1, what="a gap")
        rig.settle()
        assert (rig.venue.accepted, rig.quality(BTC).resyncs, rig.quality(ETH).resyncs) == (1, 1, 0)
        assert rig.witness.said("gap: expected update")


def test_duplicates_are_ignored_and_counted() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.duplicate(BTC, 10)
        rig.until(lambda: rig.quality().duplicates == 10, what="ten duplicates")
        rig.settle()
        assert (rig.quality().gaps, rig.quality().resyncs, rig.venue.accepted) == (0, 0, 1)


def test_exchanged_updates_never_make_a_wrong_book() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.swap(BTC)
        rig.until(lambda: rig.quality().gaps == 1, what="a gap")
        rig.settle()
        assert rig.venue.accepted == 1


def test_a_snapshot_that_is_too_old_is_asked_for_again() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.stale_rest(BTC, times=3)
        rig.venue.gap(BTC)
        rig.settle()
        assert len(rig.book_requests()) == 5
        assert rig.quality().gaps == 1


IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "crossed": faults.crossing,
    "negative size": faults.negative_size,
    "NaN": faults.bad_value("NaN"),
    "negative price": faults.bad_value("-1.0"),
    "infinite": faults.bad_value("1e999"),
    "null": faults.bad_value(None),
    "object": faults.bad_value({}),
    "letters": faults.bad_value("abc"),
    "nothing": faults.bad_value(""),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_update_is_caught_and_repaired(name: str) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, faults.edited(IMPOSSIBLE[name]))
        rig.until(lambda: rig.quality().resyncs == 1, what="a resync")
        assert rig.quality().crossed + rig.quality().decode_errors >= 1
        rig.settle()
        assert rig.venue.accepted == 1


@pytest.mark.parametrize(
    "how",
    [
        faults.edited(faults.absent_removal),
        faults.edited(faults.exponent_prices),
        faults.fragmented,
        faults.binary,
    ],
)
def test_an_unusual_update_that_is_right_changes_nothing(how: faults.Rewrite) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, how, count=5)
        rig.until(lambda: rig.venue.script(BTC).applied == 5)
        rig.settle()
        assert (rig.quality().gaps, rig.quality().resyncs, rig.quality().decode_errors) == (0, 0, 0)


# ---- F12, F13: refusals


@pytest.mark.parametrize("status", [500, 503, 403, 404])
def test_snapshots_that_fail_are_asked_for_again(status: int) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.fail_rest(status, times=2)
        rig.venue.gap(BTC)
        rig.until(lambda: rig.witness.said(f"HTTP {status}"), what=f"HTTP {status} as a reason")
        rig.settle()
        assert rig.venue.accepted == 1


@pytest.mark.parametrize("status", [429, 418])
def test_retry_after_is_honoured(status: int) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.fail_rest(status, retry_after_s=6)
        rig.venue.gap(BTC)
        rig.settle()
        refused, again = rig.book_requests()[-2:]
        assert (again.at - refused.at) * PACE >= 5.9


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(body=b"<html>maintenance</html>", content_type="text/html"),
        HttpResponse(body=b""),
        HttpResponse(body=b'{"lastUpdateId":1,"bids":[["1","1"]'),
        HttpResponse(body=b'{"lastUpdateId":"one","bids":[],"asks":[]}'),
        HttpResponse(body=b"[]"),
        HttpResponse(body=b'{"lastUpdateId":99999999999,"bids":[["2","1"]],"asks":[["1","1"]]}'),
        HttpResponse(body=b'{"lastUpdateId":99999999999,"bids":[["2","-1"]],"asks":[["3","1"]]}'),
        HttpResponse(body=b"0123456789", truncate_at=4),
        HttpResponse(drop=True),
    ],
    ids=["html", "empty", "cut", "wrong type", "list", "crossed", "negative", "half sent", "hung up"],
)
def test_a_snapshot_that_cannot_be_used_is_asked_for_again(answer: HttpResponse) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rest_fault(answer, times=2)
        rig.venue.gap(BTC)
        rig.settle()


def test_a_slow_snapshot_joins_what_was_kept_meanwhile() -> None:
    with BinanceRig(patience={"fetch_s": 3.0}) as rig:
        rig.live_and_moving()
        rig.venue.slow_rest(1.0)
        rig.venue.gap(BTC)
        rig.until(lambda: rig.quality().gaps == 1)
        rig.settle()
        assert rig.venue.accepted == 1


def test_a_snapshot_that_never_comes_is_given_up_and_asked_for_again() -> None:
    with BinanceRig(patience={"fetch_s": 0.3}) as rig:
        rig.live_and_moving()
        rig.venue.slow_rest(30.0)
        rig.venue.gap(BTC)
        rig.settle()


def test_a_forbidden_region_is_said_and_not_hammered() -> None:
    with BinanceRig() as rig:
        rig.venue.refuse(451, body=b'{"code":0,"msg":"restricted location"}', times=None)
        rig.venue.fail_rest(451, times=None)
        rig.start()
        rig.until(lambda: rig.witness.state is BLOCKED, what="BLOCKED")
        seen = rig.venue.logged
        assert rig.venue.counts["handshake"] + rig.venue.counts["http"] <= 4
        assert not rig.venue.wait_for(lambda: rig.venue.logged > seen + 1, 1.0)


def test_a_refused_handshake_waits_as_long_as_told() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.refuse(429, headers={"Retry-After": "8"})
        rig.venue.rst()
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        refused, accepted = rig.venue.entries("handshake")[-2:]
        assert (accepted.at - refused.at) * PACE >= 7.9
        rig.settle()


@pytest.mark.parametrize("status", [503, 500, 502, 403])
def test_refused_handshakes_are_tried_again(status: int) -> None:
    with BinanceRig() as rig:
        rig.venue.refuse(status, times=2)
        rig.start().move()
        rig.until_live()
        rig.settle()
        assert rig.venue.counts["refused"] == 2


def test_without_a_stream_the_book_is_polled_and_the_stream_taken_up_again_without_a_hole() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.refuse(503, times=None)
        rig.venue.rst()
        rig.until(lambda: all(one.state is FeedState.POLLING for one in rig.witnesses.values()), what="POLLING")
        goal = rig.witness.snapshots + 3
        rig.until(lambda: rig.witness.snapshots >= goal, what="three polled books")
        rig.venue.accept_all()
        rig.until(lambda: rig.witness.state is LIVE, timeout=20.0, what="the stream again")
        rig.settle()


# ---- F14, F15: frames


def test_frames_that_cannot_be_read_are_dropped_counted_and_survived() -> None:
    with BinanceRig([BTC, ETH], patience={"decode_errors_per_minute": FOREVER, "resyncs_per_minute": FOREVER}) as rig:
        rig.live_and_moving()
        for frame in faults.bad_frames(BTC).values():
            rig.venue.send_all(frame)
            rig.until_live()
        rig.settle()
        assert rig.quality(ETH).decode_errors >= 8
        assert (rig.venue.accepted, rig.quality(ETH).resyncs) == (1, 0)


def test_one_update_with_an_absurd_number_does_not_keep_the_book_away() -> None:
    def absurd(fields: dict[str, Any]) -> None:
        fields["U"] = fields["u"] = 9_000_000_000_000_000_000

    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, faults.edited(absurd))
        rig.until(lambda: rig.quality().gaps >= 1, what="a gap")
        rig.settle()
        assert len(rig.book_requests()) <= 12


def test_a_removal_at_an_impossible_price_is_not_passed_over() -> None:
    def impossible(fields: dict[str, Any]) -> None:
        fields["b"], fields["a"] = [["NaN", "0.00000000"]], fields["a"]

    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, faults.edited(impossible))
        rig.until(lambda: rig.quality().resyncs == 1, what="a resync")
        rig.settle()


def test_a_silent_symbol_is_asked_for_again_when_the_asking_gets_lost() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.mute(BTC)
        rig.venue.drop_acks()
        rig.until(lambda: not rig.venue.subscribers(BTC), what="the lost subscription")
        rig.venue.unmute(BTC)
        rig.until(lambda: rig.venue.subscribers(BTC), what="another subscription")
        rig.settle()


@pytest.mark.parametrize("name", ["cut_json", "nan_literal", "not_utf8", "deep", "huge_ids", "five_megabytes"])
def test_a_bad_frame_instead_of_an_update_is_a_gap_and_repaired(name: str) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, faults.replaced(faults.bad_frames(BTC)[name]))
        rig.until(lambda: rig.quality().resyncs >= 1, what="a resync")
        rig.settle()


def test_too_much_nonsense_ends_the_connection() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        for _ in range(12):
            rig.venue.send_all(b"nonsense")
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        rig.settle()


def test_a_message_over_the_bound_ends_the_connection_instead_of_the_memory() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.send_all_raw(frames.encode(frames.TEXT, b"x" * 25_000_000))
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        rig.settle()


def test_pings_are_answered_and_count_as_messages() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        for number in range(1, 5):
            rig.venue.ping_all()
            rig.until(partial(_reaches, rig.venue, "pong", number), what=f"pong {number}")
        rig.settle()


# ---- F16, F17, F18, F19, F20


@pytest.mark.parametrize("deny", [FakeBinance.drop_acks, FakeBinance.refuse_subscribe])
def test_a_first_subscription_that_fails_is_asked_for_again(deny: Callable[[FakeBinance], None]) -> None:
    with BinanceRig([BTC, ETH]) as rig:
        deny(rig.venue)
        rig.start().move()
        rig.until_live(timeout=15.0)
        rig.settle()


@pytest.mark.parametrize("deny", [FakeBinance.drop_acks, FakeBinance.refuse_subscribe])
def test_a_later_subscription_that_fails_is_asked_for_again_while_others_live(
    deny: Callable[[FakeBinance], None],
) -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.start(BTC).move()
        rig.until_live(BTC)
        deny(rig.venue)
        rig.start(ETH)
        rig.until_live(ETH, timeout=15.0)
        rig.settle()
        assert rig.witnesses[BTC].states.count(LIVE) == 1


def test_a_symbol_that_does_not_exist_is_named_and_the_others_live() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.start(BTC)
        rig.start("BTCUSTD").move()
        wrong = rig.witnesses["BTCUSTD"]
        rig.until(lambda: wrong.state is FeedState.INVALID, what="INVALID")
        rig.until_live(BTC)
        assert "BTCUSDT" in wrong.statuses[-1].hint
        asked = len([entry for entry in rig.book_requests() if "BTCUSTD" in entry.text])
        assert asked <= 2


def test_a_flood_is_swallowed_and_leaves_the_right_book() -> None:
    with BinanceRig(history=150_000) as rig:
        rig.start()
        rig.until(lambda: rig.venue.subscribers(BTC))
        rig.venue.step(BTC, 3)
        rig.until_live()
        begun = time.monotonic()
        rig.venue.flood(BTC, 50_000)
        rig.until_live(timeout=15.0)
        assert time.monotonic() - begun < 15.0
        rig.settle()
        assert (rig.venue.accepted, rig.quality().gaps) == (1, 0)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda venue: venue.skew(3_600.0),
        lambda venue: venue.skew(-3_600.0),
        FakeBinance.stamp_1970,
        FakeBinance.stamp_microseconds,
    ],
    ids=["an hour ahead", "an hour behind", "1970", "microseconds"],
)
def test_a_wrong_clock_at_the_venue_changes_no_book_and_no_age(tamper: Callable[[FakeBinance], None]) -> None:
    with BinanceRig() as rig:
        tamper(rig.venue)
        rig.live_and_moving()
        goal = rig.witness.events + 50
        rig.until(lambda: rig.witness.events > goal)
        assert FeedState.STALE not in rig.witness.states
        assert rig.quality().age_s(rig.connector.runtime.clock.now_ns()) < 5.0
        rig.settle()


def test_many_books_lost_at_once_come_back_within_the_venues_limits() -> None:
    with BinanceRig(CRYPTO) as rig:
        rig.live_and_moving()
        rig.venue.desync_all()
        rig.until(lambda: all(one.states.count(LIVE) == 2 for one in rig.witnesses.values()), what="LIVE again")
        rig.venue.ping_all()
        rig.settle()
        assert rig.venue.peak_messages_per_s <= 5


def test_a_connection_is_replaced_before_its_end_without_a_visible_seam() -> None:
    with BinanceRig([BTC, ETH], limits={"rotate_after_s": 5.0}, patience={"rotate_again_s": 5.0}) as rig:
        rig.live_and_moving()
        before = len(rig.witness.statuses)
        rig.until(lambda: rig.venue.accepted >= 3 and rig.venue.connections == 1, timeout=15.0, what="two rotations")
        assert set(rig.witness.states[before:]) <= {LIVE}
        rig.settle()


def test_the_venues_own_end_after_24_hours_is_survived() -> None:
    with BinanceRig(max_age_s=1.0) as rig:
        rig.live_and_moving()
        rig.until(lambda: rig.venue.accepted >= 3, what="two ends")
        rig.venue.max_age_s = None
        rig.settle()


# ---- F25: stop in every phase


def test_stop_in_mid_handshake() -> None:
    with BinanceRig(patience={"connect_s": 30.0}) as rig:
        rig.venue.hang_handshakes()
        rig.start()
        rig.until(lambda: rig.venue.counts["handshake"] == 1)


def test_stop_while_nobody_answers_the_call() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as mute, BinanceRig(patience={"connect_s": 30.0}) as rig:
        rig.aim(f"ws://127.0.0.1:{mute.getsockname()[1]}")
        rig.start()
        rig.until(lambda: rig.witness.statuses, what="the attempt")


def test_stop_while_waiting_for_the_next_try() -> None:
    with BinanceRig() as rig:
        rig.venue.refuse(503, headers={"Retry-After": "600"}, times=None)
        rig.venue.fail_rest(503, times=None)
        rig.start()
        rig.until(lambda: rig.venue.counts["refused"] >= 2)


def test_stop_while_a_snapshot_is_awaited() -> None:
    with BinanceRig(patience={"fetch_s": 30.0}) as rig:
        rig.venue.slow_rest(30.0, times=None)
        rig.start().move()
        rig.until(rig.book_requests)


@pytest.mark.parametrize("silence", [FakeBinance.stall, FakeBinance.half_open, FakeBinance.fin, FakeBinance.rst])
def test_stop_right_after_the_connection_failed(silence: Callable[[FakeBinance], None]) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        silence(rig.venue)


def test_stop_in_mid_flood() -> None:
    with BinanceRig(history=100_000) as rig:
        rig.live_and_moving()
        rig.rest()
        goal = rig.witness.events + 100
        rig.venue.flood(BTC, 40_000)
        rig.until(lambda: rig.witness.events > goal)


def _used_and_closed() -> tuple[weakref.ref[Any], weakref.ref[Any]]:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.rst()
        rig.until(lambda: rig.venue.accepted == 2)
        rig.settle()
    stream = rig.witness.stream
    assert stream is not None
    return weakref.ref(rig.connector), weakref.ref(stream.feed)


def test_nothing_of_a_closed_connector_stays_in_memory() -> None:
    connector, feed = _used_and_closed()
    gc.collect()
    assert (connector(), feed()) == (None, None)


def test_one_symbol_can_stop_while_the_other_goes_on() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        stopped, stream = rig.witnesses[BTC], rig.witnesses[BTC].stream
        assert stream is not None
        stream.stop()
        stopped.stopped = True
        rig.until(lambda: not rig.venue.subscribers(BTC), what="the end of the subscription")
        del rig.witnesses[BTC]
        rig.settle()
        assert stopped.verify() == []


# ---- one call by REST


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, RateLimited), (418, RateLimited), (451, Blocked), (403, Disconnected), (503, Disconnected)],
)
def test_a_failed_call_says_what_to_do_about_it(status: int, error: type[Exception]) -> None:
    with BinanceRig() as rig:
        rig.venue.fail_rest(status, retry_after_s=7)
        with pytest.raises(error) as caught:
            rig.connector.fetch_snapshot(BTC)
        if isinstance(caught.value, RateLimited):
            assert caught.value.retry_after_s == 7


def test_a_call_for_an_unknown_symbol_names_near_ones() -> None:
    with BinanceRig([BTC, ETH]) as rig, pytest.raises(InvalidSymbol) as caught:
        rig.connector.fetch_snapshot("BTCUSTD")
    assert "BTCUSDT" in caught.value.hint
