"""What Binance can do wrong beyond the fault catalogue (tests/contract), done to the real connector.

Each test ends in the rig: whatever was published or shown while LIVE equals the truth at its update, no limit of the
venue was broken, `close` took less than two seconds, no callback followed it, no thread and no socket is left.
"""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from engine.errors import Blocked, Disconnected, InvalidSymbol, RateLimited
from engine.market.events import FeedState
from tests.fakes import binance_faults as faults
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_rig import BinanceRig
from tests.fakes.http_server import HttpResponse
from tests.fakes.rig import PACE

BTC, ETH = "BTCUSDT", "ETHUSDT"
LIVE = FeedState.LIVE
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


def test_a_connection_that_is_closed_without_a_code_is_made_anew_and_the_book_won_back() -> None:
    with BinanceRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.close_all(None)
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        rig.settle()
        assert rig.venue.connections == 1


def test_connections_that_break_again_and_again_are_spaced_out() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        for number in range(2, 6):
            rig.venue.rst()
            rig.until(partial(_reaches, rig.venue, "open", number), what=f"connection {number}")
        rig.settle()
        times = [entry.at for entry in rig.venue.entries("handshake")]
        assert max(sum(1 for other in times if 0 <= other - at < 1.0 / PACE) for at in times) <= 5


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


def test_a_snapshot_that_is_too_old_is_asked_for_again() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.stale_rest(BTC, times=3)
        rig.venue.gap(BTC)
        rig.settle()
        assert len(rig.book_requests()) == 5
        assert rig.quality().gaps == 1


IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "negative price": faults.bad_value("-1.0"),
    "object": faults.bad_value({}),
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


# ---- F12, F13: refusals


@pytest.mark.parametrize("status", [404, 502])
def test_snapshots_that_fail_are_asked_for_again(status: int) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.fail_rest(status, times=2)
        rig.venue.gap(BTC)
        rig.until(lambda: rig.witness.said(f"HTTP {status}"), what=f"HTTP {status} as a reason")
        rig.settle()
        assert rig.venue.accepted == 1


@pytest.mark.parametrize(
    "answer",
    [
        HttpResponse(body=b'{"lastUpdateId":"one","bids":[],"asks":[]}'),
        HttpResponse(body=b'{"lastUpdateId":99999999999,"bids":[["2","-1"]],"asks":[["3","1"]]}'),
    ],
    ids=["wrong type", "negative"],
)
def test_a_snapshot_that_cannot_be_used_is_asked_for_again(answer: HttpResponse) -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        rig.venue.rest_fault(answer, times=2)
        rig.venue.gap(BTC)
        rig.settle()


@pytest.mark.parametrize("status", [502])
def test_refused_handshakes_are_tried_again(status: int) -> None:
    with BinanceRig() as rig:
        rig.venue.refuse(status, times=2)
        rig.start().move()
        rig.until_live()
        rig.settle()
        assert rig.venue.counts["refused"] == 2


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


def test_pings_are_answered_and_count_as_messages() -> None:
    with BinanceRig() as rig:
        rig.live_and_moving()
        for number in range(1, 5):
            rig.venue.ping_all()
            rig.until(partial(_reaches, rig.venue, "pong", number), what=f"pong {number}")
        rig.settle()


# ---- F16: symbols


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


# ---- F25: stop in every phase


def test_stop_in_mid_flood() -> None:
    with BinanceRig(history=100_000, pace=1.0) as rig:
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
